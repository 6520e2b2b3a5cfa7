// All of k, block by block: both operands' blocks go to scratch, then they are multiplied. In: a spec, a plan of blocks, what to do
// with a staged block. Out: statements. With two buffers the next block is on its way while this one is multiplied: it is read into
// locals before, and stored after, and one barrier a block is enough. Deliberately absent: the multiplication.

import type { Expr, Stmt } from "../kernel.ts";
import type { ContractOperand, ContractSpec } from "./contract-spec.ts";
import {
  add,
  branch,
  divide,
  float,
  int,
  less,
  letInt,
  literalOf,
  local,
  loop,
  modulo,
  multiply,
  setLocal,
  sizeOf,
  subtract,
  zero4,
} from "./expr.ts";
import type { RowRange } from "./gpu-place.ts";
import { inFours, prepareStage, type Layout, type Stage, type Staging } from "./gpu-stage.ts";

export interface BlockShape {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly invocations: number;
  /** Plain operands are read four neighbours at a time. */
  readonly vectors: boolean;
}

export interface BlockPlan extends BlockShape {
  readonly buffers: 1 | 2;
  readonly scratch: string;
  readonly layout: (operand: ContractOperand, width: number, depth: number) => Layout;
}

/** What of k is summed; `exact` when it is whole blocks. */
export interface Depth {
  readonly from: Expr;
  readonly end: Expr;
  readonly exact: boolean;
}

/** Where the blocks of both operands lie, in elements of scratch. */
export interface BlockPlaces {
  readonly a: Layout;
  readonly b: readonly { readonly at: number; readonly layout: Layout }[];
  /** Of one buffer. */
  readonly length: number;
}

export function placesOf(spec: ContractSpec, plan: BlockPlan): BlockPlaces {
  const a = plan.layout(spec.a, plan.rows, plan.depth);
  let at = a.length;
  const b = spec.b.map((operand) => {
    const layout = plan.layout(operand, plan.columns, plan.depth);
    at += layout.length;
    return { at: at - layout.length, layout };
  });
  return { a, b, length: at };
}

export function emitBlocks(
  spec: ContractSpec,
  plan: BlockPlan,
  rows: RowRange,
  columnFrom: Expr,
  { from, end, exact }: Depth,
  multiplyBlock: (offset: Expr, into: Stmt[]) => void,
  into: Stmt[],
): void {
  const { fresh } = spec;
  const stages = prepareStages(spec, plan, rows, columnFrom, exact ? undefined : end, into);
  const { length } = placesOf(spec, plan);
  if (plan.buffers === 1) {
    loop(fresh, into, "k0", from, end, plan.depth, (k0, body) => {
      for (const stage of stages) stage.whole(k0, int(0), body);
      body.push({ op: "barrier" });
      multiplyBlock(int(0), body);
      body.push({ op: "barrier" });
    });
    return;
  }
  const parts = stages.flatMap((stage) => stage.parts ?? []);
  const names = parts.map(() => fresh("next"));
  for (const [i, { type }] of parts.entries())
    into.push({ op: "var", name: names[i]!, value: type === "f32x4" ? zero4 : float(0) });
  const readAll = (k: Expr, list: Stmt[]): void =>
    parts.forEach((part, i) => list.push(setLocal(names[i]!, part.read(k, list))));
  branch(into, less(from, end), (then) => readAll(from, then));
  loop(fresh, into, "k0", from, end, plan.depth, (k0, body) => {
    const number = divide(subtract(k0, from), int(plan.depth));
    const half = letInt(fresh, body, "half", multiply(modulo(number, int(2)), int(length)));
    parts.forEach((part, i) => part.put(local(names[i]!, part.type), half, body));
    for (const stage of stages) if (stage.parts === undefined) stage.whole(k0, half, body);
    body.push({ op: "barrier" });
    const next = letInt(fresh, body, "k", add(k0, int(plan.depth)));
    branch(body, less(next, end), (then) => readAll(next, then));
    multiplyBlock(half, body);
  });
  // Whoever uses the blocks' scratch next waits until all have multiplied.
  into.push({ op: "barrier" });
}

function prepareStages(
  spec: ContractSpec,
  plan: BlockPlan,
  rows: RowRange,
  columnFrom: Expr,
  kEnd: Expr | undefined,
  into: Stmt[],
): Staging[] {
  const places = placesOf(spec, plan);
  const { scratch } = plan;
  const prepare = (operand: ContractOperand, own: "m" | "n", at: number, layout: Layout): Staging =>
    prepareStage(
      stageOf(spec, plan, { rows, columnFrom, kEnd }, operand, own, { scratch, at, layout }),
      into,
    );
  return [
    prepare(spec.a, "m", 0, places.a),
    ...spec.b.map((operand, i) => prepare(operand, "n", places.b[i]!.at, places.b[i]!.layout)),
  ];
}

/** Where in the iteration space the blocks of a workgroup are. */
export interface Extents {
  readonly rows: RowRange;
  readonly columnFrom: Expr;
  /** Unless every block has all its k. */
  readonly kEnd: Expr | undefined;
}

/** The blocks of one operand, and where they go. */
export function stageOf(
  spec: ContractSpec,
  shape: BlockShape,
  { rows, columnFrom, kEnd }: Extents,
  operand: ContractOperand,
  own: "m" | "n",
  to: { readonly scratch: string; readonly at: number; readonly layout: Layout },
): Stage {
  const kind = spec.ragged?.kind;
  const width = own === "m" ? shape.rows : shape.columns;
  const axis = operand.contiguous === "k" ? "k" : own;
  const ragged = axis === (kind === "rows" ? "m" : kind === "reduction" ? "k" : undefined);
  const [from, end] = own === "m" ? [rows.from, rows.end] : [columnFrom, sizeOf(spec.n)];
  const fours = shape.vectors && inFours(operand, spec[axis], ragged, { width, depth: shape.depth });
  const extent = literalOf(end);
  return {
    fresh: spec.fresh,
    operand,
    place: rows.place,
    invocations: shape.invocations,
    ...to,
    width,
    from,
    end,
    whole: (own === "n" || kind !== "rows") && extent !== undefined && extent % width === 0,
    depth: shape.depth,
    lanes: fours ? 4 : 1,
    ...(kEnd === undefined ? {} : { kEnd }),
  };
}
