// Heads that pick, experts found by product keys, of embeddings, for parts of tokens and in groves, against plain loops over the papers' formulas.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism } from "../helpers/mechanism.ts";
import { gated } from "../helpers/plain-networks.ts";
import {
  added,
  columnMeans,
  columnSums,
  counts,
  dot,
  largest,
  logsumexp,
  mean,
  normalBelow,
  range,
  rowsOf,
  sigmoid,
  softmax,
  sum,
  times,
  weighted,
  type Rows,
} from "../helpers/plain.ts";

const D = 4;
const scaled = (row: readonly number[], by: number): number[] => row.map((value) => by * value);
/** One of several matrices that stand one behind the other. */
const part = ({ tensor }: Given, name: string, e: number, rows: number, columns: number): Rows =>
  rowsOf(tensor(name).slice(e * rows * columns, (e + 1) * rows * columns), columns);
/** A head's vector at position t, its halves turned. */
const turned = (row: readonly number[], t: number): number[] => {
  const half = row.length / 2;
  const angle = (c: number): number => t / 10000 ** ((2 * c) / row.length);
  return row.map((value, i) =>
    i < half
      ? value * Math.cos(angle(i)) - row[i + half]! * Math.sin(angle(i))
      : value * Math.cos(angle(i - half)) + row[i - half]! * Math.sin(angle(i - half)),
  );
};
/** What position t hears of its sequence: by turned keys, of values. */
function hears(q: readonly number[], keys: Rows, values: Rows, token: number, length: number): number[] {
  const [start, t] = [token - (token % length), token % length];
  const scores = range(t + 1).map(
    (s) => dot(turned(q, t), turned(keys[start + s]!, s)) / Math.sqrt(q.length),
  );
  return weighted(softmax(scores), values.slice(start, start + t + 1));
}
const head = (rows: Rows, h: number, C: number): Rows => rows.map((row) => row.slice(h * C, (h + 1) * C));
const layer = (module: string, apply: string, more: Partial<Mechanism> = {}): Mechanism => ({
  text: `import std.${module} { ${apply.split("(")[0]!} }`,
  apply,
  width: D,
  length: 4,
  ...more,
});

