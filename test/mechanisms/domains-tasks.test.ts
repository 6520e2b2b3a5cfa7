// Layers for tables with several tasks: many gates over one set of experts, gates with allowed sets, levels of them, groups of tasks, experts
// that are normalised over the batch. Against plain loops over the papers' formulas; what must hold exactly, and known answers.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { buildText } from "../helpers/elaborate.ts";
import { runMechanism, type Formula, type Mechanism } from "../helpers/mechanism.ts";
import { added, columnOf, mean, range, sigmoid, softmax, weighted, type Rows } from "../helpers/plain.ts";
import {
  part,
  type Experts,
  linear,
  neurons,
  swish,
  batchNorm,
  normed,
  featureGate,
  viewed,
  logitsOf,
  customGates,
  gateInput,
  joined,
} from "../helpers/task-formulas.ts";

/** A layer of std.tasks, its result as one row for each token. */
const flat = (names: string, apply: string, out: number, more: Partial<Mechanism> = {}): Mechanism => ({
  text: `import std.tasks { ${names} }
layer Flat(x: [3]) -> [${out}] {
  group[t: 4] = int(t / 2)
  said = ${apply}
  said as [${out}]
}`,
  apply: "Flat(x)",
  width: 3,
  out,
  length: 2,
  ...more,
});

