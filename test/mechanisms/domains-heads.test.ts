// Parts of a feed-forward network, heads and whole attention layers as experts, against plain loops over the papers' formulas; what must hold
// exactly.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { runMechanism, type Formula, type Given, type Mechanism } from "../helpers/mechanism.ts";
import {
  added,
  columnMeans,
  columnOf,
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
  unit,
  type Rows,
} from "../helpers/plain.ts";

const gelu = (x: number): number => x * normalBelow(x);
const noise = (seed: number, count: number): number[] => [...signedNumbers(seed, count)];
const expectAlike = (actual: Rows, wanted: Rows): void =>
  actual.flat().forEach((value, i) => expect(value).toBeCloseTo(wanted.flat()[i]!, 12));

interface Selection {
  readonly experts: number;
  readonly k: number;
  readonly share: number;
  readonly ofToken?: boolean;
}
/** Which tokens each expert takes, rising, and the probabilities of tokens. */
function selection(given: Given, { experts, k, share, ofToken = false }: Selection) {
  const { x, batch, length, matrix, tensor } = given;
  const p = x.map((row) =>
    softmax(
      times(row, matrix("tokensforparts.w", experts)).map((z, e) => z + tensor("tokensforparts.bias")[e]!),
    ),
  );
  const kept = p.map((row) => row.map((value, e) => (largest(row, k).includes(e) ? value : 0)));
  const r = kept.map((row, token) =>
    row.map((value, e) => {
      const all = ofToken ? row : range(batch).map((b) => kept[b * length + (token % length)]![e]!);
      return value / (sum(all) + 1e-8);
    }),
  );
  const taken = range(batch).flatMap((b) =>
    range(experts).map((e) => {
      const column = columnOf(r.slice(b * length, (b + 1) * length), e);
      return largest(column, Math.max(1, Math.floor(share * length))).map((t) => b * length + t);
    }),
  );
  const chosen = x.map((_, token) =>
    range(experts).map((e) => taken[Math.floor(token / length) * experts + e]!.includes(token)),
  );
  return { p, chosen };
}

describe("tokens for parts", () => {
  test.each([
    [false, false],
    [true, true],
  ])("of the token: %s, weighted: %s", (ofToken, weighted) => {
    const apply = `TokensForParts { N = 4, of_token = ${ofToken}, weighted = ${weighted} }(x)`;
    const text = "import std.heads { TokensForParts }";
    const mechanism: Mechanism = {
      text,
      apply,
      width: 3,
      experts: 4,
      length: 5,
      on: weighted ? "gpu" : "wasm",
    };
    const { load } = runMechanism(mechanism, (given) => {
      const { p, chosen } = selection(given, { experts: 4, k: 2, share: 0.5, ofToken });
      return {
        out: chosen.map((row, t) => row.map((taken, e) => (taken ? (weighted ? p[t]![e]! : 1) : 0))),
        picks: chosen.map((row) => row.map((taken, e) => (taken ? e : -1))),
      };
    });
    expect(load).toEqual([4, 4, 4, 4]);
  });
});

