// Experts that choose by token and time, joint attention and modulated blocks, against plain loops; what must hold
// exactly of the choice.

import { describe, expect, test } from "vitest";
import { runMechanism, type Found, type Given, type Mechanism } from "../helpers/mechanism.ts";
import {
  added,
  columnOf,
  counts,
  dot,
  largest,
  logsumexp,
  mean,
  range,
  sigmoid,
  softmax,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";
import { gated, noiseRows, rms, silu } from "../helpers/plain-networks.ts";

const N = 4;

/** Each expert's best tokens of every sequence, and the weights of those that took a token. */
const choice = (s: Rows, length: number, room: number, scale: number): { picks: Rows; weight: Rows } => {
  const picks = s.map(() => new Array<number>(N).fill(-1));
  for (let start = 0; start < s.length; start += length)
    for (let e = 0; e < N; e++)
      for (const t of largest(columnOf(s.slice(start, start + length), e), room)) picks[start + t]![e] = e;
  const weight = picks.map((row, t) => {
    const total = sum(row.filter((e) => e >= 0).map((e) => s[t]![e]!)) + 1e-12;
    return row.map((e) => (e < 0 ? 0 : (scale * s[t]![e]!) / total));
  });
  return { picks, weight };
};

const head = `import std.diffusion {
  ConditionedChoice, ConditionedExperts, FlowTime, JointAttention, ModulatedBlock, Standardised, TimeEmbedding, TimeWaves
}`;
/** The time of a sequence is the mean of its tokens. */
const timed = (body: string): string => `${head}
layer Timed(D)(x: [T, D]) -> [T, D] {
  time = mean(x over T)
  ${body}
}`;

describe("experts choose by the time and by the token before modulation", () => {
  test.each([false, true])("weights, picks and loads; independent scores: %s", (independent) => {
    const statics = `N = 4, capacity_factor = 1.5, z_loss = 5e-7, independent = ${independent}`;
    const mechanism: Mechanism = {
      text: `${head}
layer Times(D)(x: [T, D]) -> [D] {
  mean(x over T)
}`,
      apply: `ConditionedChoice { ${statics} }(Times(x), x)`,
      width: 3,
      experts: N,
      length: 5,
      on: independent ? "wasm" : "gpu",
    };
    runMechanism(mechanism, ({ x, matrix, length }) => {
      const z = x.map((row, i) => {
        const start = i - (i % length);
        const time = row.map((_, d) => mean(columnOf(x.slice(start, start + length), d)));
        return times([...time, ...row], matrix("w", N));
      });
      const s = z.map((row) => (independent ? row.map(sigmoid) : softmax(row)));
      const { picks, weight } = choice(s, length, Math.ceil((1.5 * length) / N), 2.5);
      const zLoss = mean(z.map((row) => logsumexp(row) ** 2));
      return { out: weight, picks, load: counts(picks, N), losses: { z: 5e-7 * zLoss } };
    });
  });
  test("all experts see the modulated token, the router does not", () => {
    const mechanism: Mechanism = {
      text: timed("2 * ConditionedExperts(D, 2, N = 4)(3 * x, x, time)"),
      apply: "Timed(3)(x)",
      width: 3,
      length: 4,
    };
    runMechanism(mechanism, (given) => {
      const { x, length, matrix } = given;
      const s = x.map((row, i) => {
        const start = i - (i % length);
        const time = row.map((_, d) => mean(columnOf(x.slice(start, start + length), d)));
        return softmax(times([...time, ...row], matrix("router.w", N)));
      });
      const { weight } = choice(s, length, Math.ceil((2 * length) / N), 2.5);
      return {
        out: x.map((row, t) => {
          const m = row.map((value) => 3 * value);
          const y = gated(given, "shared", 2)(m);
          weight[t]!.forEach((share, e) => {
            if (share > 0) gated(given, "routed", 2, e)(m).forEach((value, d) => (y[d]! += share * value));
          });
          return y.map((value) => 2 * value);
        }),
      };
    });
  });
});

describe("what must hold of the choice", () => {
  const run = (more: Partial<Mechanism>): Found =>
    runMechanism({
      text: `${head}
layer Times(D)(x: [T, D]) -> [D] {
  mean(x over T)
}`,
      apply: "ConditionedChoice { N = 4 }(Times(x), x)",
      width: 3,
      experts: N,
      batch: 3,
      length: 6,
      on: "double",
      ...more,
    });
  test("every expert has exactly B C tokens", () => {
    for (const seed of [1, 2, 3]) expect(run({ seed }).load).toEqual([9, 9, 9, 9]);
  });
  test.each([
    [0.01, 1],
    [1, 2],
    [2.5, 4],
    [9, 6],
  ])("of six tokens an expert takes, at a factor of %d: %d", (factor, room) => {
    const apply = `ConditionedChoice { N = 4, capacity_factor = ${factor} }(Times(x), x)`;
    expect(run({ apply }).load).toEqual(new Array<number>(N).fill(3 * room));
  });
  test("the weights of a token that was taken sum to 2.5", () => {
    const { out, picks } = run({ apply: "ConditionedChoice { N = 4, capacity_factor = 1 }(Times(x), x)" });
    expect(picks.filter((row) => row.every((e) => e < 0)).length, "somebody was left out").toBeGreaterThan(0);
    out.forEach((row, t) => expect(sum(row)).toBeCloseTo(picks[t]!.some((e) => e >= 0) ? 2.5 : 0, 9));
  });
  test("the scale of the modulated token changes nobody's choice, unless the router is fed it", () => {
    const scaled = (input: string, scale: number): Rows =>
      run({
        text: `${head}
layer Times(D)(x: [T, D]) -> [D] {
  mean(x over T)
}
layer Modulated(D)(x: [T, D]) -> [T, D] {
  lift[d: D] = 1 + ${scale} * d
  x * lift
}`,
        apply: `ConditionedChoice { N = 4 }(Times(x), ${input})`,
        tensors: { x: noiseRows(3, 18, 3), w: noiseRows(4, 6, 4) },
      }).picks;
    expect(scaled("x", 9)).toEqual(scaled("x", 0));
    expect(scaled("Modulated(x)", 9)).not.toEqual(scaled("Modulated(x)", 0));
  });
  test("tokens in another order come out in that order", () => {
    const x = noiseRows(5, 6, 3);
    const order = [4, 0, 5, 2, 1, 3];
    const out = (rows: Rows): Rows =>
      runMechanism({
        text: timed("ConditionedExperts(D, 2, N = 4)(3 * x, x, 0 * time + 1)"),
        apply: "Timed(3)(x)",
        width: 3,
        batch: 1,
        length: 6,
        tensors: { x: rows },
        on: "double",
      }).out;
    const straight = out(x);
    const moved = out(order.map((t) => x[t]!));
    moved.forEach((row, i) =>
      row.forEach((value, d) => expect(value).toBeCloseTo(straight[order[i]!]![d]!, 12)),
    );
  });
  test("each picture chooses alone: another one in the batch changes nothing", () => {
    const [a, b, c] = [noiseRows(6, 6, 3), noiseRows(7, 6, 3), noiseRows(8, 6, 3)];
    const w = noiseRows(9, 6, 4);
    const picks = (x: Rows): Rows => run({ batch: 2, tensors: { x, w } }).picks.slice(0, 6);
    expect(picks([...a, ...b])).toEqual(picks([...a, ...c]));
  });
});

describe("times", () => {
  const perToken = (call: string): string => `${head}
layer Of()(x: [1]) -> [6] {
  ${call}
}`;
  const waves = (t: number): number[] => {
    const angles = [0, 1, 2].map((c) => (1000 * t) / 10000 ** (c / 3));
    return [...angles.map(Math.cos), ...angles.map(Math.sin)];
  };
  test("waves: cosines, then sines", () => {
    const tensors = { x: [0, 0.125, 0.25, 0.5, 0.75, 1] };
    const mechanism = { text: perToken("TimeWaves(6)(x[0])"), apply: "Of(x)", width: 1, out: 6, tensors };
    const { out } = runMechanism({ ...mechanism, on: "gpu", tolerance: 1e-4 });
    tensors.x.forEach((t, i) => waves(t).forEach((value, c) => expect(out[i]![c]).toBeCloseTo(value, 9)));
  });
  test("an embedding of them, four times as wide in between, of a fixed length", () => {
    const text = perToken("TimeEmbedding(6)(x[0] / 1000)");
    runMechanism({ text, apply: "Of(x)", width: 1, out: 6, on: "gpu" }, ({ x, matrix, tensor }) => ({
      out: x.map(([t]) => {
        const wide = added(times(waves(t! / 1000), matrix("enter", 24)), tensor("enter_bias")).map(silu);
        return rms(added(times(wide, matrix("leave", 6)), tensor("leave_bias")), tensor("gain"));
      }),
    }));
  });
  test("a time is a shifted sigmoid of a normal number, or uniform", () => {
    const text = `${head}
layer Of()(x: [1]) -> [1] {
  t = FlowTime(even = 0.4, shift = 3)(x[0])
  x + t
}`;
    const mechanism: Mechanism = { text, apply: "Of(x)", width: 1, length: 8, on: "gpu" };
    let even = 0;
    runMechanism(mechanism, ({ x, draws }) => ({
      out: x.map(([value], i) => {
        const [u, v, which, flat] = draws.map((each) => each[i]!);
        const normal = Math.sqrt(-2 * Math.log(Math.max(u!, 2 ** -25))) * Math.cos(2 * Math.PI * v!);
        const drawn = sigmoid(normal);
        if (which! < 0.4) even++;
        return [value! + (which! < 0.4 ? flat! : (3 * drawn) / (1 + 2 * drawn))];
      }),
    }));
    expect(even, "one of both").toBeGreaterThan(0);
  });
});

const norm = (row: readonly number[]): number[] => {
  const centred = row.map((value) => value - mean(row));
  const length = Math.sqrt(mean(centred.map((value) => value * value)) + 1e-6);
  return centred.map((value) => value / length);
};
/** Pairs of a head of sixteen numbers: one turns by the time, three by the row, four by the column, from the fastest on in each axis. */
const placed = (head: readonly number[], place: readonly [number, number, number]): number[] => {
  const angles = [1, 3, 4].flatMap((pairs, axis) =>
    range(pairs).map((c) => place[axis]! / 10000 ** (c / pairs)),
  );
  const [real, imaginary] = [head.slice(0, 8), head.slice(8)];
  return [
    ...angles.map((angle, c) => real[c]! * Math.cos(angle) - imaginary[c]! * Math.sin(angle)),
    ...angles.map((angle, c) => imaginary[c]! * Math.cos(angle) + real[c]! * Math.sin(angle)),
  ];
};

describe("pictures look at themselves and at a text", () => {
  const [D, C] = [4, 16];
  const [text, side] = [2, 2];
  /** The text of a sequence is its first two tokens, its patches stand two in a row, counted from the middle. */
  const around = (call: string): string => `${head}
layer Around(D)(x: [T, D]) -> [T, D] {
  first[s: 2] = int(s)
  words = x[first]
  row[t: T] = floor(t / 2) - 1
  column[t: T] = mod(t, 2) - 1
  time = mean(x over T)
  ${call}
}`;
  const attention = (given: Given, rows: Rows, words: Rows): Rows => {
    const { matrix, tensor } = given;
    const gain = (name: string): readonly number[] => tensor(`${name}.gain`);
    const patch = (head: readonly number[], t: number): number[] =>
      placed(head, [0, Math.floor(t / side) - 1, (t % side) - 1]);
    const q = rows.map((row, t) =>
      [0, 1].map((h) =>
        patch(rms(times(row, matrix("query", 2 * C)).slice(C * h, C * h + C), gain("query_norm")), t),
      ),
    );
    const told = words.map((word) => added(times(word, matrix("text_enter", D)), tensor("text_bias")));
    // The last row and column are 0, so that the text begins at 1.
    const k = [
      ...rows.map((row, t) => patch(rms(times(row, matrix("key", C)), gain("key_norm")), t)),
      ...told.map((word, s) =>
        placed(rms(times(word, matrix("text_key", C)), gain("text_norm")), [1 + s, 1 + s, 1 + s]),
      ),
    ];
    const v = [
      ...rows.map((row) => times(row, matrix("value", C))),
      ...told.map((word) => times(word, matrix("text_value", C))),
    ];
    return q.map((asked) => {
      const mixed = asked.flatMap((one) => {
        const share = softmax(k.map((key) => dot(one, key) / 4));
        return one.map((_, c) => dot(share, columnOf(v, c)));
      });
      return times(mixed, matrix("jointattention.out", D));
    });
  };
  const each = (given: Given, of: (rows: Rows, words: Rows) => Rows): { readonly out: Rows } => ({
    out: Array.from({ length: given.batch }, (_, b) =>
      given.x.slice(b * given.length, (b + 1) * given.length),
    ).flatMap((rows) => of(rows, rows.slice(0, text))),
  });
  test("joint attention", () => {
    const mechanism: Mechanism = {
      text: around("JointAttention(D, heads = 2, groups = 1, C = 16)(x, words, row, column)"),
      apply: "Around(4)(x)",
      width: D,
      length: 4,
      on: "gpu",
      tolerance: 1e-5,
    };
    runMechanism(mechanism, (given) => each(given, (rows, words) => attention(given, rows, words)));
  });
});

test("a block is scaled before and gated behind, and its router reads what was not scaled", () => {
  // One expert that takes every token, so that the router's part is a factor of 2.5.
  const text = `${head}
layer Plain(D, H, N)(m: [T, D], u: [T, D], time: [D]) -> [T, D] {
  m + 2 * u + time
}
layer Around(D)(x: [T, D]) -> [T, D] {
  row[t: T] = 0.0 * t
  time = mean(x over T)
  ModulatedBlock(D, D, N = 1, heads = 1, groups = 1, Experts = Plain)(x, time, 0 * x, row, row)
}`;
  const mechanism: Mechanism = {
    text,
    apply: "Around(4)(x)",
    width: 4,
    batch: 1,
    length: 2,
    tolerance: 1e-5,
  };
  runMechanism(mechanism, ({ x, matrix, tensor }) => {
    const time = x[0]!.map((_, d) => mean(columnOf(x, d)));
    const part = times(time.map(silu), matrix("modulate", 16)).map(
      (value, i) => value + tensor("modulate_bias")[i]!,
    );
    const of = (i: number): number[] => part.slice(4 * i, 4 * i + 4);
    const gate = (i: number): number[] => of(i).map((value) => Math.tanh(Math.max(-2, Math.min(2, value))));
    const a = x.map((row) => norm(row).map((value, d) => value * (1 + of(0)[d]!)));
    const q = a.map((row) => rms(times(row, matrix("query", 4)), tensor("query_norm.gain")));
    const k = a.map((row) => rms(times(row, matrix("key", 4)), tensor("key_norm.gain")));
    // The text is all zeros: its tokens are the bias alone, at places 1 and 2, by which both pairs of the head turn.
    const word = tensor("text_bias");
    const said = rms(times(word, matrix("text_key", 4)), tensor("text_norm.gain"));
    const told = [1, 2].map((at) =>
      [0, 1, 2, 3].map(
        (c) => said[c]! * Math.cos(at) + (c < 2 ? -said[c + 2]! : said[c - 2]!) * Math.sin(at),
      ),
    );
    const keys = [...k, ...told];
    const values = [
      ...a.map((row) => times(row, matrix("value", 4))),
      ...told.map(() => times(word, matrix("text_value", 4))),
    ];
    return {
      out: x.map((row, t) => {
        const share = softmax(keys.map((key) => dot(q[t]!, key) / 2));
        const mixed = times(
          row.map((_, c) => dot(share, columnOf(values, c))),
          matrix("jointattention.out", 4),
        );
        const h = row.map((value, d) => value + gate(1)[d]! * mixed[d]!);
        const u = norm(h);
        return h.map((value, d) => value + gate(3)[d]! * (u[d]! * (1 + of(2)[d]!) + 2 * u[d]! + time[d]!));
      }),
    };
  });
});