describe("many gates over one set of experts", () => {
  const formula =
    (tasks: number, N: number, hidden: number, experts: Experts, pool = "pool"): Formula =>
    (given) => {
      const said = range(N).map((n) => experts(given, pool, n, given.x, hidden));
      return {
        out: given.x.map((row, token) =>
          range(tasks).flatMap((t) =>
            weighted(
              softmax(logitsOf(given, "multigate.gate", tasks, N, t, row)),
              said.map((rows) => rows[token]!),
            ),
          ),
        ),
      };
    };
  test("softmax gates, dense experts (MMoE)", () => {
    runMechanism(
      flat("MultiGate", "MultiGate(3, 4, 2, N = 3)(x)", 8, { on: "gpu" }),
      formula(2, 3, 4, neurons),
    );
  });
  test("gates that are small networks", () => {
    runMechanism(flat("MultiGate", "MultiGate(3, 4, 2, N = 3, gate_width = 5)(x)", 8), (given) => {
      const said = range(3).map((n) => neurons(given, "pool", n, given.x, 4));
      const share = (t: number, row: readonly number[]): number[] =>
        softmax(logitsOf(given, "multigate.gate", 2, 3, t, gateInput(given, "gateinput", 2, 5, t, row)));
      const rowsAt = (token: number): Rows => said.map((rows) => rows[token]!);
      return { out: given.x.map((row, at) => [0, 1].flatMap((t) => weighted(share(t, row), rowsAt(at)))) };
    });
  });
  test.each([
    ["MultiGate(3, 4, 2)(x)", [8, 8]],
    // Those of the levels below, too.
    ["ProgressiveExtraction(3, 4, 2)(x)", [3, 3, 3, 3, 3]],
    ["GroupedTasks(3, 4, 3)(x, groups)", [3, 3, 3, 3, 3, 3]],
  ])("%s has a gate in the report for each task", (apply, wanted) => {
    const { built } = buildText(`import std.tasks { ${apply.split("(")[0]} }
model M {
  modality x = features(3)
  groups[t: 3] = int(t / 2)
  logits = ${apply}
}`);
    const gates = built.routers.filter(({ name }) => name.includes("strongest"));
    expect(gates.map(({ experts }) => experts)).toEqual(wanted);
  });
  test("experts normalised over the batch, each by itself; statistics are kept", () => {
    const apply = "MultiGate(3, 4, 2, N = 3, Ffn = NormedSwish)(x)";
    runMechanism(flat("MultiGate, NormedSwish", apply, 8, { length: 4, on: "gpu" }), (given) => {
      const z = range(3).map((n) => linear(given, "pool", n, given.x, 4));
      const variance = (n: number, h: number): number => {
        const column = columnOf(z[n]!, h);
        return column.reduce((total, value) => total + (value - mean(column)) ** 2, 0) / (column.length - 1);
      };
      const after = (name: string, now: (n: number, h: number) => number): number[] =>
        given.tensor(name).map((old, i) => 0.9 * old + 0.1 * now(Math.floor(i / 4), i % 4));
      return {
        ...formula(2, 3, 4, normed(true))(given),
        states: {
          running_mean: after("running_mean", (n, h) => mean(columnOf(z[n]!, h))),
          running_variance: after("running_variance", variance),
        },
      };
    });
  });
  test("experts normalised each over its own numbers, the other reading", () => {
    const text = flat("MultiGate, NormedSwish", "", 8).text.replace(
      "said = ",
      "said = MultiGate(3, 4, 2, N = 3, Ffn = NormedSwish { Norm = LayerNorm })(x)",
    );
    const mechanism = { ...flat("", "", 8), text: `import std.norms { LayerNorm }\n${text}` };
    const layerNormed: Experts = (given, path, n, rows, hidden) =>
      swish(
        linear(given, path, n, rows, hidden).map((row) => {
          const at = (name: string): readonly number[] =>
            part(given, `${path}.norm.${name}`, n, 1, hidden)[0]!;
          const centred = row.map((value) => value - mean(row));
          const spread = Math.sqrt(mean(centred.map((value) => value ** 2)) + 1e-5);
          return centred.map((value, h) => (value / spread) * at("gain")[h]! + at("bias")[h]!);
        }),
      );
    runMechanism(mechanism, formula(2, 3, 4, layerNormed));
  });
  test("experts normalised at inference by what was kept", () => {
    const apply = "MultiGate(3, 4, 2, N = 3, Ffn = NormedSwish)(x)";
    const running_variance = [...signedNumbers(7, 12)].map((value) => 1 + value ** 2);
    const mechanism = flat("MultiGate, NormedSwish", apply, 8, {
      mode: "inference",
      tensors: { running_variance },
    });
    runMechanism(mechanism, formula(2, 3, 4, normed(false)));
  });
  test("known answer: gates (1, 2, 0) over experts (1, 0), (0, 1), (1, 1)", () => {
    const text = `import std.tasks { MultiGate }
expert Fixed(D, H)(x: [D]) -> [H] {
  param value: [H]
  value * x[0]
}
layer Flat(x: [1]) -> [2] {
  MultiGate(1, 2, 1, N = 3, Ffn = Fixed)(x) as [2]
}`;
    const tensors = { x: [1], gate: [1, 2, 0], value: [1, 0, 0, 1, 1, 1] };
    const { out } = runMechanism({ text, apply: "Flat(x)", width: 1, out: 2, batch: 1, length: 1, tensors });
    expect(out[0]![0]).toBeCloseTo(0.334759, 5);
    expect(out[0]![1]).toBeCloseTo(0.755272, 5);
  });
  test("one task is a dense mixture", () => {
    const tensors = {
      x: [...signedNumbers(1, 12)],
      w: [...signedNumbers(2, 27)],
      bias: [...signedNumbers(3, 9)],
    };
    const gate = [...signedNumbers(4, 9)];
    const many = runMechanism(
      flat("MultiGate", "MultiGate(3, 3, 1, N = 3)(x)", 3, { tensors: { ...tensors, gate } }),
    );
    const dense = runMechanism({
      text: `import std.tasks { Neurons }
import std.routers { Dense }
layer Mixture(D)(x: [D]) -> [D] {
  pool = Neurons(D, D) * 3
  pool(x) by Dense
}`,
      apply: "Mixture(x)",
      width: 3,
      length: 2,
      tensors: { x: tensors.x, "pool.w": tensors.w, "pool.bias": tensors.bias, "router.w": gate },
    });
    many.out.flat().forEach((value, i) => expect(value).toBeCloseTo(dense.out.flat()[i]!, 12));
  });
});