describe("parts of a feed-forward network", () => {
  const whole = "import std.heads { PartsOfDense, TokensForParts }\nimport std.experts { Gelu }";
  /** A network of width 6 in two parts of 3 neurons. */
  const [up, upBias, down] = [noise(1, 18), noise(2, 6), noise(3, 18)];
  const parts = {
    "pool.up": [rowsOf(up, 6).map((row) => row.slice(0, 3)), rowsOf(up, 6).map((row) => row.slice(3))].flat(
      2,
    ),
    "pool.up_bias": upBias,
    "pool.down": down,
  };
  const x = noise(4, 18);
  const dense = (bias: readonly number[]): Rows =>
    runMechanism({
      text: whole.replace("PartsOfDense, ", ""),
      apply: "Gelu(3, 6)(x)",
      width: 3,
      tensors: { x, "gelu.up": up, "gelu.up_bias": upBias, "gelu.down": down, "gelu.down_bias": bias },
      on: "double",
    }).out;
  const all = (bias: readonly number[]): Rows =>
    runMechanism({
      text: whole,
      apply: "PartsOfDense(3, 6, N = 2, Router = TokensForParts { share = 1 })(x)",
      width: 3,
      tensors: {
        x,
        ...Object.fromEntries(
          Object.entries({ ...parts, "pool.down_bias": bias }).map(([name, values]) => [
            name.replace("pool", "partsofdense.routed"),
            values,
          ]),
        ),
      },
    }).out;
  test("all parts on all tokens are the dense network, if their biases add up to its own", () => {
    expectAlike(all([1, 2, 3, 0.5, 0.25, -1]), dense([1.5, 2.25, 2]));
  });
  test("the output bias copied to each of two parts is added once too often", () => {
    const bias = [1, 2, 3];
    expectAlike(
      all([...bias, ...bias]),
      dense(bias).map((row) => added(row, bias)),
    );
  });

  test("parts for a whole sequence", () => {
    const text = `import std.heads { PartsForSequence }
import std.experts { Gelu }
layer Together(x: [6]) -> [6] {
  rows = x as [3, 2]
  pool = Gelu(2, 2) * 3
  y = pool(rows) by PartsForSequence(rows)
  y as [6]
}`;
    runMechanism({ text, apply: "Together(x)", width: 6, length: 2, on: "gpu" }, (given) => {
      const { x: sequences, matrix, tensor } = given;
      const part = (name: string, e: number): Rows =>
        rowsOf(tensor(`pool.${name}`).slice(4 * e, 4 * e + 4), 2);
      const bias = (name: string, e: number): number[] => tensor(`pool.${name}`).slice(2 * e, 2 * e + 2);
      const picks = sequences.map((flat) =>
        largest(
          times(flat, matrix("router.w", 3)).map((z, e) => z + tensor("router.bias")[e]!),
          2,
        ),
      );
      const out = sequences.map((flat, b) =>
        rowsOf(flat, 2).flatMap((row) =>
          picks[b]!.map((e) => {
            const hidden = added(times(row, part("up", e)), bias("up_bias", e)).map(gelu);
            return added(times(hidden, part("down", e)), bias("down_bias", e));
          }).reduce(added),
        ),
      );
      return { out, picks };
    });
  });
});

/** Scores of one head, masked, and what comes of them: a row for each token of one sequence. */
function attend(asked: Rows, shown: Rows, said: Rows, open: (t: number, s: number) => boolean): Rows {
  return asked.map((q, t) => {
    const places = range(shown.length).filter((s) => open(t, s));
    const share = softmax(places.map((s) => dot(q, shown[s]!) / Math.sqrt(q.length)));
    return said[0]!.map((_, c) => sum(places.map((s, i) => share[i]! * said[s]![c]!)));
  });
}
const cut = (rows: Rows, from: number, size: number): Rows => rows.map((row) => row.slice(from, from + size));

describe("routed heads", () => {
  const formula =
    (share: number, weighted: boolean): Formula =>
    (given) => {
      const { x, batch, length, matrix } = given;
      const [heads, C] = [2, 2];
      const { p, chosen } = selection(given, { experts: heads, k: 1, share });
      const out: number[][] = [];
      for (const b of range(batch)) {
        const tokens = x.slice(b * length, (b + 1) * length);
        const mixed: number[][] = tokens.map(() => []);
        for (const h of range(heads)) {
          const rising = range(length).filter((t) => chosen[b * length + t]![h]);
          // What the head computes is attention over its tokens alone, in the order of the text.
          const mine = rising.map((t) => tokens[t]!);
          const project = (name: string): Rows =>
            cut(
              mine.map((row) => times(row, matrix(name, 4))),
              h * C,
              C,
            );
          const results = attend(project("query"), project("key"), project("value"), (t, s) => s <= t);
          for (const t of range(length)) {
            const at = rising.indexOf(t);
            const scale = weighted ? p[b * length + t]![h]! : 1;
            mixed[t]!.push(...(at < 0 ? [0, 0] : results[at]!.map((value) => scale * value)));
          }
        }
        out.push(...mixed.map((row) => times(row, matrix("out", 4))));
      }
      return { out };
    };
  test.each([
    [0.5, false],
    [0.6, true],
    [1, false],
  ])("each head on a share %d of the tokens, weighted: %s; with 1 it is attention", (share, weighted) => {
    const apply = `RoutedHeads(4, heads = 2, share = ${share}, weighted = ${weighted})(x)`;
    const text = "import std.heads { RoutedHeads }";
    const mechanism: Mechanism = { text, apply, width: 4, length: 5, on: weighted ? "gpu" : "wasm" };
    runMechanism(mechanism, formula(share, weighted));
  });
});

