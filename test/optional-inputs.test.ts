// Inputs with a default: how they are given, what a body sees without them, that the default costs nothing, and that a definition
// with further inputs stands wherever one without them does.

import { describe, expect, test } from "vitest";
import { planModel } from "../compiler/compile.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { targets } from "../compiler/target.ts";
import { stdlib } from "../stdlib/sources.ts";
import type { TargetName } from "../runtime/program.ts";
import { buildText, checkText, hostOf, runBuilt } from "./helpers/elaborate.ts";

/** What a model says for one input of four numbers. */
const answer = (definitions: string, body: string): readonly number[] => {
  const text = `${definitions}\nmodel M {\n  modality x = features(4)\n${body}\n}\n`;
  return runBuilt(buildText(text), { x: [1, 2, 3, 4] }, { B: 1 })["logits"]!.data;
};

const scaled = "layer Scaled(D)(x: [D], by: [] = 1, plus: [D] = by) -> [D] { by * x + plus }";

describe("an input that may be left out", () => {
  test.each([
    ["left out", "Scaled(x)", [2, 3, 4, 5]],
    ["given by position", "Scaled(x, 2)", [4, 6, 8, 10]],
    ["given by name", "Scaled(x, by = 2)", [4, 6, 8, 10]],
    ["one before it skipped by name", "Scaled(x, plus = x)", [2, 4, 6, 8]],
    ["all by name, in any order", "Scaled(plus = x, by = 3, x = x)", [4, 8, 12, 16]],
    ["of an instance", "Scaled { D = 4 }(x)", [2, 3, 4, 5]],
  ])("%s", (_, call, wanted) => {
    expect(answer(scaled, `  logits = ${call}`)).toEqual(wanted);
  });

  test("its default is repeated to its type, and follows what the inputs before it are lifted over", () => {
    const definition = "layer Twice(D)(x: [D], y: [D] = 2 * x, z: [D] = mean(y)) -> [D] { y + z }";
    expect(answer(definition, "  logits = Twice(x)")).toEqual([7, 9, 11, 13]);
    expect(answer(definition, "  logits = Twice(x as [2, 2]) as [4]")).toEqual([5, 7, 13, 15]);
  });

  test("truth values and integers have defaults of their kind", () => {
    const definition = `function Pick(D)(x: [D], open: bool [D] = true, at: int [] = 0) -> [D] {
  if open then x + at else 0
}`;
    expect(answer(definition, "  logits = Pick(x)")).toEqual([1, 2, 3, 4]);
    expect(answer(definition, "  logits = Pick(x, at = 2)")).toEqual([3, 4, 5, 6]);
    expect(answer(definition, "  logits = Pick(x, x > 2)")).toEqual([0, 0, 3, 4]);
  });

  test("what a default makes has parameters of its own", () => {
    const text = `layer Shift(D)(x: [D]) -> [D] {
  param by: [D] = 1
  x + by
}
layer Both(D)(x: [D], y: [D] = Shift(x)) -> [D] { y + Shift(x) }
model M {
  modality x = features(4)
  logits = Both(x)
}
`;
    const { planned } = planModel({ host: hostOf({ "m.moe": text }), path: "m.moe", target: "wasm" });
    const names = planned!.program.tensors.map(({ name }) => name).filter((name) => name.endsWith("by"));
    expect(names).toEqual(["both.shift.0.by", "both.shift.1.by"]);
  });
});

describe("where a definition without further inputs stood", () => {
  const definitions = `
router Masked(D, N)(x: [D], there: [] = 1) -> gates[N] {
  score[n: N] = sum(x)
  choose top 1 of score only where there > 0
}
expert Twice(D)(x: [D], by: [] = 2) -> [D] { by * x }
layer Any(D, Router)(x: [D]) -> [D] {
  pool = Twice(D) * 2
  pool(x) by Router
}
moe Stated(D)(x: [D], there: [] = 1) -> [D] {
  shared Twice(D)
  routed Twice(D) * 2
  router Masked
}`;
  const twice = [20, 40, 60, 80];
  test.each([
    ["a static", "Any { Router = Masked }(x)", twice],
    ["a pool's router", "(Twice(4) * 2)(x) by Masked", twice],
    // What the experts read beside the token is theirs.
    ["a pool with further inputs", "(Twice(4) * 2)(x, 3) by Masked", [30, 60, 90, 120]],
    ["gates of a mask", "(Twice(4) * 2)(x) by Masked(x, there = 0)", [0, 0, 0, 0]],
  ])("%s", (_, call, wanted) => {
    expect(answer(definitions, `  logits = ${call}`)).toEqual(wanted);
  });
  test("a `moe` gives its experts what it has, and its router what a router needs", () => {
    // The experts' `by` is the layer's `there`.
    expect(answer(definitions, "  logits = Stated(x)")).toEqual([11, 22, 33, 44]);
  });
});