describe("heads that pick", () => {
  test("values and outputs of experts of each head (SwitchHead)", () => {
    runMechanism(layer("headwise", "SwitchHead(4, heads = 2, experts = 3)(x)"), (given) => {
      const { x, matrix, length } = given;
      const C = 2;
      const [q, k] = ["query", "key"].map((name) => x.map((row) => times(row, matrix(name, 4))));
      const scores = (router: string): Rows => x.map((row) => times(row, matrix(router, 6)).map(sigmoid));
      const [into, back] = [scores("ofeachhead.0.w"), scores("ofeachhead.1.w")];
      const taken = (row: readonly number[], h: number): number[] =>
        largest(row.slice(3 * h, 3 * h + 3), 2).map((e) => 3 * h + e);
      const value = range(2).map((h) =>
        x.map((row, t) =>
          columnSums(
            taken(into[t]!, h).map((e) => scaled(times(row, part(given, "values.w", e, 4, C)), into[t]![e]!)),
          ),
        ),
      );
      return {
        out: x.map((_, t) =>
          columnSums(
            range(2).flatMap((h) => {
              const heard = hears(head(q!, h, C)[t]!, head(k!, h, C), value[h]!, t, length);
              return taken(back[t]!, h).map((e) =>
                scaled(times(heard, part(given, "outs.w", e, C, 4)), back[t]![e]!),
              );
            }),
          ),
        ),
      };
    });
  });
  test.each([false, true])("some heads always, some by choice (MoH); scaled: %s", (scaledUp) => {
    const apply = `HeadMixture(8, heads = 4, fixed = 2, k = 1, scaled = ${scaledUp}, balance = 0.1)(x)`;
    runMechanism(layer("headwise", apply, { width: 8, length: 3 }), ({ x, matrix, length }) => {
      const [q, k, v] = ["query", "key", "value"].map((name) => x.map((row) => times(row, matrix(name, 8))));
      const p = x.map((row) => softmax(times(row, matrix("topk.w", 2))));
      const picks = p.map((row) => largest(row, 1));
      const load = counts(picks, 2);
      const mixed = x.map((row, t) => {
        const a = softmax(times(row, matrix("w_kinds", 2)));
        return range(4).flatMap((h) => {
          const own = softmax(times(row, matrix("w_fixed", 2)))[h]!;
          const routed = picks[t]!.includes(h - 2) ? (scaledUp ? 1 : p[t]![h - 2]!) : 0;
          const weight = h < 2 ? (scaledUp ? 4 : 1) * a[0]! * own : (scaledUp ? 2 : 1) * a[1]! * routed;
          const heard = hears(head(q!, h, 2)[t]!, head(k!, h, 2), head(v!, h, 2), t, length);
          return scaled(heard, weight);
        });
      });
      return {
        out: mixed.map((row) => times(row, matrix("out", 8))),
        losses: { balance: (0.1 * 2 * dot(load, columnMeans(p))) / x.length },
      };
    });
  });
  test("queries of chosen heads over common keys (MoA)", () => {
    runMechanism(
      layer("headwise", "PickedHeads(4, N = 3, C = 2, balance = 0.1)(x)", { on: "gpu" }),
      (given) => {
        const { x, matrix, length } = given;
        const z = x.map((row) => times(row, matrix("topk.w", 3)));
        const p = z.map(softmax);
        const picks = p.map((row) => largest(row, 2));
        const [k, v] = ["key", "value"].map((name) => x.map((row) => times(row, matrix(name, 2))));
        const load = counts(picks, 3);
        return {
          out: x.map((row, t) => {
            const whole = sum(picks[t]!.map((e) => p[t]![e]!));
            return columnSums(
              picks[t]!.map((e) => {
                const heard = hears(times(row, part(given, "asks.w", e, 4, 2)), k!, v!, t, length);
                return scaled(times(heard, part(given, "outs.w", e, 2, 4)), p[t]![e]! / whole);
              }),
            );
          }),
          losses: {
            balance: (0.1 * 3 * dot(load, columnMeans(p))) / (2 * x.length),
            z: 0.001 * mean(z.map((row) => logsumexp(row) ** 2)),
          },
        };
      },
    );
  });
});

describe("product keys (PEER)", () => {
  test.each([true, false])("scores compete: %s; against all n * n keys", (competing) => {
    const [n, k, C] = [3, 2, 2];
    const apply = `ProductKeys(4, n = ${n}, heads = 2, k = ${k}, C = ${C}, competing = ${competing})(x)`;
    runMechanism(
      layer("memory", apply, { batch: 1, length: 2, on: competing ? "gpu" : "wasm" }),
      ({ x, matrix }) => ({
        out: x.map((row) => {
          const q = times(row, matrix("query", 2 * 2 * C));
          const keys = matrix("productkeys.key", C);
          return columnSums(
            range(2).flatMap((h) => {
              const half = (side: number): number[] => q.slice((2 * h + side) * C, (2 * h + side + 1) * C);
              const scores = range(n * n).map(
                (at) => dot(half(0), keys[Math.floor(at / n)]!) + dot(half(1), keys[n + (at % n)]!),
              );
              const best = largest(scores, k);
              const shares = competing
                ? softmax(best.map((at) => scores[at]!))
                : best.map((at) => Math.max(0, scores[at]!));
              return best.map((at, i) => {
                const seen = dot(row, matrix("into", 4)[at]!);
                return scaled(matrix("productkeys.out", 4)[at]!, shares[i]! * seen * normalBelow(seen));
              });
            }),
          );
        }),
      }),
    );
  });
});

test("experts that read the embedding (lookup experts)", () => {
  const text = `import std.memory { LookupExperts }
layer Both(D)(x: [D]) -> [D] {
  param embed: [D, D]
  LookupExperts(D, 3, N = 2)(x, x @ embed)
}`;
  runMechanism({ text, apply: "Both(4)(x)", width: D, length: 4 }, (given) => ({
    out: given.x.map((row) => {
      const p = softmax(times(row, given.matrix("router.w", 2)));
      const e = times(row, given.matrix("embed", 4));
      return columnSums([
        gated(given, "fixed", 3)(row),
        ...p.map((w, i) => scaled(gated(given, "pool", 3, i)(e), w)),
      ]);
    }),
  }));
});

