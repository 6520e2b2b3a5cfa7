// Executes a graph in double precision: the specification of every operation. Plain loops, nothing shared, no rounding.
// In: a graph, the sizes, the inputs and tensors by name. Out: outputs and updates by name.
// A ragged axis has exactly the rows that are there. `$seed` and `$draw` are needed when something is random.

import type { ContractNode, Graph, Node, ReduceNode, RouteNode, View } from "./graph.ts";
import { evaluate, type Sizes } from "../runtime/size.ts";
import { threefry, uniform } from "../runtime/random.ts";
import { evaluateMap, greatest, least } from "./graph-scalar.ts";
import { nodesOf, rootsOf } from "./graph-walk.ts";
import { readAs, storedAs } from "./kernel-type.ts";
import { chooseIds, makeRouting, type Routing } from "./interpret-routing.ts";
import { printNode } from "./print-graph.ts";

/** Row-major numbers; bool is 0 or 1. */
export interface Value {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}
export interface Environment {
  readonly sizes: Sizes;
  readonly inputs: ReadonlyMap<string, ArrayLike<number>>;
  readonly tensors: ReadonlyMap<string, ArrayLike<number>>;
}
export interface Result {
  readonly outputs: ReadonlyMap<string, Value>;
  readonly updates: ReadonlyMap<string, Value>;
}

const count = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Distance in elements between neighbours along each axis. */
function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let i = dims.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * dims[i + 1]!;
  return strides;
}

