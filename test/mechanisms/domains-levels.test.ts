// Experts of tokens by task and experts of whole sequences, losses of discrete diffusion, against plain loops over their formulas; what must hold
// exactly, and known answers.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { runMechanism, type Given, type Mechanism } from "../helpers/mechanism.ts";
import {
  added,
  columnMeans,
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

describe("experts of a task", () => {
  const N = 4;
  /** Choices, probabilities and the balance loss of six tokens of two tasks. */
  const route = ({ x, matrix }: Given, tasks: readonly number[]) => {
    const z = x.map((row) => times(row, matrix("router.1.w", N)));
    const mine = tasks.map((task) => [2 * task, 2 * task + 1]);
    const p = z.map((row, t) => {
      const shares = softmax(mine[t]!.map((e) => row[e]!));
      return range(N).map((e) => (mine[t]!.includes(e) ? shares[e % 2]! : 0));
    });
    const picks = p.map((row) => largest(row, 1));
    const balance = range(N).map((e) => {
      const tokens = range(x.length).filter((t) => tasks[t] === Math.floor(e / 2));
      if (tokens.length === 0) return 0;
      const f = tokens.filter((t) => picks[t]![0] === e).length / tokens.length;
      return (f * sum(tokens.map((t) => p[t]![e]!))) / tokens.length;
    });
    return { p, picks, balance: 0.02 * sum(balance) };
  };
  const layer = `import std.levels { ExpertsOfTask }
import std.experts { Relu }`;
  const formula = (taskOf: (t: number) => number) => (given: Given) => {
    const { x, tensor } = given;
    const tasks = x.map((_, t) => taskOf(t));
    const { p, picks, balance } = route(given, tasks);
    const network = (path: string, e: number, row: readonly number[]): number[] => {
      const part = (name: string, columns: number): Rows =>
        rowsOf(tensor(`${path}.${name}`).slice(6 * e, 6 * e + 6), columns);
      return times(
        times(row, part("up", 2)).map((value) => Math.max(0, value)),
        part("down", 3),
      );
    };
    return {
      out: x.map((row, t) => {
        const e = picks[t]![0]!;
        return added(
          network("always", tasks[t]!, row),
          network("pool", e, row).map((value) => p[t]![e]! * value),
        );
      }),
      losses: { balance },
    };
  };
  const run = (task: string): Mechanism => ({
    text: `${layer}
layer Tokens(D)(x: [D], id: int []) -> [D] {
  ExpertsOfTask(D, 2, N = 4, k = 1, lambda = 0.02, Ffn = Relu)(x, ${task})
}`,
    apply: "Tokens(x, text)",
    width: 3,
  });
  test("one for all tokens of the task, and the best of the task's others", () => {
    runMechanism(
      { ...run("int(id / 4)"), on: "gpu" },
      formula((t) => Math.floor(t / 4)),
    );
  });
  test("a task without tokens adds nothing", () => {
    runMechanism(
      run("0 * id"),
      formula(() => 0),
    );
  });
});

describe("experts of whole sequences", () => {
  const [M, E] = [2, 3];
  const text = "import std.levels { UnderstandingExperts, GenerationExperts }";
  const gate = (
    { x, matrix, length }: Given,
    b: number,
    ofLast = false,
  ): { readonly picks: number[]; readonly p: number[] } => {
    const tokens = x.slice(b * length, (b + 1) * length);
    const p = softmax(times(ofLast ? tokens.at(-1)! : columnMeans(tokens), matrix("router.w", 4)));
    return { picks: largest(p, 2), p };
  };
  const understanding = (settings: string): string => `layer Seen(x: [T, 4]) -> [T, 4] {
  param features: [2, ${M}, ${E}] = normal(1)
  UnderstandingExperts(4, ${M}, ${E}${settings})(x, features)
}`;
  const view = ({ tensor }: Given, set: number, tokens: Rows): Rows => {
    const at = (name: string, columns: number): Rows => rowsOf(tensor(`pool.${set}.${name}`), columns);
    const features = rowsOf(tensor("features").slice(set * M * E, (set + 1) * M * E), E);
    const [keys, values] = [at("key", 4), at("value", 4)].map((w) => features.map((row) => times(row, w)));
    const w = sigmoid(tensor(`pool.${set}.share`)[0]!);
    return tokens.map((row) => {
      const q = times(row, at("query", 4));
      const share = softmax(keys!.map((key) => dot(q, key) / 2));
      return weighted(share, values!).map((value, d) => w * row[d]! + (1 - w) * value);
    });
  };
  test.each([
    ["the mean token", "", false],
    ["the last one", ", of_last = true", true],
  ])("for understanding: features, features, copies; the router reads %s", (_, settings, ofLast) => {
    const of = `${text}\n${understanding(settings)}`;
    runMechanism({ text: of, apply: "Seen(x)", width: 4, on: ofLast ? "wasm" : "gpu" }, (given) => {
      const gates = range(given.batch).map((b) => gate(given, b, ofLast));
      return {
        out: gates.flatMap(({ picks, p }, b) => {
          const tokens = given.x.slice(b * given.length, (b + 1) * given.length);
          const experts = [view(given, 0, tokens), view(given, 1, tokens), tokens, tokens];
          return tokens.map((row, t) =>
            row.map((_, d) => sum(picks.map((e) => p[e]! * experts[e]![t]![d]!))),
          );
        }),
        losses: { balance: 0 },
      };
    });
  });
  test.each([
    [1, "", false],
    [2, "", false],
    [2, ", alone = true, of_last = true", true],
  ])("for generation: noise, nothing, copies; numbers %d%s", (seed, settings, other) => {
    const apply = `GenerationExperts(4, deviation = 0.5${settings})(x)`;
    const mechanism = { text, apply, width: 4, seed };
    runMechanism({ ...mechanism, on: seed === 1 ? "gpu" : "wasm" }, (given) => {
      const [u, v] = given.draws;
      const normal = u!.map(
        (value, i) => Math.sqrt(-2 * Math.log(Math.max(value, 2 ** -25))) * Math.cos(2 * Math.PI * v![i]!),
      );
      return {
        out: given.x.map((row, t) => {
          const { picks, p } = gate(given, Math.floor(t / given.length), other);
          const experts = [
            row.map((value, d) => (other ? 0 : value) + 0.5 * normal[4 * t + d]!),
            row.map(() => 0),
            row,
            row,
          ];
          return row.map((_, d) => sum(picks.map((e) => p[e]! * experts[e]![d]!)));
        }),
        losses: { balance: 0 },
      };
    });
  });
  /** A router that is sure of some slots: their scores are 40 times the first number of the mean token, which is 1. */
  const sure = (slots: readonly number[]): Rows =>
    runMechanism({
      text,
      apply: "GenerationExperts(4, k = 1)(x)",
      width: 4,
      mode: "inference",
      tensors: {
        x: range(6).flatMap((t) => [1, ...noise(t + 1, 3)]),
        "router.w": range(16).map((i) => (slots.includes(i) ? 40 : 0)),
      },
    }).out;
  const x = range(6).map((t) => [1, ...noise(t + 1, 3)]);
  test("a copy alone is the identity, nothing alone is 0, and noise is off at inference", () => {
    const expectRows = (actual: Rows, wanted: Rows): void =>
      actual.flat().forEach((value, i) => expect(value).toBeCloseTo(wanted.flat()[i]!, 12));
    expectRows(sure([2]), x);
    expectRows(
      sure([1]),
      x.map((row) => row.map(() => 0)),
    );
    expectRows(sure([0]), x);
  });
});

describe("both levels in one block", () => {
  const [N, M, E] = [4, 2, 3];
  const text = `import std.experts { Relu }
import std.levels { TwoLevels }
layer Mean(D, heads)(x: [T, D]) -> [T, D] {
  y[t: T, d] = mean(x over T)[d]
}
layer Both(x: [T, 4], id: int [T]) -> [T, 4] {
  param features: [2, ${M}, ${E}] = normal(1)
  TwoLevels(4, 2, ${M}, ${E}, N = ${N}, k = 1, lambda = 0.02, Ffn = Relu, Mix = Mean)(x, features, int(id[0] / 3))
}`;
  test("attention, experts of tokens, experts of the sequence: one sequence of each task", () => {
    runMechanism({ text, apply: "Both(x, text)", width: 4, on: "gpu", tolerance: 1e-5 }, (given) => {
      const { x, matrix, tensor, draws, length } = given;
      const norm = (row: readonly number[], i: number): number[] => {
        const centred = row.map((value) => value - mean(row));
        const size = Math.sqrt(mean(centred.map((value) => value * value)) + 1e-5);
        return centred.map(
          (value, d) =>
            (value / size) * tensor(`layernorm.${i}.gain`)[d]! + tensor(`layernorm.${i}.bias`)[d]!,
        );
      };
      const taskOf = (t: number): number => Math.floor(t / length);
      const sequence = (rows: Rows, b: number): Rows => rows.slice(b * length, (b + 1) * length);
      const means = range(given.batch).map((b) => columnMeans(sequence(x, b).map((row) => norm(row, 0))));
      const heard = x.map((row, t) => added(row, means[taskOf(t)]!));

      const u = heard.map((row) => norm(row, 1));
      const network = (path: string, e: number, row: readonly number[]): number[] => {
        const part = (name: string, columns: number): Rows =>
          rowsOf(tensor(`${path}.${name}`).slice(8 * e, 8 * e + 8), columns);
        return times(
          times(row, part("up", 2)).map((value) => Math.max(0, value)),
          part("down", 4),
        );
      };
      const routed = u.map((row, t) => {
        const own = [2 * taskOf(t), 2 * taskOf(t) + 1];
        const z = times(row, matrix("router.1.w", N));
        const p = softmax(own.map((e) => z[e]!));
        return { own, p, e: largest(p, 1)[0]! };
      });
      const balance = range(N).map((e) => {
        const mine = routed.filter(({ own }) => own.includes(e));
        const f = mine.filter(({ own, e: slot }) => own[slot] === e).length / mine.length;
        return f * mean(mine.map(({ own, p }) => p[own.indexOf(e)]!));
      });
      const fed = heard.map((row, t) => {
        const { own, p, e } = routed[t]!;
        const answer = network("expertsoftask.pool", own[e]!, u[t]!).map((value) => p[e]! * value);
        return added(row, added(network("always", taskOf(t), u[t]!), answer));
      });

      const v = fed.map((row) => norm(row, 2));
      const features = (set: number): Rows =>
        rowsOf(tensor("features").slice(set * M * E, (set + 1) * M * E), E);
      const view = (set: number, row: readonly number[]): number[] => {
        const at = (name: string, columns: number): Rows => rowsOf(tensor(`pool.${set}.${name}`), columns);
        const share = softmax(
          features(set).map((each) => dot(times(row, at("query", 4)), times(each, at("key", 4))) / 2),
        );
        const w = sigmoid(tensor(`pool.${set}.share`)[0]!);
        const seen = weighted(
          share,
          features(set).map((each) => times(each, at("value", 4))),
        );
        return row.map((value, d) => w * value + (1 - w) * seen[d]!);
      };
      const noise = draws[0]!.map(
        (value, i) =>
          0.1 * Math.sqrt(-2 * Math.log(Math.max(value, 2 ** -25))) * Math.cos(2 * Math.PI * draws[1]![i]!),
      );
      const slots = [
        [0, 1, 3, 4],
        [2, 5, 6, 7],
      ];
      const out = range(given.batch).flatMap((b) => {
        const z = times(columnMeans(sequence(v, b)), matrix("sequenceexperts.router.w", 8));
        const p = softmax(slots[b]!.map((slot) => z[slot]!));
        return sequence(v, b).map((row, i) => {
          const t = b * length + i;
          const answers = largest(p, 2).map((at) => {
            const slot = slots[b]![at]!;
            const answer =
              slot < 2
                ? view(slot, row)
                : slot === 2
                  ? row.map((value, d) => value + noise[4 * t + d]!)
                  : row.map((value) => (slot === 7 ? 0 : value));
            return answer.map((value) => p[at]! * value);
          });
          return answers.reduce(added, fed[t]!);
        });
      });
      return { out, losses: { balance: 0.02 * sum(balance) } };
    });
  });
});

describe("losses of discrete diffusion", () => {
  const text = `import std.levels { MaskedRatio, ScoreEntropy }
layer Entropies(x: [6]) -> [1] {
  both = x as [2, 3]
  p = softmax(both[0])
  truth = if x[3] < 10 then one_hot(1, 3) else one_hot(2, 3)
  c = MaskedRatio(x[4])
  loss entropy = ScoreEntropy(c * p, c * truth)
  loss general = ScoreEntropy(exp(both[0]), exp(both[1]))
  c as [1]
}`;
  test("with gradients; of one masked position it is c times the cross entropy", () => {
    const x = range(12).map((i) => (i % 6 === 4 ? 0.3 + i / 20 : noise(i, 1)[0]!));
    const mechanism: Mechanism = {
      text,
      apply: "Entropies(x)",
      width: 6,
      out: 1,
      batch: 1,
      length: 2,
      tensors: { x },
    };
    runMechanism(mechanism, ({ x: rows }) => {
      const c = rows.map((row) => Math.exp(-row[4]!) / (1 - Math.exp(-row[4]!)));
      const general = rows.map((row) =>
        sum(range(3).map((i) => Math.exp(row[i]!) - Math.exp(row[3 + i]!) * (row[i]! - row[3 + i]! + 1))),
      );
      const entropy = rows.map((row, t) => -c[t]! * Math.log(softmax(row.slice(0, 3))[1]!));
      return {
        out: c.map((value) => [value]),
        losses: { entropy: sum(entropy) / 2, general: sum(general) / 2 },
      };
    });
  });
  test("known answer: c = .7, probabilities (.2, .5, .3), the second is true", () => {
    const known = `import std.levels { ScoreEntropy }
layer Entropy(x: [3]) -> [1] {
  loss entropy = ScoreEntropy(0.7 * x, 0.7 * one_hot(1, 3))
  sum(x) as [1]
}`;
    const mechanism = { text: known, apply: "Entropy(x)", width: 3, out: 1, batch: 1, length: 1 };
    const { losses } = runMechanism({ ...mechanism, tensors: { x: [0.2, 0.5, 0.3] } });
    expect(losses["entropy"]).toBeCloseTo(0.485203, 5);
  });
});
