// Pools of experts for documents of a packed sequence, against plain loops; what must hold exactly of pools.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  columnMeans,
  counts,
  dot,
  largest,
  logsumexp,
  mean,
  range,
  softmax,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";
import { gated, noiseRows } from "../helpers/plain-networks.ts";

const N = 5;

describe("documents of a text", () => {
  test.each([
    [1, [0, 0, 1, 0, 0, 0]],
    [3, [0, 0, 0, 0, 1, 1]],
    [5, [0, 0, 0, 0, 0, 0]],
  ])("the id %d ends one, and belongs to it", (border, wanted) => {
    const text = `import std.documents { DocumentOf }
layer Ids(T)(x: [T, 1], text: int [T]) -> [T, 1] {
  document = DocumentOf { border = ${border} }(text)
  y[t, d] = 0 * x[t, d] + document[t]
}`;
    expect(runMechanism({ text, apply: "Ids(x, text)", width: 1 }).out.flat()).toEqual(wanted);
  });
  test("places count from 0 in each", () => {
    const text = `import std.documents { PlaceInDocument }
layer Places(T)(x: [T, 1], text: int [T]) -> [T, 1] {
  place = PlaceInDocument(int(text / 3))
  y[t, d] = 0 * x[t, d] + place[t]
}`;
    const mechanism = { text, apply: "Places(x, text)", width: 1, length: 8, batch: 1, on: "gpu" } as const;
    expect(runMechanism(mechanism).out.flat()).toEqual([0, 1, 2, 0, 1, 2, 0, 1]);
  });
});

interface Pools {
  readonly open: readonly (readonly boolean[])[];
  readonly sizes: readonly number[];
}
/** The experts with the largest sum of probabilities over each document; `sizeOf` a document by its first token. */
const poolsOf = (p: Rows, documents: readonly number[], sizeOf: (first: number) => number): Pools => {
  const first = documents.map((document) => documents.indexOf(document));
  const sizes = first.map(sizeOf);
  const open = p.map((row, t) => {
    const mass = row.map((_, e) =>
      sum(p.filter((__, s) => documents[s] === documents[t]).map((each) => each[e]!)),
    );
    const pool = largest(mass, sizes[t]!);
    return row.map((_, e) => pool.includes(e));
  });
  return { open, sizes };
};
interface Chosen {
  readonly picks: Rows;
  readonly weight: Rows;
  readonly losses: Readonly<Record<string, number>>;
}
const chooseIn = (z: Rows, open: Pools["open"], k: number, layers: number): Chosen => {
  const masked = z.map((row, t) => row.map((value, e) => (open[t]![e]! ? value : -Infinity)));
  const p = masked.map(softmax);
  const picks = p.map((row, t) => {
    const best = largest(row, k).filter((e) => open[t]![e]!);
    return [...best, ...new Array<number>(k - best.length).fill(-1)];
  });
  const share = counts(picks, N).map((count) => count / z.length);
  return {
    picks,
    weight: p.map((row, t) => row.map((value, e) => (picks[t]!.includes(e) ? value : 0))),
    losses: {
      balance: ((0.1 / layers) * N * dot(share, columnMeans(p))) / k,
      z: (1e-3 / layers) * mean(masked.map((row) => logsumexp(row) ** 2)),
    },
  };
};

const layerText = (ends: string): string => `import std.documents { DocumentPools }
layer Packed(D, N, k, least, most, at_inference = N, layers = 1)(x: [T, D]) -> [T, D] {
  part[t: T] = int(${ends})
  DocumentPools(D, 2, N = N, k = k, least = least, most = most, at_inference = at_inference, layers = layers)(x, part)
}`;
/** Two documents in each sequence of five: tokens 0 to 2 and 3 to 4. */
const twoDocuments = layerText("if t < 3 then 0 else 1");

const formula =
  (k: number, sizeOf: (draws: Given["draws"]) => (first: number) => number, layers = 1, losses = true) =>
  (given: Given): Wanted => {
    const { x, length, draws } = given;
    const z = x.map((row) => times(row, given.matrix("documentpools.w", N)));
    const documents = x.map((_, i) => 2 * Math.floor(i / length) + (i % length < 3 ? 0 : 1));
    const { open } = poolsOf(z.map(softmax), documents, sizeOf(draws));
    const made = chooseIn(z, open, k, layers);
    return {
      out: x.map((row, t) => {
        const y = gated(given, "fixed", 2)(row);
        made.weight[t]!.forEach((share, e) => {
          if (share > 0) gated(given, "pool", 2, e)(row).forEach((value, d) => (y[d]! += share * value));
        });
        return y;
      }),
      load: counts(made.picks, N),
      ...(losses ? { losses: made.losses } : {}),
    };
  };

