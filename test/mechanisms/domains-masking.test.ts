// Answers that are left out by chance, a gate with a budget (NLLB) and a pyramid of experts that correct a fixed network (DeepSpeed-MoE), against
// plain loops over their formulas; what must hold exactly.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  columnMeans,
  counts,
  dot,
  largest,
  mean,
  range,
  rowsOf,
  sigmoid,
  softmax,
  sum,
  times,
  weighted,
  type Rows,
} from "../helpers/plain.ts";

const [D, H, N] = [3, 2, 4];
const scaled = (row: readonly number[], by: number): number[] => row.map((value) => by * value);
const network = ({ tensor }: Given, path: string, e: number, row: readonly number[]): number[] => {
  const part = (name: string, columns: number): Rows =>
    rowsOf(tensor(`${path}.${name}`).slice(D * H * e, D * H * (e + 1)), columns);
  return times(
    times(row, part("up", H)).map((value) => Math.max(0, value)),
    part("down", D),
  );
};
/** Two of four experts, weights that sum to 1, and what each says. */
function route(given: Given, router: string) {
  const p = given.x.map((row) => softmax(times(row, given.matrix(router, N))));
  const picks = p.map((row) => largest(row, 2));
  const weights = picks.map((row, t) => row.map((e) => p[t]![e]! / sum(row.map((each) => p[t]![each]!))));
  const said = picks.map((row, t) => row.map((e) => network(given, "pool", e, given.x[t]!)));
  const f = counts(picks, N).map((count) => count / picks.length / 2);
  return { weights, said, balance: 0.01 * N * dot(f, columnMeans(p)) };
}

describe("expert output masking", () => {
  const layer = (p: number, mode: Mechanism["mode"], more: Partial<Mechanism> = {}): Mechanism => ({
    text: "import std.masking { MaskedExperts }",
    apply: `MaskedExperts(${D}, ${H}, ${N}, p_eom = ${p})(x)`,
    width: D,
    ...(mode === undefined ? {} : { mode }),
    ...more,
  });
  const formula =
    (keep: (given: Given, token: number, slot: number) => number, router = "router.0.w") =>
    (given: Given): Wanted => {
      const { weights, said, balance } = route(given, router);
      const out = said.map((rows, t) =>
        weighted(
          weights[t]!.map((weight, slot) => weight * keep(given, t, slot)),
          rows,
        ),
      );
      return { out, losses: { balance } };
    };
  test("in training whole answers are left out, each for itself, and nothing grows", () => {
    runMechanism(
      layer(0.4, "training", { on: "gpu" }),
      formula(({ draws }, t, slot) => (draws[0]![2 * t + slot]! < 0.4 ? 0 : 1)),
    );
  });
  test("at inference all are there, times 1 - p", () => {
    runMechanism(
      layer(0.4, "inference"),
      formula(() => 0.6),
    );
  });
  test("what is left out on average is what inference takes off", () => {
    const x = new Array<readonly number[]>(2000).fill([0.5, -1, 0.8]);
    const run = (mode: "training" | "inference"): Rows =>
      runMechanism(layer(0.2, mode, { batch: 1, length: 2000, tensors: { x }, on: "double" })).out;
    const [trained, used] = [columnMeans(run("training")), run("inference")[0]!];
    trained.forEach((value, d) =>
      expect(Math.abs(value - used[d]!)).toBeLessThan(0.04 * Math.max(...used.map(Math.abs))),
    );
  });
  test("masking the sum instead masks both experts of a token at once", () => {
    const mechanism: Mechanism = {
      text: `import std.masking { VectorMask }
import std.routers { TopK }
import std.experts { Relu }
layer Final(x: [3]) -> [3] {
  pool = Relu(${D}, ${H}) * ${N}
  VectorMask { p = 0.4 }(pool(x) by TopK)
}`,
      apply: "Final(x)",
      width: D,
      on: "gpu",
    };
    const final = (keep: (given: Given, token: number) => number) =>
      formula((given, t) => keep(given, t), "router.w");
    runMechanism(
      mechanism,
      final(({ draws }, t) => (draws[0]![t]! < 0.4 ? 0 : 1)),
    );
    runMechanism(
      { ...mechanism, mode: "inference" },
      final(() => 0.6),
    );
  });
});

