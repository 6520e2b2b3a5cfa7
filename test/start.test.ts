// `start` through the command line, from a run and from a file, and what a recipe cannot say of it. In: a tiny model that is trained for a few
// steps. Out: its tensors, or the mistake.

import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Tensor } from "../runtime/program.ts";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "../runtime/safetensors.ts";
import { checkText } from "./helpers/elaborate.ts";
import { testShell, tinyText, type Outcome, type TestShell } from "./helpers/cli.ts";

const stored = (name: string, shape: readonly number[], first = 1): StoredTensor => ({
  name,
  type: "f32",
  shape,
  values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => first + i),
});
const layers = (ffn: string): string => `import std.experts { SwiGLU }
import std.routers { TopK }

moe Experts(D)(x: [D]) -> [D] {
  routed SwiGLU(D, D) * 4
  router TopK { k = 2 }
}

layer Block(D)(x: [D]) -> [D] {
  ffn = ${ffn}
  x + ffn(x)
}
`;
const model = (name: string, ffn: string, settings: string): string => `${layers(ffn)}
model ${name} {
  modality text = tokens(vocab = 256)
  param table: [256, 8] = normal(0.1)
  logits = Block(8)(table[text]) @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train ${name} {
  ${settings.replaceAll("\n", "\n  ")}
  data text = bytes("data/*.txt")
  batch 2 of 8
  optimizer adamw { rate = 1e-2 }
  steps 4
  evaluate every 2 on 20%
}
`;

describe("what a recipe cannot say", () => {
  const said = (settings: string): readonly string[] => checkText(model("M", "SwiGLU(D, D)", settings));
  const rule = (right: string, from = 'from "runs/a"'): string => `start ${from} {\n  "*.w" = ${right}\n}`;
  const two = 'from a = "runs/a", b = "runs/b"';
  const table: readonly (readonly [string, string])[] = [
    ["start", "M0615 start: `start` says from where"],
    ["start from a", "M0615 a: a run or a file is written in quotes"],
    ['start from "a", "b"', 'M0615 "a": of several sources each has a name'],
    [rule('"*.*.v"'), 'M0615 "*.*.v": nothing says what every `*` of "*.*.v" stands for'],
    [rule('"w"', two), 'M0615 "w": this does not say which source it is of'],
    [rule('a("w", "v")', two), 'M0615 a("w", "v"): `a` is a source'],
    [rule("w + 1"), "M0615 w + 1: this does not say where values come from"],
    [rule('mean("w")'), 'M0615 mean("w"): `mean` takes several'],
    [rule('copy("w", sigma = 1)'), 'M0615 copy("w", sigma = 1): `copy` has no option `sigma`'],
    [rule('mean("w", "w", weights = 2)'), "M0615 2: `mean` takes a list of numbers"],
    [rule('mean("w", "w", weights = [1])'), "M0615 [1]: a mean has one weight for each of its parts"],
    [
      rule('mean("w", "w", weights = [1, -1])'),
      "M0615 [1, -1]: the weights of a mean are divided by their sum",
    ],
    [rule('mean("w", "w", weights = [1, inf])'), "M0615 inf: this must be a number"],
    [
      rule('stack("w", "w", weights = [1, 1])'),
      'M0615 stack("w", "w", weights = [1, 1]): `stack` has no option `weights`',
    ],
    [rule('transpose("w", "w")'), 'M0615 transpose("w", "w"): `transpose` takes one thing'],
    [rule('take("w", largest("w"))'), 'M0615 largest("w"): `largest` takes a tensor and how many'],
    [rule('take("w", largest("*.*", 3))'), 'M0615 "*.*": nothing says what every `*` of "*.*" stands for'],
    [rule('take("w", largest("w", 0))'), "M0615 0: this must be a whole number of at least 1"],
    [rule('take("w", 3)'), "M0615 3: `take` takes a list of positions"],
    [rule('slice("w", 0.5, 2)'), "M0615 0.5: this must be a whole number of at least 0"],
    [rule('slice("w", 0)'), 'M0615 slice("w", 0): `slice` takes 3 things'],
    [`start ${two}`, 'M0615 b = "runs/b": of several sources none is taken without a rule'],
    [rule('a("w")', 'from a = "runs/a", a = "runs/b"'), "M0615 a: two sources are called `a`"],
    [rule('copy("w")', 'from copy = "runs/a"'), "M0615 copy: a source cannot be called `copy`"],
    [rule("fresh", 'from fresh = "runs/a"'), "M0615 fresh: a source cannot be called `fresh`"],
    [rule('copy("w", noise = 1, noise = 2)'), "M0615 noise = 2: `noise` is said twice"],
    [rule('copy("w", noise = inf)'), "M0615 inf: this must be a number of at least 0"],
    [rule('copy("w", keep = 1.5)'), "M0615 1.5: this must be a number from 0 to 1"],
  ];
  test.each(table)("%s", (settings, message) => {
    expect(said(settings)).toEqual([message]);
  });
  test("and what it can", () => {
    expect(
      said(
        rule('concat(copy(a("*.v"), noise = 0.1), take(mean(a("*.v"), b("*.v")), [1, 0], axis = 1))', two),
      ),
    ).toEqual([]);
    expect(said(rule('transpose(mean(a("*.v"), b("*.v"), weights = [0.5, -1.5]))', two))).toEqual([]);
    expect(
      said(`${rule("fresh")}\nphase one {\n  steps 2\n}\nphase two {\n  start {\n    "*" = "*"\n  }\n}`),
    ).toEqual([]);
  });
});

