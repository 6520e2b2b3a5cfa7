// Runs through the command line: the folder they leave, resuming, stopping, speaking, measuring, building. One tiny model on a
// few hundred bytes; what is asked is that all of it fits together.

import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testShell, tinyModel, tinyText, type Outcome, type TestShell } from "./helpers/cli.ts";

let shell: TestShell;
let first: Outcome;
const at = (...path: string[]): string => join(shell.folder, ...path);
const bytes = (...path: string[]): Buffer => readFileSync(at(...path));
const run = (line: string): Promise<Outcome> => shell.run(line.split(" "));

beforeAll(async () => {
  shell = testShell({ "tiny.moe": tinyModel, "data/a.txt": tinyText });
  first = await run("train tiny.moe --threads 1");
}, 60_000);
afterAll(() => shell.remove());

test("a model that reads ahead is planned and trained, and says where it does when it is to write", async () => {
  const text = tinyModel.replace("  x = x + pool", "  y[t, c] = x[t + 1, c]\n  x = x + y + pool");
  writeFileSync(at("ahead.moe"), text);
  const line = "ahead.moe:12 reads later positions of the text by an index";
  expect((await run("plan ahead.moe")).out).toContain(`  no generation: ${line}\n    read none`);
  expect((await run("train ahead.moe --steps 1 --threads 1")).code).toBe(0);
  expect(await run("generate runs/ahead")).toEqual({
    code: 2,
    out: "",
    err: `error[R0401]: the model Tiny cannot generate: ${line}\n  = help: read none that is later: \`x[t - 1]\`, or \`x[t + a - 2]\` for \`a\` below 3\n`,
  });
});

test("a metric of inference alone is measured, too", async () => {
  const text = tinyModel.replace(/loss cross_entropy.*/, "$&\n  metric said = 2 in inference");
  shell.write("said.moe", text.replaceAll("Tiny", "Said"));
  expect((await run("train said.moe --threads 1 --steps 1")).code).toBe(0);
  expect((await run("eval runs/said --threads 1")).out).toMatch(/\n {2}said +2\.000\n/);
});

