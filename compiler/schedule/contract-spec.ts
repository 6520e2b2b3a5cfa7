// What the schedule of a contraction is told: extents, operands and epilogue as callbacks. Types only.
// In: made by lower from one cluster (a contraction, or siblings that share the left operand, with fused prologues and
// epilogue). Out: `contractBody` (contract.ts) turns it into the body of one kernel.
// Deliberately absent: graph nodes, layouts of tensors, names of models. The operands answer "which value is at (m, k)?".
//
//   out[batch.., m, n] = epilogue( sum over k of a[batch.., m, k] * b[i][batch.., k, n]   for each sibling i )
//
// Every callback gets `into`, the statement list that it may push `let`s (index arithmetic, gathers) to before it returns
// an expression; local names come from `spec.fresh`, so that each is declared once in the kernel. A callback may be called
// many times (each tile shape and each tail emits its own copy): it must make fresh names each time and keep no state.

import type { ElementType, Expr, HalfType, KernelWay, Scratch, Stmt } from "../kernel.ts";
import type { Size } from "../../runtime/size.ts";

export type ContractAxis = "m" | "n" | "k";

/** Where in the iteration space outside m, n and k an invocation is. */
export interface ContractPlace {
  /** One i32 coordinate for each of `spec.batch`. */
  readonly batch: readonly Expr[];
  /** i32, when `spec.ragged` is there. */
  readonly group?: Expr;
}

/** Reads along one axis: the value at `moving` (lanes 1: f32), or of the four from there on (lanes 4: f32x4, along the
 * axis; all four are inside). With lanes 4 `moving` is a multiple of 4, unless the axis is the ragged one. */
export type Reader = (moving: Expr, lanes: 1 | 4, into: Stmt[]) => Expr;

/** Where sixteen bytes of neighbours lie, the first at `moving`, a multiple of their number. Beyond the extent of the axis it is some
 * place that is not read. */
export type Place = (moving: Expr, into: Stmt[]) => { readonly buffer: string; readonly index: Expr };

/** One operand. Its axes: `a` has m and k, `b[i]` has k and n. Coordinates along the ragged axis are absolute rows. */
export interface ContractOperand {
  /** The axis along which four neighbours are a cheap vector load; when there is none, any of its two axes. */
  readonly contiguous: ContractAxis;
  /** Fixes the coordinate of the other axis (say, a row: its gather index is loaded here, once) and gives a reader along
   * `contiguous`. The statements pushed here dominate every use of the reader. */
  readonly open: (place: ContractPlace, fixed: Expr, into: Stmt[]) => Reader;
  /** True when a read is one load with index arithmetic (plain memory, also behind views and gathers): such operands may be
   * read more than once, and element by element. False when a prologue computes something. */
  readonly plain: boolean;
  /** When it lies in memory in pieces of sixteen bytes along `contiguous`, which is not the ragged axis: each piece is all there or not
   * at all, and begins at a multiple of sixteen bytes. `open` as above. */
  readonly copied?: {
    readonly type: ElementType;
    readonly open: (place: ContractPlace, fixed: Expr, into: Stmt[]) => Place;
    /** When it is an array of fixed steps along all of its axes, so that whole boxes can be copied: `contiguous` first. Along the
     * axis that is not contiguous it ends where no rows of others follow, or such rows do no harm. */
    readonly tensor?: OperandTensor;
  };
}

export interface OperandTensor {
  /** Its name; from then on the kernel reads it. */
  readonly buffer: () => string;
  /** Of the first element, in elements. */
  readonly offset: Size;
  /** `along`: an axis of the iteration space, the group, or the number of a batch axis. By rising steps. */
  readonly axes: readonly {
    readonly along: ContractAxis | "group" | number;
    readonly extent: Size;
    readonly stride: Size;
  }[];
}

/** Stores along n: receives the sums of every sibling at (m, n) or at the four from n on, pushes the stores of the results. */
export type Writer = (n: Expr, lanes: 1 | 4, sums: readonly Expr[], into: Stmt[]) => void;

export type Ragged = RaggedKind & {
  /** On a GPU: the launch is for so many groups only, from this one on. */
  readonly window?: { readonly first: Expr; readonly groups: number };
};

type RaggedKind =
  /** `rk,ekn->rn`: m runs over the rows of each group, b is that group's matrix. spec.m is the static bound on rows (all groups). */
  | { readonly kind: "rows"; readonly groups: number; readonly offset: OffsetReader }
  /** `rk,rn->ekn`: k runs over the rows of each group; one result matrix for each group; groups without rows give zeros.
   * spec.k is the static bound on rows (all groups). */
  | { readonly kind: "reduction"; readonly groups: number; readonly offset: OffsetReader };

/** The first row of a group; called with 0 <= group <= groups (i32; the last is the number of rows). */
export type OffsetReader = (group: Expr, into: Stmt[]) => Expr;

export interface ContractSpec {
  /** What all operands are numbers of: scratch may hold them so. Absent: f32. */
  readonly half?: HalfType;
  /** Extents of the dense labels that a, b and out share; [] is common. */
  readonly batch: readonly Size[];
  readonly m: Size;
  readonly n: Size;
  readonly k: Size;
  readonly ragged?: Ragged;
  readonly a: ContractOperand;
  /** 1 to 3 siblings, all of extents k, n. */
  readonly b: readonly ContractOperand[];
  /** The element-wise epilogue: fixes a row of the result (absolute when m is ragged) and gives its writer.
   * With lanes 4 n is a multiple of 4. Every (place, m, n) is written exactly once. */
  readonly epilogue: (place: ContractPlace, m: Expr, into: Stmt[]) => Writer;
  /** A name that no other local of the kernel has. */
  readonly fresh: (hint: string) => string;
}

export interface ContractBody {
  readonly scratch: readonly Scratch[];
  readonly grid: Size;
  readonly body: readonly Stmt[];
  readonly multiplyAdds: Size;
  /** What devices whose warpgroups multiply do instead. */
  readonly warpgroups?: KernelWay;
}