test("parts of tokens (MH-MoE)", () => {
  runMechanism(layer("parts", "MultiHead(4, 3, N = 3, heads = 2)(x)"), (given) => {
    const { x, matrix } = given;
    const parts = x.flatMap((row) => rowsOf(times(row, matrix("split", 4)), 2));
    const p = parts.map((row) => softmax(times(row, matrix("router.w", 3))));
    const picks = p.map((row) => largest(row, 2));
    const y = parts.map((row, i) => {
      const whole = sum(picks[i]!.map((e) => p[i]![e]!));
      return columnSums(picks[i]!.map((e) => scaled(gated(given, "pool", 3, e)(row), p[i]![e]! / whole)));
    });
    return {
      out: x.map((_, t) => times([...y[2 * t]!, ...y[2 * t + 1]!], matrix("merge", 4))),
      losses: { balance: (0.01 * 3 * dot(counts(picks, 3), columnMeans(p))) / (2 * parts.length) },
    };
  });
});

test("what a group has in common is computed once (Grove)", () => {
  let shared = 0;
  const apply = "Grove(4, 3, N = 4, small = 2, k = 2, scale = 0.5, rate = 0.1)(x)";
  runMechanism(layer("parts", apply, { length: 6, on: "gpu" }), (given) => {
    const { x, matrix, tensor } = given;
    const z = x.map((row) => times(row, matrix("grovechoice.w", 4)));
    const bias = tensor("bias");
    const picks = z.map((row) => largest(added(row.map(sigmoid), bias), 2));
    shared = picks.filter(([a, b]) => a! >> 1 === b! >> 1).length;
    const load = counts(picks, 4);
    return {
      out: x.map((row, t) => {
        const p = softmax(z[t]!);
        const whole = sum(picks[t]!.map((e) => p[e]!));
        return columnSums(
          picks[t]!.flatMap((e) => [
            scaled(gated(given, "pool", 3, e)(row), p[e]! / whole),
            scaled(gated(given, "common", 2, e >> 1)(row), (0.5 * p[e]!) / whole),
          ]),
        );
      }),
      states: { bias: bias.map((value, e) => value + 0.1 * Math.sign(mean(load) - load[e]!)) },
    };
  });
  expect(shared).toBeGreaterThan(0);
});

test("an expert within bounds, and logits with a bias (gpt-oss)", () => {
  const text = `import std.experts { ClampedSwiGLU }
import std.routers { TopK }
layer Clamped(D)(x: [D]) -> [D] {
  pool = ClampedSwiGLU(D, 3, limit = 0.5) * 3
  pool(x) by TopK { biased = true, balance = 0 }
}`;
  runMechanism({ text, apply: "Clamped(4)(x)", width: D, length: 4 }, (given) => {
    const { x, matrix, tensor } = given;
    const bound = (value: number): number => Math.min(0.5, Math.max(-0.5, value));
    return {
      losses: { balance: 0 },
      out: x.map((row) => {
        const z = added(times(row, matrix("router.w", 3)), tensor("router.bias"));
        const picks = largest(z, 2);
        const shares = softmax(picks.map((e) => z[e]!));
        return columnSums(
          picks.map((e, i) => {
            const side = (name: string): number[] =>
              added(times(row, part(given, `pool.${name}`, e, 4, 3)), matrix(`pool.${name}_bias`, 3)[e]!);
            const g = side("gate").map((value) => Math.min(value, 0.5));
            const u = side("up").map(bound);
            const inside = g.map((value, h) => value * sigmoid(1.702 * value) * (u[h]! + 1));
            const down = times(inside, part(given, "pool.down", e, 3, 4));
            return scaled(added(down, matrix("pool.down_bias", 4)[e]!), shares[i]!);
          }),
        );
      }),
    };
  });
});