describe("through the command line", () => {
  let shell: TestShell;
  let dense: Outcome;
  const at = (...path: string[]): string => join(shell.folder, ...path);
  const tensors = (path: string): ReadonlyMap<string, StoredTensor> =>
    decodeSafetensors(readFileSync(at(path)), path).tensors;
  const run = (line: string): Promise<Outcome> => shell.run(line.split(" "));
  /** Trains with these settings, no step of which has an effect. */
  const begin = async (name: string, settings: string, ffn = "Experts(D)"): Promise<Outcome> => {
    shell.write(`${name}.moe`, model("Grown", ffn, settings));
    return shell.run(["train", `${name}.moe`, "--threads", "1", "--set", "optimizer sgd { rate = 0 }"]);
  };
  beforeAll(async () => {
    shell = testShell({ "data/a.txt": tinyText, "dense.moe": model("Dense", "SwiGLU(D, D)", "seed 1") });
    dense = await run("train dense.moe --threads 1");
  }, 60_000);
  afterAll(() => shell.remove());

  test("a dense layer becomes experts; what was taken is printed", async () => {
    expect(dense.code).toBe(0);
    const grown = await begin(
      "grown",
      'start from "runs/dense" {\n  "*.routed.*" = copy("*.*")\n  "table" = "table"\n}',
    );
    expect(grown.err).toContain(
      "  start   4 tensors (2.82 k numbers) from runs/dense; begins afresh: block.ffn.router.w\n",
    );
    const [from, to] = [tensors("runs/dense/best.safetensors"), tensors("runs/grown/last.safetensors")];
    expect(to.get("table")!.values).toEqual(from.get("table")!.values);
    const gate = [...from.get("block.ffn.gate")!.values];
    expect([...to.get("block.ffn.routed.gate")!.values]).toEqual([...gate, ...gate, ...gate, ...gate]);
    expect([...to.keys()].filter((name) => name.includes("adam"))).toEqual([]);
  });

  test("without rules everything of the same name is taken, from a file of another tool as well", async () => {
    const file = encodeSafetensors([stored("table", [256, 8])]);
    writeFileSync(at("table.safetensors"), Buffer.concat(file));
    const grown = await begin("other", 'start from "table.safetensors"', "SwiGLU(D, D)");
    expect(grown.err).toContain(
      "  start   1 tensor (2.05 k numbers) from table.safetensors; begins afresh: block.ffn.gate, block.ffn.up, block.ffn.down\n",
    );
    expect(tensors("runs/other/last.safetensors").get("table")!.values[2047]).toBe(2048);
  });

  test("several sources have names; a run that goes on does not start again", async () => {
    cpSync(at("runs/dense"), at("runs/twin"), { recursive: true });
    const settings =
      'start from a = "runs/dense", b = "runs/twin" {\n  "*.routed.*" = stack(a("*.*"), b("*.*"), a("*.*"), mean(a("*.*"), b("*.*")))\n}';
    const two = await begin("two", settings);
    expect(two.err).toContain("from runs/dense, runs/twin; begins afresh: table, block.ffn.router.w\n");
    shell.write("runs/twin/best.safetensors", "gone");
    const again = await run("train runs/two --resume --threads 1");
    expect(again.out).toMatch(/^already trained 4 steps/);
  });

  test("a frozen part has neither gradients nor a state of the optimiser", async () => {
    const settings = 'start from "runs/dense" {\n  "table" = "table"\n}\nfreeze "table"';
    shell.write("frozen.moe", model("Frozen", "Experts(D)", settings));
    const frozen = await run("train frozen.moe --threads 1");
    expect(frozen.err).toContain(" active per token, 2.05 k frozen\n");
    const program = JSON.parse(readFileSync(at("runs/frozen/program.json"), "utf8")) as { tensors: Tensor[] };
    const about = program.tensors.map(({ name }) => name).filter((name) => name.endsWith("table"));
    expect(about).toEqual(["table"]);
    expect(tensors("runs/frozen/last.safetensors").get("table")!.values).toEqual(
      tensors("runs/dense/best.safetensors").get("table")!.values,
    );
  });

  test("what cannot be started from is said before anything is written", async () => {
    const refused = async (settings: string): Promise<string> => {
      const { code, err, out } = await begin("wrong", settings);
      expect([code, out]).toEqual([2, ""]);
      return err;
    };
    expect(await refused('start from "runs/none"')).toBe(
      `error[R0201]: there is no checkpoint runs/none/last.safetensors\n  = help: train first, or give the folder of another run\n`,
    );
    expect(await refused('start from "runs/dense" {\n  "*.routed.*" = "*.*"\n}')).toBe(
      'error[R0307]: wrong.moe:23: `block.ffn.routed.gate` is [4, 8, 8], and `"*.routed.*" = "*.*"` gives [8, 8]\n' +
        '  = help: take a part with `slice` or `take`, repeat it with `copy`, or leave it to its initialiser: `"block.ffn.routed.gate" = fresh`, above the rule\n',
    );
    expect(await refused('start from "runs/dense" {\n  "*.routed.*" = copy("*.fn.*")\n}')).toBe(
      'error[R0306]: wrong.moe:23: `"*.routed.*" = copy("*.fn.*")` wants `block.ffn.fn.gate`, which runs/dense does not have\n' +
        "  = help: write names that it has, such as `table`, `block.ffn.gate`, `block.ffn.up`\n",
    );
  });

  test("a run that read other tokens is none to start from", async () => {
    const characters = (text: string): string =>
      text.replace("bytes(", "characters(").replaceAll("256", "40");
    shell.write("letters.moe", characters(model("Letters", "SwiGLU(D, D)", "seed 1")));
    expect((await run("train letters.moe --threads 1")).code).toBe(0);
    shell.write("more/b.txt", "0123456789 ".repeat(40));
    const other = characters(model("Other", "SwiGLU(D, D)", 'start from "runs/letters"')).replace(
      "data/*",
      "more/*",
    );
    shell.write("figures.moe", other);
    expect((await run("train figures.moe --threads 1")).err).toMatch(
      /^error\[R0308\]: runs\/letters cut the text of `text` into other tokens than this run/,
    );
  });
});
