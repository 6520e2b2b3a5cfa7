// States of what is applied more than once: the rule of `after step` is followed once for each application, in the order of the
// text, each from what the one before left. A rule that reads all applications at once stands around them.

import { expect, test } from "vitest";
import { buildText, numbers, runBuilt, valuesOf } from "./helpers/elaborate.ts";

const examples = 5;
const x = numbers(examples * 3, 1);
const meanOf = (values: readonly number[], d: number): number =>
  values.filter((_, i) => i % 3 === d).reduce((a, b) => a + b, 0) / examples;

test("a running mean takes the mean of every application in turn", () => {
  const model = buildText(`
layer Centre(D)(x: [D]) -> [D] {
  state middle: [D]
  after step: middle = 0.9 * middle + 0.1 * mean(x over tokens)
  2 * x
}
model M {
  modality x = features(3)
  centre = Centre(3)
  logits = centre(centre(x))
  loss mean(logits)
}`);
  const before = [0.5, -0.25, 1];
  const after = runBuilt(model, { x }, { B: examples }, valuesOf(model.built, { "centre.middle": before }));
  const want = before.map((middle, d) => 0.9 * (0.9 * middle + 0.1 * meanOf(x, d)) + 0.1 * 2 * meanOf(x, d));
  after["update centre.middle"]!.data.forEach((value, d) => expect(value).toBeCloseTo(want[d]!, 12));
});

const scale = `
expert Scale(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}`;

test("a bias that evens the load is moved by the load of every application", () => {
  const model = buildText(`
import std.routers { LossFree }
${scale}
layer Twice(D)(x: [D]) -> [D] {
  pool = Scale(D) * 4
  gate = LossFree { k = 1, rate = 0.1 }
  x = pool(x) by gate
  pool(x) by gate
}
model M {
  modality x = features(3)
  logits = Twice(x)
  loss mean(logits)
}`);
  const ran = runBuilt(model, { x }, { B: examples });
  const loads = ["twice.gate", "twice.gate.2"].map((name) => ran[`load ${name}`]!.data);
  expect(loads[0]).not.toEqual(loads[1]);
  const moved = loads[0]!.map((_, e) =>
    loads.reduce((sum, load) => sum + 0.1 * Math.sign(examples / 4 - load[e]!), 0),
  );
  ran["update twice.gate.bias"]!.data.forEach((value, e) => expect(value).toBeCloseTo(moved[e]!, 12));
});

test("one rule for the load of both applications: the state lies around them", () => {
  const model = buildText(`
${scale}
router Biased(D, N)(x: [D], bias: [N]) -> gates[N] {
  param w: [D, N]
  score = sigmoid(x @ w)
  choose top 1 of score + bias
  weight score
}
layer Twice(D)(x: [D]) -> [D] {
  state bias: [4] = 0
  pool = Scale(D) * 4
  gate = Biased { N = 4 }
  first = gate(x, bias)
  x = pool(x) by first
  second = gate(x, bias)
  load = first.load + second.load
  after step: bias += 0.1 * sign(mean(load) - load)
  pool(x) by second
}
model M {
  modality x = features(3)
  logits = Twice(x)
  loss mean(logits)
}`);
  const ran = runBuilt(model, { x }, { B: examples });
  const [first, second] = ["twice.gate", "twice.gate.2"].map((name) => ran[`load ${name}`]!.data);
  const want = first!.map((load, e) => 0.1 * Math.sign((2 * examples) / 4 - load - second![e]!));
  ran["update twice.bias"]!.data.forEach((value, e) => expect(value).toBeCloseTo(want[e]!, 12));
});
