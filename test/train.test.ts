import * as nodeFiles from "node:fs";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { decodeCheckpoint, encodeCheckpoint, type Checkpoint, type RunState } from "../runtime/checkpoint.ts";
import { readCheckpoint, writeCheckpoint } from "../runtime/checkpoint-file.ts";
import { savedTensors } from "../runtime/arena-plan.ts";
import type { Batches, Data } from "../runtime/data/data.ts";
import { UserError } from "../runtime/errors.ts";
import { evaluate } from "../runtime/evaluate.ts";
import {
  decodeRecords,
  encodeRecord,
  keepUntil,
  memoryMetrics,
  type MetricsRecord,
} from "../runtime/metrics.ts";
import { openMetrics } from "../runtime/metrics-file.ts";
import type { Training } from "../runtime/program.ts";
import { threefry, uniform } from "../runtime/random.ts";
import { openSession, type Session } from "../runtime/session.ts";
import { train } from "../runtime/train.ts";
import { regression, width } from "./helpers/hand-written.ts";

const truth = [1, -2, 3, 0.5];
/** Rows with a known answer; `break` poisons one batch. */
function rows(seed: number, batches: number, poison = -1): Batches {
  return {
    examples: 8 * batches,
    batches,
    batch: (index) => {
      const x = Float32Array.from(
        { length: 8 * width },
        (_, n) => uniform(threefry(seed, index % batches, n, 0)[0]) - 0.5,
      );
      const y = Float32Array.from({ length: 8 }, (_, b) =>
        truth.reduce((sum, w, d) => sum + w * x[b * width + d]!, 0),
      );
      if (index === poison) y[3] = 3e38;
      return { x, y };
    },
  };
}
const dataOf = (parts: Partial<Data> = {}): Data => ({
  train: rows(1, 50),
  held: rows(2, 3),
  tokenizers: {},
  labels: {},
  fingerprint: "rows",
  summary: [],
  close: () => {},
  ...parts,
});

const open: Session[] = [];
const folders: string[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.dispose();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});
async function start(recipe: Partial<Training> = {}, seed = 11): Promise<Session> {
  const { program, wasm } = regression(recipe);
  const session = await openSession(program, wasm, { seed, threads: 1 });
  open.push(session);
  return session;
}
const tensorsOf = (session: Session) =>
  new Map(session.tensors().map(({ name }) => [name, session.read(name)]));

/** Checkpoints in memory, through the bytes of a file. */
function store(session: Session) {
  const kept = new Map<string, Uint8Array<ArrayBuffer>>();
  const tensors = savedTensors(session.program);
  const save = (kind: "last" | "best", state: RunState): void => {
    const parts = encodeCheckpoint(tensors, (name) => session.view(name), state);
    kept.set(kind, new Uint8Array(Buffer.concat(parts)));
  };
  const load = (kind: "last" | "best"): Checkpoint => decodeCheckpoint(kept.get(kind)!, kind, tensors);
  return { save, load, kept };
}
const withoutTimes = (records: readonly MetricsRecord[]) =>
  records.map((record) => ({ ...record, seconds: 0, perSecond: 0 }));
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "moe-train-"));
  folders.push(made);
  return made;
};

