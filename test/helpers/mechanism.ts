// One router, layer or expert of a `.moe` text against a plain implementation of its formula: values, picks, loads, losses and gradients.
// In: the text, how it is applied to tokens `x`, numbers, and the formula as loops over rows of numbers. Out: failures, and what was computed.
// What is compared: the graph interpreter in double precision before and after simplification (tightly), wasm, and when asked the
// kernels of a GPU on the kernel interpreter. Gradients are compared with central differences of the plain formula, element by element.
// Noise is drawn once, by the compiled program; the formula gets the same numbers. Does not test what is drawn.

import { expect } from "vitest";
import { differentiate } from "../../compiler/differentiate.ts";
import { interpretGraph, type Environment } from "../../compiler/interpret-graph.ts";
import type { Graph, Node } from "../../compiler/graph.ts";
import { nodesOf } from "../../compiler/graph-walk.ts";
import { lowerGraph } from "../../compiler/lower.ts";
import { simplify } from "../../compiler/simplify.ts";
import { verifyGraph } from "../../compiler/verify-graph.ts";
import { doubleTolerance, expectAlike, f32Tolerance, signedNumbers } from "./differential.ts";
import { buildText } from "./elaborate.ts";
import { expectWithinLimits, smallGpu } from "./gpu.ts";
import { runEntry } from "./lowered.ts";
import type { Rows } from "./plain.ts";

export interface Mechanism {
  /** Imports and definitions. */
  readonly text: string;
  /** From tokens `x` (`[T, D]`) and their numbers `text` (`int [T]`): gates (then `experts` is given), or a tensor. */
  readonly apply: string;
  /** D, and the width of what comes out; the same when not given. */
  readonly width: number;
  readonly out?: number;
  /** Of a router: how many experts. What comes out is the weight of each, 0 where it was not chosen. */
  readonly experts?: number;
  readonly batch?: number;
  readonly length?: number;
  readonly mode?: "training" | "inference";
  /** Values of tensors, by the end of their names; `x` is the tokens. The others get noise. */
  readonly tensors?: Readonly<Record<string, readonly number[] | Rows>>;
  readonly seed?: number;
  /** Of a run of 1000 steps: which one. */
  readonly step?: number;
  /** Besides the graph interpreter: nothing, wasm (when not given), or wasm and the kernels of a GPU. */
  readonly on?: "double" | "wasm" | "gpu";
  /** Of f32 kernels, as a share of the largest number of a tensor; for formulas that magnify. */
  readonly tolerance?: number;
}

/** What the formula reads: f32 numbers, in double. */
export interface Given {
  /** The tokens of all sequences, one row each. */
  readonly x: Rows;
  readonly batch: number;
  readonly length: number;
  readonly tensor: (name: string) => readonly number[];
  /** A tensor as rows, by the size of its last axis. */
  readonly matrix: (name: string, columns: number) => Rows;
  /** Uniform numbers in the order in which the text draws them, flat. */
  readonly draws: readonly (readonly number[])[];
}
export interface Wanted {
  /** A row for each token. */
  readonly out: Rows;
  readonly losses?: Readonly<Record<string, number>>;
  /** Measured, and no part of the loss. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** The experts of each token in the order in which they were chosen, -1 for none. */
  readonly picks?: Rows;
  readonly load?: readonly number[];
  /** States after the step, by the end of their names. */
  readonly states?: Readonly<Record<string, readonly number[]>>;
}
export interface Found {
  readonly out: Rows;
  readonly losses: Readonly<Record<string, number>>;
  readonly picks: Rows;
  readonly load: readonly number[];
  /** After the step, by full names. */
  readonly states: Readonly<Record<string, readonly number[]>>;
  /** Of all losses together, by full names of parameters; `inputs` is the table of the tokens. */
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}
export type Formula = (given: Given) => Wanted;

const rowsOf = (flat: ArrayLike<number>, columns: number): number[][] =>
  Array.from({ length: flat.length / columns }, (_, i) =>
    Array.from(flat).slice(i * columns, (i + 1) * columns),
  );

/** Every token has a number of its own and its row in a table, so that the gradient of the tokens is that of a parameter. What comes
 * out is weighted by a table of noise, so that the loss tells its elements apart. */
