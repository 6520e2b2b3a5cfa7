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
import { inFours, prepareStage, type Layout, type Staging } from "./gpu-stage.ts";

export interface BlockPlan {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly invocations: number;
  readonly buffers: 1 | 2;
  /** Plain operands are read four neighbours at a time. */
  readonly vectors: boolean;
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
  const columnEnd = sizeOf(spec.n);
  const known = (extent: Expr, tile: number): boolean =>
    literalOf(extent) !== undefined && literalOf(extent)! % tile === 0;
  const kind = spec.ragged?.kind;
  const places = placesOf(spec, plan);
  const prepare = (operand: ContractOperand, own: "m" | "n", at: number, layout: Layout): Staging => {
    const width = own === "m" ? plan.rows : plan.columns;
    const axis = operand.contiguous === "k" ? "k" : own;
    const ragged = axis === (kind === "rows" ? "m" : kind === "reduction" ? "k" : undefined);
    const [from, end] = own === "m" ? [rows.from, rows.end] : [columnFrom, columnEnd];
    const fours = plan.vectors && inFours(operand, spec[axis], ragged, { width, depth: plan.depth });
    return prepareStage(
      {
        fresh: spec.fresh,
        operand,
        place: rows.place,
        invocations: plan.invocations,
        scratch: plan.scratch,
        at,
        layout,
        width,
        from,
        end,
        whole: (own === "n" || kind !== "rows") && known(end, width),
        depth: plan.depth,
        lanes: fours ? 4 : 1,
        ...(kEnd === undefined ? {} : { kEnd }),
      },
      into,
    );
  };
  return [
    prepare(spec.a, "m", 0, places.a),
    ...spec.b.map((operand, i) => prepare(operand, "n", places.b[i]!.at, places.b[i]!.layout)),
  ];
}
