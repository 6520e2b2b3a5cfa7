// Staging on a GPU: a workgroup copies a block of an operand into scratch each element once;
// gathers, views and element-wise prologues are evaluated here. In: operand readers. Out: statements.
// Neighbouring invocations read neighbours along the axis in which the operand is contiguous, four each where the target likes
// that. Rows past the edge repeat the last one: their sums are never looked at, and reading stays inside. Past the end of k
// both operands are zero. What is read can wait in locals while the block before is multiplied.

import { known, type Size } from "../../runtime/size.ts";
import type { Expr, Stmt } from "../kernel.ts";
import type { ContractOperand, ContractPlace, Reader } from "./contract-spec.ts";
import { padding } from "./gpu-tiles.ts";
import {
  add,
  branch,
  divide,
  extract,
  float,
  int,
  less,
  letInt,
  loop,
  minimum,
  modulo,
  multiply,
  store,
  subtract,
  zero4,
} from "./expr.ts";

/** How a block lies in scratch: elements from one k to the next, from one row (or column) to the next, and of all. */
export interface Layout {
  readonly k: number;
  readonly row: number;
  readonly length: number;
  /** The axis with step 1 is cut into panels of so many, so many elements apart; within one the steps are those above. */
  readonly panels?: { readonly width: number; readonly length: number };
}

/** Where an element lies in its block. */
export function placeIn({ k, row, panels }: Layout, rowAt: Expr, kAt: Expr): Expr {
  if (panels === undefined) return add(multiply(kAt, int(k)), multiply(rowAt, int(row)));
  const [fast, slow] = k === 1 ? [kAt, multiply(rowAt, int(row))] : [rowAt, multiply(kAt, int(k))];
  const panel = divide(fast, int(panels.width));
  return add(multiply(panel, int(panels.length)), slow, modulo(fast, int(panels.width)));
}

export interface Stage {
  readonly fresh: (hint: string) => string;
  readonly operand: ContractOperand;
  readonly place: ContractPlace;
  readonly invocations: number;
  /** The block lies in `scratch` from `at` on. */
  readonly scratch: string;
  readonly at: number;
  readonly layout: Layout;
  /** Rows (of a) or columns (of b) of the block; the first, and the first that is not there (absolute). */
  readonly width: number;
  readonly from: Expr;
  readonly end: Expr;
  /** Whether all rows or columns of every block are there. */
  readonly whole: boolean;
  readonly depth: number;
  /** The first k that is not there (absolute), unless every block has all its k. */
  readonly kEnd?: Expr;
  /** How many neighbours one read brings. */
  readonly lanes: 1 | 4;
}

export interface Staging {
  /** Everything at once: the block that starts at k, to `offset` elements after its place. */
  readonly whole: (k: Expr, offset: Expr, into: Stmt[]) => void;
  /** In two steps, when an invocation's share is few reads. */
  readonly parts?: readonly StagePart[];
}

export interface StagePart {
  readonly type: "f32" | "f32x4";
  readonly read: (k: Expr, into: Stmt[]) => Expr;
  readonly put: (value: Expr, offset: Expr, into: Stmt[]) => void;
}

/** Where an element (or four) of the block is: along the axis in which neighbours are neighbours in memory, and along the other. */
export interface Element {
  readonly fast: Expr;
  readonly slow: Expr;
  /** False for those that may lie past the end of the block. */
  readonly sure: boolean;
}

/** Reads that are written out, so that all of them are on their way before the first is needed; fewer of prologues that
 * compute something, whose code is longer. */
const mostTogether = 8;
const mostComputed = 4;
const invocation: Expr = { op: "invocation", type: "i32" };

/** [k][row], so that four rows are one read of those who multiply. Writers that come down a column are padded apart. */
export function byDepth(operand: ContractOperand, width: number, depth: number): Layout {
  const stride = Math.ceil(width / 4) * 4 + (operand.contiguous === "k" ? padding : 0);
  return { k: stride, row: 1, length: stride * depth };
}

/** Whether four neighbours along the operand's contiguous axis are always all there or all not, and start at a multiple of 4. */
export function inFours(
  operand: ContractOperand,
  extent: Size,
  ragged: boolean,
  { width, depth }: { readonly width: number; readonly depth: number },
): boolean {
  const length = known(extent);
  const line = operand.contiguous === "k" ? depth : width;
  return !ragged && line % 4 === 0 && length !== undefined && length % 4 === 0;
}

/** Pushes what does not depend on k. */
export function prepareStage(stage: Stage, into: Stmt[]): Staging {
  const { fresh, operand, width, depth, invocations, lanes } = stage;
  const pieces = (width * depth) / lanes;
  const rounds = Math.ceil(pieces / invocations);
  if (rounds <= (operand.plain ? mostTogether : mostComputed)) {
    const parts = elementsOf(stage, lanes, into).map((element) => preparePart(stage, element, into));
    return { parts, whole: (k, offset, body) => stageParts(parts, k, offset, body) };
  }
  const together = operand.plain ? mostTogether : 1;
  const line = (operand.contiguous === "k" ? depth : width) / lanes;
  const sure = pieces % (together * invocations) === 0;
  const whole = (k: Expr, offset: Expr, body: Stmt[]): void =>
    loop(fresh, body, "round", int(0), int(rounds), together, (round, list) => {
      const number = letInt(fresh, list, "element", add(multiply(round, int(invocations)), invocation));
      const put = (then: Stmt[]): void => {
        const parts = Array.from({ length: together }, (_, i) => {
          const each = letInt(fresh, then, "element", add(number, int(i * invocations)));
          const fast = letInt(fresh, then, "fast", multiply(modulo(each, int(line)), int(lanes)));
          const slow = letInt(fresh, then, "slow", divide(each, int(line)));
          return preparePart(stage, { fast, slow, sure: sure || together === 1 }, then);
        });
        stageParts(parts, k, offset, then);
      };
      if (sure || together > 1) put(list);
      else branch(list, less(number, int(pieces)), put);
    });
  return { whole };
}