describe("normalised experts", () => {
  test("known answer of the normalisation, its Swish and its statistics", () => {
    const text = `import std.norms { BatchNorm }
layer Swished(D)(x: [D]) -> [D] {
  z = BatchNorm(x)
  z * sigmoid(z)
}`;
    const z = [
      [1, 2],
      [3, 6],
      [5, 4],
    ];
    const tensors = { x: z, gain: [1, 1], bias: [0, 0], running_mean: [0, 0], running_variance: [1, 1] };
    const mechanism = { text, apply: "Swished(x)", width: 2, batch: 3, length: 1, tensors };
    const { out } = runMechanism(mechanism, (given) => ({
      out: swish(batchNorm(given, "batchnorm", 0, given.x, true)),
      states: { running_mean: [0.3, 0.4], running_variance: [1.3, 1.3] },
    }));
    const wanted = [-0.278143, -0.278143, 0, 0.9466, 0.9466, 0];
    out.flat().forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 5));
  });
  test("a batch of one gives zeros", () => {
    const text = "import std.norms { BatchNorm }";
    const tensors = { bias: [0, 0, 0] };
    const mechanism = { text, apply: "BatchNorm(x)", width: 3, batch: 1, length: 1, tensors };
    expect(runMechanism(mechanism).out[0]!.map(Math.abs)).toEqual([0, 0, 0]);
  });
});

describe("a gate over features", () => {
  test("a mixture of maps of low rank", () => {
    runMechanism(
      { text: "import std.tasks { FeatureGate }", apply: "FeatureGate(x)", width: 3, on: "gpu" },
      (given) => ({ out: given.x.map((row) => featureGate(given, "featuregate", 0, row)) }),
    );
  });
  test("starts as the identity", () => {
    const x = [...signedNumbers(1, 18)];
    const tensors = { x, A: new Array<number>(24).fill(0) };
    const { out } = runMechanism({
      text: "import std.tasks { FeatureGate }",
      apply: "FeatureGate(x)",
      width: 3,
      tensors,
    });
    out.flat().forEach((value, i) => expect(value).toBeCloseTo(x[i]!, 12));
  });
  test("multiplies by numbers between 0 and 2, whatever was learned", () => {
    const x = [...signedNumbers(1, 18)];
    const A = [...signedNumbers(2, 24)].map((value) => 9 * value);
    const tensors = { x, A, B: [...signedNumbers(3, 24)] };
    const text = "import std.tasks { FeatureGate }";
    const { out } = runMechanism({ text, apply: "FeatureGate(x)", width: 3, tensors, on: "double" });
    const factors = out.flat().map((value, i) => value / x[i]!);
    for (const factor of factors) expect(Math.abs(factor - 1)).toBeLessThan(1);
    expect(Math.max(...factors)).toBeGreaterThan(1.5);
    expect(Math.min(...factors)).toBeLessThan(0.5);
  });
});

