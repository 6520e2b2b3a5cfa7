// Phases of a recipe, end to end: one expert, then four that are copies of it, then frozen routers. In: a tiny model. Asked: one run
// folder with all of it, steps that count on, the same bits after a stop or a kill anywhere, `--phase`, and settings that are replaced.

import { cpSync, existsSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkModel } from "../compiler/check/check.ts";
import { elaborateModel } from "../compiler/elaborate/model.ts";
import { phasesOf } from "../compiler/elaborate/phases.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { parse } from "../grammar/parse.ts";
import { overrideRecipe } from "../cli/recipe.ts";
import { decodeRecords, type MetricsRecord } from "../runtime/metrics.ts";
import type { Program } from "../runtime/program.ts";
import { decodeSafetensors } from "../runtime/safetensors.ts";
import { load, told } from "./helpers/elaborate.ts";
import { testShell, tinyText, type Outcome, type TestShell } from "./helpers/cli.ts";

const text = `import std.experts { SwiGLU }
import std.routers { TopK }

/// Grows: a dense layer first, experts that begin as copies of it, then only the experts learn.
model Grow(experts = 4) {
  dim D = 8
  modality text = tokens(vocab = 256)
  param table: [text.vocab, D] = normal(0.1)
  pool = SwiGLU(D, D) * experts
  x = table[text]
  x = x + pool(x) by TopK { k = min(2, experts) }
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Grow {
  data text = bytes("data/*.txt")
  batch 2 of 8
  optimizer adamw { rate = linear(1e-2, 1e-3) }
  evaluate every 2 on 20%

  phase dense {
    model Grow { experts = 1 }
    steps 5
  }

  phase grown {
    steps 4
    checkpoint every 1
    start {
      "pool.*" = copy("pool.*", noise = 0.01)
      "*router.w" = fresh
    }
  }

  phase settled {
    steps 3
    freeze "*router*"
    optimizer sgd { rate = 0.1 }
  }
}
`;

let shell: TestShell;
let first: Outcome;
const at = (...path: string[]): string => join(shell.folder, ...path);
const bytes = (...path: string[]): Buffer => readFileSync(at(...path));
const run = (line: string): Promise<Outcome> => shell.run(line.split(" "));
const records = (folder: string): MetricsRecord[] =>
  decodeRecords(readFileSync(at(folder, "metrics.jsonl"), "utf8"));

const withoutTimes = (folder: string): unknown[] =>
  records(folder).map((record) => ({ ...record, seconds: 0, perSecond: 0 }));
const checkpoints = ["phases/dense/last", "phases/grown/last", "last"].map((name) => `${name}.safetensors`);

function expectSameAs(folder: string): void {
  for (const file of checkpoints)
    expect(bytes(folder, file).equals(bytes("runs/grow", file)), file).toBe(true);
  expect(withoutTimes(folder)).toEqual(withoutTimes("runs/grow"));
}

beforeAll(async () => {
  shell = testShell({ "grow.moe": text, "data/a.txt": tinyText });
  first = await run("train grow.moe --threads 1");
}, 60_000);
afterAll(() => shell.remove());

