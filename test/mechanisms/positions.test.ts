// Rotary positions on a part of a head and on three axes, times and places of streams, and attention with grouped heads and norms, against
// plain loops; what of a head a position may not touch, and ids that the papers print.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { runMechanism, type Given } from "../helpers/mechanism.ts";
import { dot, softmax, times, type Rows } from "../helpers/plain.ts";
import { rms } from "../helpers/plain-networks.ts";

/** The pair (a, b) of a head turned: halves apart, within the first `rotated` numbers. */
const turned = (
  head: readonly number[],
  rotated: number,
  angleOf: (pair: number) => number,
): readonly number[] => {
  const half = rotated / 2;
  return head.map((value, c) => {
    if (c >= rotated) return value;
    const angle = angleOf(c % half);
    return c < half
      ? value * Math.cos(angle) - head[c + half]! * Math.sin(angle)
      : value * Math.cos(angle) + head[c - half]! * Math.sin(angle);
  });
};
const heads = (row: readonly number[], C: number): Rows =>
  Array.from({ length: row.length / C }, (_, h) => row.slice(h * C, (h + 1) * C));

const wrapped = (name: string, call: string): string => `import std.positions { ${name} }
layer Turn(D, H)(x: [T, D]) -> [T, D] {
  ${call} as [T, D]
}`;
const onHeads = "x as [T, H, D / H]";

describe("a part of each head", () => {
  test.each([8, 4, 2])("%d of 8 numbers", (rotated) => {
    const text = wrapped("PartialRotary", `PartialRotary { rotated = ${rotated}, base = 100 }(${onHeads})`);
    const mechanism = { text, apply: "Turn(16, 2)(x)", width: 16, length: 4 } as const;
    runMechanism({ ...mechanism, on: rotated === 4 ? "gpu" : "wasm" }, ({ x, length }) => ({
      out: x.map((row, i) =>
        heads(row, 8).flatMap((head) =>
          turned(head, rotated, (c) => (i % length) / 100 ** ((2 * c) / rotated)),
        ),
      ),
    }));
  });
  test("the numbers behind it are untouched by the position, to the last bit", () => {
    const row = [...signedNumbers(1, 128)];
    const text = wrapped("PartialRotary", `PartialRotary(${onHeads})`);
    const x = [row, row, row].map((each) => [...each]);
    const found = runMechanism({ text, apply: "Turn(128, 1)(x)", width: 128, batch: 1, tensors: { x } });
    for (const out of found.out) expect(out.slice(64)).toEqual(found.out[0]!.slice(64));
    expect(found.out[0]!.slice(64)).toEqual(row.slice(64).map(Math.fround));
    expect(found.out[2]!.slice(0, 64)).not.toEqual(found.out[0]!.slice(0, 64));
  });
});

