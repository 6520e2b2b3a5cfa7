// Padding: an id of -1 says that there is no token. Its embedding is zeros, and neither a loss nor the mean of it counts what
// should have come there. On every back end, and in the gradient.

import { describe, expect, test } from "vitest";
import { openSession } from "../runtime/session.ts";
import { shapedInputs } from "../runtime/shaped-inputs.ts";
import { compileText, expectDifferential, expectGradients } from "./helpers/differential.ts";

const model = `
model Padded {
  dim D = 6
  modality text = tokens(vocab = 9)
  param table: [text.vocab, D] = normal(1)
  param out: [D, text.vocab] = normal(1)
  logits = table[text] @ out
  loss cross_entropy(logits, text.next)
}
train Padded {
  data text = bytes("none")
  batch 2 of 5
  optimizer sgd { rate = 0 }
  steps 1
}
`;
const compiled = compileText(model);
const sizes = { B: 2, T: 5 };

/** -log p of each id that is there, from the logits. */
const losses = (logits: Float32Array, ids: readonly number[]): number[] =>
  ids.flatMap((id, row) => {
    const z = [...logits.subarray(9 * row, 9 * row + 9)];
    return id < 0 ? [] : [Math.log(z.reduce((sum, each) => sum + Math.exp(each), 0)) - z[id]!];
  });

describe("padding", () => {
  test.each([
    ["none", [1, 2, 3, 4, 5, 6, 7, 8, 0, 1], [2, 3, 4, 5, 6, 7, 8, 0, 1, 2]],
    ["at the ends", [1, 2, 3, -1, -1, 4, 5, -1, -1, -1], [2, 3, 0, -1, -1, 5, 0, -1, -1, -1]],
    ["one text is all padding", [1, 2, 3, 4, 5, -1, -1, -1, -1, -1], [2, 3, 4, 5, 6, -1, -1, -1, -1, -1]],
    ["one token is left", [-1, -1, -1, -1, -1, -1, -1, -1, 3, -1], [-1, -1, -1, -1, -1, -1, -1, -1, 0, -1]],
    ["nothing is left", Array<number>(10).fill(-1), Array<number>(10).fill(-1)],
  ])("%s", async (_, text, next) => {
    const session = await openSession(compiled.program, compiled.wasm, { sizes, threads: 1, seed: 3 });
    const { logits } = session.run("forward", { text });
    text.forEach((id, row) => {
      if (id < 0)
        expect([...(logits as Float32Array).subarray(9 * row, 9 * row + 9)]).toEqual(Array(9).fill(0));
    });
    const expected = losses(logits as Float32Array, next);
    const mean = expected.length === 0 ? 0 : expected.reduce((a, b) => a + b) / expected.length;
    const given = { text, "text.next": next };
    expect(session.run("evaluate", given)["loss"]![0]).toBeCloseTo(mean, 5);
    expect(session.run("train", given)["loss"]![0]).toBeCloseTo(mean, 5);
    session.dispose();

    const run = await expectDifferential(compiled, { sizes, inputs: given });
    expectGradients(compiled, run!.get("train")!);
  });
});

test("the gradient of padding is zero", async () => {
  const session = await openSession(compiled.program, compiled.wasm, { sizes, threads: 1, seed: 3 });
  // Token 8 stands only where nothing is to be predicted, so its row of the table learns nothing.
  session.run("train", {
    text: [1, 2, 8, 8, 8, 1, 8, 8, 8, 8],
    "text.next": [2, 3, -1, -1, -1, 4, -1, -1, -1, -1],
  });
  const gradient = session.read("gradient.table");
  expect([...gradient.subarray(8 * 6, 9 * 6)]).toEqual(Array(6).fill(0));
  expect([...gradient.subarray(1 * 6, 2 * 6)].every((value) => value !== 0)).toBe(true);
  session.dispose();
});

test("a class that is missing counts for nothing either", async () => {
  const { program, wasm } = compileText(`
model Rows {
  modality x = features(3)
  modality y = category(4)
  param w: [3, 4] = normal(1)
  logits = x @ w
  loss cross_entropy(logits, y)
}
train Rows {
  data x = csv("none.csv", a, b, c)
  data y = csv("none.csv", d)
  batch 2
  optimizer sgd { rate = 0 }
  steps 1
}
`);
  const session = await openSession(program, wasm, { sizes: { B: 2 }, threads: 1 });
  const loss = (y: number[], x = [1, 2, 3, 4, 5, 6]): number =>
    session.run("evaluate", { x, y })["loss"]![0]!;
  expect(loss([2, -1])).toBeCloseTo(2 * loss([2, 1]) - loss([-1, 1]), 5);
  expect(loss([2, -1])).toBeCloseTo(loss([2, 2], [1, 2, 3, 1, 2, 3]), 5);
  session.dispose();
});

test("padding may be given, an id that the model does not have may not", () => {
  const { entries, modalities } = compiled.program;
  const give = (text: number[][]): unknown => shapedInputs(entries["forward"]!, { text }, modalities).sizes;
  expect(give([[0, 8, -1, -100]])).toEqual({ B: 1, T: 4 });
  expect(() => give([[0, 9]])).toThrow("`text` holds 9, and `text` has the ids 0 to 8");
});
