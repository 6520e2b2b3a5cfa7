// What `moe show` fills in, and that nothing changes by it; what `moe plan` counts; what `moe graph` overwrites.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { planModel } from "../compiler/compile.ts";
import { targets } from "../compiler/target.ts";
import { loadModel } from "../compiler/resolve.ts";
import { format } from "../grammar/format.ts";
import { planOf, sizesOf } from "../cli/planned.ts";
import { foldedLabel } from "../cli/cost.ts";
import { guaranteedPiece } from "../runtime/webgpu/plan.ts";
import { withDefaults } from "../cli/defaults.ts";
import { bytes, count, duration, flops, loss, whole } from "../cli/numbers.ts";
import { overrideRecipe } from "../cli/recipe.ts";
import { openSources } from "../cli/sources.ts";
import { testShell, tinyModel } from "./helpers/cli.ts";

const load = (text: string) => loadModel(openSources("/", new Map([["a.moe", text]])), "a.moe").main;
const program = (text: string, path = "a.moe") =>
  planModel({ host: openSources(process.cwd(), new Map([[path, text]])), path }).planned!.program;

describe("defaults", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["initialisers", "param w: [D, 2 * D]", "param w: [D, 2 * D] = normal(1 / sqrt(D))"],
    ["of vectors and numbers", "param b: [D]\n  param c: []", "param b: [D] = 0\n  param c: [] = 0"],
    ["statics of an application", "y = RMSNorm(x)", "y = RMSNorm { epsilon = 1e-6 }(x)"],
    ["after statics by position", "y = RMSNorm(D)(x)", "y = RMSNorm(D) { epsilon = 1e-6 }(x)"],
    [
      "of an instance with a name",
      "n = RMSNorm(D)\n  y = n(x)",
      "n = RMSNorm(D) { epsilon = 1e-6 }\n  y = n(x)",
    ],
    [
      "beside others",
      "y = pool(x) by TopK { k = 1 }",
      "y = pool(x) by TopK { k = 1, balance = 0.01, renormalise = true, z_loss = 0, biased = false }",
    ],
    [
      "of a name alone",
      "y = pool(x) by TopK",
      "y = pool(x) by TopK { k = 2, balance = 0.01, renormalise = true, z_loss = 0, biased = false }",
    ],
    [
      "of a router that is given a further input by name",
      "y = pool(x) by TwoChoices { balance = 0, fraction = 1, sampled = true, random = true }(x, there = 1)",
      "y = pool(x) by TwoChoices { balance = 0, fraction = 1, sampled = true, random = true, prioritised = false, normalise_before = false }(x, there = 1)",
    ],
    ["all were given", "y = RMSNorm(D, 1e-5)(x)", "y = RMSNorm(D, 1e-5)(x)"],
    [
      "deep inside",
      "y = x + stop(RMSNorm(x + RMSNorm(x)))",
      "y = x + stop(RMSNorm { epsilon = 1e-6 }(x + RMSNorm { epsilon = 1e-6 }(x)))",
    ],
    [
      "a default that depends on others stays out",
      "y = pool(x) by TopP { threshold = 0.5, balance = 0, entropy = 0, strict = true }",
      "y = pool(x) by TopP { threshold = 0.5, balance = 0, entropy = 0, strict = true }",
    ],
    ["a hidden name is not the module's", "TopK = x\n  y = TopK", "TopK = x\n  y = TopK"],
    ["capacities", "capacity 4", "capacity 4 per batch drop last"],
    [
      "a capacity of groups",
      "capacity 4 in each of 2 groups drop lowest of p",
      "capacity 4 in each of 2 groups per batch drop lowest of p",
    ],
    [
      "a capacity of groups alone",
      "capacity 4 in each of 2 groups",
      "capacity 4 in each of 2 groups per batch drop last",
    ],
    ["a capacity with half of it", "capacity 4 per sequence", "capacity 4 per sequence drop last"],
    [
      "expert choice",
      "choose top 4 tokens of p for each expert",
      "choose top 4 tokens of p for each expert per sequence",
    ],
  ];
  const imports =
    "import std.capacity { TwoChoices }\nimport std.norms { RMSNorm }\nimport std.routers { TopK, TopP }\n\n";
  const layer = (body: string): string => `${imports}layer Some(D)(x: [D]) -> [D] {\n  ${body}\n  x\n}\n`;
  test.each(cases)("%s", (_, before, after) => {
    expect(withDefaults(load(layer(before)), "None", undefined)).toBe(layer(after));
  });

  test.each(["examples/book/book.moe", "examples/weather/weather.moe", "examples/digits/digits.moe"])(
    "%s shows the same program, in which nothing is left to fill in",
    (path) => {
      const host = openSources(process.cwd());
      const model = loadModel(host, path);
      const before = planModel({ host, path }).planned!.program;
      const shown = format(withDefaults(model.main, before.name, before.training)).text;
      const edited = openSources(process.cwd(), new Map([[path, shown]]));
      const { planned, diagnostics } = planModel({ host: edited, path });
      expect(diagnostics).toEqual([]);
      const after = planned!.program;
      // The one line about the optimiser quotes the file.
      const optimiser = before.training!.optimiser;
      expect({ ...after, training: { ...after.training!, optimiser } }).toEqual(before);
      const again = loadModel(edited, path);
      expect(format(withDefaults(again.main, after.name, after.training)).text).toBe(shown);
      expect(dirname(path)).not.toBe(".");
    },
  );
});

