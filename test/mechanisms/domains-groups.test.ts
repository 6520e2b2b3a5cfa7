// Experts that hear each other in groups, the correlation of a batch, mixtures of sources of text: against plain loops over the papers' formulas;
// what must hold exactly, and known answers.

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
  softmax,
  sum,
  times,
  weighted,
  type Rows,
} from "../helpers/plain.ts";

const noise = (seed: number, count: number): number[] => [...signedNumbers(seed, count)];

describe("group aggregation (MIGA)", () => {
  const [groups, members, N, V] = [2, 3, 6, 2];
  /** Self-attention of the answers of one group; its matrices are number n of several. */
  const hear = ({ tensor }: Given, path: string, n: number, said: Rows): Rows => {
    const part = (name: string): Rows => rowsOf(tensor(`${path}.${name}`).slice(4 * n, 4 * n + 4), V);
    const [q, k, v] = ["query", "key", "value"].map((name) => said.map((row) => times(row, part(name))));
    return q!.map((row) => {
      const share = softmax(k!.map((other) => dot(row, other) / Math.sqrt(V)));
      return times(weighted(share, v!), part("out"));
    });
  };
  const formula = (heard: (given: Given, group: number, said: Rows) => Rows) => (given: Given) => {
    const { x, matrix, tensor } = given;
    const z = x.map((row) => times(row, matrix("topk.w", N)));
    const picks = z.map((row) => largest(row, 2));
    const bias = rowsOf(tensor("groupaggregation.bias"), V);
    const out = x.map((row, t) => {
      const said = rowsOf(times(row, matrix("groupaggregation.expert", N * V)), V).map((answer, n) =>
        answer.map((value, v) => value + bias[n]![v]!),
      );
      const answers = range(groups).flatMap((g) =>
        heard(given, g, said.slice(g * members, (g + 1) * members)),
      );
      return weighted(
        softmax(picks[t]!.map((n) => z[t]![n]!)),
        picks[t]!.map((n) => answers[n]!),
      );
    });
    const p = z.map(softmax);
    const load = counts(picks, N).map((count) => count / x.length / 2);
    return { out, losses: { balance: 0.002 * N * dot(load, columnMeans(p)) } };
  };
  const run = (settings: string, more: Partial<Mechanism> = {}): Mechanism => ({
    text: "import std.groups { GroupAggregation }",
    apply: `GroupAggregation(3, 2, groups = 2, members = 3, k = 2${settings})(x)`,
    width: 3,
    out: 2,
    ...more,
  });
  test("one attention for all groups", () => {
    runMechanism(
      run("", { on: "gpu" }),
      formula((given, _, said) => hear(given, "hear", 0, said)),
    );
  });
  test("one for each group", () => {
    runMechanism(
      run(", attention_each = true"),
      formula((given, group, said) => hear(given, "each", group, said)),
    );
  });
  test("with a residual, what was said is added to what was heard", () => {
    runMechanism(
      run(", residual = true"),
      formula((given, _, said) => hear(given, "hear", 0, said).map((row, i) => added(row, said[i]!))),
    );
  });
  test("without attention it is a mixture of linear experts", () => {
    runMechanism(
      run(", aggregate = false"),
      formula((_, __, said) => said),
    );
  });
  test("experts of one group that say the same hear it, and experts of others do not matter to them", () => {
    const expert = range(3).flatMap((d) =>
      range(N).flatMap((n) => (n < 3 ? [d, 1 - d] : noise(d * 6 + n, 2))),
    );
    const tensors = {
      x: noise(1, 18),
      bias: new Array<number>(12).fill(0),
      expert,
      "topk.w": range(18).map((i) => (i % 6 < 2 ? 9 : 0)),
      "hear.value": [1, 0, 0, 1],
      "hear.out": [1, 0, 0, 1],
    };
    // The router's scores are 9 (x0 + x1 + x2) for experts 0 and 1 and 0 for the others.
    const { out } = runMechanism(run("", { tensors, on: "double" }));
    rowsOf(tensors.x, 3).forEach((x, t) => {
      if (sum(x) <= 0) return;
      expect(out[t]![0]).toBeCloseTo(x[1]! + 2 * x[2]!, 9);
      expect(out[t]![1]).toBeCloseTo(x[0]! - x[2]!, 9);
    });
  });
});