describe("gates with allowed sets", () => {
  const settings = { tasks: 2, own: 2, common: 1, hidden: 4 };
  test("tasks' streams only (CGC)", () => {
    const text = flat("CustomGates", "CustomGates(3, 4, 2, own = 2)(stream)", 8).text.replace(
      "  said =",
      "  stream[t: 3, d] = x[d] * (1 + t)\n  said =",
    );
    const mechanism = { ...flat("CustomGates", "", 8, { on: "gpu" }), text };
    runMechanism(mechanism, (given) => {
      const streams = [1, 2, 3].map((scale) => given.x.map((row) => row.map((value) => scale * value)));
      return {
        out: joined(customGates(given, streams, { ...settings, path: "customgates", gates: 2 }, neurons)),
      };
    });
  });
  test.each([
    [1, 1, 0],
    [1, 2, 0],
    [2, 1, 0],
    [2, 1, 5],
  ])(
    "a second gate over the stream's own experts; %d own, %d common, gates %d wide",
    (own, common, width) => {
      const apply = `CustomGates(3, 4, 2, own = ${own}, common = ${common}, gates = 3, self = true, gate_width = ${width})(stream)`;
      const { text } = flat("CustomGates", apply, 12);
      const withStreams = text.replace("  said =", "  stream[t: 3, d] = x[d] * (1 + t)\n  said =");
      runMechanism({ ...flat("CustomGates", apply, 12), text: withStreams }, (given) => {
        const streams = [1, 2, 3].map((scale) => given.x.map((row) => row.map((value) => scale * value)));
        const sizes = { tasks: 2, own, common, hidden: 4, gates: 3, self: true, width };
        return { out: joined(customGates(given, streams, { ...sizes, path: "customgates" }, neurons)) };
      });
    },
  );

  const extraction = (levels: number, more: Partial<Mechanism> = {}): Mechanism =>
    flat("ProgressiveExtraction", `ProgressiveExtraction(3, 4, 2, levels = ${levels}, own = 2)(x)`, 8, more);
  test.each([1, 2, 3])("%d levels (PLE)", (levels) => {
    runMechanism(extraction(levels, { on: levels === 2 ? "gpu" : "wasm" }), (given) => {
      let streams: Rows[] = [given.x, given.x, given.x];
      for (const level of range(levels)) {
        const gates = level === levels - 1 ? 2 : 3;
        const path = `customgates.${level}`;
        streams = customGates(given, streams, { ...settings, path, gates }, neurons);
      }
      return { out: joined(streams) };
    });
  });
  test("a task never sees another task's experts: one level", () => {
    const run = (change: number): Rows => {
      // Experts 0 and 1 are of task 0, 2 and 3 of task 1, 4 is shared.
      const w = [...signedNumbers(5, 60)].map((value, i) => (i >= 24 && i < 48 ? change * value : value));
      const tensors = { x: [...signedNumbers(6, 12)], w, gate: [...signedNumbers(7, 30)] };
      return runMechanism(extraction(1, { tensors: { ...tensors, bias: new Array<number>(20).fill(1) } }))
        .out;
    };
    const [before, after] = [run(1), run(-3)];
    expect(after.map((row) => row.slice(0, 4))).toEqual(before.map((row) => row.slice(0, 4)));
    expect(after.map((row) => row.slice(4))).not.toEqual(before.map((row) => row.slice(4)));
  });
  test.each([1, 2])(
    "weights of what is open sum to 1: experts that all say 1 are heard as 1, levels: %d",
    (levels) => {
      const each = (name: string, level: number): string => `customgates.${level}.eachexpert.pool.${name}`;
      const same = range(levels).flatMap((level) => [
        [each("w", level), new Array<number>(level === 0 ? 60 : 80).fill(0)] as const,
        [each("bias", level), new Array<number>(20).fill(1)] as const,
      ]);
      const { out } = runMechanism(extraction(levels, { on: "double", tensors: Object.fromEntries(same) }));
      for (const value of out.flat()) expect(value).toBeCloseTo(1, 12);
    },
  );
});

