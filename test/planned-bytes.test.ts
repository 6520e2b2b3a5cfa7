// Planned bytes: what the kernels of a routed layer read and write, counted from the program, against the formulas of its
// parts. The figure needs no GPU: every fusion that is lost shows here.
// T tokens of width d, E experts of hidden width h, k for each token; 4 bytes a number. "Three kernels": gather and up with the
// SwiGLU epilogue, down, gather-sum; the eager ladder gathers, multiplies and merges in kernels of their own.

import { describe, expect, test } from "vitest";
import { costOf, type EntryCost } from "../cli/cost.ts";
import { planModel } from "../compiler/compile.ts";
import type { TargetName } from "../runtime/program.ts";
import { stdlib } from "../stdlib/sources.ts";

interface Shape {
  readonly d: number;
  readonly h: number;
  readonly E: number;
  readonly k: number;
}

const source = ({ d, h, E, k }: Shape): string => `
import std.experts { SwiGLU }
import std.routers { TopK }

moe Experts(D, H)(x: [D]) -> [D] {
  routed SwiGLU(D, H) * ${E}
  router TopK { k = ${k}, balance = 0 }
}

model Layer {
  modality x = features(${d})
  modality y = features(${d})
  logits = Experts(${d}, ${h})(x)
  loss mean(square(logits - y))
}

train Layer {
  data x = csv("x.csv", "x")
  data y = csv("y.csv", "y")
  batch 4
  steps 1
  optimizer sgd { rate = 0.1 }
}
`;

function planned(shape: Shape, target: TargetName, fuse: boolean): (entry: string) => EntryCost {
  const host = { read: (path: string) => (path === "layer.moe" ? source(shape) : stdlib[path]) };
  const { planned: whole, diagnostics } = planModel({ host, path: "layer.moe", target, fuse });
  if (whole === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return (entry) => costOf(whole.program, entry, { B: T });
}

/** Numbers that the three kernels of the experts move, without indices. */
const threeKernels = ({ d, h, E, k }: Shape): number =>
  T * d +
  2 * E * d * h +
  T * k * h + // gather and up
  (T * k * h + E * h * d + T * k * d) + // down
  (T * k * d + T * d); // gather-sum
/** Router: scores of all tokens by one product, read again to choose. */
const router = ({ d, E, k }: Shape): number => T * d + d * E + 2 * T * E + T * k;
/** At the least: the same arithmetic with rows gathered twice, and activation, product and weighting in kernels of their own. */
const eager = (shape: Shape): number => {
  const { d, h, k } = shape;
  return threeKernels(shape) + T * k * (3 * d + 5 * h);
};

/** Weights forward and backward, their gradients written once, five passes over the tokens, gate and up kept and read again. */
const leastOfTraining = ({ d, h, E, k }: Shape): number =>
  3 * (3 * E * d * h) + 5 * T * d + 2 * (2 * T * k * h);

const shapes: readonly (readonly [string, Shape])[] = [
  ["64 experts of 1024", { d: 2048, h: 1024, E: 64, k: 8 }],
  ["8 experts of 14336", { d: 4096, h: 14336, E: 8, k: 2 }],
  ["128 experts of 768", { d: 2048, h: 768, E: 128, k: 8 }],
];
const T = 4096;

describe.each(shapes)("a routed layer, %s", (_, shape) => {
  test.each<TargetName>(["wasm", "webgpu", "cuda"])(
    "for %s: three kernels' bytes, and little beside",
    (target) => {
      const fused = planned(shape, target, true);
      const expected = 4 * (threeKernels(shape) + router(shape));
      expect(fused("forward").bytes).toBeGreaterThan(0.999 * expected);
      expect(fused("forward").bytes).toBeLessThan(1.005 * expected);
      // A stack that lies in parts is multiplied part by part, and each of them counts its own.
      const { d, h, E, k } = shape;
      expect(fused("forward").multiplyAdds / (T * (3 * k * d * h + d * E))).toBeCloseTo(1, 6);
      // Gradients of one batch, beside what no schedule can do without.
      expect(fused("train").bytes).toBeGreaterThan(4 * leastOfTraining(shape));
      expect(fused("train").bytes).toBeLessThan(1.45 * 4 * leastOfTraining(shape));
    },
  );

  test("without fusion: at least the eager ladder's", () => {
    const whole = planned(shape, "cuda", false);
    expect(whole("forward").bytes).toBeGreaterThan(4 * eager(shape));
    expect(whole("train").bytes).toBeGreaterThan(2 * 4 * leastOfTraining(shape));
  });
});
