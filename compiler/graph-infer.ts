// The dtype and shape of every operation, from its fields and operands: the rules of graph.ts, checked.
// In: a node without id, dtype and shape, and what was asked for where fields do not tell (an input, a reshape).
// Out: dtype and shape. Throws `internal:` on a wrong graph: what users get wrong is found before a graph exists.

import type { Axis, BinaryMap, DType, MapFn, Node, Shape, UnaryMap } from "./graph.ts";
import { add, constant, known, product, subtract, type Size } from "../runtime/size.ts";
import { nodeOf } from "./graph-node.ts";
import { dense, printAxis, printShape, raggedBy, sameAxis, sameShape, sameSize } from "./graph-axis.ts";
import { printOperation, printType } from "./print-graph.ts";
import { isHalf } from "./half.ts";

type OmitEach<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A node before it has an identity. */
export type Draft = OmitEach<Node, "id" | "origin" | "dtype" | "shape" | "operands">;
export interface Type {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Throws our own mistake, with the operation and its operands written out. */
export function misuse(draft: Draft, why: string): never {
  const node = nodeOf(draft, { dtype: "f32", shape: [] }, 0, { path: "" });
  const operands = node.operands.map((operand) => `%${operand.id}: ${printType(operand)}`);
  throw new Error(`internal: ${why}, in ${printOperation(node)}(${operands.join(", ")})`);
}

type Family = "number" | "f32" | "bool" | "bits" | "any" | "all";
const accepts: { readonly [F in Family]: readonly DType[] } = {
  number: ["f32", "i32"],
  f32: ["f32"],
  bool: ["bool"],
  bits: ["bool", "i32"],
  any: ["f32", "i32", "bool"],
  all: ["f32", "i32", "bool", "bf16", "f16"],
};
/** What a function takes and what it gives ("same": the dtype it took). */
type Signature = readonly [Family, DType | "same"];
const unary: { readonly [F in UnaryMap]: Signature } = {
  neg: ["number", "same"],
  abs: ["number", "same"],
  sign: ["number", "same"],
  exp: ["f32", "f32"],
  log: ["f32", "f32"],
  sqrt: ["f32", "f32"],
  tanh: ["f32", "f32"],
  sin: ["f32", "f32"],
  cos: ["f32", "f32"],
  erf: ["f32", "f32"],
  sigmoid: ["f32", "f32"],
  floor: ["f32", "f32"],
  ceil: ["f32", "f32"],
  round: ["f32", "f32"],
  not: ["bool", "bool"],
  isnan: ["f32", "bool"],
  stop: ["all", "same"],
  f32: ["all", "f32"],
  i32: ["any", "i32"],
  bf16: ["f32", "bf16"],
  f16: ["f32", "f16"],
};
const binary: { readonly [F in BinaryMap]: Signature } = {
  add: ["number", "same"],
  sub: ["number", "same"],
  mul: ["number", "same"],
  div: ["number", "same"],
  mod: ["number", "same"],
  min: ["number", "same"],
  max: ["number", "same"],
  pow: ["f32", "f32"],
  lt: ["number", "bool"],
  le: ["number", "bool"],
  eq: ["any", "bool"],
  ne: ["any", "bool"],
  and: ["bits", "same"],
  or: ["bits", "same"],
  xor: ["bits", "same"],
};
export const isUnary = (fn: MapFn): fn is UnaryMap => fn in unary;

function inferMap(draft: Extract<Draft, { op: "map" }>): Type {
  const { fn, inputs } = draft;
  const arity = fn === "select" ? 3 : isUnary(fn) ? 1 : 2;
  if (inputs.length !== arity) misuse(draft, `${fn} takes ${arity} operands`);
  const shape = inputs[0]!.shape;
  if (!inputs.every((input) => sameShape(input.shape, shape))) misuse(draft, "operands differ in shape");
  const values = fn === "select" ? inputs.slice(1) : inputs;
  const dtype = values[0]!.dtype;
  if (!values.every((input) => input.dtype === dtype)) misuse(draft, "operands differ in dtype");
  if (fn === "select") {
    if (inputs[0]!.dtype !== "bool") misuse(draft, "the condition is not bool");
    return { dtype, shape };
  }
  const [family, result] = isUnary(fn) ? unary[fn] : binary[fn];
  if (!accepts[family].includes(dtype)) misuse(draft, `${fn} does not take ${dtype}`);
  return { dtype: result === "same" ? dtype : result, shape };
}

/** A reshape keeps ragged axes in their order, with equally many elements between them. */
export function reshapeFits(from: Shape, to: Shape): boolean {
  let [i, j] = [0, 0];
  for (;;) {
    const [a, b] = [segment(from, i), segment(to, j)];
    if (a.count !== b.count || !sameSize(product(a.symbolic), product(b.symbolic))) {
      // A number may stand before or within a symbolic size.
      const whole = (count: number, sizes: readonly Size[]): Size => product([constant(count), ...sizes]);
      if (!sameSize(whole(a.count, a.symbolic), whole(b.count, b.symbolic))) return false;
    }
    const [x, y] = [from[a.end], to[b.end]];
    if (x === undefined || y === undefined) return x === y;
    if (!sameAxis(x, y)) return false;
    [i, j] = [a.end + 1, b.end + 1];
  }
}

/** The elements of the dense axes from `start` up to a ragged axis, which is at `end`. */
function segment(
  shape: Shape,
  start: number,
): { readonly count: number; readonly symbolic: readonly Size[]; readonly end: number } {
  let count = 1;
  let end = start;
  const symbolic: Size[] = [];
  for (let axis = shape[end]; axis?.kind === "dense"; axis = shape[++end]) {
    const value = known(axis.size);
    if (value === undefined) symbolic.push(axis.size);
    else count *= value;
  }
  return { count, symbolic, end };
}

const isSummable = ({ dtype }: Node): boolean => dtype === "f32" || dtype === "i32";

const increasing = (axes: readonly number[]): boolean =>
  axes.every((axis, i) => i === 0 || axis > axes[i - 1]!);

function inferView(draft: Extract<Draft, { op: "view" }>, asked: Shape | undefined): Type {
  const { view, input } = draft;
  const from = input.shape;
  const { dtype } = input;
  switch (view.kind) {
    case "permute": {
      const sorted = [...view.axes].sort((a, b) => a - b);
      if (sorted.length !== from.length || sorted.some((axis, i) => axis !== i))
        misuse(draft, "not a permutation of the axes");
      return { dtype, shape: view.axes.map((axis) => from[axis]!) };
    }
    case "reshape":
      if (asked === undefined || !reshapeFits(from, asked))
        return misuse(draft, `cannot reshape to [${printShape(asked ?? [])}]`);
      return { dtype, shape: asked };
    case "broadcast":
      if (
        asked === undefined ||
        view.axes.length !== from.length ||
        !increasing(view.axes) ||
        !view.axes.every((axis, i) => asked[axis] !== undefined && sameAxis(asked[axis], from[i]!))
      )
        return misuse(draft, `cannot broadcast to [${printShape(asked ?? [])}]`);
      return { dtype, shape: asked };
    case "slice": {
      const axis = from[view.axis];
      const to = asked?.[view.axis];
      if (axis?.kind !== "dense" || to?.kind !== "dense") return misuse(draft, "slices a dense axis only");
      const rest = known(subtract(axis.size, add(view.start, to.size)));
      const start = known(view.start);
      const size = known(to.size);
      if ((rest ?? 0) < 0 || (start ?? 0) < 0 || (size ?? 0) < 0)
        misuse(draft, `the slice is not within ${printAxis(axis)}`);
      return { dtype, shape: from.map((each, i) => (i === view.axis ? to : each)) };
    }
    case "pad": {
      const axis = from[view.axis];
      if (axis?.kind !== "dense") return misuse(draft, "pads a dense axis only");
      if ((known(view.before) ?? 0) < 0 || (known(view.after) ?? 0) < 0)
        misuse(draft, "pads by less than nothing");
      const padded = dense(add(add(view.before, axis.size), view.after));
      return { dtype, shape: from.map((each, i) => (i === view.axis ? padded : each)) };
    }
    default:
      return view satisfies never;
  }
}

function inferReduce(draft: Extract<Draft, { op: "reduce" }>): Type {
  const { axes, groups, input } = draft;
  if (!isSummable(input)) misuse(draft, "reduces f32 and i32 only");
  if (!increasing(axes) || axes.some((axis) => axis < 0 || axis >= input.shape.length))
    misuse(draft, "axes are not increasing axes of the operand");
  if (!groups) return { dtype: input.dtype, shape: input.shape.filter((_, i) => !axes.includes(i)) };
  const axis = axes.length === 1 ? input.shape[axes[0]!] : undefined;
  if (axis?.kind !== "ragged") return misuse(draft, "groups need one ragged axis");
  return {
    dtype: input.dtype,
    // by place: one axis may be there twice
    shape: input.shape.map((each, i) => (i === axes[0] ? dense(axis.by.groups) : each)),
  };
}

function inferContract(draft: Extract<Draft, { op: "contract" }>): Type {
  const { a, b, labels, ragged } = draft;
  if (a.dtype !== b.dtype || (a.dtype !== "f32" && !isHalf(a.dtype)))
    misuse(draft, "contracts f32, or one half width");
  const axes = new Map<string, Axis>();
  for (const [node, text] of [
    [a, labels.a],
    [b, labels.b],
  ] as const) {
    if (text.length !== node.shape.length) misuse(draft, `${text} has not one letter per axis`);
    if (new Set(text).size !== text.length) misuse(draft, `${text} repeats a label`);
    node.shape.forEach((axis, i) => {
      const before = axes.get(text[i]!);
      if (before !== undefined && !sameAxis(before, axis))
        misuse(draft, `${text[i]} is ${printAxis(before)} and ${printAxis(axis)}`);
      axes.set(text[i]!, axis);
    });
  }
  if (new Set(labels.out).size !== labels.out.length) misuse(draft, `${labels.out} repeats a label`);
  if (ragged !== undefined) {
    const row = axes.get(ragged.row);
    if (row?.kind !== "ragged") return misuse(draft, `${ragged.row} labels no ragged axis`);
    const group = axes.get(ragged.group);
    if (group !== undefined && !sameAxis(group, dense(row.by.groups)))
      misuse(draft, `${ragged.group} is not the axis of the ${row.by.groups} groups`);
    for (const text of [labels.a, labels.b, labels.out])
      if (text.includes(ragged.row) && text.includes(ragged.group))
        misuse(draft, "one tensor has both the rows and their groups");
    axes.set(ragged.group, dense(row.by.groups));
  }
  const shape = [...labels.out].map(
    (label) => axes.get(label) ?? misuse(draft, `nothing has the label ${label}`),
  );
  return { dtype: "f32", shape };
}

function inferRouted(draft: Extract<Draft, { op: "dispatch" | "combine" }>): Type {
  const { op, per, input, route } = draft;
  const routed = route.picks.shape.slice(0, per === "token" ? 1 : 2);
  const rows = [raggedBy(route)];
  const [from, to] = op === "dispatch" ? [routed, rows] : [rows, routed];
  if (!sameShape(input.shape.slice(0, from.length), from))
    misuse(draft, `the operand does not begin with [${printShape(from)}]`);
  if (op === "combine" && per === "token" && !isSummable(input)) misuse(draft, "sums f32 and i32 only");
  return { dtype: input.dtype, shape: [...to, ...input.shape.slice(from.length)] };
}

/** The type of a draft. `asked` is the wanted type of operations whose fields do not say it. */
export function infer(draft: Draft, asked: Partial<Type>): Type {
  switch (draft.op) {
    case "input":
    case "tensor":
      if (asked.dtype === undefined || asked.shape === undefined) return misuse(draft, "has no type");
      return { dtype: asked.dtype, shape: asked.shape };
    case "const":
      if (asked.dtype === undefined) return misuse(draft, "has no dtype");
      if ((asked.dtype === "i32" || asked.dtype === "bool") && !Number.isInteger(draft.value))
        misuse(draft, `is no ${asked.dtype}`);
      return { dtype: asked.dtype, shape: [] };
    case "size":
      return { dtype: "i32", shape: [] };
    case "index":
      if (asked.shape?.length !== 1) return misuse(draft, "counts along one axis");
      return { dtype: "i32", shape: asked.shape };
    case "random":
      if (asked.shape === undefined || asked.shape.some((axis) => axis.kind === "ragged"))
        return misuse(draft, "is drawn for dense axes only");
      return { dtype: "f32", shape: asked.shape };
    case "map":
      return inferMap(draft);
    case "view":
      return inferView(draft, asked.shape);
    case "reduce":
      return inferReduce(draft);
    case "scan":
      if (!isSummable(draft.input)) misuse(draft, "sums f32 and i32 only");
      if (draft.input.shape[draft.axis] === undefined) misuse(draft, "has no such axis");
      return { dtype: draft.input.dtype, shape: draft.input.shape };
    case "contract":
      return inferContract(draft);
    case "choose": {
      const { score, count, as } = draft;
      if (score.dtype !== "f32" || score.shape.at(-1)?.kind !== "dense")
        misuse(draft, "chooses by f32 along a dense last axis");
      if (as === "mask") return { dtype: "bool", shape: score.shape };
      return { dtype: "i32", shape: [...score.shape.slice(0, -1), dense(count)] };
    }
    case "route": {
      const { picks, groups, bound } = draft;
      if (picks.dtype !== "i32" || picks.shape.length !== 2 || picks.shape[1]!.kind !== "dense")
        misuse(draft, "picks are i32 [tokens, K]");
      if (!Number.isInteger(groups) || groups < 1) misuse(draft, "has no groups");
      return { dtype: "i32", shape: [dense(bound)] };
    }
    case "part": {
      const { part, route } = draft;
      if (part === "slot") return { dtype: "i32", shape: route.picks.shape };
      const axis = part === "offsets" ? dense(constant(route.groups + 1)) : raggedBy(route);
      return { dtype: "i32", shape: [axis] };
    }
    case "dispatch":
    case "combine":
      return inferRouted(draft);
    case "take": {
      const { table, ids, batch } = draft;
      if (ids.dtype !== "i32") misuse(draft, "ids are i32");
      if (table.shape[batch]?.kind !== "dense") misuse(draft, "takes along a dense axis");
      if (!sameShape(table.shape.slice(0, batch), ids.shape.slice(0, batch)))
        misuse(draft, "shared axes differ");
      return { dtype: table.dtype, shape: [...ids.shape, ...table.shape.slice(batch + 1)] };
    }
    default:
      return draft satisfies never;
  }
}