describe("correlation of a batch", () => {
  const text = `import std.groups { Correlation }
layer Day(D)(x: [D]) -> [1] {
  loss correlation = Correlation(x[0], x[1])
  x[0] as [1]
}`;
  const correlation = (a: readonly number[], b: readonly number[]): number => {
    const [u, v] = [a, b].map((each) => each.map((value) => value - mean(each)));
    return (
      mean(u!.map((value, i) => value * v![i]!)) /
      Math.sqrt(mean(u!.map((value) => value ** 2)) * mean(v!.map((value) => value ** 2)) + 1e-12)
    );
  };
  const mechanism: Mechanism = { text, apply: "Day(x)", width: 2, out: 1 };
  test("with gradients", () => {
    runMechanism({ ...mechanism, on: "gpu" }, ({ x }) => ({
      out: x.map((row) => [row[0]!]),
      losses: { correlation: correlation(columnOf(x, 0), columnOf(x, 1)) },
    }));
  });
  const of = (a: readonly number[], b: readonly number[]): number =>
    runMechanism({
      ...mechanism,
      batch: 1,
      length: a.length,
      on: "double",
      tensors: { x: a.map((value, i) => [value, b[i]!]) },
    }).losses["correlation"]!;
  const [predicted, came] = [
    [0.1, 0.4, 0.2, 0.3],
    [0, 0.5, 0.1, 0.2],
  ];
  test("known answer", () => {
    expect(of(predicted!, came!)).toBeCloseTo(0.956183, 5);
  });
  test("neither scale nor shift of the predictions matters, and equal predictions give 0", () => {
    const moved = predicted!.map((value) => 5 - 3 * value);
    expect(of(moved, came!)).toBeCloseTo(-of(predicted!, came!), 6);
    expect(of([2, 2, 2, 2], came!)).toBe(0);
  });
  test("equal predictions have a finite gradient", () => {
    const x = came!.map((value) => [2, value]);
    const { gradients } = runMechanism({ ...mechanism, batch: 1, length: 4, tensors: { x } });
    expect(gradients["inputs"]!.every(Number.isFinite)).toBe(true);
  });
});