describe("groups of tasks (HoME)", () => {
  const formula =
    (own: number, grouped: number, common: number, experts: Experts, width = 0): Formula =>
    (given) => {
      const [hidden, tasks, groups] = [1, 4, 2];
      const inner = (which: number, t: number, row: readonly number[]): readonly number[] =>
        width > 0 ? gateInput(given, `groupedtasks.gateinput.${which}`, tasks, width, t, row) : row;
      const first = {
        path: "groupedtasks.customgates",
        tasks: groups,
        own,
        common,
        gates: groups + 1,
        hidden,
      };
      const streams = range(groups + 1).map(() => given.x);
      const z = customGates(given, streams, { ...first, self: true, width }, experts);
      const u = range(groups).map((g) => z[g]!.map((row, token) => [...row, ...z[groups]![token]!]));
      /** Experts that work for several groups have one batch: the rows of each token for group 0, for group 1, then the next token's. */
      const ofAll = range(common).map((n) => {
        const rows = given.x.flatMap((_, token) => u.map((each) => each[token]!));
        return experts(given, "groupedtasks.eachexpert.0.pool", n, rows, hidden);
      });
      const ofGroup = range(groups * grouped).map((n) =>
        experts(given, "groupedtasks.eachexpert.1.pool", n, u[Math.floor(n / grouped)]!, hidden),
      );
      const ofTask = range(tasks * own).map((n) =>
        experts(given, "groupedtasks.eachexpert.2.pool", n, u[Math.floor(n / own / 2)]!, hidden),
      );
      const N = common + grouped + own;
      const said = range(tasks).map((t) =>
        given.x.map((_, token) => {
          const g = Math.floor(t / 2);
          const mine = range(own).map((i) => ofTask[t * own + i]![token]!);
          const values = [
            ...ofAll.map((rows) => rows[token * groups + g]!),
            ...range(grouped).map((i) => ofGroup[g * grouped + i]![token]!),
            ...mine,
          ];
          const shares = softmax(
            logitsOf(given, "groupedtasks.gate", tasks, N, t, inner(0, t, u[g]![token]!)),
          );
          const selves = logitsOf(given, "groupedtasks.self_gate", tasks, own, t, inner(1, t, u[g]![token]!));
          return added(
            weighted(shares, values),
            weighted(own > 1 ? softmax(selves) : selves.map(sigmoid), mine),
          );
        }),
      );
      return { out: joined(said) };
    };
  test("normalised experts with views of their own, one in each set", () => {
    const apply = "GroupedTasks(3, 1, 4)(x, group)";
    runMechanism(flat("GroupedTasks", apply, 4, { tolerance: 1e-3 }), formula(1, 1, 1, viewed));
  });
  test("several experts in each set", () => {
    const apply = "GroupedTasks(3, 1, 4, own = 2, grouped = 3, common = 2, Ffn = Neurons)(x, group)";
    runMechanism(flat("GroupedTasks, Neurons", apply, 4, { on: "gpu" }), formula(2, 3, 2, neurons));
  });
  test("gates that are small networks, each its own", () => {
    const apply = "GroupedTasks(3, 1, 4, Ffn = Neurons, gate_width = 3)(x, group)";
    runMechanism(flat("GroupedTasks, Neurons", apply, 4), formula(1, 1, 1, neurons, 3));
  });
  /** Biases so large that no neuron of the second level is silent. */
  const biases: Readonly<Record<string, readonly number[]>> = {
    "groupedtasks.customgates.eachexpert.pool.bias": [3, 3, 3],
    "groupedtasks.eachexpert.0.pool.bias": [30],
    "groupedtasks.eachexpert.1.pool.bias": [30, 30],
    "groupedtasks.eachexpert.2.pool.bias": [30, 30, 30, 30],
  };
  test.each([
    ["a task's own", "eachexpert.2", 1, [1]],
    ["a group's", "eachexpert.1", 1, [2, 3]],
    ["the common one", "eachexpert.0", 0, [0, 1, 2, 3]],
    // The other group hears of it by the stream that all share.
    ["a group's on the first level", "customgates.eachexpert", 0, [0, 1, 2, 3]],
  ])("which tasks see an expert: %s", (_, path, which, seen) => {
    const name = `groupedtasks.${path}.pool.bias`;
    const run = (more: number): Rows => {
      const moved = biases[name]!.map((bias, n) => (n === which ? bias + more : bias));
      const mechanism = flat("GroupedTasks, Neurons", "GroupedTasks(3, 1, 4, Ffn = Neurons)(x, group)", 4);
      return runMechanism({ ...mechanism, on: "double", tensors: { ...biases, [name]: moved } }).out;
    };
    const [before, after] = [run(0), run(2)];
    before.forEach((row, token) => {
      const changed = range(4).filter((t) => row[t] !== after[token]![t]);
      expect(changed).toEqual(seen);
    });
  });
});