describe("experts of a document", () => {
  const drawn =
    (least: number, most: number) =>
    ([u]: Given["draws"]) =>
    (first: number): number =>
      Math.min(most, least + Math.floor(u![first]! * (most - least + 1)));
  test.each([1, 2, 3])("pools of drawn sizes, in training, numbers %d", (seed) => {
    const mechanism: Mechanism = {
      text: twoDocuments,
      apply: "Packed(3, 5, 2, 2, 5, layers = 2)(x)",
      width: 3,
      length: 5,
      seed,
      on: seed === 1 ? "gpu" : "wasm",
    };
    runMechanism(mechanism, formula(2, drawn(2, 5), 2));
  });
  test("at inference all experts are open", () => {
    const mechanism: Mechanism = {
      text: twoDocuments,
      apply: "Packed(3, 5, 2, 2, 3)(x)",
      width: 3,
      length: 5,
      mode: "inference",
    };
    runMechanism(
      mechanism,
      formula(2, () => () => N),
    );
  });
  test("measured: the probability of every expert, over all tokens, is added up step by step", () => {
    const text = twoDocuments.replace("layers = layers)", "layers = layers, measured = true)");
    const before = [1, 2, 3, 4, 5];
    const mechanism: Mechanism = {
      text,
      apply: "Packed(3, 5, 2, 5, 5)(x)",
      width: 3,
      length: 5,
      on: "gpu",
      tensors: { mass: before },
    };
    runMechanism(mechanism, (given) => {
      const z = given.x.map((row) => times(row, given.matrix("documentpools.w", N)));
      const added = columnMeans(z.map(softmax));
      const whole = formula(2, () => () => N)(given);
      return { ...whole, states: { mass: before.map((value, e) => value + added[e]!) } };
    });
  });
  test("or pools of one size", () => {
    const apply = "Packed(3, 5, 2, 2, 5, at_inference = 3)(x)";
    const mechanism: Mechanism = { text: twoDocuments, apply, width: 3, length: 5, mode: "inference" };
    runMechanism(
      mechanism,
      formula(2, () => () => 3),
    );
  });
});

describe("what must hold of pools", () => {
  /** Gates of a packed sequence of eight tokens, documents 0 to 4 and 5 to 7. */
  const gates = (size: number, k: number, more: Partial<Mechanism> = {}): ReturnType<typeof runMechanism> =>
    runMechanism({
      text: `import std.documents { DocumentPool, Open }
layer Pools(T, N)(z: [T, N]) -> [T, N] {
  part[t: T] = int(if t < 5 then 0 else 1)
  DocumentPool { least = ${size}, most = ${size} }(z, part)
}`,
      apply: `Open { k = ${k} }(x, Pools(x))`,
      width: N,
      experts: N,
      batch: 1,
      length: 8,
      on: "double",
      ...more,
    });
  test.each([2, 3, 4])("a document uses no more than %d experts", (size) => {
    for (const seed of [1, 2, 3]) {
      const { picks } = gates(size, 2, { seed });
      for (const part of [picks.slice(0, 5), picks.slice(5)])
        expect(new Set(part.flat().filter((e) => e >= 0)).size).toBeLessThanOrEqual(size);
    }
  });
  test("a pool of all experts is no pool", () => {
    const text = `router Standard(N, k)(z: [N]) -> gates[N] {
  choose top k of softmax(z)
}`;
    const x = noiseRows(4, 8, N);
    const plain = runMechanism({
      text,
      apply: "Standard { N = 5, k = 2 }(x)",
      width: N,
      experts: N,
      batch: 1,
      length: 8,
      on: "double",
      tensors: { x },
    });
    const pooled = gates(N, 2, { tensors: { x } });
    expect(pooled.picks).toEqual(plain.picks);
    expect(pooled.out).toEqual(plain.out);
  });
  test("another document in the sequence changes nothing, behind it or before it", () => {
    const [a, b, c, d] = [noiseRows(5, 5, N), noiseRows(6, 3, N), noiseRows(7, 3, N), noiseRows(8, 5, N)];
    const out = (first: Rows, second: Rows): Rows =>
      gates(2, 2, { tensors: { x: [...first, ...second] } }).out;
    const [one, behind, before] = [out(a, b), out(a, c), out(d, b)];
    expect(one.slice(0, 5)).toEqual(behind.slice(0, 5));
    expect(one.slice(5)).not.toEqual(behind.slice(5));
    expect(one.slice(5)).toEqual(before.slice(5));
    expect(one.slice(0, 5)).not.toEqual(before.slice(0, 5));
  });
  test("experts that are shut are as experts that are not there", () => {
    const kept = [0, 1, 3];
    const open = range(N).map((e) => (kept.includes(e) ? 1 : 0));
    const x = noiseRows(9, 8, N);
    const at = (apply: string, rows: Rows): ReturnType<typeof runMechanism> =>
      runMechanism({
        text: `import std.documents { Open }
function Kept(N)(z: [N]) -> [N] {
  open[e: N] = if e == 2 or e == 4 then 0 else 1
  0 * z + open
}`,
        apply,
        width: rows[0]!.length,
        experts: rows[0]!.length,
        batch: 1,
        length: 8,
        on: "double",
        tensors: { x: rows },
      });
    const shut = at("Open { k = 2 }(x, Kept(x))", x);
    const gone = at(
      "Open { k = 2 }(x, 0 * x + 1)",
      x.map((row) => kept.map((e) => row[e]!)),
    );
    expect(shut.picks).toEqual(gone.picks.map((row) => row.map((e) => kept[e]!)));
    expect(shut.out.map((row) => kept.map((e) => row[e]!))).toEqual(gone.out);
    expect(shut.load).toEqual(open.map((there, e) => (there > 0 ? gone.load[kept.indexOf(e)]! : 0)));
    expect(shut.losses["z"]).toBeCloseTo(gone.losses["z"]!, 12);
  });
  test("weights of a whole pool sum to 1, of the best of it to less", () => {
    for (const row of gates(3, 3).out) expect(sum(row)).toBeCloseTo(1, 12);
    for (const row of gates(3, 2).out) expect(sum(row)).toBeLessThan(1);
  });
});
