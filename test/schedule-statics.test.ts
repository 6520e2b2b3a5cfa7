// Schedules as statics: a number of each step may stand where a number known at compile time may, by name in braces and as a default.
// A tensor of any other kind may not.

import { describe, expect, test } from "vitest";
import { buildText } from "./helpers/elaborate.ts";
import { runMechanism } from "./helpers/mechanism.ts";

const text = `layer Scaled(D, by = linear(1, 0, over = 10))(x: [D]) -> [D] {
  by * x
}
layer Twice(D, by = 1)(x: [D]) -> [D] {
  Scaled { by = 2 * by }(x)
}`;
const at = (step: number, apply: string): number =>
  runMechanism({ text, apply, width: 1, batch: 1, length: 1, step, on: "double", tensors: { x: [8] } })
    .out[0]![0]!;

describe("schedules as statics", () => {
  test.each([
    ["Scaled(x)", [8, 4, 0]],
    ["Scaled { by = if step < 5 then 3 else 1 }(x)", [24, 8, 8]],
    ["Scaled { by = progress }(x)", [0, 0.04, 0.08]],
    ["Twice { by = linear(1, 2, over = 10) }(x)", [16, 24, 32]],
    ["Twice { by = 0.5 }(x)", [8, 8, 8]],
  ])("%s", (apply, wanted) => {
    [0, 5, 10].forEach((step, i) => expect(at(step, apply), `step ${step}`).toBeCloseTo(wanted[i]!, 9));
  });

  const model = (line: string): string => `${text}
model M {
  modality x = features(4)
  param slope: [] = 1
  ${line}
}
`;
  const wrong = /M0203 .*a static of `Scaled` must be known when the model is compiled/;
  test("a number of each token is none", () => {
    expect(() => buildText(model("logits = Scaled { by = mean(x) }(x)"))).toThrow(wrong);
  });
  test("neither is what is learned", () => {
    const line = "logits = Scaled { by = 2 * slope }(x)";
    expect(() => buildText(model(line))).toThrow(wrong);
  });
  test("a number of picks does not follow the step", () => {
    const best = `router Best(D, N, k = 1)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose top k of x @ w
}
`;
    const line = "g = Best { N = 2, k = step }(x)\n  logits = x + sum(g.weight)";
    expect(() => buildText(best + model(line))).toThrow(/M05\d\d/);
  });
});