function programOf({ text, apply, width, out = width, experts, batch = 2, length = 3 }: Mechanism): string {
  const count = batch * length;
  const dense =
    experts === undefined
      ? `y = ${apply}`
      : `g = ${apply}
  weight = g.weight
  place = one_hot(g.picks, ${experts})
  y[t, e] = sum(weight[t, k] * place[t, k, e] over k)`;
  return `${text}
model M {
  modality text = tokens(vocab = ${count})
  param inputs: [${count}, ${width}]
  state probe: [${count}, ${experts ?? out}] = 0
  x = inputs[text]
  ${dense}
  aim = probe[text]
  reward[t] = sum(y[t, e] * aim[t, e] over e)
  loss probed = reward
  logits = y
}`;
}

interface Prepared {
  readonly graph: Graph;
  readonly environment: Environment;
  readonly tensors: ReadonlyMap<string, Float64Array>;
  readonly trained: readonly string[];
}

function prepare(mechanism: Mechanism): Prepared {
  const { batch = 2, length = 3, mode = "training", tensors: given = {}, seed = 1, step = 0 } = mechanism;
  const { built, builder } = buildText(programOf(mechanism), { mode });
  const loss = built.losses.map(({ node }) => node).reduce((a, b) => builder.add(a, b));
  const parameters = built.tensors.filter(({ role }) => role === "parameter");
  const nodes = parameters.map(({ name, shape }) => builder.tensor(name, shape));
  const gradients = differentiate(builder, loss, nodes);
  const outputs = [
    ...built.outputs,
    ...built.metrics.map(({ name, node }) => ({ name: `loss.${name}`, node })),
    ...built.routers.slice(0, 1).flatMap(({ load, picks }) => [
      { name: "load", node: load },
      { name: "picks", node: picks },
    ]),
    ...built.updates.map(({ tensor, node }) => ({ name: `state.${tensor}`, node })),
    ...parameters.map(({ name }, i) => ({ name: `gradient.${name}`, node: gradients.get(nodes[i]!)! })),
  ];
  const random = nodesOf(outputs.map(({ node }) => node)).filter(
    (node): node is Extract<Node, { op: "random" }> => node.op === "random",
  );
  const draws = random.sort((a, b) => a.stream - b.stream).map((node, i) => ({ name: `draw.${i}`, node }));
  const left = new Map(Object.entries(given));
  const values = new Map(
    built.tensors.map(({ name, shape }, i) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const key = [...left.keys()].find((each) =>
        each === "x" ? name === "inputs" : name === each || name.endsWith(`.${each}`),
      );
      if (key === undefined) return [name, signedNumbers(seed * 977 + i, count)];
      const flat = left.get(key)!.flat();
      left.delete(key);
      if (flat.length !== count)
        throw new Error(`internal: ${name} has ${count} elements, ${flat.length} given`);
      return [name, Float64Array.from(flat, Math.fround)];
    }),
  );
  if (left.size > 0)
    throw new Error(
      `internal: no tensor ${[...left.keys()].join(", ")} among ${[...values.keys()].join(", ")}`,
    );
  const ids = Array.from({ length: batch * length }, (_, i) => i);
  const environment = {
    sizes: Object.fromEntries(built.sizes.map(({ name }) => [name, name === "B" ? batch : length])),
    inputs: new Map([
      ["text", ids],
      ["$step", [step]],
      ["$draw", [3]],
      ["$seed", [seed]],
    ]),
    tensors: values,
  };
  const graph: Graph = { name: "mechanism", outputs: [...outputs, ...draws], updates: [] };
  return { graph, environment, tensors: values, trained: parameters.map(({ name }) => name) };
}

/** Central differences of the formula's loss, for every element of a tensor. */
function differences(lossAt: () => number, values: Float64Array): number[] {
  const step = 1e-5;
  return Array.from(values, (at, i) => {
    values[i] = at + step;
    const above = lossAt();
    values[i] = at - step;
    const below = lossAt();
    values[i] = at;
    return (above - below) / (2 * step);
  });
}