describe("a network for all or the experts, with a budget", () => {
  const layer = (settings: string, more: Partial<Mechanism> = {}): Mechanism => ({
    text: "import std.masking { ConditionalExperts }",
    apply: `ConditionalExperts(${D}, ${H}, ${N}${settings})(x)`,
    width: D,
    ...more,
  });
  const formula =
    (drop: number) =>
    (given: Given): Wanted => {
      const { weights, said, balance } = route(given, "router.w");
      const g = given.x.map((row, t) => {
        const open = sigmoid(dot(row, given.tensor("conditionalexperts.gate")) + given.tensor("bias")[0]!);
        return drop === 0 ? open : given.draws[0]![t]! < drop ? 0 : open / (1 - drop);
      });
      const out = given.x.map((row, t) => {
        const routed = weighted(weights[t]!, said[t]!);
        return network(given, "fixed", 0, row).map((value, d) => (1 - g[t]!) * value + g[t]! * routed[d]!);
      });
      return { out, losses: { balance, budget: 0.1 * Math.abs(mean(g) - 0.8) } };
    };
  test("as in the paper", () => {
    runMechanism(layer("", { on: "gpu" }), formula(0));
  });
  test("with dropout of the gate in training, not afterwards", () => {
    runMechanism(layer(", drop = 0.3", { seed: 3 }), formula(0.3));
    runMechanism(layer(", drop = 0.3", { seed: 3, mode: "inference" }), formula(0));
  });
  test("known answer: logits 0, 1, -1, 2 are .204801 away from a budget of .8", () => {
    const { losses } = runMechanism(
      layer(", w = 1", {
        batch: 1,
        length: 4,
        on: "double",
        tensors: {
          x: [0, 1, -1, 2].map((value) => [value, 0, 0]),
          "conditionalexperts.gate": [1, 0, 0],
          bias: [0],
        },
      }),
    );
    expect(losses["budget"]).toBeCloseTo(0.204801, 6);
  });
  test("a gate that is shut is the network for all, one that is open the experts", () => {
    const at = (bias: number): Rows =>
      runMechanism(
        layer("", { on: "double", tensors: { bias: [bias], "conditionalexperts.gate": [0, 0, 0] } }),
      ).out;
    const [shut, open, half] = [at(-60), at(60), at(0)];
    half.flat().forEach((value, i) => expect(2 * value).toBeCloseTo(shut.flat()[i]! + open.flat()[i]!, 9));
    expect(range(half.length).some((t) => shut[t]![0] !== open[t]![0])).toBe(true);
  });
});

test("a pyramid: a fixed network and one expert that corrects it, more experts in the deeper layer", () => {
  const text = `import std.layers { DenseResidual }
import std.experts { Relu }
import std.routers { TopK }
layer Pyramid(x: [3]) -> [3] {
  repeat i in 2 {
    x = DenseResidual(
      ${D}, if i < 1 then 2 else 4, H = ${H}, Ffn = Relu, Router = TopK { k = 1, renormalise = false }
    )(x)
  }
  x
}`;
  runMechanism({ text, apply: "Pyramid(x)", width: D }, (given) => {
    let out = given.x;
    let balance = 0;
    for (const [i, experts] of [2, 4].entries()) {
      const path = `denseresidual.${i}`;
      const p = out.map((row) => softmax(times(row, given.matrix(`${path}.router.w`, experts))));
      const picks = p.map((row) => largest(row, 1));
      const f = counts(picks, experts).map((count) => count / picks.length);
      balance += 0.01 * experts * dot(f, columnMeans(p));
      out = out.map((row, t) => {
        const e = picks[t]![0]!;
        const corrected = network(given, `${path}.pool`, e, row);
        return network(given, `${path}.fixed`, 0, row).map((value, d) => value + p[t]![e]! * corrected[d]!);
      });
    }
    return { out, losses: { balance } };
  });
});

test("dropout: what stays is divided by the share that stays, and nothing happens at inference", () => {
  const mechanism: Mechanism = {
    text: "import std.masking { Dropout }",
    apply: "Dropout { rate = 0.25 }(x)",
    width: D,
    on: "gpu",
  };
  runMechanism(mechanism, ({ x, draws }) => ({
    out: x.map((row, t) => row.map((value, d) => (draws[0]![D * t + d]! < 0.25 ? 0 : value / 0.75))),
  }));
  runMechanism({ ...mechanism, mode: "inference" }, ({ x }) => ({ out: x.map((row) => scaled(row, 1)) }));
});
