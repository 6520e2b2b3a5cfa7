// Experts and layers of the standard library that the field builds on, against plain loops over their papers' formulas: values and gradients.

import { describe, expect, test } from "vitest";
import { buildText } from "../helpers/elaborate.ts";
import { runMechanism, type Given, type Mechanism } from "../helpers/mechanism.ts";
import {
  columnOf,
  dot,
  largest,
  normalBelow,
  sigmoid,
  softmax,
  times,
  unit,
  type Rows,
} from "../helpers/plain.ts";
import { noiseRows } from "../helpers/plain-networks.ts";

const silu = (x: number): number => x * sigmoid(x);
const gelu = (x: number): number => x * normalBelow(x);
const relu = (x: number): number => Math.max(0, x);

describe("experts", () => {
  const plain =
    (activation: (x: number) => number) =>
    ({ x, matrix }: Given) => ({
      out: x.map((row) => times(times(row, matrix("up", 4)).map(activation), matrix("down", 3))),
    });
  const gated =
    (activation: (x: number) => number) =>
    ({ x, matrix }: Given) => ({
      out: x.map((row) => {
        const gate = times(row, matrix("gate", 4)).map(activation);
        return times(
          times(row, matrix("up", 4)).map((value, h) => gate[h]! * value),
          matrix("down", 3),
        );
      }),
    });
  const biased = ({ x, matrix, tensor }: Given): { readonly out: Rows } => ({
    out: x.map((row) => {
      const hidden = times(row, matrix("up", 4)).map((value, h) => gelu(value + tensor("up_bias")[h]!));
      return times(hidden, matrix("down", 3)).map((value, d) => value + tensor("down_bias")[d]!);
    }),
  });
  test.each([
    ["Relu", plain(relu)],
    ["SquaredRelu", plain((x) => relu(x) ** 2)],
    ["Silu", plain(silu)],
    ["SwiGLU", gated(silu)],
    ["GeGLU", gated(gelu)],
    ["Gelu", biased],
  ])("%s", (name, formula) => {
    runMechanism(
      {
        text: `import std.experts { ${name} }`,
        apply: `${name}(3, 4)(x)`,
        width: 3,
        on: name === "SwiGLU" ? "gpu" : "wasm",
      },
      formula,
    );
  });
});

describe("a change of low rank (LoRA)", () => {
  const text = `import std.experts { LowRank }
layer Adapted(D, O)(x: [D]) -> [O] {
  param base: [D, O]
  change = LowRank(D, O, R = 2, scale = 1.5)
  x @ base + change(x)
}`;
  const mechanism: Mechanism = { text, apply: "Adapted(3, 4)(x)", width: 3, out: 4 };
  test("is one matrix with its base: base + scale * down up", () => {
    runMechanism({ ...mechanism, on: "gpu" }, ({ x, matrix }) => {
      const [down, up] = [matrix("down", 2), matrix("up", 4)];
      const merged = matrix("base", 4).map((row, i) =>
        times(down[i]!, up).map((value, o) => row[o]! + 1.5 * value),
      );
      return { out: x.map((row) => times(row, merged)) };
    });
  });
  test("begins as the base, to the last bit, and its second matrix learns first", () => {
    const { built } = buildText(`${text}
model M {
  modality text = tokens(vocab = 3)
  param table: [3, 3]
  logits = Adapted(3, 3)(table[text])
}`);
    const init = (part: string): unknown => built.tensors.find(({ name }) => name.endsWith(part))!.init;
    expect(init(".up")).toMatchObject({ value: 0 });
    expect(init(".down")).not.toMatchObject({ value: 0 });
    const [x, base] = [noiseRows(1, 6, 3), noiseRows(2, 3, 4)];
    const up = new Array<number>(8).fill(0);
    const begun = runMechanism({ ...mechanism, on: "wasm", tensors: { x, base, up } });
    const plain = runMechanism({
      ...mechanism,
      text: "layer Base(D, O)(x: [D]) -> [O] {\n  param base: [D, O]\n  x @ base\n}",
      apply: "Base(3, 4)(x)",
      tensors: { x, base },
    });
    expect(begun.out).toEqual(plain.out);
    const gradient = (part: string): readonly number[] =>
      Object.entries(begun.gradients).find(([name]) => name.endsWith(part))![1];
    for (const value of gradient(".down")) expect(Math.abs(value)).toBe(0);
    expect(Math.max(...gradient(".up").map(Math.abs))).toBeGreaterThan(1e-3);
  });
});