describe("texts longer than those a model learned with (YaRN)", () => {
  const [rotated, base, alpha, beta] = [8, 50, 1, 4];
  /** How much of a pair's angle stays: turn by turn, or pair by pair. */
  const kept = (pair: number, L: number, byPair: boolean): number => {
    const within = (value: number): number => Math.min(Math.max(value, 0), 1);
    if (!byPair) return within((L / base ** ((2 * pair) / rotated) / (2 * Math.PI) - alpha) / (beta - alpha));
    const pairOf = (turns: number): number =>
      (rotated * Math.log(L / (turns * 2 * Math.PI))) / (2 * Math.log(base));
    const [low, high] = [
      Math.max(Math.floor(pairOf(beta)), 0),
      Math.min(Math.ceil(pairOf(alpha)), rotated - 1),
    ];
    return 1 - within((pair - low) / (high - low));
  };
  test.each([
    [true, 100],
    [false, 100],
    [true, 1000],
  ])("pair by pair: %s, after texts of %d tokens", (byPair, L) => {
    const width = 16;
    const text = wrapped(
      "Yarn",
      `Yarn { rotated = 8, base = 50, scale = 3, L = ${L}, alpha = 1, beta = 4, by_pair = ${byPair} }(${onHeads})`,
    );
    const mechanism = {
      text,
      apply: `Turn(${2 * width}, 2)(x)`,
      width: 2 * width,
      length: 5,
      tolerance: 1e-5,
    } as const;
    runMechanism({ ...mechanism, on: byPair && L === 100 ? "gpu" : "wasm" }, ({ x, length }) => ({
      out: x.map((row, i) =>
        heads(row, width).flatMap((head) => {
          const pairs = turned(head, rotated, (pair) => {
            const stays = kept(pair, L, byPair);
            return ((i % length) / base ** ((2 * pair) / rotated)) * (stays + (1 - stays) / 3);
          });
          return pairs.map((value, c) => (c < rotated ? value * (0.1 * Math.log(3) + 1) : value));
        }),
      ),
    }));
  });
  test("of the same length, it is nothing else than rotary positions", () => {
    const out = (call: string): Rows => {
      const text = wrapped(call.split(" ")[0]!, `${call}(${onHeads})`);
      return runMechanism({ text, apply: "Turn(16, 1)(x)", width: 16, length: 6, on: "double" }).out;
    };
    const stretched = out("Yarn { scale = 1, L = 64, rotated = 8 }");
    out("PartialRotary { rotated = 8 }").forEach((row, t) =>
      row.forEach((value, c) => expect(stretched[t]![c]).toBeCloseTo(value, 12)),
    );
  });
  test("fast pairs keep their angle to the last bit, slow ones turn as far as `scale` times earlier", () => {
    const row = [...signedNumbers(3, 16)];
    const at = (call: string, length: number): Rows => {
      const text = wrapped(call.split(" ")[0]!, `${call}(${onHeads})`);
      const x = Array.from({ length }, () => row);
      return runMechanism({
        text,
        apply: "Turn(16, 1)(x)",
        width: 16,
        batch: 1,
        length,
        on: "double",
        tensors: { x },
      }).out;
    };
    const far = at("Yarn { base = 100000, scale = 4, L = 256, rotated = 16 }", 9);
    const near = at("PartialRotary { rotated = 16, base = 100000 }", 9);
    const long = 0.1 * Math.log(4) + 1;
    // Pair 0 turns 40 times in 256 tokens, pair 7 not once.
    expect(far[5]![0]).toBeCloseTo(near[5]![0]! * long, 12);
    expect(far[8]![7]).toBeCloseTo(near[2]![7]! * long, 12);
    expect(far[8]![15]).toBeCloseTo(near[2]![15]! * long, 12);
  });
});

describe("three axes", () => {
  const text = `import std.positions { AxisRotary, Rotary }
layer Turn(D, H)(x: [T, D]) -> [T, D] {
  time[t: T] = 2.0 * t
  row[t: T] = 3.0 * t + 1
  column[t: T] = 5.0 - t
  AxisRotary { times = 1, rows = 2, base = 50 }(x as [T, H, D / H], time, row, column) as [T, D]
}
layer Anew(D, H)(x: [T, D]) -> [T, D] {
  time[t: T] = 2.0 * t
  row[t: T] = 3.0 * t + 1
  column[t: T] = 5.0 - t
  AxisRotary { times = 1, rows = 3, base = 50, anew = true }(x as [T, H, D / H], time, row, column) as [T, D]
}
layer Alike(D, H)(x: [T, D]) -> [T, D] {
  place[t: T] = 1.0 * t
  AxisRotary(x as [T, H, D / H], place, place, place) as [T, D]
}
layer One(D, H)(x: [T, D]) -> [T, D] {
  Rotary(x as [T, H, D / H]) as [T, D]
}`;
  test("pairs turn by the time, the row or the column; frequencies run on", () => {
    runMechanism(
      { text, apply: "Turn(16, 2)(x)", width: 16, length: 4, on: "gpu", tolerance: 1e-5 },
      ({ x, length }) => ({
        out: x.map((row, i) => {
          const t = i % length;
          const at = (c: number): number => (c < 1 ? 2 * t : c < 3 ? 3 * t + 1 : 5 - t);
          return heads(row, 8).flatMap((head) => turned(head, 8, (c) => at(c) / 50 ** ((2 * c) / 8)));
        }),
      }),
    );
  });
  test("or begin anew in each axis (Nucleus-Image)", () => {
    runMechanism(
      { text, apply: "Anew(16, 1)(x)", width: 16, length: 4, tolerance: 1e-5 },
      ({ x, length }) => ({
        out: x.map((row, i) => {
          const t = i % length;
          const angles = [
            [2 * t, 1],
            [3 * t + 1, 3],
            [5 - t, 4],
          ].flatMap(([place, pairs]) =>
            Array.from({ length: pairs! }, (_, c) => place! / 50 ** (c / pairs!)),
          );
          return turned(row, 16, (c) => angles[c]!);
        }),
      }),
    );
  });
  test("ids of text, the same on all axes, are rotary positions on one", () => {
    const at = (name: string): Rows =>
      runMechanism({ text, apply: `${name}(16, 1)(x)`, width: 16, length: 5, on: "double" }).out;
    expect(at("Alike")).toEqual(at("One"));
  });
});

