// Chains of experts, null experts, low-rank experts, fine-grained experts and the prediction of several tokens, against plain loops over their
// papers' formulas, and what must hold of them exactly.

import { describe, expect, test } from "vitest";
import { nodesOf } from "../../compiler/graph-walk.ts";
import { signedNumbers } from "../helpers/differential.ts";
import { buildText } from "../helpers/elaborate.ts";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  columnMeans,
  counts,
  dot,
  largest,
  logsumexp,
  mean,
  sigmoid,
  softmax,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";

const silu = (x: number): number => x * sigmoid(x);
const rowsOf = (flat: readonly number[], columns: number): Rows =>
  Array.from({ length: flat.length / columns }, (_, i) => flat.slice(i * columns, (i + 1) * columns));
/** Expert e of several that lie one behind the other: silu(x gate) * (x up), down. */
function gated({ tensor }: Given, path: string, e: number, width: number, hidden: number) {
  const part = (name: string, columns: number): Rows =>
    rowsOf(tensor(`${path}.${name}`).slice(e * width * hidden, (e + 1) * width * hidden), columns);
  const [gate, up, down] = [part("gate", hidden), part("up", hidden), part("down", width)];
  return (x: readonly number[]): number[] => {
    const open = times(x, gate).map(silu);
    return times(
      times(x, up).map((value, h) => value * open[h]!),
      down,
    );
  };
}
const plus = (...rows: Rows): number[] => rows[0]!.map((_, i) => sum(rows.map((row) => row[i]!)));
const scaled = (row: readonly number[], by: number): number[] => row.map((value) => value * by);
/** N / (k T) sum_i count_i P_i. */
const balanceOf = (picks: Rows, p: Rows): number =>
  (p[0]!.length / picks.flat().length) * dot(counts(picks, p[0]!.length), columnMeans(p));
const perSequence = ({ batch, length }: Given, picks: Rows, p: Rows): number =>
  mean(
    Array.from({ length: batch }, (_, b) =>
      balanceOf(picks.slice(b * length, (b + 1) * length), p.slice(b * length, (b + 1) * length)),
    ),
  );

describe("chain of experts", () => {
  const chain = (options: string, more: Partial<Mechanism> = {}): Mechanism => ({
    text: "import std.chains { ChainOfExperts }",
    apply: `ChainOfExperts(3, 4, H = 2, ${options})(x)`,
    width: 3,
    ...more,
  });
  interface Rule {
    readonly C: number;
    readonly K: number;
    readonly inner?: boolean;
    readonly outer?: boolean;
    readonly shared?: boolean;
    readonly gates: readonly string[];
  }
  const formula =
    ({ C, K, inner = true, outer = false, shared = true, gates }: Rule) =>
    (given: Given): Wanted => {
      let x = given.x;
      let balance = 0;
      for (let t = 0; t < C; t++) {
        const s = x.map((row) => softmax(times(row, given.matrix(gates[t]!, 4))));
        const picks = s.map((row) => largest(row, K));
        balance += 1e-3 * perSequence(given, picks, s);
        x = x.map((row, token) =>
          plus(
            ...picks[token]!.map((e) => scaled(gated(given, "pool", e, 3, 2)(row), s[token]![e]!)),
            ...(shared ? [gated(given, "common", 0, 3, 2)(row)] : []),
            ...(inner ? [row] : []),
          ),
        );
      }
      return {
        out: outer ? x.map((row, token) => plus(row, given.x[token]!)) : x,
        losses: { balance },
      };
    };
  const two = ["router.0.w", "router.1.w"];
  test("two iterations, gates of their own, a shared expert, the inner residual", () => {
    runMechanism(chain("C = 2, K = 2", { on: "gpu" }), formula({ C: 2, K: 2, gates: two }));
  });
  test("the outer residual", () => {
    const rule = { C: 2, K: 1, inner: false, outer: true, shared: false, gates: two };
    runMechanism(chain("C = 2, K = 1, inner = false, outer = true, shared = 0"), formula(rule));
  });
  test("no residual", () => {
    const rule = { C: 2, K: 2, inner: false, gates: two };
    runMechanism(chain("C = 2, K = 2, inner = false"), formula(rule));
  });

  const noise = (seed: number, count: number): readonly number[] => [...signedNumbers(seed, count)];
  const tensors = {
    x: noise(1, 18),
    "pool.gate": noise(2, 24),
    "pool.up": noise(3, 24),
    "pool.down": noise(4, 24),
  };
  const w = noise(5, 12);
  test("one iteration is a plain mixture under the same residual rule", () => {
    const plain = runMechanism({
      text: `import std.experts { SwiGLU }
import std.routers { TopK }
moe Plain(D)(x: [D]) -> [D] {
  routed SwiGLU(D, 2) * 4
  router TopK { k = 2, renormalise = false }
}`,
      apply: "x + Plain(3)(x)",
      width: 3,
      on: "double",
      tensors: {
        x: tensors.x,
        "routed.gate": tensors["pool.gate"],
        "routed.up": tensors["pool.up"],
        "routed.down": tensors["pool.down"],
        "router.w": w,
      },
    });
    const one = runMechanism(
      chain("C = 1, K = 2, shared = 0", { on: "double", tensors: { ...tensors, "router.0.w": w } }),
    );
    expect(one.picks).toEqual(plain.picks);
    one.out.flat().forEach((value, i) => expect(value).toBeCloseTo(plain.out.flat()[i]!, 12));
  });
  test("one gate for all iterations and every expert is the dense sum twice", () => {
    const mechanism = chain("C = 2, K = 4, shared = 0, shared_gate = true", { tensors });
    runMechanism(mechanism, formula({ C: 2, K: 4, shared: false, gates: ["gate.w", "gate.w"] }));
  });
  test("a token makes C times K calls of routed experts", () => {
    const { built } = buildText(`import std.chains { ChainOfExperts }
model M {
  modality text = tokens(vocab = 4)
  param table: [4, 3]
  x = ChainOfExperts(3, 8, H = 2, C = 3, K = 2)(table[text])
  logits = x @ transpose(table)
}`);
    expect(sum(built.routers.map(({ width }) => width))).toBe(6);
  });
});

