// What a perfectly even load costs, in units of the loss's coefficient, under the conventions of the papers: 1 where shares of picks are
// counted, whatever k is; k where shares of tokens are; the mean of the best probabilities where experts that were not chosen count as 0.

import { describe, expect, test } from "vitest";
import { identityOf, onStdLogits } from "../helpers/known-answers.ts";
import { runMechanism } from "../helpers/mechanism.ts";
import { mean, range, softmax } from "../helpers/plain.ts";

const N = 8;
const identity = identityOf(N);
/** Token t likes experts t and t + 4 best, another much than the next token. */
const pairs = range(N).map((t) => range(N).map((e) => (e % 4 === t % 4 ? 1 + (t % 2) - e / 100 : 0)));

describe("an even load", () => {
  test.each([
    ["routers", "TopK { N = 8, balance = 0.3 }", "balance", 0.3],
    ["routers", "Grouped { N = 8, groups = 2, balance = 0.3 }", "balance", 0.3],
    ["layers", "Pieces { N = 8, k = 2, alpha1 = 0.3 }", "expert_balance", 0.3],
    ["layers", "Pieces { N = 8, k = 2, groups = 4, alpha2 = 0.3 }", "device_balance", 0.3],
  ])("of two experts each, std.%s %s: %s %d", (module, apply, loss, coefficient) => {
    const { load, losses } = onStdLogits(module, apply, pairs);
    expect(load).toEqual(range(N).map(() => 2));
    expect(losses[loss]).toBeCloseTo(coefficient, 9);
  });
  test.each([true, false])("inside each sequence (V3), of scores without bias: %s", (unbiased) => {
    const apply = `GroupLimited { N = 8, k = 2, groups = 4, kept = 2, alpha = 0.3, unbiased = ${unbiased} }`;
    const tensors = { x: pairs, w: identity, bias: range(N).map(() => 0) };
    const { load, losses } = onStdLogits("routers", apply, pairs, { tensors });
    expect(load).toEqual(range(N).map(() => 2));
    expect(losses["balance"]).toBeCloseTo(0.3, 9);
  });
  test.each([1, 2])("in pools of all experts, of %d layers (EMO)", (layers) => {
    const apply = `Open { N = 8, k = 2, layers = ${layers} }(x, 0 * x + 1)`;
    const { load, losses } = onStdLogits("documents", apply, pairs, { apply, tensors: { x: pairs } });
    expect(load).toEqual(range(N).map(() => 2));
    expect(losses["balance"]).toBeCloseTo(0.1 / layers, 9);
  });
  test.each([1, 100])(
    "weights instead of probabilities: the mean of the best (EvoMoE), logits times %d",
    (size) => {
      const rows = range(N).map((t) => range(N).map((e) => (e === t ? size * (0.5 + t / 4) : 0)));
      // The hard stage without noise.
      const hard = onStdLogits("sparsity", "DenseToSparse { N = 8, balance = 0.3 }", rows, {
        mode: "inference",
      });
      expect(hard.load).toEqual(range(N).map(() => 1));
      const best = mean(rows.map((row) => Math.max(...softmax(row))));
      expect(hard.losses["balance"]).toBeCloseTo(0.3 * best, 9);
    },
  );
  test("stays even when null experts begin as copies of the true ones, and costs k (AdaMoE)", () => {
    const x = range(N).map((t) => range(4).map((e) => (e === t % 4 ? 1 + t / 8 : 0)));
    const { load, losses } = runMechanism({
      text: `import std.routers { NullAware }
expert Scale(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}
moe Nulls(D)(x: [D]) -> [D] {
  routed Scale(D) * 4
  null zero * 4
  router NullAware { balance = 0.3 }
}`,
      apply: "Nulls(4)(x)",
      width: 4,
      batch: 1,
      length: N,
      on: "double",
      // The columns of 4 to 7 are those of 0 to 3.
      tensors: { x, "router.w": range(4).map((d) => range(N).map((e) => (e % 4 === d ? 1 : 0))) },
    });
    expect(load).toEqual(range(N).map(() => 2));
    expect(losses["balance"]).toBeCloseTo(2 * 0.3, 9);
  });
});