describe("train", () => {
  test("leaves a folder that has everything, and says what to do next", () => {
    expect(first.code).toBe(0);
    expect(readdirSync(at("runs/tiny")).sort()).toEqual([
      "best.safetensors",
      "last.safetensors",
      "metrics.jsonl",
      "model.relaxed.wasm",
      "model.wasm",
      "previous.safetensors",
      "program.json",
      "report.html",
      "routing.json",
      "run.json",
      "source",
      "tokenizer.text.json",
    ]);
    expect(readFileSync(at("runs/tiny/source/tiny.moe"), "utf8")).toBe(tinyModel);
    expect(JSON.parse(readFileSync(at("runs/tiny/run.json"), "utf8"))).toMatchObject({
      format: "moe-run",
      model: "Tiny",
      main: "tiny.moe",
      base: "../..",
      state: "finished",
    });
    expect(first.err).toMatch(
      /^Tiny\n {2}model .* active per token\n {2}data .*\n {2}recipe {2}6 steps of 2 x 8, adamw .*\n {2}memory {2}[\d.]+ MiB planned: .* for the model, .*\n {2}run {5}runs\/tiny {2}\(.*1 thread\)\n\n/,
    );
    expect(first.err).toMatch(
      /\nstep 6\/6 {2}loss \d\.\d+ {2}held-out \d\.\d+ {2}[\d,]+ tokens\/s {2}0\.0 s left\n$/,
    );
    expect(first.out).toMatch(
      /^trained 6 steps {2}in .* {2}held-out loss \d\.\d+.*\nmemory at most [\d.]+ MiB, planned [\d.]+ MiB\n/,
    );
    expect(first.out).toMatch(
      /\n {2}look {5}runs\/tiny\/report\.html\n {2}more {5}moe generate runs\/tiny --prompt "/,
    );
  });

  test("a second run has a folder of its own; --quiet says nothing; settings are replaced and kept", async () => {
    const quiet = await shell.run([
      "train",
      "tiny.moe",
      "--quiet",
      "--threads",
      "1",
      "--seed",
      "5",
      "--set",
      "batch 1 of 4",
      "--steps",
      "3",
    ]);
    expect(quiet).toEqual({ code: 0, out: "", err: "" });
    const copy = readFileSync(at("runs/tiny-2/source/tiny.moe"), "utf8");
    expect(copy).toContain("\n  batch 1 of 4\n");
    expect(copy).toContain("\n  steps 3\n");
    expect(copy).toContain("\n  seed 5\n");
    expect(
      bytes("runs/tiny-2/metrics.jsonl")
        .toString()
        .match(/"kind":"step"/g),
    ).toHaveLength(3);
  });

  test("--json is the summary alone", async () => {
    const { code, out, err } = await run("train tiny.moe --json --threads 1 --steps 2 --out elsewhere/run");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const summary = JSON.parse(out) as { memory: { planned: number; peak: number } };
    expect(summary).toMatchObject({ run: "elsewhere/run", state: "finished", step: 2, steps: 2 });
    // Of the whole process, most of which is none of the model's here.
    const { planned, peak } = summary.memory;
    expect(peak).toBeGreaterThan(0.9 * planned);
    expect(peak).toBeLessThan(1.5 * planned);
  });

  test("a run that goes wrong says so, and keeps its report", async () => {
    const line = [
      "train",
      "tiny.moe",
      "--threads",
      "1",
      "--out",
      "diverged",
      "--set",
      "optimizer sgd { rate = 1e30 }",
    ];
    const { code, out, err } = await shell.run(line);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("\nthe run up to here: diverged/report.html\nerror[R0301]: step ");
    // Which layer and which step.
    expect(err).toMatch(
      /error\[R0301\]: step \d+ went wrong: its loss is .* comes out of `\w.*` at tiny\.moe:\d+\n/,
    );
    expect(JSON.parse(readFileSync(at("diverged/run.json"), "utf8"))).toMatchObject({ state: "failed" });
    expect(existsSync(at("diverged/report.html"))).toBe(true);
    expect((await run("train diverged --resume")).err).toMatch(
      /^error\[C0302\]: diverged has no checkpoint to go on from\n/,
    );
  });

  test("a gradient that is not finite names the parameter", async () => {
    const model = tinyModel.replace(
      "  loss cross",
      "  param length: [D] = 0\n  loss sqrt(sum(square(length)))\n  loss cross",
    );
    shell.write("root.moe", model);
    for (const accumulate of [1, 2]) {
      const { code, err } = await shell.run([
        "train",
        "root.moe",
        "--threads",
        "1",
        "--out",
        `root-${accumulate}`,
        "--set",
        `accumulate ${accumulate}`,
      ]);
      expect(code).toBe(2);
      expect(err).toMatch(
        accumulate === 1
          ? /error\[R0301\]: step 1 went wrong: its loss is finite, but the norm of its gradient is NaN: the gradient of `length` is the first that is NaN\n/
          : /error\[R0301\]: step 1 went wrong: its loss is finite, but the norm of its gradient is NaN: it made `length` NaN\n/,
      );
    }
  });

  test("never into a folder that holds something", async () => {
    shell.write("mine/notes.txt", "important");
    expect((await run("train tiny.moe --out mine")).err).toBe(
      "error[C0202]: mine is not empty: it holds notes.txt\n  = help: choose another folder\n",
    );
    expect((await run("train tiny.moe --out runs/tiny")).err).toBe(
      "error[C0203]: runs/tiny already holds a run\n  = help: continue it with --resume, or choose another folder\n",
    );
    expect((await run("train tiny.moe --out tiny.moe")).err).toBe(
      "error[C0202]: tiny.moe is a file\n  = help: choose another folder\n",
    );
  });
});