describe("what is wrong is said once, where it stands", () => {
  const inModel = (call: string): string =>
    `${scaled}\nmodel M {\n  modality x = features(4)\n  logits = ${call}\n}\n`;
  test.each([
    [inModel("Scaled(x, 1, x, x)"), "M0204 Scaled(x, 1, x, x): `Scaled` takes 1 to 3 inputs, not 4"],
    [inModel("Scaled(by = x)"), "M0204 Scaled(by = x): `x` of `Scaled` is not given"],
    [inModel("Scaled(x, D = 4)"), "M0204 D: `D` is a static of `Scaled`, not an input"],
    [inModel("Scaled(x, bye = 4)"), "M0103 bye: `Scaled` has no input `bye`"],
    [inModel("Scaled(x, 2, by = 3)"), "M0219 by = 3: `by` is given twice"],
    [inModel("Scaled(x, x > 0)"), "M0405 Scaled(x, x > 0): `by` of `Scaled` is numbers, not truth values"],
    [
      "layer F(D)(x: [D], y: [] = 1, z: [D]) -> [D] { y * z }\n",
      "M0017 z: [D]: `z` stands behind an input that may be left out",
    ],
    ["layer F(D)(x: [D], y: [D] = y) -> [D] { x + y }\n", "M0106 y: the default of `y` reads `y`"],
    [
      "layer F(D)(x: [D], y: [D] = sum(z), z: [D] = x) -> [D] { x + y }\n",
      "M0106 z: the default of `y` reads `z`",
    ],
    ["layer F(D)(x: [D], y: [] = x) -> [D] { x * y }\n", "M0220 x: the default of `y` does not fit its type"],
    [
      "layer F(D)(x: [D], y: int [] = 0.5) -> [D] { x * y }\n",
      "M0220 0.5: the default of `y` does not fit its type",
    ],
    [
      "layer F(D, N)(x: [D], g: gates[N] = x) -> [D] { x * sum(g.chosen) }\n",
      "M0220 x: the default of `g` does not fit its type",
    ],
    [
      "layer F(D)(x: [D], y: [W] = 0) -> [D] { x * sum(y) }\n",
      "M0313 W: nothing binds `W` when `y` is left out",
    ],
  ])("%s", (text, message) => {
    expect(checkText(text)).toEqual([message]);
  });

  test("what a pool reads has no names", () => {
    const text = `import std.experts { Relu }
import std.routers { TopK }
model M {
  modality x = features(4)
  pool = Relu(4, 8) * 4
  logits = pool(x = x) by TopK
}
`;
    expect(checkText(text)).toEqual(["M0204 x: what a pool reads is given by position"]);
  });
});

/** Every kernel of a text on every target, as text. */
function kernelsOf(text: string): readonly string[] {
  return (Object.keys(targets) as TargetName[]).flatMap((target) => {
    const { planned, diagnostics } = planModel({ host: hostOf({ "m.moe": text }), path: "m.moe", target });
    if (planned === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
    return planned.kernels.map((kernel) => `${target}: ${printKernel(kernel)}`);
  });
}

/** A definition of the library as a text of its own, with what the library's module imports. */
function declared(module: string, name: string): string {
  const source = stdlib[module]!;
  const start = source.search(new RegExp(`^(router|function) ${name}\\(`, "m"));
  return source.slice(start, source.indexOf("\n}\n", start) + 3);
}
/** The same without its input `there`. */
const without = (text: string): string =>
  text
    .replace(", there: [] = 1", "")
    .replaceAll("there * ", "")
    .replaceAll(", there)", ")")
    .replaceAll(" only where there > 0 and\n    (first", " only where (first")
    .replaceAll(" only where there > 0", "")
    .replace("if there > 0 then score + bias else -inf", "score + bias")
    .replaceAll("Present(there) * ", "")
    .replace("mean(there over tokens) * ", "");

describe("a default costs nothing", () => {
  const program = (router: string, statics: string): string => `
import std.experts { Relu }
import std.losses { Balance, Present, SequenceBalance, ZLoss }
${["NextBest", "ByChance"].map((name) => declared("std.capacity", name)).join("")}
${["Rank", "Largest", "EvenStep"].map((name) => declared("std.routers", name)).join("")}
${router}
model M {
  modality text = tokens(vocab = 12)
  param table: [12, 8] = normal(1)
  x = table[text]
  pool = Relu(8, 8) * 4
  logits = (x + pool(x) by Used ${statics}) @ transpose(table)
  loss cross_entropy(logits, text.next)
}
train M {
  data text = bytes("none")
  batch 2 of 8
  optimizer sgd { rate = 0.1 }
  steps 1
}
`;
  test.each([
    ["std.routers", "TopK", "{ z_loss = 0.1 }"],
    ["std.routers", "Switch", "{ z_loss = 0.1 }"],
    ["std.routers", "RandomSecond", "{ z_loss = 0.1 }"],
    ["std.routers", "LossFree", "{ k = 2 }"],
    ["std.routers", "GroupLimited", "{ k = 2, groups = 2, kept = 1, z_loss = 0.1 }"],
    ["std.capacity", "DrawnPlaces", ""],
    ["std.capacity", "KeptTopK", ""],
    ["std.capacity", "TwoChoices", "{ prioritised = true, random = true }"],
  ])("%s: %s", (module, name, statics) => {
    const router = declared(module, name).replace(`router ${name}`, "router Used");
    expect(router).toContain("there: [] = 1");
    expect(without(router)).not.toContain("there");
    expect(kernelsOf(program(router, statics))).toEqual(kernelsOf(program(without(router), statics)));
  });
});
