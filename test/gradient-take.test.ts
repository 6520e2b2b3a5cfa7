// The gradient of looking up by ids: against central differences, and what an id outside of the table may not bring in.

import { describe, expect, test } from "vitest";
import { constant, multiply, named } from "../runtime/size.ts";
import { nodesOf } from "../compiler/graph-walk.ts";
import { buildText } from "./helpers/elaborate.ts";
import { derivatives, expectGradient, type GradientCase } from "./helpers/gradient-check.ts";

describe("take", () => {
  const ids = [2, 0, 2, -1, 9, 1];
  const cases: readonly (readonly [string, GradientCase])[] = [
    [
      "an embedding",
      { build: (b, t) => b.square(b.take(t("x", [4, 3]), b.input("ids", "i32", [2, 3]))), inputs: { ids } },
    ],
    [
      "of scalars",
      { build: (b, t) => b.square(b.take(t("x", [4]), b.input("ids", "i32", [6]))), inputs: { ids } },
    ],
    [
      "by one id",
      { build: (b, t) => b.take(t("x", [4, 2]), b.input("ids", "i32", [])), inputs: { ids: [3] } },
    ],
    [
      "scores of picks",
      {
        build: (b, t) => b.square(b.take(t("x", [2, 4]), b.input("ids", "i32", [2, 3]), 1)),
        inputs: { ids },
      },
    ],
    [
      "rows by a shared axis",
      {
        build: (b, t) => b.square(b.take(t("x", [2, 4, 3]), b.input("ids", "i32", [2, 3]), 1)),
        inputs: { ids },
      },
    ],
    [
      "one per shared index",
      { build: (b, t) => b.square(b.take(t("x", [6, 4]), b.input("ids", "i32", [6]), 1)), inputs: { ids } },
    ],
    [
      "from a table of symbolic length",
      {
        build: (b, t) => {
          const table = b.broadcastTo(t("x", [3]), [named("V"), constant(3)], [1]);
          return b.square(
            b.take(
              b.mul(table, b.broadcastTo(b.cast(b.index(named("V")), "f32"), table.shape, [0])),
              b.input("ids", "i32", [6]),
            ),
          );
        },
        inputs: { ids },
        sizes: { V: 4 },
      },
    ],
    [
      "by the rows of a routing",
      {
        build: (b, t) => {
          const route = b.route(b.input("picks", "i32", [3, 2]), 2, multiply(constant(3), constant(2)));
          const rowIds = b.dispatch(b.input("ids", "i32", [3, 2]), route);
          return b.square(b.take(t("x", [4, 3]), rowIds));
        },
        inputs: { ids, picks: [0, 1, 1, -1, 0, 0] },
      },
    ],
  ];
  test.each(cases)("%s", (_, gradientCase) => expectGradient(gradientCase));

  test("what an id outside received stays out, of rows", () => {
    const { gradients } = derivatives({
      build: (b, t) => {
        const picked = b.take(t("x", [2, 4, 3]), b.input("ids", "i32", [2, 2]), 1);
        // The spoiled places get gradients that are not numbers.
        return b.mul(picked, b.broadcastTo(b.input("spoil", "f32", [2, 2]), picked.shape, [0, 1]));
      },
      inputs: { ids: [1, 3, 2, -1], spoil: [1, 1, 1, NaN] },
    });
    expect([...gradients.get("x")!].some(Number.isNaN)).toBe(false);
  });

  test("what an id outside received stays out", () => {
    const { gradients } = derivatives({
      build: (b, t) => {
        const x = b.take(t("x", [2, 4]), b.input("ids", "i32", [2, 2]), 1);
        // Both picks of the second token are null: its weights are 0 / 0.
        const weights = b.div(x, b.expand(b.sum(x, [1]), x.shape, 1));
        return b.select(b.map("le", 0, b.input("ids", "i32", [2, 2])), weights, 0);
      },
      inputs: { ids: [1, 3, -1, -1] },
    });
    expect([...gradients.get("x")!].some(Number.isNaN)).toBe(false);
  });
});

test.each([
  ["y[d] = table[text, d]", 0],
  ["y[d] = 2 * three[0, text, d]", 0],
  ["y[d] = sum(turned[d, text] * near[e, d] over e)", 0],
  ["y[d] = table[own[d], d]", 1],
])("rows of one table are looked up where they lie: %s", (line, shared) => {
  const { built } = buildText(`layer L(D)(text: int []) -> [D] {
  param table: [9, D]
  param three: [2, 9, D]
  param turned: [D, 9]
  param near: [2, D]
  own[i: D] = int(i)
  ${line}
}
model M {
  modality text = tokens(vocab = 9)
  logits = L(4)(text)
}`);
  const takes = nodesOf(built.outputs.map(({ node }) => node)).filter((node) => node.op === "take");
  expect(takes.map(({ batch }) => Math.sign(batch))).toEqual([shared]);
});