/** Rotary positions of the heads of one token: halves apart. */
const turned = (row: readonly number[], t: number, C: number): number[] =>
  row.map((value, i) => {
    const [start, c] = [i - (i % C), i % C];
    const half = C / 2;
    const angle = t / 10000 ** ((2 * (c % half)) / C);
    const other = row[start + ((c + half) % C)]!;
    return value * Math.cos(angle) + (c < half ? -1 : 1) * other * Math.sin(angle);
  });

/** The attention layer of expert n on one sequence; keys and values of their own, or one for all. */
function attentionOf(
  { matrix }: Given,
  tokens: Rows,
  n: number,
  sizes: { readonly N: number; readonly D: number; readonly heads: number; readonly shared: boolean },
): Rows {
  const { N, D, heads, shared } = sizes;
  const C = D / heads;
  const own = (name: string, one: boolean): Rows => {
    const rows = tokens.map((row) => times(row, matrix(one ? `shared_${name}` : name, one ? D : N * D)));
    return one ? rows : cut(rows, n * D, D);
  };
  const asked = own("query", false).map((row, t) => turned(row, t, C));
  const shown = own("key", shared).map((row, t) => turned(row, t, C));
  const said = own("value", shared);
  const heard = range(heads).map((h) =>
    attend(cut(asked, h * C, C), cut(shown, h * C, C), cut(said, h * C, C), (t, s) => s <= t),
  );
  const out = matrix("out", D).slice(n * D, (n + 1) * D);
  return tokens.map((_, t) =>
    times(
      heard.flatMap((rows) => rows[t]!),
      out,
    ),
  );
}