describe("train", () => {
  test("the loss goes down and the parameters come out", async () => {
    const session = await start({ steps: 300 });
    const metrics = memoryMetrics();
    const result = await train(session, dataOf(), { metrics });
    expect(result).toMatchObject({ reason: "finished", step: 300 });
    expect(result.evaluation!.metrics["loss"]).toBeLessThan(0.01);
    session.read("w").forEach((w, d) => expect(w).toBeCloseTo(truth[d]!, 1));
    const steps = metrics.records.filter((record) => record.kind === "step");
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
    expect(steps[0]!.rate).toBeCloseTo(0.02, 8);
    expect(steps[100]!.rate).toBeCloseTo(0.01, 8);
    expect(metrics.records.filter((record) => record.kind === "evaluation").map(({ step }) => step)).toEqual(
      Array.from({ length: 30 }, (_, n) => 10 * (n + 1)),
    );
  });

  test.each([1, 3])(
    "a run stopped at any step and resumed is the same, bit for bit (accumulate %i)",
    async (accumulate) => {
      const recipe = { accumulate, steps: 30 };
      const whole = await start(recipe);
      const expected = memoryMetrics();
      const wholeResult = await train(whole, dataOf(), { metrics: expected });

      for (const stop of [1, 10, 17, 29]) {
        const first = await start(recipe);
        const checkpoints = store(first);
        const before = memoryMetrics();
        const control = new AbortController();
        const onStep = ({ step }: { step: number }): void => {
          if (step === stop) control.abort();
        };
        const interrupted = await train(first, dataOf(), {
          metrics: before,
          signal: control.signal,
          onStep,
          save: checkpoints.save,
        });
        expect(interrupted).toMatchObject({ reason: "interrupted", step: stop });

        const second = await start(recipe);
        const after = memoryMetrics();
        const resumed = await train(second, dataOf(), { metrics: after, resume: checkpoints.load("last") });
        expect(resumed).toMatchObject({ reason: "finished", step: 30, best: wholeResult.best! });
        expect(tensorsOf(second)).toEqual(tensorsOf(whole));
        expect(withoutTimes([...before.records, ...after.records])).toEqual(withoutTimes(expected.records));
      }
    },
  );

  test("accumulated micro-batches reach the update together", async () => {
    const one = await start({ steps: 1, accumulate: 1 });
    const three = await start({ steps: 1, accumulate: 3 });
    const norms: number[] = [];
    for (const session of [one, three])
      await train(session, dataOf(), { onStep: ({ norm }) => norms.push(norm) });
    expect(norms[1]).toBeGreaterThan(1.5 * norms[0]!);
  });

  test("stops early when evaluations no longer improve, and keeps the best", async () => {
    const session = await start({ steps: 5000, evaluateEvery: 5, patience: 3 });
    const checkpoints = store(session);
    // What is held out is the opposite of what is learned: the loss rises from some step on.
    const opposite: Batches = {
      ...rows(1, 2),
      batch: (n) => ({
        x: rows(1, 2).batch(n)["x"]!,
        y: rows(1, 2)
          .batch(n)
          ["y"]!.map((y) => -y),
      }),
    };
    const result = await train(session, dataOf({ held: opposite }), { save: checkpoints.save });
    expect(result.reason).toBe("stopped early");
    expect(result.step).toBeLessThan(1000);
    const best = checkpoints.load("best");
    expect(best.state.best).toBe(result.best);
    expect(result.step).toBe(best.state.step + 15);
    // Resuming such a run does not train on.
    const again = await train(session, dataOf({ held: opposite }), { resume: checkpoints.load("last") });
    expect(again).toMatchObject({ reason: "stopped early", step: result.step });
  });

  test("evaluation changes nothing and is a mean over batches", async () => {
    const session = await start();
    const before = tensorsOf(session);
    const losses: number[] = [];
    const visit = (_: unknown, outputs: Readonly<Record<string, ArrayLike<number>>>): void =>
      void losses.push(outputs["loss"]![0]!);
    const all = (await evaluate(session, rows(2, 3), { visit }))!;
    expect(all.metrics["loss"]).toBeCloseTo((losses[0]! + losses[1]! + losses[2]!) / 3, 12);
    expect((await evaluate(session, rows(2, 3), { limit: 1 }))!.metrics["loss"]).toBe(losses[0]);
    expect(await evaluate(session, rows(2, 0))).toBeUndefined();
    expect(tensorsOf(session)).toEqual(before);
  });

  test("nothing held out: trains without evaluations", async () => {
    const session = await start({ steps: 20, patience: 1 });
    const result = await train(session, dataOf({ held: rows(2, 0) }));
    expect(result).toMatchObject({ reason: "finished", step: 20 });
    expect(result.evaluation).toBeUndefined();
  });
});

