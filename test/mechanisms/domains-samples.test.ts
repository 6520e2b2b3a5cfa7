// Experts of whole samples: classifiers of which a sample gets one, and fixed kernels of points and trails, against plain loops over their
// formulas; what must hold exactly.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { runMechanism, type Given, type Mechanism } from "../helpers/mechanism.ts";
import {
  added,
  columnMeans,
  columnOf,
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

const noise = (seed: number, count: number): number[] => [...signedNumbers(seed, count)];
const affine = (x: readonly number[], w: Rows, bias: readonly number[]): number[] => added(times(x, w), bias);

describe("a classifier for each kind of sample (CMoE)", () => {
  const [D, C, N] = [3, 2, 4];
  const scores = {
    Linear: (z: readonly number[]) => [...z],
    Logistic: (z: readonly number[]) => z.map(sigmoid),
    Softmax: softmax,
  };
  const route = ({ x, matrix, tensor }: Given, score: keyof typeof scores) => {
    const s = x.map((row) => scores[score](affine(row, matrix("router.matrix", N), tensor("router.bias"))));
    const picks = s.map((row) => largest(row, 1));
    const f = counts(picks, N).map((count) => count / x.length);
    return { s, picks, balance: 0.01 * N * dot(f, columnMeans(s)) };
  };
  test.each([
    ["Logistic", false, false],
    ["Softmax", true, false],
    ["Softmax", false, true],
    ["Linear", true, true],
  ] as const)("scores: %s, multiplied: %s, with a classifier for all: %s", (score, multiply, residual) => {
    const apply = `ClassifierMixture(3, 2, N = 4, residual = ${residual}, Router = Select { Score = ${score}, multiply = ${multiply} })(x)`;
    const used = `import std.classifiers { ClassifierMixture, Select, ${score} }`;
    const on = multiply && residual ? "gpu" : "wasm";
    runMechanism({ text: used, apply, width: D, out: C, on }, (given) => {
      const { x, matrix, tensor } = given;
      const { s, picks, balance } = route(given, score);
      return {
        out: x.map((row, t) => {
          const e = picks[t]![0]!;
          const w = rowsOf(tensor("pool.w").slice(e * D * C, (e + 1) * D * C), C);
          const own = affine(row, w, tensor("pool.bias").slice(e * C, (e + 1) * C)).map(
            (value) => (multiply ? s[t]![e]! : 1) * value,
          );
          return residual
            ? added(own, affine(row, matrix("classifier.w", C), tensor("classifier.bias")))
            : own;
        }),
        picks,
        losses: { balance },
      };
    });
  });
  test("two layers, normalised over the samples that an expert got", () => {
    const apply = "ClassifierMixture(3, 2, N = 3, Expert = DeepClassifier)(x)";
    const used = "import std.classifiers { ClassifierMixture, DeepClassifier }";
    // With these scores tokens 0, 2, 4, 6 go to expert 0, the others to expert 1, none to expert 2.
    const tensors = {
      x: range(8).flatMap((t) => [t % 2 === 0 ? 1 : -1, ...noise(t + 1, 2)]),
      "router.matrix": [3, -3, 0, 0, 0, 0, 0, 0, 0],
      "router.bias": [0, 0, -20],
      running_mean: range(9),
    };
    runMechanism({ text: used, apply, width: D, out: C, length: 4, tensors, on: "gpu" }, (given) => {
      const { x, tensor } = given;
      const s = x.map((row) =>
        affine(row, given.matrix("router.matrix", 3), tensor("router.bias")).map(sigmoid),
      );
      const picks = s.map((row) => largest(row, 1));
      const f = counts(picks, 3).map((count) => count / x.length);
      const running_mean = range(9);
      const out: number[][] = x.map(() => []);
      for (const e of [0, 1]) {
        const own = range(x.length).filter((t) => picks[t]![0] === e);
        const part = (name: string, rows: number, columns: number): Rows =>
          rowsOf(tensor(`pool.${name}`).slice(e * rows * columns, (e + 1) * rows * columns), columns);
        const z = own.map((t) => affine(x[t]!, part("up", 3, 3), part("up_bias", 1, 3)[0]!));
        const centre = columnMeans(z);
        const variance = centre.map((m, h) => mean(columnOf(z, h).map((value) => (value - m) ** 2)));
        centre.forEach((m, h) => (running_mean[3 * e + h]! += 0.1 * (m - running_mean[3 * e + h]!)));
        own.forEach((t, i) => {
          const normed = z[i]!.map((value, h) => {
            const scaled = (value - centre[h]!) / Math.sqrt(variance[h]! + 1e-5);
            return Math.max(
              0,
              scaled * part("batchnorm.gain", 1, 3)[0]![h]! + part("batchnorm.bias", 1, 3)[0]![h]!,
            );
          });
          out[t] = affine(normed, part("down", 3, 2), part("down_bias", 1, 2)[0]!);
        });
      }
      return { out, picks, losses: { balance: 0.01 * 3 * dot(f, columnMeans(s)) }, states: { running_mean } };
    });
  });
  test("where the score does not multiply, only the order of scores matters", () => {
    // So the task has no gradient for the router.
    const run = (scale: number): Rows =>
      runMechanism({
        text: "import std.classifiers { ClassifierMixture }",
        apply: "ClassifierMixture(3, 2, N = 4)(x)",
        width: D,
        out: C,
        tensors: {
          x: noise(1, 18),
          "router.matrix": noise(2, 12).map((value) => scale * value),
          "router.bias": [0, 0, 0, 0],
          "pool.w": noise(3, 24),
          "pool.bias": noise(4, 8),
        },
      }).out;
    expect(run(0.1)).toEqual(run(3));
  });
  /** What the balance alone does to the biases of the router, and who was chosen. */
  const balanced = (score: string, tensors: Mechanism["tensors"] = {}) => {
    const { gradients, load, picks } = runMechanism({
      text: `import std.classifiers { ClassifierMixture, Select, ${score} }`,
      apply: `ClassifierMixture(3, 2, N = 4, Router = Select { Score = ${score} })(x)`,
      width: D,
      out: C,
      on: "double",
      tensors: { ...tensors, probe: new Array<number>(12).fill(0) },
    });
    return { slope: gradients["classifiermixture.router.bias"]!, load, picks };
  };
  test("the balance of sigmoid scores lowers all that are used; that of softmax scores moves them against each other", () => {
    const { slope, load } = balanced("Logistic");
    slope.forEach((value, e) =>
      load[e]! > 0 ? expect(value).toBeGreaterThan(0) : expect(value).toBeCloseTo(0, 12),
    );
    const against = balanced("Softmax").slope;
    expect(sum(against)).toBeCloseTo(0, 12);
    expect(Math.max(...against)).toBeGreaterThan(1e-4);
  });
  test.each(["Logistic", "Softmax"])("of equal scores the first expert has all samples: %s", (score) => {
    const zeros = { "router.matrix": new Array<number>(12).fill(0), "router.bias": [0, 0, 0, 0] };
    expect(balanced(score, zeros).picks).toEqual(range(6).map(() => [0]));
  });
});

describe("convolutions", () => {
  /** y(i, j, f) with zeros around the picture; kernels of 3 x 3. */
  const convolved = (x: Rows[], w: readonly number[], bias: readonly number[]): Rows[] =>
    x.map((row, i) =>
      row.map((place, j) =>
        bias.map((start, f) => {
          let total = start;
          for (const a of range(3))
            for (const b of range(3))
              place.forEach((_, c) => {
                const value = x[i + a - 1]?.[j + b - 1]?.[c] ?? 0;
                total += value * w[((3 * a + b) * place.length + c) * bias.length + f]!;
              });
          return total;
        }),
      ),
    );
  /** Pictures of 2 x 3 places and two channels from one row of numbers, and back. */
  const pictureOf = (flat: readonly number[]): Rows[] =>
    range(2).map((i) => rowsOf(flat.slice(6 * i, 6 * i + 6), 2));
  const text = "import std.convolution { Convolution, ResidualConvolution }";
  test("every place and its neighbours, zeros outside", () => {
    const one = `import std.convolution { Convolution }
layer Flat(x: [12]) -> [18] {
  y = Convolution(2, 3)(x as [2, 3, 2])
  y as [18]
}`;
    runMechanism(
      { text: one, apply: "Flat(x)", width: 12, out: 18, length: 1, on: "gpu" },
      ({ x, tensor }) => ({
        out: x.map((flat) => convolved(pictureOf(flat), tensor("w"), tensor("bias")).flat(2)),
      }),
    );
  });
  test("one vector for a picture, by weights over all of its places", () => {
    const text = `import std.convolution { AttentionPool }
layer Pooled(x: [18]) -> [3] {
  AttentionPool(x as [2, 3, 3])
}`;
    runMechanism({ text, apply: "Pooled(x)", width: 18, out: 3, on: "gpu" }, ({ x, tensor }) => ({
      out: x.map((row) => {
        const places = rowsOf(row, 3);
        return weighted(softmax(places.map((place) => dot(place, tensor("attend")))), places);
      }),
    }));
  });
  test("every second place", () => {
    const second = `import std.convolution { EverySecond }
layer Flat(x: [16]) -> [4] {
  EverySecond(x as [4, 4, 1]) as [4]
}`;
    runMechanism({ text: second, apply: "Flat(x)", width: 16, out: 4, length: 1 }, ({ x }) => ({
      out: x.map((flat) => [0, 2, 8, 10].map((i) => flat[i]!)),
    }));
  });
  test("as experts, routed by whole pictures and normalised over those that each got", () => {
    const routed = `${text.replace("Convolution, ", "")}
router First(N)(x: [2]) -> gates[N] {
  choose top 1 of if x[0] > 0 then one_hot(1, N) else one_hot(0, N)
}
layer Flat(x: [12]) -> [12] {
  picture = x as [2, 3, 2]
  pool = ResidualConvolution(2) * 2
  y = pool(picture) by First(picture[0, 0])
  y as [12]
}`;
    const tensors = { x: range(4).flatMap((t) => [t % 2 === 0 ? 1 : -1, ...noise(t + 1, 11)]) };
    runMechanism({ text: routed, apply: "Flat(x)", width: 12, length: 2, tensors }, ({ x, tensor }) => {
      const out: number[][] = x.map(() => []);
      for (const e of [0, 1]) {
        const own = range(4).filter((t) => (x[t]![0]! > 0 ? 1 : 0) === e);
        const part = (name: string, size: number): number[] => tensor(name).slice(e * size, (e + 1) * size);
        const convolve = (pictures: Rows[][], n: number): Rows[][] =>
          pictures.map((each) => convolved(each, part(`convolution.${n}.w`, 36), [0, 0]));
        const norm = (pictures: Rows[][], n: number): Rows[][] => {
          const all = pictures.flat(2);
          const centre = columnMeans(all);
          const variance = centre.map((m, c) => mean(columnOf(all, c).map((value) => (value - m) ** 2)));
          const at = (name: string): number[] => part(`batchnorm.${n}.${name}`, 2);
          return pictures.map((each) =>
            each.map((row) =>
              row.map((place) =>
                place.map((value, c) => {
                  const scaled = (value - centre[c]!) / Math.sqrt(variance[c]! + 1e-5);
                  return scaled * at("gain")[c]! + at("bias")[c]!;
                }),
              ),
            ),
          );
        };
        const pictures = own.map((t) => pictureOf(x[t]!));
        const inner = norm(convolve(pictures, 0), 0).map((each) =>
          each.map((row) => row.map((place) => place.map((value) => Math.max(0, value)))),
        );
        const after = norm(convolve(inner, 1), 1);
        own.forEach((t, i) => {
          out[t] = added(pictures[i]!.flat(2), after[i]!.flat(2)).map((value) => Math.max(0, value));
        });
      }
      return { out };
    });
  });
});

describe("fixed kernels of points and trails", () => {
  const C = 5;
  const text = `import std.physics { Trail }
layer Flat(x: [20]) -> [20] {
  (Trail(4, 5, rows = 2, columns = -1, sigma = 0.8, steps = 3)(x as [4, 5])) as [20]
}`;
  const gauss = (u: number, sigma: number): number =>
    Math.exp((-u * u) / (2 * sigma * sigma)) / Math.sqrt(2 * Math.PI) / sigma;
  /** Correlation of a picture with the mean of shifted Gaussians. */
  const trail = (
    picture: Rows,
    [down, across]: readonly [number, number],
    sigma: number,
    steps: number,
  ): Rows =>
    picture.map((row, i) =>
      row.map((_, j) => {
        let total = 0;
        for (const s of range(steps)) {
          const along = (s + 0.5) / steps - 0.5;
          picture.forEach((other, a) =>
            other.forEach((light, b) => {
              const kernel = gauss(a - i - along * down, sigma) * gauss(b - j - along * across, sigma);
              total += (light * kernel) / steps;
            }),
          );
        }
        return total;
      }),
    );
  test("the picture times the kernel at every place", () => {
    runMechanism({ text, apply: "Flat(x)", width: 20, length: 1, on: "gpu" }, ({ x }) => ({
      out: x.map((flat) => trail(rowsOf(flat, C), [2, -1], 0.8, 3).flat()),
    }));
  });

  const size = 31;
  const run = (picture: readonly number[], settings: string): Rows => {
    const big = `import std.physics { Trail }
layer Flat(x: [${size * size}]) -> [${size * size}] {
  (Trail(${size}, ${size}${settings})(x as [${size}, ${size}])) as [${size * size}]
}`;
    const one = { apply: "Flat(x)", width: size * size, batch: 1, length: 1, on: "double" } as const;
    return rowsOf(runMechanism({ text: big, ...one, tensors: { x: picture } }).out[0]!, size);
  };
  const middle = (size - 1) / 2;
  const delta = range(size * size).map((i) => (i === middle * size + middle ? 1 : 0));
  test("a single point gives the kernel: the optics' Gaussian, of sum 1", () => {
    const kernel = run(delta, "");
    expect(sum(kernel.flat())).toBeCloseTo(1, 9);
    kernel.forEach((row, i) =>
      row.forEach((value, j) =>
        expect(value).toBeCloseTo(gauss(i - middle, 1.2) * gauss(j - middle, 1.2), 12),
      ),
    );
  });
  test.each([0, 3, 8])("a trail of %d pixels has the flux of a point", (length) => {
    expect(sum(run(delta, `, rows = ${length}, columns = 3`).flat())).toBeCloseTo(1, 6);
  });
  test("a trail is the mean of points along it", () => {
    const whole = run(delta, ", rows = 8, steps = 4");
    // What looks for light below a place sees the point from above.
    const points = [-3, -1, 1, 3].map((shift) => {
      const moved = range(size * size).map((i) => (i === (middle - shift) * size + middle ? 1 : 0));
      return run(moved, ", steps = 1");
    });
    whole.forEach((row, i) =>
      row.forEach((value, j) => expect(value).toBeCloseTo(mean(points.map((each) => each[i]![j]!)), 12)),
    );
  });
  test("a trail in the right direction answers more strongly than a point or a trail across", () => {
    const streak = range(size * size).map((i) => {
      const [row, column] = [Math.floor(i / size), i % size];
      return row === middle && Math.abs(column - middle) <= 4 ? 1 / 9 : 0;
    });
    const answer = (settings: string): number => {
      // Of a filter of unit length, which is what a detector compares.
      const kernel = run(delta, settings).flat();
      return run(streak, settings)[middle]![middle]! / Math.sqrt(dot(kernel, kernel));
    };
    const right = answer(", columns = 8");
    expect(right).toBeGreaterThan(1.2 * answer(""));
    expect(right).toBeGreaterThan(1.2 * answer(", rows = 8"));
  });

  test("points and trails weighted by what is known of the picture", () => {
    const both: Mechanism = {
      text: `import std.physics { TrailMixture }
layer Flat(x: [24]) -> [12] {
  rows = x as [2, 12]
  rest = rows[1]
  picture = rows[0] as [3, 4]
  pairs = rest as [6, 2]
  y = TrailMixture(3, 4, 2, sigma = 0.8, steps = 3)(picture, pairs[0], pairs[1])
  y as [12]
}`,
      apply: "Flat(x)",
      width: 24,
      out: 12,
      batch: 1,
      length: 2,
    };
    runMechanism(both, ({ x, matrix }) => ({
      out: x.map((flat) => {
        const picture = rowsOf(flat.slice(0, 12), 4);
        const [point, moving] = softmax(times(flat.slice(14, 16), matrix("router.w", 2)));
        const still = trail(picture, [0, 0], 0.8, 1).flat();
        const streak = trail(picture, [flat[12]!, flat[13]!], 0.8, 3).flat();
        return still.map((value, i) => point! * value + moving! * streak[i]!);
      }),
    }));
  });
});