/** A GELU network with biases, expert e of several: the parameters of all stand one behind the other. */
function network(
  { tensor }: Given,
  path: string,
  e: number,
  width: number,
  hidden: number,
): (x: readonly number[]) => number[] {
  const part = (name: string, size: number): number[] =>
    tensor(`${path}.${name}`).slice(e * size, (e + 1) * size);
  const rows = (flat: readonly number[], columns: number): Rows =>
    Array.from({ length: flat.length / columns }, (_, i) => flat.slice(i * columns, (i + 1) * columns));
  const [up, down] = [rows(part("up", width * hidden), hidden), rows(part("down", hidden * width), width)];
  const [upBias, downBias] = [part("up_bias", hidden), part("down_bias", width)];
  return (x) =>
    times(
      times(x, up).map((value, h) => gelu(value + upBias[h]!)),
      down,
    ).map((value, d) => value + downBias[d]!);
}

describe("soft mixture", () => {
  const formula = (noise: number) => (given: Given) => {
    const { x, batch, length, matrix, tensor, draws } = given;
    const places = matrix("place", 4);
    const normal =
      noise === 0
        ? []
        : draws[0]!.map(
            (u, i) => Math.sqrt(-2 * Math.log(Math.max(u, 2 ** -25))) * Math.cos(2 * Math.PI * draws[1]![i]!),
          );
    const out: number[][] = [];
    const picks: number[][] = [];
    for (let b = 0; b < batch; b++) {
      const tokens = x.slice(b * length, (b + 1) * length);
      const z = tokens.map((token, t) =>
        places[0]!.map((_, s) => {
          const score = tensor("scale")[0]! * dot(unit(token, 1e-6), unit(columnOf(places, s), 1e-6));
          return noise === 0 ? score : score + noise * normal[(b * length + t) * 4 + s]!;
        }),
      );
      // Slots 0 and 1 are of expert 0, slots 2 and 3 of expert 1.
      const results = places[0]!.map((_, s) => {
        const share = softmax(columnOf(z, s));
        const slot = tokens[0]!.map((_, d) => dot(share, columnOf(tokens, d)));
        return network(given, "pool", Math.floor(s / 2), 3, 4)(slot);
      });
      for (const row of z) {
        const share = softmax(row);
        out.push(tokens[0]!.map((_, d) => dot(share, columnOf(results, d))));
        picks.push([share[0]! + share[1]! >= share[2]! + share[3]! ? 0 : 1]);
      }
    }
    // Reports are told which expert a token hears most.
    return { out, picks };
  };
  test.each([0, 0.5])("noise %d", (noise) => {
    const mechanism = {
      text: "import std.layers { SoftMixture }",
      apply: `SoftMixture(3, 2, slots = 2, H = 4, noise = ${noise})(x)`,
      width: 3,
    };
    runMechanism({ ...mechanism, on: noise > 0 ? "gpu" : "wasm" }, formula(noise));
    if (noise > 0) runMechanism({ ...mechanism, mode: "inference" }, formula(0));
  });
});

describe("dense residual", () => {
  const formula = (learned: boolean) => (given: Given) => {
    const { x, matrix, tensor } = given;
    const p = x.map((row) => softmax(times(row, matrix("router.w", 2))));
    return {
      out: x.map((row, t) => {
        const e = largest(p[t]!, 1)[0]!;
        const fixed = network(given, "fixed", 0, 3, 4)(row);
        const routed = network(given, "pool", e, 3, 4)(row).map((value) => p[t]![e]! * value);
        const [a, b] = learned
          ? softmax(times(row, matrix("mix", 2)).map((value, i) => value + tensor("mix_bias")[i]!))
          : [1, 1];
        return row.map((_, d) => a! * routed[d]! + b! * fixed[d]!);
      }),
      losses: balance(p),
    };
  };
  const balance = (p: Rows): Record<string, number> => {
    const first = p.map((row) => largest(row, 1)[0]!);
    const f = [0, 1].map((e) => first.filter((each) => each === e).length / p.length);
    const mean = [0, 1].map((e) => columnOf(p, e).reduce((a, b) => a + b) / p.length);
    return { balance: 0.01 * 2 * dot(f, mean) };
  };
  test.each([false, true])("learned: %s", (learned) => {
    const text = "import std.layers { DenseResidual }\nimport std.routers { Switch }";
    // Without jitter, and with room for all.
    const apply = `DenseResidual(3, 2, H = 4, Router = Switch { factor = 2, epsilon = 0 }, learned = ${learned})(x)`;
    runMechanism({ text, apply, width: 3, on: learned ? "gpu" : "wasm" }, formula(learned));
  });
  test("a learned mix that has learned nothing halves the sum", () => {
    const [plain, halved] = [false, true].map(
      (learned) =>
        runMechanism({
          text: "import std.layers { DenseResidual }",
          apply: `DenseResidual(3, 1, H = 2, learned = ${learned})(x)`,
          width: 3,
          mode: "inference",
          on: "double",
          tensors: learned ? { mix: [0, 0, 0, 0, 0, 0], mix_bias: [0, 0] } : {},
        }).out,
    );
    halved!.flat().forEach((value, i) => expect(2 * value).toBeCloseTo(plain!.flat()[i]!, 9));
  });
});