describe("bad luck", () => {
  const failure = async (run: Promise<unknown>): Promise<string> => {
    const error: unknown = await run.then(
      () => undefined,
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(UserError);
    const { code, message, help } = error as UserError;
    return `${code}: ${message} (${help})`;
  };

  test("an infinite loss stops the run, names the layer, and keeps the last checkpoint", async () => {
    const session = await start({ steps: 40 });
    const checkpoints = store(session);
    const text = await failure(
      train(session, dataOf({ train: rows(1, 50, 13) }), { save: checkpoints.save }),
    );
    expect(text).toBe(
      "R0301: step 14 went wrong: its loss is Infinity: the first value that is infinite comes out of `mean square` " +
        "(lower the learning rate, warm up longer or clip the gradient; the checkpoint of step 10 is intact)",
    );
    expect(checkpoints.load("last").state.step).toBe(10);
  });

  test.each<[string, (session: Session) => Partial<Data>, string]>([
    [
      "a parameter",
      (session) => (session.write("w", [1, NaN, 1, 1]), {}),
      "`w` was NaN before it, so an earlier update went wrong",
    ],
    [
      "the data",
      () => ({
        train: {
          ...rows(1, 5),
          batch: () => ({ x: new Float32Array(32).fill(NaN), y: new Float32Array(8) }),
        },
      }),
      "the data hold a number that is NaN, in `x`",
    ],
  ])("a number that is not finite in %s", async (_name, prepare, reason) => {
    const session = await start();
    const data = dataOf(prepare(session));
    expect(await failure(train(session, data))).toContain(`step 1 went wrong: its loss is NaN: ${reason}`);
  });

  test.each<[string, Partial<RunState>, string]>([
    [
      "another model",
      { model: "Other" },
      "R0304: the checkpoint is of a run with the model Other, and this one has Regression",
    ],
    ["another seed", { seed: 1 }, "R0304: the checkpoint is of a run with the seed 1, and this one has 11"],
    ["other data", { data: "else" }, "R0304: the data are not those that the run began with"],
  ])("a checkpoint of %s is refused before anything is loaded", async (_name, state, message) => {
    const session = await start();
    const before = tensorsOf(session);
    const resume: Checkpoint = {
      state: { model: "Regression", step: 3, position: 3, seed: 11, ...state },
      tensors: new Map([["w", new Float32Array(4)]]),
    };
    expect(await failure(train(session, dataOf(), { resume }))).toContain(message);
    expect(tensorsOf(session)).toEqual(before);
  });

  test("a model without `train` says so", async () => {
    const { program, wasm } = regression();
    const { training: _training, ...without } = program;
    const session = await openSession(without, wasm, { threads: 1 });
    open.push(session);
    expect(await failure(train(session, dataOf()))).toContain(
      "R0303: the model Regression cannot be trained",
    );
  });

  test("a disk that fills up at a checkpoint stops the run; the one before is intact", async () => {
    const session = await start({ steps: 40 });
    const at = folder();
    const tensors = savedTensors(session.program);
    let writes = 0;
    const save = (kind: "last" | "best", state: RunState): void => {
      const full = {
        ...nodeFiles,
        writeSync: () => {
          throw Object.assign(new Error("no space"), { code: "ENOSPC" });
        },
      };
      const parts = encodeCheckpoint(tensors, (name) => session.view(name), state);
      writeCheckpoint(
        at,
        kind,
        parts,
        kind === "last" && writes++ > 0 ? (full as typeof nodeFiles) : nodeFiles,
      );
    };
    expect(await failure(train(session, dataOf(), { save }))).toContain("R0208");
    expect(readCheckpoint(at, tensors).state.step).toBe(10);
  });
});

describe("metrics", () => {
  const step = (n: number, loss = n / 3): MetricsRecord => ({
    kind: "step",
    step: n,
    metrics: { loss },
    rate: 1,
    norm: 2,
    seconds: 3,
    perSecond: 4,
  });
  test("records come back as they were, infinities and NaN too", () => {
    const records: MetricsRecord[] = [
      step(1),
      step(2, NaN),
      step(3, -Infinity),
      { kind: "evaluation", step: 3, metrics: { loss: Infinity }, loads: { r: [1, 2] }, seconds: 5 },
    ];
    expect(decodeRecords(records.map(encodeRecord).join(""))).toEqual(records);
  });

  const lines = [1, 2, 3, 3, 4].map((n) => encodeRecord(step(n)));
  test.each([
    ["all", lines.join(""), 9, 5],
    ["later steps", lines.join(""), 3, 4],
    ["nothing", lines.join(""), 0, 0],
    ["a torn line", `${lines.join("")}{"kind":"st`, 9, 5],
    ["what follows damage", `${lines[0]}?\n${lines[1]}`, 9, 1],
    ["an empty file", "", 9, 0],
  ])("keepUntil: %s", (_name, text, until, count) => {
    expect(decodeRecords(keepUntil(text, until))).toHaveLength(count);
  });

  test("a file is cut back to the checkpoint and goes on", () => {
    const path = join(folder(), "run", "metrics.jsonl");
    const first = openMetrics(path, 0);
    for (const n of [1, 2, 3, 4]) first.write(step(n));
    first.sync();
    first.close();
    writeFileSync(path, '{"kind":"step","st', { flag: "a" });
    const second = openMetrics(path, 2);
    second.write(step(3, 99));
    second.close();
    expect(decodeRecords(readFileSync(path, "utf8"))).toEqual([step(1), step(2), step(3, 99)]);
  });

  test("a full disk leaves whole lines", () => {
    const path = join(folder(), "metrics.jsonl");
    let room = 3;
    const files = {
      ...nodeFiles,
      writeSync: (file: number, line: Buffer) =>
        room-- > 0 ? nodeFiles.writeSync(file, line) : nodeFiles.writeSync(file, line.subarray(0, 5)),
    };
    const writer = openMetrics(path, 0, files as typeof nodeFiles);
    for (const n of [1, 2, 3]) writer.write(step(n));
    expect(() => writer.write(step(4))).toThrow("the disk is full");
    expect(readFileSync(path, "utf8")).toBe([1, 2, 3].map((n) => encodeRecord(step(n))).join(""));
  });
});