test("schedules of an optimiser are filled in too", () => {
  const text = tinyModel.replace(
    "{ rate = 1e-2 }",
    "{ rate = cosine(1e-2, 4), decay = linear(0, to = 0.1) }",
  );
  const host = openSources(process.cwd(), new Map([["a.moe", text]]));
  const shown = withDefaults(
    loadModel(host, "a.moe").main,
    "Tiny",
    planModel({ host, path: "a.moe" }).planned!.program.training,
  );
  expect(shown).toContain(
    "rate = cosine(1e-2, 4, floor = 0), decay = linear(0, to = 0.1, over = steps), beta1 = 0.9",
  );
});

describe("recipes from the command line", () => {
  const block = (lines: string): string => `model M {\n}\n\ntrain M {\n${lines}}\n`;
  const cases: readonly (readonly [string, string, string, string])[] = [
    ["replaced", "  steps 10\n  seed 1\n", "steps 20", "  steps 20\n  seed 1\n"],
    ["added", "  steps 10\n", "seed 4", "  steps 10\n  seed 4\n"],
    ["an empty block", "", "seed 4", "  seed 4\n"],
    [
      "data by modality",
      '  data a = "x"\n  data b = "y"\n',
      'data b = "z"',
      '  data a = "x"\n  data b = "z"\n',
    ],
    ["freezes add up", '  freeze "a*"\n', 'freeze "b*"', '  freeze "a*"\n  freeze "b*"\n'],
    [
      "over several lines",
      "  optimizer adamw {\n    rate = 1\n  }\n",
      "optimizer sgd { rate = 2 }",
      "  optimizer sgd { rate = 2 }\n",
    ],
  ];
  test.each(cases)("%s", (_, before, setting, after) => {
    expect(overrideRecipe(block(before), "a.moe", undefined, [setting])).toBe(block(after));
  });

  const refused: readonly (readonly [string, string])[] = [
    ["model M {\n}\n", "a.moe has no `train` block"],
    [block(""), "`steps 1 seed 2` is not one setting of a `train` block"],
  ];
  test.each(refused)("refused: %j", (text, message) => {
    expect(() => overrideRecipe(text, "a.moe", undefined, ["steps 1 seed 2"])).toThrow(message);
  });
});

