// All of k in a pipeline: while a block is multiplied, the blocks after it are on their way to scratch. In: a spec, the shape of blocks,
// what to do with a staged block. Out: statements. Operands that lie in pieces of sixteen bytes are copied asynchronously; others
// (prologues, f32 in memory) are read before a block is multiplied and stored after, into the same places.
//
// With S stages, block t + S - 1 begins to come when block t is multiplied, to the place of block t - 1: one barrier a block says that
// all have multiplied that one and that all pieces of this one have arrived. Deliberately absent: the multiplication.

import type { Expr, HalfType, Scratch, Stmt } from "../kernel.ts";
import type { ContractOperand, ContractSpec } from "./contract-spec.ts";
import {
  add,
  branch,
  divide,
  float,
  int,
  less,
  letInt,
  local,
  loop,
  modulo,
  multiply,
  setLocal,
  subtract,
  zero4,
} from "./expr.ts";
import { stageOf, type BlockShape, type Depth, type Extents } from "./gpu-blocks.ts";
import { prepareCopy, type BeginCopy } from "./gpu-copy.ts";
import type { RowRange } from "./gpu-place.ts";
import { prepareStage, type Layout, type Stage, type StagePart } from "./gpu-stage.ts";

export interface PipelineShape extends BlockShape {
  readonly stages: number;
  /** Of the blocks; operands of another type are rounded on their way. */
  readonly type: HalfType;
}

/** Where a block of an operand lies. */
export interface Staged {
  readonly scratch: string;
  readonly layout: Layout;
  readonly at: Expr;
}

/** Elements of a row of scratch, at most: 128 bytes of halves. */
const longestRow = 64;

/** Neighbours of memory are neighbours of scratch, in rows of at most 128 bytes: longer ones are cut into panels. */
export function inRows(
  operand: ContractOperand,
  width: number,
  depth: number,
): Layout & { readonly run: number } {
  const along = operand.contiguous === "k";
  const [line, others] = along ? [depth, width] : [width, depth];
  const run = Math.min(line, longestRow);
  const steps = along ? { k: 1, row: run } : { k: run, row: 1 };
  const layout = { ...steps, length: line * others, run };
  return run === line ? layout : { ...layout, panels: { width: run, length: run * others } };
}

/** An operand and where its blocks lie. */
export interface Held {
  readonly scratch: string;
  readonly operand: ContractOperand;
  readonly own: "m" | "n";
  readonly layout: Layout & { readonly run: number };
}

export const heldOf = (
  spec: ContractSpec,
  { rows, columns, depth }: Pick<PipelineShape, "rows" | "columns" | "depth">,
): readonly [Held, ...Held[]] => [
  { scratch: "left", operand: spec.a, own: "m", layout: inRows(spec.a, rows, depth) },
  ...spec.b.map((operand, i): Held => {
    return { scratch: `right${i}`, operand, own: "n", layout: inRows(operand, columns, depth) };
  }),
];

export const pipelineScratch = (spec: ContractSpec, shape: PipelineShape): Scratch[] =>
  heldOf(spec, shape).map(({ scratch, layout: { run, length } }) => {
    return {
      name: scratch,
      type: shape.type,
      length: shape.stages * length,
      rows: (2 * run) as 32 | 64 | 128,
    };
  });

/** How one operand comes: at once, begun and waited for, or read and stored. */
interface Arrival {
  readonly layout: Layout;
  readonly begin: BeginCopy;
  readonly parts: readonly StagePart[];
  readonly whole: BeginCopy;
}

const nothing: BeginCopy = () => undefined;

function arrivalOf(stage: Stage, type: HalfType, into: Stmt[]): Arrival {
  const { operand, layout } = stage;
  const { copied } = operand;
  if (copied?.type === type) {
    const begin = prepareCopy(stage, copied, into);
    return { layout, begin, parts: [], whole: begin };
  }
  const { parts, whole } = prepareStage(stage, into);
  return { layout, begin: parts === undefined ? whole : nothing, parts: parts ?? [], whole };
}

export interface Multiplication {
  readonly multiplyBlock: (a: Staged, b: readonly Staged[], into: Stmt[]) => void;
  /** It only begins there, and is done when the warps have settled. */
  readonly goesOn: boolean;
}

export function emitPipeline(
  spec: ContractSpec,
  shape: PipelineShape,
  rows: RowRange,
  columnFrom: Expr,
  { from, end, exact }: Depth,
  { multiplyBlock, goesOn }: Multiplication,
  into: Stmt[],
): void {
  const { fresh } = spec;
  const { stages, depth } = shape;
  const extents: Extents = { rows, columnFrom, kEnd: exact ? undefined : end };
  const held = heldOf(spec, shape);
  const arrivals = held.map(({ scratch, operand, own, layout }) =>
    arrivalOf(stageOf(spec, shape, extents, operand, own, { scratch, at: 0, layout }), shape.type, into),
  );
  const offsetIn = (slot: Expr, { length }: Layout): Expr => multiply(slot, int(length));
  const parts = arrivals.flatMap(({ parts: own, layout }) =>
    own.map((part) => ({ part, layout, name: fresh("next") })),
  );
  for (const { part, name } of parts)
    into.push({ op: "var", name, value: part.type === "f32x4" ? zero4 : float(0) });

  for (let stage = 0; stage < stages - 1; stage++) {
    const k = add(from, int(stage * depth));
    branch(into, less(k, end), (then) => {
      for (const { whole, layout } of arrivals) whole(k, offsetIn(int(stage), layout), then);
    });
    into.push({ op: "group" });
  }
  loop(fresh, into, "k0", from, end, depth, (k0, body) => {
    body.push({ op: "wait", open: stages - 2 });
    // The place of the block before is free when its products are done.
    if (goesOn) body.push({ op: "settle" });
    body.push({ op: "barrier" });
    const number = divide(subtract(k0, from), int(depth));
    const slot = letInt(fresh, body, "slot", modulo(number, int(stages)));
    const later = letInt(fresh, body, "slot", modulo(add(number, int(stages - 1)), int(stages)));
    const next = letInt(fresh, body, "k", add(k0, int((stages - 1) * depth)));
    const [a, ...b] = held.map(({ scratch, layout }): Staged => {
      return { scratch, layout, at: offsetIn(slot, layout) };
    });
    if (goesOn) multiplyBlock(a!, b, body);
    branch(body, less(next, end), (then) => {
      for (const { begin, layout } of arrivals) begin(next, offsetIn(later, layout), then);
      for (const { part, name } of parts) then.push(setLocal(name, part.read(next, then)));
    });
    body.push({ op: "group" });
    if (!goesOn) multiplyBlock(a!, b, body);
    if (parts.length > 0)
      branch(body, less(next, end), (then) => {
        for (const { part, layout, name } of parts)
          part.put(local(name, part.type), offsetIn(later, layout), then);
      });
  });
  if (goesOn) into.push({ op: "settle" });
}
