// Initial values: the same everywhere and always, with the distribution they claim; streams and permutations below them.

import { describe, expect, test } from "vitest";
import { initialise } from "../runtime/init.ts";
import type { Init, Tensor } from "../runtime/program.ts";
import { fillRandom, hashText, permuted, streamKey } from "../runtime/random-stream.ts";
import { threefry } from "../runtime/random.ts";

const tensor = (shape: readonly number[], init: Init, name = "w", type: "f32" | "i32" = "f32"): Tensor => ({
  name,
  role: "parameter",
  type,
  shape,
  init,
});
const none = (name: string): never => {
  throw new Error(`no tensor ${name}`);
};
const values = (shape: readonly number[], init: Init, name?: string, seed = 1) =>
  initialise(tensor(shape, init, name), seed, none);

function moments(list: ArrayLike<number>): { mean: number; deviation: number } {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < list.length; i++) {
    sum += list[i]!;
    squares += list[i]! ** 2;
  }
  const mean = sum / list.length;
  return { mean, deviation: Math.sqrt(squares / list.length - mean ** 2) };
}

describe("streams", () => {
  test("the unrolled words are those of threefry", () => {
    for (const [key0, key1, first, stream] of [
      [0, 0, 0, 0],
      [0xffffffff, 0xffffffff, 0xfffffffe, 0xffffffff],
      [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3],
    ] as const) {
      const words = new Uint32Array(8);
      fillRandom(words, [key0, key1], first, stream);
      const expected = [0, 1, 2, 3].flatMap((i) => threefry(key0, key1, (first + i) >>> 0, stream));
      expect([...words]).toEqual(expected);
    }
  });

  test("keys differ by seed and name", () => {
    const keys = [0, 1, -1, 2 ** 32, 2 ** 52].flatMap((seed) =>
      ["a", "b", "block.0", "block.1"].map((name) => streamKey(seed, name).join()),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(hashText("")).not.toBe(hashText("\0"));
  });

  test.each([1, 2, 3, 4, 5, 16, 17, 1000, 4097])("a permutation of %i", (count) => {
    const places = Array.from({ length: count }, (_, at) => permuted(at, count, [3, 4], 0));
    expect([...places].sort((a, b) => a - b)).toEqual(places.map((_, at) => at));
    if (count > 16) {
      expect(places).not.toEqual(Array.from({ length: count }, (_, at) => permuted(at, count, [3, 4], 1)));
      expect(places.filter((place, at) => place === at).length).toBeLessThan(8);
    }
  });

  test("small permutations are even: all 24 of four", () => {
    const seen = new Map<string, number>();
    for (let round = 0; round < 2400; round++) {
      const key = [0, 1, 2, 3].map((at) => permuted(at, 4, [9, 9], round)).join("");
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(seen.size).toBe(24);
    for (const times of seen.values()) expect(Math.abs(times - 100)).toBeLessThan(60);
  });
});

test.each<[string, readonly number[], Init, number[]]>([
  ["constant", [3], { kind: "constant", value: 0.5 }, [0.5, 0.5, 0.5]],
  ["scalar", [], { kind: "constant", value: -1 }, [-1]],
  ["nothing", [0, 4], { kind: "normal", deviation: 1 }, []],
  ["identity", [2, 2], { kind: "identity" }, [1, 0, 0, 1]],
  ["wide identity", [2, 3], { kind: "identity" }, [1, 0, 0, 0, 1, 0]],
  ["identity per expert", [2, 2, 1], { kind: "identity" }, [1, 0, 1, 0]],
  ["values", [3], { kind: "values", values: [1, 2, 3] }, [1, 2, 3]],
  ["values over experts", [2, 2], { kind: "values", values: [1, 2] }, [1, 2, 1, 2]],
  ["no deviation", [2], { kind: "normal", deviation: 0 }, [0, 0]],
])("%s", (_, shape, init, expected) => {
  expect([...values(shape, init)].map((value) => value + 0)).toEqual(expected);
});

test("the numbers of a seed and name never change", () => {
  expect([...values([4], { kind: "normal", deviation: 1 }, "block.0.w", 7)].map((value) => value.toFixed(6)))
    .toMatchInlineSnapshot(`
    [
      "-3.489209",
      "-0.871630",
      "1.372393",
      "-0.458060",
    ]
  `);
  expect(
    [...values([4], { kind: "uniform", low: -1, high: 1 }, "block.0.w", 7)].map((value) => value.toFixed(6)),
  ).toMatchInlineSnapshot(`
    [
      "-0.996893",
      "0.077921",
      "-0.297770",
      "0.897459",
    ]
  `);
});

test("an element depends on seed, name and index alone, not on the length", () => {
  const init: Init = { kind: "normal", deviation: 2 };
  const long = values([10_000], init);
  expect(values([4097], init)).toEqual(long.slice(0, 4097));
  expect(values([10_000], init, "other")).not.toEqual(long);
  expect(values([10_000], init, "w", 2)).not.toEqual(long);
});

test("normal and uniform have their moments", () => {
  const normal = moments(values([200_000], { kind: "normal", deviation: 0.02 }));
  expect(Math.abs(normal.mean)).toBeLessThan(2e-4);
  expect(Math.abs(normal.deviation / 0.02 - 1)).toBeLessThan(0.01);
  const list = values([200_000], { kind: "uniform", low: 2, high: 6 });
  const uniform = moments(list);
  expect(Math.abs(uniform.mean - 4)).toBeLessThan(0.02);
  expect(Math.abs(uniform.deviation - 4 / Math.sqrt(12))).toBeLessThan(0.02);
  expect(list.every((value) => value >= 2 && value <= 6)).toBe(true);
});

test.each([
  [1, 8, 8],
  [3, 5, 12],
  [2, 12, 5],
  [1, 48, 48],
])("orthogonal [%i, %i, %i]", (experts, rows, columns) => {
  const list = values([experts, rows, columns], { kind: "orthogonal", gain: 2 });
  const at = (expert: number, row: number, column: number): number =>
    list[(expert * rows + row) * columns + column]!;
  const tall = rows > columns;
  const count = Math.min(rows, columns);
  for (let expert = 0; expert < experts; expert++)
    for (let a = 0; a < count; a++)
      for (let b = 0; b <= a; b++) {
        let dot = 0;
        for (let i = 0; i < Math.max(rows, columns); i++)
          dot += tall ? at(expert, i, a) * at(expert, i, b) : at(expert, a, i) * at(expert, b, i);
        expect(dot).toBeCloseTo(a === b ? 4 : 0, 5);
      }
  if (experts > 1)
    expect(list.slice(0, rows * columns)).not.toEqual(list.slice(rows * columns, 2 * rows * columns));
});

describe("copies", () => {
  const source = Float32Array.from({ length: 1000 }, (_, i) => i + 1);
  const copy = (init: { noise?: number; keep?: number }, type: "f32" | "i32" = "f32") =>
    initialise(tensor([4, 1000], { kind: "copy", from: "dense.w", ...init }, "expert.w", type), 1, (name) => {
      expect(name).toBe("dense.w");
      return source;
    });

  test("one into many", () => {
    for (let expert = 0; expert < 4; expert++)
      expect(copy({}).slice(expert * 1000, (expert + 1) * 1000)).toEqual(source);
  });
  test("with noise: each expert its own", () => {
    const differences = copy({ noise: 0.01 }).map((value, i) => value - source[i % 1000]!);
    expect(moments(differences).deviation).toBeCloseTo(0.01, 2);
    expect(differences.slice(0, 1000)).not.toEqual(differences.slice(1000, 2000));
  });
  test("kept with a probability", () => {
    const list = copy({ keep: 0.25 });
    const kept = [...list].filter((value, i) => {
      expect([0, source[i % 1000]]).toContain(value);
      return value !== 0;
    }).length;
    expect(Math.abs(kept / 4000 - 0.25)).toBeLessThan(0.03);
    expect([...copy({ keep: 0 })].every((value) => value === 0)).toBe(true);
  });
  test("of another size: our own mistake", () => {
    const odd = tensor([7], { kind: "copy", from: "x" });
    expect(() => initialise(odd, 1, () => new Float32Array(3))).toThrow("internal:");
  });
});

test("into memory that is there, and whole numbers", () => {
  const into = new Float32Array(new SharedArrayBuffer(16), 4, 3);
  expect(initialise(tensor([3], { kind: "constant", value: 3 }), 1, none, into)).toBe(into);
  expect([...into]).toEqual([3, 3, 3]);
  const whole = initialise(tensor([2], { kind: "constant", value: 3 }, "n", "i32"), 1, none);
  expect(whole).toEqual(Int32Array.of(3, 3));
});