describe("null experts (AdaMoE)", () => {
  /** Three true experts and two nulls; expert i multiplies by its gain. */
  const mechanism = (k: number, more: Partial<Mechanism> = {}): Mechanism => ({
    text: `import std.routers { NullAware }
expert Scale(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}
moe Nulls(D)(x: [D]) -> [D] {
  routed Scale(D) * 3
  null zero * 2
  router NullAware { k = ${k}, balance = 0.3 }
}`,
    apply: "Nulls(3)(x)",
    width: 3,
    length: 5,
    ...more,
  });
  const parts = ({ x, matrix }: Given, k: number) => {
    const p = x.map((row) => softmax(times(row, matrix("router.w", 5))));
    const picks = p.map((row) => largest(row, k));
    const weights = picks.map((row, t) => {
      const total = sum(row.filter((e) => e < 3).map((e) => p[t]![e]!));
      return row.map((e) => (e < 3 ? p[t]![e]! / total : 0));
    });
    return { p, picks, weights };
  };
  const formula =
    (k: number) =>
    (given: Given): Wanted => {
      const { p, picks, weights } = parts(given, k);
      const f = counts(picks, 5).map((count) => count / given.x.length);
      const pooled = f.map((value, e) => (e < 3 ? value : (f[3]! + f[4]!) / 2));
      return {
        out: given.x.map((row, t) =>
          row.map((value, d) =>
            sum(
              picks[t]!.map((e, i) =>
                e < 3 ? weights[t]![i]! * value * given.matrix("gain", 3)[e]![d]! : 0,
              ),
            ),
          ),
        ),
        losses: { balance: 0.3 * 5 * dot(pooled, columnMeans(p)) },
      };
    };
  test.each([1, 2, 3])("%d of three true and two null experts", (k) => {
    const { out } = runMechanism(mechanism(k, { on: k === 2 ? "gpu" : "wasm" }), formula(k));
    // With one pick some tokens take a null expert, and get nothing.
    expect(out.some((row) => row.every((value) => value === 0))).toBe(k === 1);
  });
  test("weights sum to 1 where a true expert was chosen, else to 0; only true experts run", () => {
    const ones = { x: Array.from({ length: 10 }, () => [1, 1, 1]) };
    const text = mechanism(2).text.replace("x * gain", "1 + 0 * gain * x");
    const x = Array.from({ length: 10 }, (_, t) => [...signedNumbers(70 + t, 3)].map((value) => 2 * value));
    const { out, picks } = runMechanism({ ...mechanism(2), text, on: "double", tensors: { ...ones, x } });
    const active = picks.map((row) => row.filter((e) => e >= 0 && e < 3).length);
    expect(new Set(active).size).toBeGreaterThan(1);
    out.forEach((row, t) => expect(row[0]).toBeCloseTo(active[t]! > 0 ? 1 : 0, 9));
  });
  test("who is not chosen does not run: not even numbers that are none come through", () => {
    // Everybody likes experts 1 and 4, a true one and a null one, best.
    const w = [0, 1, 2].map((d) => [0, 4, 0, 0, 3].map((value) => (d === 0 ? value : 0)));
    const x = Array.from({ length: 10 }, (_, t) => [1, ...signedNumbers(80 + t, 2)]);
    const gain = [
      [NaN, NaN, NaN],
      [1, 2, 3],
      [NaN, NaN, NaN],
    ];
    const { out, load } = runMechanism({ ...mechanism(2), tensors: { x, gain, "router.w": w } });
    expect(load).toEqual([0, 10, 0, 0, 10]);
    out.forEach((row, t) => row.forEach((value, d) => expect(value).toBeCloseTo((d + 1) * x[t]![d]!, 6)));
  });
  test("the task gives the columns of null experts no gradient", () => {
    const text = mechanism(3).text.replace("balance = 0.3", "balance = 0");
    const { gradients, picks } = runMechanism({ ...mechanism(3), text, on: "double" });
    expect(picks.flat()).toContain(3);
    const gradient = rowsOf(gradients["nulls.router.w"]!, 5);
    expect(Math.max(...gradient.map((row) => Math.abs(row[0]!)))).toBeGreaterThan(1e-3);
    for (const row of gradient) for (const e of [3, 4]) expect(row[e]).toBeCloseTo(0, 12);
  });
  test("satisfied, the true experts get k n / (n + m) of the picks", () => {
    // Each of ten tokens likes another pair of five experts: the load is even.
    const pairs = [0, 1, 2, 3, 4].flatMap((a) => [0, 1, 2, 3, 4].filter((b) => b > a).map((b) => [a, b]));
    const x = pairs.map((pair) => [0, 1, 2, 3, 4].map((e) => (pair.includes(e) ? 3 : 0)));
    const identity = x[0]!.map((_, i) => x[0]!.map((__, j) => (i === j ? 1 : 0)));
    const { picks, losses } = runMechanism({
      ...mechanism(2),
      apply: "Nulls(5)(x)",
      width: 5,
      on: "double",
      tensors: { x, "router.w": identity },
    });
    const active = mean(picks.map((row) => row.filter((e) => e < 3).length));
    expect(active).toBeCloseTo((2 * 3) / 5, 9);
    expect(losses["balance"]).toBeCloseTo(0.3 * 2, 9);
  });

  test("low-rank experts beside a projection", () => {
    const apply = "AdaptedProjection(3, 4, N = 3, nulls = 2, k = 2, R = 2, balance = 0.3)(x)";
    const text = "import std.layers { AdaptedProjection }";
    runMechanism({ text, apply, width: 3, out: 4, length: 5 }, (given) => {
      const { p, picks, weights } = parts(given, 2);
      const f = counts(picks, 5).map((count) => count / given.x.length);
      const pooled = f.map((value, e) => (e < 3 ? value : (f[3]! + f[4]!) / 2));
      const down = (e: number): Rows => rowsOf(given.tensor("down").slice(6 * e, 6 * e + 6), 2);
      const up = (e: number): Rows => rowsOf(given.tensor("up").slice(8 * e, 8 * e + 8), 4);
      return {
        out: given.x.map((row, t) =>
          plus(
            times(row, given.matrix("base", 4)),
            ...picks[t]!.flatMap((e, i) =>
              e < 3 ? [scaled(times(times(row, down(e)), up(e)), weights[t]![i]!)] : [],
            ),
          ),
        ),
        losses: { balance: 0.3 * 5 * dot(pooled, columnMeans(p)) },
      };
    });
  });
});