describe("stopping and going on", () => {
  test("Ctrl-C ends at a checkpoint; resumed, the run is bit-identical to one that never stopped", async () => {
    // "Interrupts" as soon as the loop listens, so the run stops at its first step.
    const onInterrupt = (stop: () => void): (() => void) => (stop(), () => {});
    const args = ["train", "tiny.moe", "--threads", "1", "--out", "runs/stopped"];
    const stopped = await shell.run(args, { onInterrupt });
    expect(stopped.code).toBe(130);
    expect(stopped.err).toContain("stopping at the next step; again to stop at once");
    expect(stopped.out).toContain("interrupted after 0 of 6 steps");
    expect(stopped.out).toContain("go on    moe train runs/stopped --resume");

    const resumed = await run("train runs/stopped --resume --threads 1");
    expect(resumed.code).toBe(0);
    expect(bytes("runs/stopped/last.safetensors").equals(bytes("runs/tiny/last.safetensors"))).toBe(true);
    const again = await run("train runs/stopped --resume --threads 1");
    expect(again.out).toMatch(/^already trained 6 steps/);
  });

  test("what cannot be resumed", async () => {
    expect((await run("train runs/tiny")).err).toBe(
      "error[C0203]: runs/tiny already holds a run\n  = help: continue it with --resume\n",
    );
    expect((await run("train runs/tiny --resume --steps 9")).err).toBe(
      "error[C0403]: a run that is resumed keeps its recipe\n  = help: leave out `steps 9`, or begin a new run without --resume\n",
    );
    shell.write("tiny.moe", tinyModel.replace("D = 8", "D = 12"));
    expect((await run("train tiny.moe --resume --out runs/tiny")).err).toBe(
      "error[C0303]: tiny.moe changed since runs/tiny began\n  = help: begin a new run without --resume, or continue the old one: moe train runs/tiny --resume\n",
    );
    shell.write("tiny.moe", tinyModel);
    shell.write("data/a.txt", tinyText.toUpperCase());
    const changed = await run("train runs/tiny --resume");
    expect({
      code: changed.code,
      head: changed.err.split("\n").find((line) => line.startsWith("error")),
    }).toEqual({
      code: 2,
      head: "error[R0304]: the data are not those that the run began with",
    });
    shell.write("data/a.txt", tinyText);
  });

  test("an overridden recipe still counts as the same file", async () => {
    await run("train tiny.moe --quiet --threads 1 --steps 3 --out runs/three");
    expect((await run("train tiny.moe --resume --out runs/three --quiet --threads 1")).code).toBe(0);
  });
});

describe("a trained model", () => {
  test("speaks: the same seed says the same, JSON has it whole", async () => {
    const one = await run("generate runs/tiny --prompt the --tokens 12 --seed 3");
    expect(one.code).toBe(0);
    expect(one.out.startsWith("the")).toBe(true);
    expect(await run("generate runs/tiny --prompt the --tokens 12 --seed 3")).toEqual(one);
    const json = JSON.parse(
      (await run("generate runs/tiny --prompt the --tokens 12 --seed 3 --json")).out,
    ) as { prompt: string; text: string };
    expect(json.prompt).toBe("the");
    expect(json.text.length).toBeGreaterThan(0);
  });

  test("takes a prompt that is longer than its context, and none", async () => {
    const long = await shell.run([
      "generate",
      "runs/tiny",
      "--prompt",
      "the cat sat on the mat",
      "--tokens",
      "2",
    ]);
    expect(long.code).toBe(0);
    expect((await shell.run(["generate", "runs/tiny", "--prompt", "", "--tokens", "2"])).code).toBe(0);
  });

  test("refuses sampling options out of range before any text", async () => {
    expect(await run("generate runs/tiny --top-p 3")).toEqual({
      code: 2,
      out: "",
      err: "error[R0404]: top-p cannot be 3\n  = help: give a number above 0 and at most 1\n",
    });
  });

  test("is measured: from its folder, and from its file with a checkpoint", async () => {
    const folder = JSON.parse(
      (await run("eval runs/tiny --checkpoint last --json --threads 1")).out,
    ) as Record<string, unknown>;
    const file = JSON.parse(
      (await run("eval tiny.moe --checkpoint runs/tiny/last.safetensors --json --threads 1")).out,
    ) as Record<string, unknown>;
    expect(folder).toMatchObject({ model: "Tiny", step: 6 });
    expect(folder["metrics"]).toEqual(file["metrics"]);
    const { code, out } = await run("eval runs/tiny");
    expect(code).toBe(0);
    expect(out).toMatch(/^Tiny {2}runs\/tiny\/best\.safetensors, step \d, \d+ held-out batch(es)?\n {2}loss/);
  });

  test("works after its source is gone", async () => {
    cpSync(at("runs/tiny"), at("kept"), { recursive: true });
    rmSync(at("tiny.moe"));
    expect((await run("generate kept --tokens 2")).code).toBe(0);
    shell.write("tiny.moe", tinyModel);
  });
});