function stageParts(parts: readonly StagePart[], k: Expr, offset: Expr, into: Stmt[]): void {
  const values = parts.map((part) => part.read(k, into));
  for (const [i, part] of parts.entries()) part.put(values[i]!, offset, into);
}

/** The elements of an invocation, a workgroup apart. Where a workgroup is a number of whole lines, or a line of whole
 * workgroups, they differ by constants. */
export function elementsOf(
  { fresh, operand, width, depth, invocations }: Omit<Stage, "lanes">,
  lanes: number,
  into: Stmt[],
): Element[] {
  const rounds = Math.ceil((width * depth) / lanes / invocations);
  const line = (operand.contiguous === "k" ? depth : width) / lanes;
  const sure = (round: number): boolean => (round + 1) * invocations * lanes <= width * depth;
  const numbers = Array.from({ length: rounds }, (_, round) => round);
  const fastOf = (number: Expr): Expr => letInt(fresh, into, "fast", multiply(number, int(lanes)));
  if (line % invocations === 0)
    return numbers.map((round) => ({
      fast: fastOf(add(invocation, int((round * invocations) % line))),
      slow: int(Math.floor((round * invocations) / line)),
      sure: sure(round),
    }));
  if (invocations % line === 0) {
    const fast = fastOf(modulo(invocation, int(line)));
    const slow = letInt(fresh, into, "slow", divide(invocation, int(line)));
    return numbers.map((round) => ({
      fast,
      slow: add(slow, int((round * invocations) / line)),
      sure: sure(round),
    }));
  }
  return numbers.map((round) => {
    const number = add(invocation, int(round * invocations));
    const fast = fastOf(modulo(number, int(line)));
    return { fast, slow: letInt(fresh, into, "slow", divide(number, int(line))), sure: sure(round) };
  });
}

function preparePart(stage: Stage, { fast, slow, sure }: Element, into: Stmt[]): StagePart {
  const { fresh, operand, place, width, depth, from, end, whole, kEnd, lanes } = stage;
  const along = operand.contiguous === "k";
  const [row, k] = along ? [slow, fast] : [fast, slow];
  const lastOf = (limit: Expr, axis: "k" | "row"): Expr =>
    subtract(limit, int((axis === "k") === along ? lanes : 1));
  // An element past the block (of the last round) reads the last row, too.
  const limited = whole && sure ? add(from, row) : minimum(add(from, row), lastOf(end, "row"));
  const absolute = letInt(fresh, into, "row", limited);
  const { layout } = stage;
  const step = along ? layout.k : layout.row;
  const to = add(placeIn(layout, row, k), int(stage.at));
  let reader: Reader | undefined;
  if (along) reader = operand.open(place, absolute, into);
  const type = lanes === 4 ? "f32x4" : "f32";
  const read = (first: Expr, body: Stmt[]): Expr => {
    let position = letInt(fresh, body, "k", add(first, k));
    let inside: Expr | undefined;
    if (kEnd !== undefined || !sure) {
      const limit = kEnd ?? add(first, int(depth));
      if (kEnd !== undefined) inside = less(position, limit);
      position = letInt(fresh, body, "k", minimum(position, lastOf(limit, "k")));
    }
    const value =
      reader === undefined
        ? operand.open(place, position, body)(absolute, lanes, body)
        : reader(position, lanes, body);
    if (inside === undefined) return letValue(fresh, body, value);
    const [condition, b] = lanes === 4 ? [splatBool(inside), zero4] : [inside, float(0)];
    return letValue(fresh, body, { op: "select", type, condition, a: value, b });
  };
  const put = (value: Expr, offset: Expr, body: Stmt[]): void => {
    const stores = (list: Stmt[]): void => {
      const at = add(to, offset);
      if (lanes === 4 && step !== 1)
        for (const lane of [0, 1, 2, 3] as const)
          list.push(store(stage.scratch, add(at, int(lane * step)), extract(value, lane)));
      else list.push(store(stage.scratch, at, value));
    };
    if (sure) return stores(body);
    const line = along ? depth : width;
    branch(body, less(add(multiply(slow, int(line)), fast), int(width * depth)), stores);
  };
  return { type, read, put };
}

export const splatBool = (a: Expr): Expr => ({ op: "splat", type: "boolx4", a });

export function letValue(fresh: (hint: string) => string, into: Stmt[], value: Expr, hint = "value"): Expr {
  if (value.op === "local") return value;
  const name = fresh(hint);
  into.push({ op: "let", name, value });
  return { op: "local", type: value.type, name };
}