describe("fine-grained and shared experts", () => {
  test.each([0, 0.5])("two of three experts in two pieces, one shared; balance of devices %d", (alpha2) => {
    // 3 * 2 - 1 = 5 routed pieces of width 2, 2 * 2 - 1 = 3 for a token.
    const options = `N = 3, K = 2, m = 2, groups = 5, alpha2 = ${alpha2}`;
    runMechanism(
      {
        text: "import std.layers { FineGrained }",
        apply: `FineGrained(3, 4) { ${options} }(x)`,
        width: 3,
        on: alpha2 > 0 ? "gpu" : "wasm",
      },
      (given) => {
        const s = given.x.map((row) => softmax(times(row, given.matrix("router.w", 5))));
        const picks = s.map((row) => largest(row, 3));
        const balance = balanceOf(picks, s);
        return {
          out: given.x.map((row, t) =>
            plus(
              gated(given, "shared", 0, 3, 2)(row),
              ...picks[t]!.map((e) => scaled(gated(given, "routed", e, 3, 2)(row), s[t]![e]!)),
            ),
          ),
          // A device for each piece: both balances are one.
          losses: {
            expert_balance: 0.01 * balance,
            ...(alpha2 > 0 ? { device_balance: alpha2 * balance } : {}),
          },
        };
      },
    );
  });
  test("pieces have as many parameters as the experts had, and a token meets as many", () => {
    const count = (text: string): number =>
      sum(
        buildText(`import std.experts { SwiGLU }
import std.layers { FineGrained }
import std.routers { TopK }
${text}
model M {
  modality text = tokens(vocab = 4)
  param table: [4, 4]
  logits = Layer(4)(table[text]) @ transpose(table)
}`)
          .built.tensors.filter(({ name }) => /(gate|up|down)$/.test(name))
          .map(({ shape }) => shape.reduce((a, b) => a * b, 1)),
      );
    const whole = "moe Layer(D)(x: [D]) -> [D] {\n  routed SwiGLU(D, 8) * 6\n  router TopK\n}";
    const cut = "layer Layer(D)(x: [D]) -> [D] {\n  FineGrained(D, 8, N = 6, m = 4, Ks = 2)(x)\n}";
    expect(count(cut)).toBe(count(whole));
  });
});