describe("plan", () => {
  const tiny = program(tinyModel);
  test("counts what one can count by hand", () => {
    // table 256 x 8, router 8 x 4, experts 4 x 3 x 8 x 8; two of the four are active.
    const plan = planOf(tiny, sizesOf(tiny, {}), 1);
    expect(plan.parameters).toEqual({ total: 2048 + 32 + 768, active: 2048 + 32 + 384 });
    expect(plan).toMatchObject({ model: "Tiny", tokens: 16, unit: "token", sizes: { B: 2, T: 8 } });
    // Two multiply-adds' worth: router 8 x 4, two experts of 3 x 64, logits 8 x 256.
    expect(plan.flops.forward).toBe(2 * (32 + 2 * 192 + 2048));
    expect(plan.flops.training!).toBeGreaterThan(2.5 * plan.flops.forward!);
    expect(plan.flops.training!).toBeLessThan(3.5 * plan.flops.forward!);
  });

  test("work per token does not depend on batch and length; memory does", () => {
    const small = planOf(tiny, sizesOf(tiny, {}), 1);
    const large = planOf(tiny, sizesOf(tiny, { batch: 64, length: 100 }), 1);
    expect(large.tokens).toBe(6400);
    expect(large.flops.forward).toBe(small.flops.forward);
    expect(large.memory["inference"]!.arena).toBeGreaterThan(100 * small.memory["inference"]!.arena);
    expect(large.memory["inference"]!.parameters).toBe(small.memory["inference"]!.parameters);
  });

  test("a length for a model without tokens is refused", () => {
    const plain = { ...tiny, modalities: [] };
    expect(() => sizesOf(plain, { length: 4 })).toThrow("has no length: it reads no tokens");
  });

  test("layers that are alike are one row", () => {
    expect(["block.0.experts: up", "block.11", "a.1.b.2'", "v1.x", "of 65536 rows"].map(foldedLabel)).toEqual(
      ["block.*.experts: up", "block.*", "a.*.b.*'", "v1.x", "of 65536 rows"],
    );
  });
});

test("numbers as people read them", () => {
  expect([0, 999, 1000, 1234567].map(whole)).toEqual(["0", "999", "1,000", "1,234,567"]);
  expect([12, 999, 1000, 12345, 999_999, 6.71e11].map(count)).toEqual([
    "12",
    "999",
    "1.00 k",
    "12.3 k",
    "1.00 M",
    "671 B",
  ]);
  expect([0, 1023, 1536, 2 ** 30].map(bytes)).toEqual(["0 B", "1,023 B", "1.50 KiB", "1.00 GiB"]);
  expect(flops(2.5e9)).toBe("2.50 GFLOP");
  expect([0.0001, 3.41159, 41.5, 512.44, NaN].map(loss)).toEqual([
    "1.00e-4",
    "3.412",
    "41.50",
    "512.4",
    "NaN",
  ]);
  expect([0.04, 9.94, 59.6, 161, 3725, Infinity].map(duration)).toEqual([
    "0.0 s",
    "9.9 s",
    "1 m 0 s",
    "2 m 41 s",
    "1 h 2 m",
    "?",
  ]);
});

describe("moe show --level", () => {
  const shell = testShell({ "tiny.moe": tinyModel });
  afterAll(() => shell.remove());
  const shown = (...args: string[]) => shell.run(["show", "tiny.moe", ...args]);

  test.each([
    ["draft", ["graph forward", "graph train", "graph decode"]],
    ["graph", ["graph forward", "graph train", "graph decode"]],
    ["kernel", ["kernel ", "workgroup 1 {"]],
    ["program", ['"format": "moe-program"']],
  ])("%s", async (level, parts) => {
    const { code, out, err } = await shown("--level", level);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const part of parts) expect(out).toContain(part);
  });

  test("one entry, and the code of a target", async () => {
    const { out } = await shown("--level", "graph", "--entry", "decode");
    expect(out).toMatch(/^graph decode/);
    expect(out).not.toContain("graph train");
    expect((await shown("--level", "code", "--target", "webgpu")).out).toContain("@compute");
    expect((await shown("--level", "code", "--target", "cuda")).out).toContain("__global__");
    const whole = await shown("--level", "code", "--target", "webgpu");
    const part = await shown("--level", "code", "--target", "webgpu", "--entry", "update");
    expect(part.out.length).toBeLessThan(whole.out.length / 2);
  });

  test("what is not there is said", async () => {
    const { code, err } = await shown("--level", "graph", "--entry", "forwards");
    expect(code).not.toBe(0);
    expect(err).toContain("there is no entry `forwards`");
    expect(err).toContain("forward, evaluate, train, update, decode");
    expect((await shown("--level", "code")).err).toContain("WebAssembly is bytes, not text");
    // Nothing that was asked for is left out in silence.
    for (const [option, value] of [
      ["--entry", "decode"],
      ["--target", "webgpu"],
    ] as const) {
      const alone = await shown(option, value);
      expect(alone.code).toBe(2);
      expect(alone.err).toContain(`\`${option}\` is for a level of the compiler`);
    }
    expect((await shown("--level", "code", "--target", "cuda", "--entry", "decode")).err).toContain(
      "the code for CUDA is one text for all entries",
    );
  });
});