/** Runs a mechanism everywhere; with a formula, compares it. */
export function runMechanism(mechanism: Mechanism, formula?: Formula): Found {
  const { width, out = width, experts, batch = 2, length = 3 } = mechanism;
  const { graph, environment, tensors, trained } = prepare(mechanism);
  verifyGraph(graph);
  const { outputs } = interpretGraph(graph, environment);
  const numbers = (name: string): readonly number[] => [...(outputs.get(name)?.data ?? [])];
  const simple = simplify(graph, { removeStops: true });
  verifyGraph(simple);
  for (const [name, { data }] of interpretGraph(simple, environment).outputs)
    expectAlike(data, numbers(name), `simplified ${name}`, doubleTolerance);
  const { on = "wasm", tolerance = f32Tolerance } = mechanism;
  const targets = { double: [], wasm: [undefined], gpu: [undefined, smallGpu] }[on];
  for (const target of targets) {
    const entry = lowerGraph(simple, target === undefined ? {} : { target });
    if (target !== undefined) expectWithinLimits(entry);
    const run = runEntry(entry, environment, target === undefined ? "wasm" : "interpreter");
    for (const [name, data] of run.outputs)
      expectAlike(data, numbers(name), `${target?.name ?? "wasm"} ${name}`, tolerance);
  }

  const tokens = batch * length;
  const picks = numbers("picks");
  const named = (kind: string): Record<string, readonly number[]> =>
    Object.fromEntries(
      [...outputs.keys()].flatMap((name) =>
        name.startsWith(kind) ? [[name.slice(kind.length), numbers(name)]] : [],
      ),
    );
  const found: Found = {
    out: rowsOf(numbers("logits"), experts ?? out),
    losses: Object.fromEntries(
      [...outputs].flatMap(([name, { data }]) =>
        name.startsWith("loss.") ? [[name.slice(5), data[0]!]] : [],
      ),
    ),
    picks: picks.length === 0 ? [] : rowsOf(picks, picks.length / tokens),
    load: numbers("load"),
    states: named("state."),
    gradients: named("gradient."),
  };
  if (formula === undefined) return found;

  const fullName = (name: string): string => {
    const full = [...tensors.keys()].filter((each) => each === name || each.endsWith(`.${name}`));
    if (full.length !== 1)
      throw new Error(`internal: ${full.length} tensors \`${name}\` among ${[...tensors.keys()].join(", ")}`);
    return full[0]!;
  };
  const tensor = (name: string): Float64Array => tensors.get(fullName(name))!;
  const draws = [...outputs.keys()].filter((name) => name.startsWith("draw.")).map(numbers);
  const plain = (): Wanted =>
    formula({
      x: rowsOf(tensors.get("inputs")!, width),
      batch,
      length,
      tensor: (name) => [...tensor(name)],
      matrix: (name, columns) => rowsOf(tensor(name), columns),
      draws,
    });
  const reward = ({ out: rows }: Wanted): number => {
    const probe = tensors.get("probe")!;
    return rows.flat().reduce((sum, value, i) => sum + value * probe[i]!, 0) / tokens;
  };
  const wanted = plain();
  expectAlike(found.out.flat(), wanted.out.flat(), "out", 1e-7);
  const losses = { ...wanted.losses, ...wanted.metrics, probed: reward(wanted) };
  expect(Object.keys(found.losses).sort(), "losses").toEqual(Object.keys(losses).sort());
  for (const [name, value] of Object.entries(losses))
    expectAlike([found.losses[name]!], [value], `loss ${name}`, 1e-7);
  if (wanted.picks !== undefined) expect(found.picks, "picks").toEqual(wanted.picks);
  if (wanted.load !== undefined) expect(found.load, "load").toEqual(wanted.load);
  for (const [name, values] of Object.entries(wanted.states ?? {}))
    expectAlike(numbers(`state.${fullName(name)}`), values, `state ${name}`, 1e-7);
  const lossAt = (): number => {
    const at = plain();
    return Object.values(at.losses ?? {}).reduce((a, b) => a + b, reward(at));
  };
  for (const name of trained)
    expectAlike(
      numbers(`gradient.${name}`),
      differences(lossAt, tensors.get(name)!),
      `gradient of ${name}`,
      2e-6,
    );
  return found;
}