describe("times and places of streams", () => {
  const ids = (call: string, length: number): readonly number[] =>
    runMechanism({
      text: `import std.positions { ${call.split("(")[0]} }
layer Ids()(x: [T, 1]) -> [T, 1] {
  id = ${call}
  y[t, d] = 0 * x[t, d] + id[t]
}`,
      apply: "Ids(x)",
      width: 1,
      batch: 1,
      length,
      on: "double",
    }).out.flat();
  const [start, theta] = [5, 25];
  test("frames at two seconds: x, x + 2 theta, ... x + 118 theta", () => {
    const frames = ids(`StreamTime(T, start = ${start}, tokens = 4, seconds = 2, theta = ${theta})()`, 240);
    expect(frames).toEqual(Array.from({ length: 240 }, (_, t) => start + 2 * theta * Math.floor(t / 4)));
    expect(frames.at(-1)).toBe(start + 118 * theta);
  });
  test("sound of the same clip: y, y + 3 theta, ... y + 117 theta, 20 tokens each", () => {
    const sound = ids(`StreamTime(T, start = ${start}, theta = ${theta})()`, 800);
    expect([...new Set(sound)]).toEqual(Array.from({ length: 40 }, (_, unit) => start + 3 * theta * unit));
    expect(sound.at(-1)).toBe(start + 117 * theta);
  });
  test("patches row by row, anew in every frame", () => {
    expect(ids("PatchRow(T, 2, 3)()", 12)).toEqual([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
    expect(ids("PatchColumn(T, 3, start = 7)()", 7)).toEqual([7, 8, 9, 7, 8, 9, 7]);
  });
});

describe("grouped heads with norms", () => {
  const [C, G, H] = [4, 2, 4];
  const formula = ({ x, length, batch, matrix, tensor }: Given): { readonly out: Rows } => {
    const project = (rows: Rows, name: string, count: number): readonly Rows[] =>
      rows.map((row) => heads(times(row, matrix(name, count * C)), C));
    const placed = (rows: readonly Rows[], gain: readonly number[]): readonly Rows[] =>
      rows.map((each, t) =>
        each.map((head) => turned(rms(head, gain), 2, (c) => t / 10000 ** ((2 * c) / 2))),
      );
    const out: number[][] = [];
    for (let b = 0; b < batch; b++) {
      const rows = x.slice(b * length, (b + 1) * length);
      const q = placed(project(rows, "query", H), tensor("query_norm.gain"));
      const k = placed(project(rows, "key", G), tensor("key_norm.gain"));
      const v = project(rows, "value", G);
      for (const [t, asked] of q.entries()) {
        const mixed = asked.flatMap((head, h) => {
          const group = Math.floor(h / (H / G));
          const share = softmax(k.slice(0, t + 1).map((keys) => dot(head, keys[group]!) / Math.sqrt(C)));
          return head.map((_, c) =>
            dot(
              share,
              v.slice(0, t + 1).map((values) => values[group]![c]!),
            ),
          );
        });
        out.push(times(mixed, matrix("out", 5)));
      }
    }
    return { out };
  };
  test("norms before the rotation, neighbouring heads share keys", () => {
    const text = "import std.attention { GroupedAttention }";
    const apply = "GroupedAttention(5, heads = 4, groups = 2, C = 4, rotated = 2)(x)";
    runMechanism({ text, apply, width: 5, on: "gpu", tolerance: 1e-5 }, formula);
  });
});