describe("a run in phases", () => {
  test("trains them one after the other, in one folder", () => {
    expect(first.code).toBe(0);
    const heads = first.err.split("\n").filter((line) => /^Grow|^ {2}start/.test(line));
    expect(heads).toEqual([
      "Grow, phase dense",
      "Grow, phase grown",
      "  start   4 tensors (2.82 k numbers) from phase dense; begins afresh: router.w",
      "Grow, phase settled",
      "  start   5 tensors (2.85 k numbers) from phase grown",
    ]);
    expect(first.err).toContain("\nstep  5/12  loss ");
    expect(first.err).toContain("\nstep 12/12  loss ");
    expect(first.out).toMatch(/^trained 12 steps/);
    for (const file of [
      ...checkpoints,
      "program.json",
      "phases/dense/program.json",
      "phases/grown/best.safetensors",
    ])
      expect(existsSync(at("runs/grow", file)), file).toBe(true);
  });

  test("steps count on, and records say where a phase begins", () => {
    const steps = records("runs/grow").filter(({ kind }) => kind === "step");
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(records("runs/grow").filter(({ kind }) => kind === "phase")).toEqual([
      { kind: "phase", step: 1, name: "dense" },
      { kind: "phase", step: 6, name: "grown" },
      { kind: "phase", step: 10, name: "settled" },
    ]);
    // Schedules are the phase's own.
    const rates = steps.map((record) => (record.kind === "step" ? record.rate : NaN));
    expect(rates[0]).toBeCloseTo(0.01);
    expect(rates[5]).toBeCloseTo(0.01);
    expect(rates[10]).toBeCloseTo(0.1);
    const page = readFileSync(at("runs/grow/report.html"), "utf8");
    expect(page).toContain(
      '"marks":[{"x":1,"label":"dense"},{"x":6,"label":"grown"},{"x":10,"label":"settled"}]',
    );
  });

  test("each phase has its model, and begins with what the one before has learned", () => {
    const program = (...path: string[]): Program =>
      JSON.parse(readFileSync(at("runs/grow", ...path), "utf8")) as Program;
    const shapes = [program("phases/dense", "program.json"), program("program.json")].map(
      ({ tensors }) => tensors.find(({ name }) => name === "pool.gate")!.shape,
    );
    expect(shapes).toEqual([
      [1, 8, 8],
      [4, 8, 8],
    ]);
    // A frozen router is what the phase before left, and has no state of the optimiser.
    const tensors = (file: string): ReturnType<typeof decodeSafetensors>["tensors"] =>
      decodeSafetensors(bytes("runs/grow", file), file).tensors;
    const [grown, settled] = [tensors(checkpoints[1]!), tensors(checkpoints[2]!)];
    expect(settled.get("router.w")!.values).toEqual(grown.get("router.w")!.values);
    expect([...settled.keys()].filter((name) => name.startsWith("sgd.")).sort()).toEqual(
      ["pool.down", "pool.gate", "pool.up", "table"].map((name) => `sgd.velocity.${name}`),
    );
  });
});

describe("stopping and going on", () => {
  test.each([1, 2, 3])("Ctrl-C before the first step of phase %i", async (phase) => {
    let begun = 0;
    const onInterrupt = (stop: () => void): (() => void) => (++begun === phase && stop(), () => {});
    const folder = `runs/before-${phase}`;
    const stopped = await shell.run(["train", "grow.moe", "--threads", "1", "--out", folder], {
      onInterrupt,
    });
    expect(stopped.code).toBe(130);
    expect(stopped.out).toContain(`interrupted after ${[0, 5, 9][phase - 1]!} of 12 steps`);
    expect((await run(`train ${folder} --resume --threads 1`)).code).toBe(0);
    expectSameAs(folder);
  });

  test("Ctrl-C in the middle of a phase", async () => {
    let stop = (): void => {};
    const onInterrupt = (act: () => void): (() => void) => ((stop = act), () => {});
    const err = (line: string): void => (line.startsWith("step  7/12") ? stop() : undefined);
    const args = ["train", "grow.moe", "--threads", "1", "--out", "runs/middle"];
    expect((await shell.run(args, { onInterrupt, err })).out).toContain("interrupted after 7 of 12 steps");
    const resumed = await run("train runs/middle --resume --threads 1");
    expect(resumed.err).toContain("Grow, phase grown\n");
    expect(resumed.err).toContain("runs/middle, continued");
    expectSameAs("runs/middle");
    expect((await run("train runs/middle --resume --threads 1")).out).toMatch(/^already trained 12 steps/);
  });

  test.each([
    ["after a phase, before the next has a checkpoint", ["last", "best", "previous"], 0],
    ["with half a line of metrics", ["last", "best", "previous"], 40],
    ["two phases back", ["last", "best", "previous", "phases/grown/last", "phases/grown/best"], 0],
  ])("a kill %s", async (_, lost, torn) => {
    const folder = `runs/killed-${lost.length}-${torn}`;
    cpSync(at("runs/grow"), at(folder), { recursive: true });
    for (const name of lost) rmSync(at(folder, `${name}.safetensors`));
    const metrics = at(folder, "metrics.jsonl");
    truncateSync(metrics, readFileSync(metrics).length - torn);
    expect((await run(`train ${folder} --resume --threads 1`)).code).toBe(0);
    expectSameAs(folder);
  });
});

test("a run whose data changed does not go on, not even with its next phase", async () => {
  const folder = "runs/other-data";
  cpSync(at("runs/grow"), at(folder), { recursive: true });
  for (const name of ["last", "best", "previous"]) rmSync(at(folder, `${name}.safetensors`));
  shell.write("data/b.txt", "more");
  try {
    const { code, err } = await run(`train ${folder} --resume --threads 1`);
    expect([code, err]).toEqual([2, expect.stringContaining("error[R0304]: the data are not those")]);
  } finally {
    rmSync(at("data/b.txt"));
  }
});

