// Heads that shall differ (DivDis, D-BAT) and a student of a teacher, against plain loops over their formulas, with known answers.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { runMechanism, type Mechanism } from "../helpers/mechanism.ts";
import {
  columnMeans,
  dot,
  largest,
  mean,
  range,
  rowsOf,
  softmax,
  stopped,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";

const noise = (seed: number, count: number): number[] => [...signedNumbers(seed, count)];
const tiny = 1e-12;
/** sum_cd J log(J / (P Q)) of rows of probabilities. */
function information(p: Rows, q: Rows): number {
  const [P, Q] = [columnMeans(p), columnMeans(q)];
  return sum(
    P.flatMap((a, c) =>
      Q.map((b, d) => {
        const joint = mean(p.map((row, t) => row[c]! * q[t]![d]!));
        return joint * (Math.log(joint + tiny) - Math.log(a * b + tiny));
      }),
    ),
  );
}
const pairsOf = (heads: number): readonly (readonly [number, number])[] =>
  range(heads).flatMap((g) => range(g).map((h) => [h, g] as const));
/** Logits of three heads and two classes, as probabilities of each head. */
const headsOf = (x: Rows): readonly Rows[] =>
  range(3).map((h) => x.map((row) => softmax(row.slice(2 * h, 2 * h + 2))));

const heads = (loss: string, labels = ""): Mechanism => ({
  text: `import std.diversity { ${loss.split(/[ (]/)[0]!} }
layer Heads(x: [6]) -> [6] {
  z = x as [3, 2]
  q[h, c] = softmax(z[h, c] over c)
  ${labels}
  loss apart = ${loss}
  x
}`,
  apply: "Heads(x)",
  width: 6,
});

describe("heads that shall have nothing in common", () => {
  test("mutual information, the mean over pairs", () => {
    // It is a small difference of logarithms, which f32 keeps to four digits.
    runMechanism({ ...heads("Diversity(q)"), on: "gpu", tolerance: 3e-4 }, ({ x }) => {
      const q = headsOf(x);
      return { out: x, losses: { apart: mean(pairsOf(3).map(([h, g]) => information(q[h]!, q[g]!))) } };
    });
  });
  test("distance", () => {
    runMechanism(heads("Diversity { by_distance = true }(q)"), ({ x }) => {
      const q = headsOf(x);
      const distance = ([h, g]: readonly [number, number]): number =>
        mean(q[h]!.flatMap((row, t) => row.map((value, c) => Math.abs(value - q[g]![t]![c]!))));
      return { out: x, losses: { apart: -mean(pairsOf(3).map(distance)) } };
    });
  });
  test.each([true, false])("what heads say on average against labels; backward: %s", (backward) => {
    const labels = "label = one_hot(int(if x[0] > 0 then 0 else 1), 2)";
    const mechanism = heads(`Calibration { backward = ${backward} }(q, label)`, labels);
    runMechanism({ ...mechanism, on: backward ? "gpu" : "wasm" }, ({ x }) => {
      const L = columnMeans(x.map((row) => (row[0]! > 0 ? [1, 0] : [0, 1])));
      const divergence = headsOf(x).map((q) => {
        const P = columnMeans(q);
        const apart = L.map((value, c) => Math.log(value + tiny) - Math.log(P[c]! + tiny));
        return backward ? -dot(P, apart) : dot(L, apart);
      });
      return { out: x, losses: { apart: mean(divergence) } };
    });
  });
  const pair = (classes: number, loss: string): Mechanism => ({
    text: `import std.diversity { ${loss.split(/[ (]/)[0]!} }
layer Pair(x: [${2 * classes}]) -> [1] {
  both = x as [2, ${classes}]
  loss between = ${loss}
  x[0] as [1]
}`,
    apply: "Pair(x)",
    width: 2 * classes,
    out: 1,
    batch: 1,
  });
  const between = (classes: number, loss: string, x: Rows): number =>
    runMechanism({ ...pair(classes, loss), length: x.length, tensors: { x }, on: "double" }).losses[
      "between"
    ]!;
  const binary = (p: readonly number[], q: readonly number[]): Rows =>
    p.map((value, t) => [value, 1 - value, q[t]!, 1 - q[t]!]);
  const [p1, p2] = [
    [0.9, 0.8, 0.2, 0.1],
    [0.9, 0.1, 0.8, 0.2],
  ] as const;
  test("known answers of two heads", () => {
    const loss = "MutualInformation(both[0], both[1])";
    expect(between(2, loss, binary(p1, p2))).toBeCloseTo(0.002452, 6);
    expect(between(2, loss, binary(p1, p1))).toBeCloseTo(0.130812, 6);
    const three = [
      [0.7, 0.2, 0.1, 0.3, 0.3, 0.4],
      [0.1, 0.8, 0.1, 0.6, 0.2, 0.2],
    ];
    expect(between(3, loss, three)).toBeCloseTo(0.019095, 6);
    expect(between(2, "Disagreement(both[0], both[1])", binary(p1, p2))).toBeCloseTo(0.93716, 5);
  });
  test("heads that are quite sure have a finite loss and gradient", () => {
    const x = binary([1, 0, 1, 0], [1, 1, 0, 0]);
    const { losses, gradients } = runMechanism({
      ...pair(2, "MutualInformation(both[0], both[1])"),
      length: 4,
      tensors: { x },
      on: "wasm",
    });
    expect(losses["between"]).toBeCloseTo(0, 9);
    expect(gradients["inputs"]!.every(Number.isFinite)).toBe(true);
  });
  test("a head has most in common with itself, and nothing with one that always says the same", () => {
    const loss = "MutualInformation(both[0], both[1])";
    expect(between(2, loss, binary([0.7, 0.7, 0.7, 0.7], p2))).toBeCloseTo(0, 9);
    expect(between(2, loss, binary([1, 1, 0, 0], [1, 1, 0, 0]))).toBeCloseTo(Math.log(2), 6);
  });
  test.each([1, 2, 3])("it is never below 0, and the same from both sides: numbers %d", (seed) => {
    const rows = (of: number): Rows => rowsOf(noise(of, 15), 3).map(softmax);
    const [p, q] = [rows(seed), rows(seed + 10)];
    const both = (a: Rows, b: Rows): number =>
      between(
        3,
        "MutualInformation(both[0], both[1])",
        a.map((row, t) => [...row, ...b[t]!]),
      );
    expect(both(p, q)).toBeGreaterThan(0);
    expect(both(q, p)).toBeCloseTo(both(p, q), 12);
  });
});

describe("a second model that shall not agree (D-BAT)", () => {
  test.each([false, true])("by the class of the second: %s; the first has no gradient", (ofSecond) => {
    const mechanism: Mechanism = {
      text: `import std.diversity { Disagreement }
layer Second(x: [6]) -> [3] {
  both = x as [2, 3]
  loss disagreement = Disagreement { of_second = ${ofSecond} }(softmax(both[0]), softmax(both[1]))
  both[1]
}`,
      apply: "Second(x)",
      width: 6,
      out: 3,
      on: ofSecond ? "wasm" : "gpu",
    };
    let still: Rows | undefined;
    const { gradients } = runMechanism(mechanism, ({ x }) => {
      still ??= x;
      const losses = x.map((row, t) => {
        const [p, q] = [softmax(still![t]!.slice(0, 3)), softmax(row.slice(3))];
        const c = largest(ofSecond ? softmax(still![t]!.slice(3)) : p, 1)[0]!;
        return -Math.log(p[c]! * (1 - q[c]!) + q[c]! * (1 - p[c]!) + 1e-7);
      });
      return { out: x.map((row) => row.slice(3)), losses: { disagreement: mean(losses) } };
    });
    for (const row of rowsOf(gradients["inputs"]!, 6)) expect(row.slice(0, 3)).toEqual([0, 0, 0]);
  });
});

describe("a point over which two models disagree most (D-BAT)", () => {
  const climb = (
    from: readonly number[],
    first: readonly number[],
    models: readonly Rows[],
    steps: number,
  ): number[] => {
    const agreed = (z: readonly number[]): number => {
      const [p, q] = models.map((w) => softmax(times(z, w))) as [number[], number[]];
      const c = largest(p, 1)[0]!;
      return -Math.log(p[c]! * (1 - q[c]!) + q[c]! * (1 - p[c]!) + 1e-7);
    };
    let z = [...first];
    for (let step = 0; step < steps; step++) {
      const slope = z.map((_, d) => {
        const moved = (by: number): number => agreed(z.map((value, i) => (i === d ? value + by : value)));
        return moved(1e-5) - moved(-1e-5);
      });
      z = z.map((value, d) =>
        Math.min(Math.max(value - 0.3 * Math.sign(slope[d]!), from[d]! - 0.5), from[d]! + 0.5),
      );
    }
    return z;
  };
  const away = (drawn: boolean): Mechanism => ({
    text: `import std.diversity { Disputed }
layer Line(D)(x: [D]) -> [2] {
  param w: [D, 2]
  x @ w
}
layer Far(D)(x: [D]) -> [D] {
  one = Line(D)
  two = Line(D)
  x + Disputed { First = one, Second = two, steps = 3, rate = 0.3, radius = 0.5, drawn = ${drawn} }(x)
}`,
    apply: "Far(x)",
    width: 3,
    on: drawn ? "gpu" : "wasm",
  });
  test.each([true, false])(
    "steps by the sign of the slope, within a box, from a drawn place: %s; the way is not differentiated",
    (drawn) => {
      const held = stopped();
      runMechanism(away(drawn), ({ x, matrix, draws }) => {
        const models = ["one.w", "two.w"].map((name) => matrix(name, 2));
        const u = drawn ? rowsOf(draws[0]!, 3) : x.map((row) => row.map(() => 0.5));
        const far = held(
          x.map((row, t) =>
            climb(
              row,
              row.map((value, d) => value + 0.5 * (2 * u[t]![d]! - 1)),
              models,
              3,
            ),
          ),
        );
        return { out: x.map((row, t) => row.map((value, d) => value + far[t]![d]!)) };
      });
    },
  );
  test("there they agree less, and no number is further away than the radius", () => {
    const x = rowsOf(noise(3, 30), 3);
    const tensors = { x, "one.w": noise(4, 6), "two.w": noise(5, 6) };
    const models = [rowsOf(tensors["one.w"], 2), rowsOf(tensors["two.w"], 2)];
    const agreement = (z: readonly number[]): number => {
      const [p, q] = models.map((w) => softmax(times(z, w))) as [number[], number[]];
      return p[0]! * q[0]! + p[1]! * q[1]!;
    };
    const { out } = runMechanism({ ...away(false), batch: 1, length: 10, tensors, on: "double" });
    out.forEach((row, t) => {
      const far = row.map((value, d) => value - x[t]![d]!);
      for (const [d, value] of far.entries()) expect(Math.abs(value - x[t]![d]!)).toBeLessThan(0.5 + 1e-6);
      expect(agreement(far)).toBeLessThanOrEqual(agreement(x[t]!) + 1e-6);
    });
  });
});

describe("a student and its teacher", () => {
  const layer = (settings: string, more: Partial<Mechanism> = {}): Mechanism => ({
    text: `import std.distillation { Staged }
layer Lesson(x: [6]) -> [3] {
  both = x as [2, 3]
  Staged${settings}(both[0], both[1])
}`,
    apply: "Lesson(x)",
    width: 6,
    out: 3,
    ...more,
  });
  const divergence = (student: readonly number[], teacher: readonly number[], T: number): number => {
    const [p, q] = [student, teacher].map((row) => softmax(row.map((value) => value / T)));
    return T * T * sum(q!.map((value, i) => value * Math.log(value / p![i]!)));
  };
  test.each([
    [" { T = 2, beta = 0.5, until = 100 }", 2, 0.5, 99],
    [" { T = 2, beta = 0.5, until = 100 }", 2, 0, 100],
    ["", 1, 1, 0],
  ])("%s: T = %d, weight %d at step %d", (settings, T, beta, step) => {
    let still: Rows | undefined;
    const { gradients } = runMechanism(layer(settings, { step, on: T === 1 ? "gpu" : "wasm" }), ({ x }) => {
      still ??= x;
      const losses = x.map((row, t) => divergence(row.slice(0, 3), still![t]!.slice(3), T));
      return { out: x.map((row) => row.slice(0, 3)), losses: { distilled: beta * mean(losses) } };
    });
    for (const row of rowsOf(gradients["inputs"]!, 6)) expect(row.slice(3)).toEqual([0, 0, 0]);
  });
  test("at inference there is no such loss", () => {
    expect(Object.keys(runMechanism(layer("", { mode: "inference" })).losses)).toEqual(["probed"]);
  });
  test("known answer: two rows, .273779 each on average", () => {
    const x = [
      [1, 0, 0, 2, 0, -1],
      [0, 0, 1, 0, 1, 0],
    ];
    const { losses } = runMechanism(layer("", { batch: 1, length: 2, tensors: { x }, on: "double" }));
    expect(losses["distilled"]).toBeCloseTo(0.273779, 6);
  });
  test("a student that says what the teacher says has no loss and no gradient of it", () => {
    const x = [[0.3, -1, 2, 0.3, -1, 2]];
    const { losses, gradients } = runMechanism(
      layer("", { batch: 1, length: 1, tensors: { x, probe: [0, 0, 0] }, on: "double" }),
    );
    expect(losses["distilled"]).toBeCloseTo(0, 12);
    for (const value of gradients["inputs"]!) expect(value).toBeCloseTo(0, 12);
  });
});