describe("attention experts (BAM)", () => {
  const text = "import std.heads { AttentionExperts }";
  const mixture = (given: Given, tokens: Rows, shares: Rows, shared: boolean): Rows => {
    const experts = range(2).map((n) => attentionOf(given, tokens, n, { N: 2, D: 4, heads: 2, shared }));
    return tokens.map((row, t) =>
      row.map((_, d) => sum(experts.map((rows, n) => shares[t]![n]! * rows[t]![d]!))),
    );
  };
  test.each([true, false])("all with softmax weights; one set of keys and values: %s", (shared) => {
    const apply = `AttentionExperts(4, 2, heads = 2, shared = ${shared})(x)`;
    runMechanism({ text, apply, width: 4, length: 4, on: shared ? "wasm" : "gpu" }, (given) => ({
      out: range(given.batch).flatMap((b) => {
        const tokens = given.x.slice(4 * b, 4 * b + 4);
        const shares = tokens.map((row) => softmax(times(row, given.matrix("router.w", 2))));
        return mixture(given, tokens, shares, shared);
      }),
    }));
  });
  test("one expert of the token, by another router", () => {
    const router = "import std.routers { TopK }";
    const apply =
      "AttentionExperts(4, 2, heads = 2, Router = TopK { k = 1, renormalise = false, balance = 0 })(x)";
    runMechanism({ text: `${text}\n${router}`, apply, width: 4, length: 4 }, (given) => ({
      out: range(given.batch).flatMap((b) => {
        const tokens = given.x.slice(4 * b, 4 * b + 4);
        const shares = tokens
          .map((row) => softmax(times(row, given.matrix("router.w", 2))))
          .map((row) => row.map((value) => (value === Math.max(...row) ? value : 0)));
        return mixture(given, tokens, shares, true);
      }),
      losses: { balance: 0 },
    }));
  });

  const tensors = { x: noise(1, 24), key: noise(2, 32), value: noise(3, 32) };
  const [query, out] = [rowsOf(noise(4, 16), 4), noise(5, 16)];
  const twice = (rows: Rows): number[] => rows.flatMap((row) => [...row, ...row]);
  const run = (router: readonly number[], others: Mechanism["tensors"]): Rows =>
    runMechanism({
      text,
      apply: "AttentionExperts(4, 2, heads = 2, shared = false)(x)",
      width: 4,
      on: "double",
      tensors: { ...tensors, "router.w": router, ...others },
    }).out;
  const identical = {
    query: twice(query),
    key: twice(rowsOf(noise(6, 16), 4)),
    value: twice(rowsOf(noise(7, 16), 4)),
    out: [...out, ...out],
  };
  test("identical experts are one attention layer, whatever the gate", () => {
    expectAlike(run(noise(8, 8), identical), run(new Array<number>(8).fill(0), identical));
  });
  test("where all weight is on one expert it is that expert's attention", () => {
    const others = { query: noise(9, 32), out: noise(10, 32) };
    // Tokens whose first number is 1 and a router that reads it: weight 1 for expert 0 as far as doubles go.
    const x = rowsOf(tensors.x, 4).map((row) => [1, ...row.slice(1)]);
    const sure = [50, -50, 0, 0, 0, 0, 0, 0];
    const before = run(sure, { ...others, x });
    const changed = others.out.map((value, i) => (i < 16 ? value : -5 * value));
    expectAlike(run(sure, { ...others, x, out: changed }), before);
  });
});

test("attention experts and feed-forward experts side by side, on one normalised input", () => {
  const text = "import std.heads { AttendAndMix }";
  const apply = "AttendAndMix(4, 3, 2, heads = 2)(x)";
  runMechanism({ text, apply, width: 4, length: 4, on: "gpu" }, (given) => {
    const { x, matrix, tensor } = given;
    const u = x.map((row) => unit(row, 4e-6).map((value, d) => 2 * value * tensor("rmsnorm.gain")[d]!));
    const z = u.map((row) => times(row, matrix("attendandmix.router.w", 2)));
    const p = z.map(softmax);
    const picks = p.map((row) => largest(row, 1));
    const part = (name: string, e: number, columns: number): Rows =>
      rowsOf(tensor(`pool.${name}`).slice(12 * e, 12 * e + 12), columns);
    const forward = u.map((row, t) => {
      const e = picks[t]![0]!;
      const gate = times(row, part("gate", e, 3)).map((value) => value * sigmoid(value));
      const hidden = times(row, part("up", e, 3)).map((value, h) => gate[h]! * value);
      return times(hidden, part("down", e, 4)).map((value) => p[t]![e]! * value);
    });
    const attention = range(given.batch).flatMap((b) => {
      const tokens = u.slice(4 * b, 4 * b + 4);
      const experts = range(2).map((n) =>
        attentionOf(given, tokens, n, { N: 2, D: 4, heads: 2, shared: true }),
      );
      return tokens.map((row, t) => {
        const shares = softmax(times(row, matrix("attentionexperts.router.w", 2)));
        return row.map((_, d) => sum(experts.map((rows, n) => shares[n]! * rows[t]![d]!)));
      });
    });
    const load = counts(picks, 2).map((count) => count / x.length);
    return {
      out: x.map((row, t) => added(added(row, forward[t]!), attention[t]!)),
      losses: {
        balance: 0.01 * 2 * dot(load, columnMeans(p)),
        z: 0.001 * mean(z.map((row) => logsumexp(row) ** 2)),
      },
    };
  });
});