describe("a run folder that is damaged", () => {
  const damaged = (name: string): string => {
    rmSync(at(name), { recursive: true, force: true });
    cpSync(at("runs/tiny"), at(name), { recursive: true });
    return name;
  };
  test("a damaged last checkpoint: resuming says what to do, and doing it gives the run that never stopped", async () => {
    const folder = damaged("runs/bad");
    const whole = bytes(folder, "last.safetensors");
    const flipped = Buffer.from(whole);
    flipped[flipped.length - 100]! ^= 4;
    writeFileSync(at(folder, "last.safetensors"), flipped);
    const { code, err } = await run("train runs/bad --resume --threads 1");
    expect(code).toBe(2);
    expect(err).toContain(
      "error[R0203]: runs/bad/last.safetensors is damaged: its checksum does not match its contents\n" +
        "  = help: previous.safetensors, beside it, is the checkpoint before it: copy that over last.safetensors and go on from there\n",
    );
    expect(bytes(folder, "last.safetensors")).toEqual(flipped);
    cpSync(at(folder, "previous.safetensors"), at(folder, "last.safetensors"));
    expect((await run("train runs/bad --resume --threads 1")).code).toBe(0);
    expect(bytes(folder, "last.safetensors").equals(whole)).toBe(true);
  });

  const cases: readonly (readonly [string, (folder: string) => void, string])[] = [
    [
      "no checkpoint",
      (folder) => ["best", "last"].forEach((kind) => rmSync(at(folder, `${kind}.safetensors`))),
      "error[R0201]: there is no checkpoint bad/last.safetensors",
    ],
    ["a cut checkpoint", (folder) => truncateSync(at(folder, "best.safetensors"), 3000), "error[R020"],
    [
      "another program",
      (folder) => writeFileSync(at(folder, "program.json"), "{}"),
      "error[C0106]: bad/program.json is not the file that moe wrote",
    ],
    [
      "no wasm",
      (folder) => rmSync(at(folder, "model.wasm")),
      "error[C0101]: there is no file bad/model.wasm",
    ],
    [
      "no program",
      (folder) => rmSync(at(folder, "program.json")),
      "error[C0101]: there is no file bad/program.json",
    ],
    [
      "run.json cut off",
      (folder) => truncateSync(at(folder, "run.json"), 20),
      "error[C0106]: bad/run.json is not JSON",
    ],
    [
      "run.json of something else",
      (folder) => writeFileSync(at(folder, "run.json"), "[]"),
      "error[C0301]: bad/run.json is of another version of moe, or damaged",
    ],
    [
      "a broken tokenizer",
      (folder) => writeFileSync(at(folder, "tokenizer.text.json"), '{"kind":"words"}'),
      "error[R0108]: bad/tokenizer.text.json does not describe a tokenizer",
    ],
  ];
  test.each(cases)("%s", async (_, damage, expected) => {
    damage(damaged("bad"));
    const { code, out, err } = await run("generate bad --tokens 2");
    expect(err.slice(0, expected.length)).toBe(expected);
    expect({ code, out }).toEqual({ code: 2, out: "" });
  });
});

describe("build", () => {
  test("the same bytes every time; --check knows when they are stale", async () => {
    const { code, out } = await run("build tiny.moe -o one");
    expect(code).toBe(0);
    expect(out.split("\n").map((line) => line.split(/\s/)[0])).toContain("one/tiny.d.ts");
    await run("build tiny.moe -o two");
    for (const name of readdirSync(at("one")))
      expect(bytes("one", name).equals(bytes("two", name)), name).toBe(true);
    expect(await run("build tiny.moe -o one --check")).toEqual({ code: 0, out: "one is fresh\n", err: "" });
    // A check-out with other line ends is no change.
    writeFileSync(at("one/tiny.js"), readFileSync(at("one/tiny.js"), "utf8").replaceAll("\n", "\r\n"));
    expect((await run("build tiny.moe -o one --check")).code).toBe(0);
    writeFileSync(at("one/tiny.d.ts"), "x");
    rmSync(at("one/model.wasm"));
    expect(await run("build tiny.moe -o one --check")).toEqual({
      code: 1,
      out: "",
      err: "one/model.wasm is missing\none/tiny.d.ts is stale\nrun `moe build` again\n",
    });
    expect((await run("build tiny.moe -o one")).code).toBe(0);
  });

  test("nothing of anybody else is overwritten", async () => {
    shell.write("theirs/program.json", "{}");
    expect((await run("build tiny.moe -o theirs")).err).toBe(
      "error[C0202]: theirs/program.json is there already, and `moe build` did not make it\n  = help: choose another folder with --out\n",
    );
    expect(existsSync(at("theirs/model.wasm"))).toBe(false);
  });
});