describe("prediction of several tokens (MTP)", () => {
  const text = `import std.prediction { MultiToken }
layer Mixing(D)(x: [T, D]) -> [T, D] {
  param m: [D, D]
  tanh(x @ m) + previous(x, 1)
}`;
  const mechanism = (options: string, more: Partial<Mechanism> = {}): Mechanism => ({
    text,
    // The ids of the tokens stand for the next ones; the table of tokens for embedding and head.
    apply: `MultiToken { Block = Mixing, ${options} }(x, inputs, transpose(inputs), text)`,
    width: 2,
    length: 4,
    ...more,
  });
  const formula =
    (depth: number, lambda: number, first: boolean) =>
    ({ x, batch, length, tensor, matrix }: Given): Wanted => {
      const rms = (row: readonly number[], gain: readonly number[]): number[] => {
        const size = Math.sqrt(mean(row.map((value) => value ** 2)) + 1e-6);
        return row.map((value, d) => (value / size) * gain[d]!);
      };
      let h = x;
      let later = 0;
      let norm = 0;
      const gain = (): readonly number[] => tensor(`rmsnorm.${norm++}.gain`);
      for (let k = 1; k <= depth; k++) {
        const [ofState, ofToken] = [gain(), gain()];
        // What stands k - 1 places behind the next token, in its own sequence; beyond the end there is nothing.
        const ahead = (i: number, by: number): number => ((i % length) + by < length ? i + by : -1);
        const input = h.map((row, i) => {
          const id = ahead(i, k - 1);
          const u = rms(row, ofState);
          const e = rms(id < 0 ? row.map(() => 0) : x[id]!, ofToken);
          return times(first ? [...e, ...u] : [...u, ...e], matrix(`project.${k - 1}`, 2));
        });
        h = input.map((row, i) => {
          const mixed = times(row, matrix(`block.${k - 1}.m`, 2)).map(Math.tanh);
          return i % length === 0 ? mixed : plus(mixed, input[i - 1]!);
        });
        const out = gain();
        const costs = h.flatMap((row, i) => {
          const target = ahead(i, k);
          if (target < 0) return [];
          const scores = x.map((token) => dot(token, rms(row, out)));
          return [logsumexp(scores) - scores[target]!];
        });
        expect(costs).toHaveLength(batch * (length - k));
        later += (lambda / depth) * mean(costs);
      }
      return { out: h, losses: { ahead: later } };
    };
  test("one token further, the state first", () => {
    runMechanism(mechanism("embedding_first = false", { on: "gpu" }), formula(1, 0.3, false));
  });
  test("two tokens further, the embedding first, late in the run", () => {
    runMechanism(mechanism("depth = 2, embedding_first = true", { step: 676 }), formula(2, 0.1, true));
  });
  test("it is gone at inference", () => {
    const tensors = (mode: "training" | "inference"): string[] => {
      const { built } = buildText(
        `${text}
model M {
  modality text = tokens(vocab = 5)
  param table: [5, 2]
  h = table[text]
  ahead = MultiToken { Block = Mixing }(h, table, transpose(table), text.next) in training
  logits = h @ transpose(table)
}`,
        { mode },
      );
      const read = nodesOf([...built.outputs, ...built.losses].map(({ node }) => node));
      return read.flatMap((node) => (node.op === "tensor" ? [node.name] : [])).sort();
    };
    expect(tensors("training")).toContain("multitoken.project.0");
    expect(tensors("inference")).toEqual(["table"]);
  });
});