describe("--phase", () => {
  test("commands take the last phase, or the one that is named", async () => {
    expect((await run("show grow.moe")).out).toMatch(/\/\/ {3}pool\.gate +\[4, 8, 8\]/);
    expect((await run("show grow.moe --phase dense")).out).toMatch(/\/\/ {3}pool\.gate +\[1, 8, 8\]/);
    const parameters = async (line: string): Promise<number> =>
      (
        JSON.parse((await run(`plan grow.moe --json ${line}`.trim())).out) as {
          parameters: { total: number };
        }
      ).parameters.total;
    expect([await parameters(""), await parameters("--phase dense")]).toEqual([2848, 2248]);
    const step = async (line: string): Promise<number> =>
      (JSON.parse((await run(`eval runs/grow --json --threads 1 ${line}`.trim())).out) as { step: number })
        .step;
    expect([await step("--checkpoint last"), await step("--checkpoint last --phase dense")]).toEqual([3, 5]);
    const said = await run("generate runs/grow --phase dense --prompt the --tokens 4 --threads 1");
    expect([said.code, said.out.startsWith("the")]).toEqual([0, true]);
    expect((await run("build grow.moe --phase dense -o built")).code).toBe(0);
    expect(readFileSync(at("built/program.json"), "utf8")).toContain('"phase":"dense"');
  });

  test("one that there is not, with a place", async () => {
    const { err } = await run("show grow.moe --phase dnse");
    expect(err).toMatch(/--> grow\.moe:\d+:7\n +\|\n *\d+ \| train Grow \{/);
  });

  test("one that there is not", async () => {
    expect((await run("eval runs/grow --phase dnse")).err).toBe(
      "error[C0305]: runs/grow has no phase dnse\n  = help: it has dense, grown, settled\n",
    );
    expect((await run("show grow.moe --phase dnse")).err).toContain(
      "error[M0616]: the recipe of `Grow` has no phase `dnse`",
    );
  });
});

test("a model that is not given what it needs, or what it does not have", () => {
  const given = (statics: string): readonly string[] => {
    const changed = text.replace("Grow(experts = 4)", "Grow(experts)").replace("{ experts = 1 }", statics);
    const model = load(changed);
    const found = checkModel(model);
    const { diagnostics } = elaborateModel(model, "Grow", {
      mode: "training",
      builder: new GraphBuilder(),
      phase: "dense",
    });
    return told(model, [...model.diagnostics, ...found, ...diagnostics]);
  };
  expect(given("{ experts = 1 }")).toEqual([]);
  expect(given("")).toEqual(["M0206 Grow: `experts` of `Grow` is not given"]);
  expect(given("{ expert = 1 }")[0]).toBe("M0103 expert: `Grow` has no static `expert`");
});

test("names of phases are names of folders: they differ by more than their case", () => {
  const model = load(text.replace("phase grown", "phase Dense"));
  expect(told(model, checkModel(model))).toEqual([
    "M0616 Dense: the phases `dense` and `Dense` differ only in their case",
  ]);
});

describe("settings", () => {
  const changed = (setting: string): string => overrideRecipe(text, "grow.moe", undefined, [setting]);
  test("of the command line hold in every phase that says its own, and in the block where none does", () => {
    expect(changed("steps 2").match(/steps \d/g)).toEqual(["steps 2", "steps 2", "steps 2"]);
    expect(changed("batch 4 of 8").match(/batch \d of \d/g)).toEqual(["batch 4 of 8"]);
    expect(changed("clip 1")).toContain("  evaluate every 2 on 20%\n  clip 1\n");
    expect(changed("optimizer sgd { rate = 1 }").match(/optimizer sgd \{ rate = 1 \}/g)!.length).toBe(2);
    expect(parse(changed("checkpoint every 3"), "grow.moe").diagnostics).toEqual([]);
  });

  test("of a phase replace those of the block; patterns add up; only the first phase starts from the block's source", () => {
    const { module } = parse(
      'train M {\n  steps 9\n  freeze "a"\n  start from "runs/x"\n  data t = bytes("a")\n  phase p {\n    freeze "b"\n  }\n  phase q {\n    steps 2\n    data t = bytes("b")\n  }\n}\n',
      "m.moe",
    );
    const [train] = module.declarations;
    const phases = phasesOf(train as Extract<typeof train, { node: "train" }>);
    expect(phases.map(({ train: { settings } }) => settings.map(({ setting }) => setting))).toEqual([
      ["steps", "freeze", "start", "data", "freeze"],
      ["freeze", "steps", "data"],
    ]);
  });
});