const bare = "model M {\n  modality x = features(2)\n  logits = x\n}\n";

test("the plan of a model without parameters has no share of them", async () => {
  const { run, remove } = testShell({ "m.moe": bare });
  const { code, out } = await run(["plan", "m.moe"]);
  expect(code).toBe(0);
  expect(out).toContain("active per example       0\n");
  expect(out).not.toContain("NaN");
  remove();
});

test("the plan for WebGPU says what a device may refuse", async () => {
  expect(guaranteedPiece).toBe(targets.webgpu.binding);
  const { run, remove } = testShell({
    "m.moe": "model M {\n  modality x = features(4)\n  logits = tanh(x)\n  loss mean(logits)\n}\n",
  });
  const planned = async (...args: string[]): Promise<string> => (await run(["plan", "m.moe", ...args])).out;
  const said = "In one piece, longer than WebGPU guarantees";
  // Sixteen bytes for each row.
  const [fits, over] = [2 ** 23, 2 ** 23 + 1].map(String) as [string, string];
  expect(await planned("--target", "webgpu", "--batch", fits)).not.toContain(said);
  expect(await planned("--batch", over)).not.toContain(said);
  expect(await planned("--target", "webgpu", "--batch", over)).toContain(
    `${said}\n  a device that gives no more than 128 MiB refuses it; a smaller batch makes values shorter\n  128 MiB    x\n  128 MiB    logits\n`,
  );
  remove();
});

test("launches and bytes without fusion stand beside those with it", async () => {
  const { run, remove } = testShell({
    "m.moe": "model M {\n  modality x = features(4)\n  logits = tanh(x) + x\n}\n",
  });
  const { out, err } = await run(["plan", "m.moe", "--batch", "1000", "--unfused"]);
  expect(err).toBe("");
  // Reads x and writes the result; apart, one writes what the other reads.
  expect(out).toMatch(/launches {2}bytes moved {2}unfused {2}bytes moved/);
  expect(out).toMatch(/forward {2,}1 {2,}31\.3 KiB {2,}2 {2,}78\.1 KiB {2,}one batch/);
  const json = await run(["plan", "m.moe", "--unfused", "--json"]);
  const { unfused } = JSON.parse(json.out) as { unfused: readonly object[] };
  expect(unfused).toEqual([expect.objectContaining({ name: "forward", kernels: 2 })]);
  remove();
});

describe("graph", () => {
  test("replaces an older drawing, and nothing else", async () => {
    const { run, folder, remove } = testShell({ "m.moe": bare, "m.html": "mine" });
    const refused = (file: string) => ({
      code: 2,
      out: "",
      err:
        `error[C0202]: ${file} is there already, and is no drawing of moe's\n` +
        "  = help: choose another name with --out, or move the file\n",
    });
    expect(await run(["graph", "m.moe"])).toEqual(refused("m.html"));
    expect(readFileSync(join(folder, "m.html"), "utf8")).toBe("mine");
    for (const file of ["a.svg", "a.html"])
      for (let time = 0; time < 2; time++)
        expect(await run(["graph", "m.moe", "-o", file])).toEqual({ code: 0, out: `${file}\n`, err: "" });
    // A page of one's own that shows such a drawing.
    const page = `<!doctype html>\n<html><body>${readFileSync(join(folder, "a.svg"), "utf8")}</body></html>`;
    writeFileSync(join(folder, "mine.html"), page);
    expect(await run(["graph", "m.moe", "-o", "mine.html"])).toEqual(refused("mine.html"));
    remove();
  });
});