describe("mixtures of sources of text (GAugLLM)", () => {
  const leaky = (x: number): number => Math.max(x, 0.01 * x);
  const [N, D, H] = [3, 4, 2];
  const split = (name: string, apply: string): string => `import std.prompts { ${name} }
layer Sources(x: [24]) -> [4] {
  both = x as [2, 3, 4]
  content = both[0]
  context = both[1]
  ${apply}
}`;
  type Scores = (content: Rows, context: Rows, given: Given) => number[];
  const hidden = (rows: Rows, { matrix, tensor }: Given): number[] =>
    rows.flatMap((row) =>
      times(row, matrix("W1", H)).map((value, h) => leaky(value + tensor("W1_bias")[h]!)),
    );
  const last = (h: readonly number[], { matrix, tensor }: Given): number[] =>
    times(h, matrix("W2", N)).map((value, i) => value + tensor("W2_bias")[i]!);
  const formula = (temperature: number, scores: Scores) => (given: Given) => ({
    out: given.x.map((row) => {
      const [content, context] = [rowsOf(row.slice(0, 12), D), rowsOf(row.slice(12), D)];
      return weighted(softmax(scores(content, context, given).map((w) => w / temperature)), content);
    }),
  });
  const similarity: Scores = (content, context, given) =>
    last(hidden(content, given), given).map((w, i) => w + dot(content[i]!, context[i]!));
  const base = { apply: "Sources(x)", width: 24, out: 4, batch: 1, length: 2 };
  test("similarity of content and context; reports are told the strongest", () => {
    const text = split("PromptMixture", "PromptMixture(3, 4)(content, context)");
    const { picks } = runMechanism({ ...base, text, on: "gpu" }, (given) => {
      const most = given.x.map((row) =>
        largest(similarity(rowsOf(row.slice(0, 12), D), rowsOf(row.slice(12), D), given), 1),
      );
      return { ...formula(0.2, similarity)(given), picks: most };
    });
    expect(picks.length).toBe(2);
  });
  test.each([true, false])("no similarity; content and context together: %s", (pairs) => {
    const text = split(
      "PairMixture",
      `PairMixture(3, 4, temperature = 0.5, pairs = ${pairs})(content, context)`,
    );
    runMechanism(
      { ...base, text },
      formula(0.5, (content, context, given) => {
        const seen = pairs ? content.map((row, i) => [...row, ...context[i]!]) : content;
        return last(hidden(seen, given), given);
      }),
    );
  });
  test("known answer: scores (.1, .2, .3, 0) and products (.9, .1, -.2, .4) at temperature .2", () => {
    const text = `import std.prompts { PromptMixture }
layer Sources(x: [32]) -> [4] {
  both = x as [2, 4, 4]
  PromptMixture(4, 4)(both[0], both[1])
}`;
    const identity = range(4).flatMap((i) => range(4).map((j) => (i === j ? 1 : 0)));
    const products = [0.9, 0.1, -0.2, 0.4].flatMap((value) => new Array<number>(4).fill(value));
    const { out } = runMechanism({
      ...base,
      text,
      width: 32,
      length: 1,
      tensors: {
        x: [...identity, ...products],
        W2: new Array<number>(32).fill(0),
        W2_bias: [0.1, 0.2, 0.3, 0],
      },
    });
    [0.916512, 0.027676, 0.010182, 0.04563].forEach((share, i) => expect(out[0]![i]).toBeCloseTo(share, 5));
  });
  test.each(["PromptMixture(3, 4)", "PairMixture(3, 4)", "PairMixture(3, 4, pairs = false)"])(
    "equal contents come out as they are, whatever the gate: %s",
    (apply) => {
      const one = noise(1, 4);
      const { out } = runMechanism({
        ...base,
        text: split(apply.split("(")[0]!, `${apply}(content, context)`),
        length: 1,
        on: "double",
        tensors: { x: [...one, ...one, ...one, ...noise(2, 12)] },
      });
      out[0]!.forEach((value, d) => expect(value).toBeCloseTo(one[d]!, 12));
    },
  );
  test("nothing learned and equal products: every source counts the same", () => {
    const contents = noise(3, 12);
    const { out } = runMechanism({
      ...base,
      text: split("PromptMixture", "PromptMixture(3, 4)(content, context)"),
      length: 1,
      on: "double",
      tensors: {
        x: [...contents, ...new Array<number>(12).fill(0)],
        W2: new Array<number>(18).fill(0),
        W2_bias: [0, 0, 0],
      },
    });
    columnMeans(rowsOf(contents, 4)).forEach((value, d) => expect(out[0]![d]).toBeCloseTo(value, 12));
  });
  test("squared hinge of several labels", () => {
    const text = `import std.prompts { SquaredHinge }
layer Labels(x: [3]) -> [3] {
  loss hinge = SquaredHinge { margin = 0.5 }(x, if x > 0.2 then 1 else 0)
  x
}`;
    runMechanism({ text, apply: "Labels(x)", width: 3 }, ({ x }) => ({
      out: x,
      losses: {
        hinge: mean(x.flat().map((z) => Math.max(0, 0.5 - (z > 0.2 ? 1 : -1) * z) ** 2)),
      },
    }));
  });
});