/** Calls `visit(position, index)` for every index in row-major order. The index is reused. */
function forEach(dims: readonly number[], visit: (position: number, index: readonly number[]) => void): void {
  const total = count(dims);
  const index = new Array<number>(dims.length).fill(0);
  for (let position = 0; position < total; position++) {
    visit(position, index);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < dims[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** out[index] = input[from(index)], or zero where `from` gives undefined. */
function gather(
  input: Value,
  dims: readonly number[],
  from: (index: readonly number[]) => readonly number[] | undefined,
): Float64Array {
  const data = new Float64Array(count(dims));
  const strides = stridesOf(input.dims);
  forEach(dims, (position, index) => {
    const source = from(index);
    if (source !== undefined)
      data[position] = input.data[source.reduce((sum, at, i) => sum + at * strides[i]!, 0)]!;
  });
  return data;
}

/** out[index] = input[start + index . steps]: one loop over the innermost axis for each index of the outer ones. */
function strided(
  input: Value,
  dims: readonly number[],
  start: number,
  steps: readonly number[],
): Float64Array {
  const data = new Float64Array(count(dims));
  const inner = dims.length - 1;
  const [width, step] = inner < 0 ? [1, 0] : [dims[inner]!, steps[inner]!];
  if (width === 0) return data;
  forEach(dims.slice(0, -1), (position, index) => {
    let from = start;
    for (let axis = 0; axis < inner; axis++) from += index[axis]! * steps[axis]!;
    for (let i = 0; i < width; i++) data[position * width + i] = input.data[from + i * step]!;
  });
  return data;
}

function interpretView(view: View, input: Value, dims: readonly number[], sizes: Sizes): Float64Array {
  switch (view.kind) {
    case "permute": {
      const strides = stridesOf(input.dims);
      return strided(
        input,
        dims,
        0,
        view.axes.map((axis) => strides[axis]!),
      );
    }
    case "reshape":
      return input.data;
    case "broadcast": {
      const strides = stridesOf(input.dims);
      return strided(
        input,
        dims,
        0,
        dims.map((_, axis) => {
          const from = view.axes.indexOf(axis);
          return from < 0 ? 0 : strides[from]!;
        }),
      );
    }
    case "slice": {
      const start = evaluate(view.start, sizes);
      if (start < 0 || start + dims[view.axis]! > input.dims[view.axis]!)
        throw new Error(
          `internal: a slice from ${start} of ${dims[view.axis]} leaves ${input.dims[view.axis]}`,
        );
      const strides = stridesOf(input.dims);
      return strided(input, dims, start * strides[view.axis]!, strides);
    }
    case "pad": {
      const before = evaluate(view.before, sizes);
      return gather(input, dims, (index) => {
        const at = index[view.axis]! - before;
        return at < 0 || at >= input.dims[view.axis]!
          ? undefined
          : index.map((v, i) => (i === view.axis ? at : v));
      });
    }
    default:
      return view satisfies never;
  }
}

const emptyReduction = {
  f32: { sum: 0, max: -Infinity, min: Infinity },
  i32: { sum: 0, max: -2147483648, min: 2147483647 },
} as const;

function interpretReduce(
  node: ReduceNode,
  input: Value,
  dims: readonly number[],
  groupOf: Routing | undefined,
): Float64Array {
  const dtype = readAs(storedAs(node.dtype));
  const data = new Float64Array(count(dims)).fill(emptyReduction[dtype][node.fn]);
  const strides = stridesOf(dims);
  const join = {
    sum: (a: number, b: number) => evaluateMap("add", dtype, a, b, 0),
    max: greatest,
    min: least,
  }[node.fn];
  const kept = input.dims.map((_, i) => i).filter((i) => node.groups || !node.axes.includes(i));
  forEach(input.dims, (position, index) => {
    let to = 0;
    for (let i = 0; i < kept.length; i++) {
      const axis = kept[i]!;
      const at = groupOf !== undefined && axis === node.axes[0] ? groupOf.group[index[axis]!]! : index[axis]!;
      to += at * strides[i]!;
    }
    data[to] = join(data[to]!, input.data[position]!);
  });
  return data;
}

function interpretContract(
  node: ContractNode,
  a: Value,
  b: Value,
  dims: readonly number[],
  routing: Routing | undefined,
): Float64Array {
  const { labels, ragged } = node;
  const extents = new Map<string, number>();
  for (const [text, value] of [
    [labels.a, a],
    [labels.b, b],
  ] as const)
    [...text].forEach((label, i) => extents.set(label, value.dims[i]!));
  // The group is no loop of its own: it is the group of the row.
  const loops = [...extents.keys()].filter((label) => label !== ragged?.group);
  const rowAt = ragged === undefined ? -1 : loops.indexOf(ragged.row);
  /** How far one step along each loop moves in a tensor, and how far one group does. */
  const steps = (text: string, tensorDims: readonly number[]) => {
    const strides = stridesOf(tensorDims);
    const step = (label: string): number => (text.includes(label) ? strides[text.indexOf(label)]! : 0);
    return { loops: loops.map(step), group: ragged === undefined ? 0 : step(ragged.group) };
  };
  const [stepA, stepB, stepOut] = [steps(labels.a, a.dims), steps(labels.b, b.dims), steps(labels.out, dims)];
  const data = new Float64Array(count(dims));
  // The innermost loop is written out: nearly all the time of an interpretation is spent in it.
  const inner = loops.length - 1;
  const innerExtent = inner < 0 ? 1 : extents.get(loops[inner]!)!;
  const [innerA, innerB, innerOut] = [stepA, stepB, stepOut].map((step) =>
    inner < 0 ? 0 : step.loops[inner]!,
  );
  const innerIsRow = rowAt >= 0 && rowAt === inner;
  forEach(
    loops.slice(0, -1).map((label) => extents.get(label)!),
    (_, index) => {
      let [startA, startB, startOut] = [0, 0, 0];
      for (let i = 0; i < inner; i++) {
        startA += index[i]! * stepA.loops[i]!;
        startB += index[i]! * stepB.loops[i]!;
        startOut += index[i]! * stepOut.loops[i]!;
      }
      const outer = routing === undefined || rowAt < 0 || innerIsRow ? 0 : routing.group[index[rowAt]!]!;
      for (let i = 0; i < innerExtent; i++) {
        const group = innerIsRow && routing !== undefined ? routing.group[i]! : outer;
        const atA = startA + i * innerA! + group * stepA.group;
        const atB = startB + i * innerB! + group * stepB.group;
        data[startOut + i * innerOut! + group * stepOut.group]! += a.data[atA]! * b.data[atB]!;
      }
    },
  );
  return data;
}

/** One routing's dispatch or combine over blocks of `width` elements. */
function interpretRouted(
  op: "dispatch" | "combine",
  per: "token" | "pick",
  input: Value,
  routing: Routing,
  dims: readonly number[],
): Float64Array {
  const { picksPerToken, source } = routing;
  const data = new Float64Array(count(dims));
  const width = count(input.dims.slice(op === "dispatch" && per === "pick" ? 2 : 1));
  source.forEach((pick, row) => {
    const outside = (per === "token" ? Math.floor(pick / picksPerToken) : pick) * width;
    for (let i = 0; i < width; i++)
      if (op === "dispatch") data[row * width + i] = input.data[outside + i]!;
      else data[outside + i]! += input.data[row * width + i]!;
  });
  return data;
}

class Interpreter {
  readonly values = new Map<Node, Value>();
  readonly routings = new Map<RouteNode, Routing>();
  private readonly environment: Environment;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  private value(node: Node): Value {
    const value = this.values.get(node);
    if (value === undefined) throw new Error(`internal: not a value: ${printNode(node)}`);
    return value;
  }

  private given(kind: "inputs" | "tensors", name: string): ArrayLike<number> {
    const value = this.environment[kind].get(name);
    if (value === undefined) throw new Error(`internal: ${name} is missing from the ${kind}`);
    return value;
  }

  run(node: Node): void {
    if (node.op === "route") {
      const picks = this.value(node.picks);
      const [tokens, perToken] = picks.dims;
      const bound = evaluate(node.bound, this.environment.sizes);
      this.routings.set(node, makeRouting(picks.data, tokens!, perToken!, node.groups, bound));
      return;
    }
    const { sizes } = this.environment;
    const dims = node.shape.map((axis) =>
      axis.kind === "dense" ? evaluate(axis.size, sizes) : this.routings.get(axis.by)!.rows,
    );
    const data = this.compute(node, dims);
    if (data.length !== count(dims))
      throw new Error(`internal: ${data.length} values for [${dims.join(", ")}]: ${printNode(node)}`);
    this.values.set(node, { dims, data });
  }

  private compute(node: Exclude<Node, RouteNode>, dims: readonly number[]): Float64Array {
    const { sizes } = this.environment;
    switch (node.op) {
      case "input":
        return Float64Array.from(this.given("inputs", node.name));
      case "tensor":
        return Float64Array.from(this.given("tensors", node.name));
      case "const":
        return Float64Array.of(node.value);
      case "size":
        return Float64Array.of(evaluate(node.size, sizes));
      case "index":
        return Float64Array.from({ length: dims[0]! }, (_, i) => i);
      case "map": {
        const [a, b, c] = node.inputs.map((input) => this.value(input).data);
        const { dtype } = node.inputs.at(-1)!;
        const at = (data: Float64Array | undefined, i: number): number => (data === undefined ? 0 : data[i]!);
        return a!.map((x, i) => evaluateMap(node.fn, dtype, x, at(b, i), at(c, i)));
      }
      case "view":
        return interpretView(node.view, this.value(node.input), dims, sizes);
      case "reduce": {
        const axis = node.input.shape[node.axes[0]!]!;
        const routing = node.groups && axis.kind === "ragged" ? this.routings.get(axis.by)! : undefined;
        return interpretReduce(node, this.value(node.input), dims, routing);
      }
      case "scan": {
        const { data: input } = this.value(node.input);
        const data = new Float64Array(input.length);
        const stride = stridesOf(dims)[node.axis]!;
        const length = dims[node.axis]!;
        forEach(dims, (position, index) => {
          const at = index[node.axis]!;
          const [from, to] = node.reverse ? [at, length - 1] : [0, at];
          for (let other = from; other <= to; other++)
            if (other !== at || !node.exclusive) data[position]! += input[position + (other - at) * stride]!;
        });
        return data;
      }
      case "contract": {
        const { labels, ragged, a, b } = node;
        const axes = [...a.shape, ...b.shape];
        const row = ragged === undefined ? undefined : axes[(labels.a + labels.b).indexOf(ragged.row)]!;
        const routing = row?.kind === "ragged" ? this.routings.get(row.by) : undefined;
        return interpretContract(node, this.value(a), this.value(b), dims, routing);
      }
      case "choose": {
        const { data: score, dims: from } = this.value(node.score);
        const width = from.at(-1)!;
        const chosen = evaluate(node.count, sizes);
        const data = new Float64Array(count(dims)).fill(node.as === "ids" ? -1 : 0);
        for (let line = 0; line * width < score.length; line++)
          chooseIds(score.subarray(line * width, (line + 1) * width), chosen).forEach((id, i) => {
            if (node.as === "ids") data[line * chosen + i] = id;
            else data[line * width + id] = 1;
          });
        return data;
      }
      case "part":
        return Float64Array.from(this.routings.get(node.route)![node.part]);
      case "dispatch":
      case "combine":
        return interpretRouted(
          node.op,
          node.per,
          this.value(node.input),
          this.routings.get(node.route)!,
          dims,
        );
      case "take": {
        const table = this.value(node.table);
        const ids = this.value(node.ids);
        const idStrides = stridesOf(ids.dims);
        const rank = ids.dims.length;
        return gather(table, dims, (index) => {
          const id = ids.data[idStrides.reduce((sum, stride, i) => sum + stride * index[i]!, 0)]!;
          if (id < 0 || id >= table.dims[node.batch]!) return undefined;
          return [...index.slice(0, node.batch), id, ...index.slice(rank)];
        });
      }
      case "random": {
        const [seed, draw] = [this.given("inputs", "$seed")[0]!, this.given("inputs", "$draw")[0]!];
        return Float64Array.from({ length: count(dims) }, (_, i) =>
          uniform(threefry(seed, draw, i, node.stream)[0]),
        );
      }
      default:
        return node satisfies never;
    }
  }
}

export function interpretGraph(graph: Graph, environment: Environment): Result {
  const interpreter = new Interpreter(environment);
  for (const node of nodesOf(rootsOf(graph))) interpreter.run(node);
  const read = (node: Node): Value => interpreter.values.get(node)!;
  return {
    outputs: new Map(graph.outputs.map(({ name, node }) => [name, read(node)])),
    updates: new Map(graph.updates.map(({ tensor, node }) => [tensor, read(node)])),
  };
}
