// Kernel: one parallel function. A grid of workgroups, buffers, and a body of structured statements.
// In: made by lower and schedule from a fused cluster of the graph. Out: printed for each target (wasm, later WGSL and
// CUDA), or executed by the kernel interpreter, which is its specification.
// Every expression carries its type; every local name is declared once in a kernel; indices count elements, not bytes.
// Deliberately absent: pointers, scatter, float atomics, recursion, data-dependent grids.

import type { HalfName } from "../runtime/program.ts";
import type { Size } from "../runtime/size.ts";

/** Half as wide in memory: read as f32, rounded to the nearest (ties to even) when stored. */
export type HalfType = HalfName;
/** Element types in memory. Booleans are stored as i32 (0 or 1). */
export type ElementType = "f32" | "i32" | HalfType;
/** f16: half as wide in registers, too, where the target has such numbers (WebGPU and CUDA; a CPU has not). Each operation rounds its result
 * to the nearest, ties to even; what is too large becomes infinite. It adds, subtracts and multiplies; all else is done in f32, to which
 * a cast is exact. A device may take numbers below 2^-14 for zero. */
export type ScalarType = "f32" | "i32" | "bool" | "f16";
/** Value types. `x4` values live in one SIMD register; comparisons of x4 values give boolx4 masks. */
export type ValueType = ScalarType | "f32x4" | "i32x4" | "boolx4" | "f16x4";

export interface KernelBuffer {
  readonly name: string;
  readonly type: ElementType;
  /** `update` buffers are read and written; an invocation reads only elements that no other invocation writes. */
  readonly access: "read" | "write" | "update";
  /** In elements. */
  readonly length: Size;
}

/** Memory of one workgroup (on a CPU: of one thread). Contents are undefined when a workgroup starts. */
export interface Scratch {
  readonly name: string;
  readonly type: ElementType;
  readonly length: number;
  /** For rows of so many bytes: where shared memory has banks, sixteen bytes from each of eight neighbouring rows are in different ones.
   * Changes the order in memory and nothing that a kernel sees. The length is a multiple of 1 KiB, four elements at once begin at a
   * multiple of four, and such arrays are listed first. */
  readonly rows?: 32 | 64 | 128;
}

/** How bulk copies see a buffer that is only read: as an array of at most five axes, the first of which has neighbours in memory for
 * neighbours. Its boxes are what one copy brings. */
export interface TensorMap {
  readonly name: string;
  readonly buffer: string;
  /** Of the first element, in elements: a multiple of sixteen bytes. */
  readonly offset: Size;
  readonly axes: readonly {
    readonly extent: Size;
    /** Elements from one to the next: 1 for the first axis, a multiple of sixteen bytes for the others. */
    readonly stride: Size;
    /** Of a box, in elements. */
    readonly box: number;
  }[];
}

/** Counts arrivals and bytes in phases, one after the other; `count` of them, for a workgroup. A phase ends when so many have arrived and all
 * bytes that they have announced are there. At first none has ended. */
export interface Signal {
  readonly name: string;
  readonly count: number;
  readonly arrivals: number;
}

/** A kernel's work, done in another way. */
export type KernelWay = Pick<Kernel, "grid" | "workgroup" | "scratch" | "maps" | "signals" | "body">;

export interface Kernel {
  readonly name: string;
  /** In binding order. At most 8 by default, so that WebGPU's guaranteed limit holds. */
  readonly buffers: readonly KernelBuffer[];
  /** Names of the symbolic sizes that the body or the buffer lengths read; passed as i32 at launch, in this order. */
  readonly sizes: readonly string[];
  /** Workgroups, one-dimensional; depends on sizes only, never on data. */
  readonly grid: Size;
  /** Invocations in a workgroup; 1 on a CPU. */
  readonly workgroup: number;
  readonly scratch: readonly Scratch[];
  /** Only where warpgroups multiply. */
  readonly maps?: readonly TensorMap[];
  readonly signals?: readonly Signal[];
  readonly body: readonly Stmt[];
  /** What devices whose warpgroups multiply (sm_90a) do instead, with the same buffers and sizes. */
  readonly warpgroups?: KernelWay;
  /** Multiply-adds of one launch (for the plan), and bytes are counted from the buffers. */
  readonly multiplyAdds?: Size;
}

export type UnaryFn =
  | "neg" | "abs" | "exp" | "log" | "sqrt" | "tanh" | "sin" | "cos" | "erf" | "floor" | "ceil" | "round" | "sign"
  | "not" | "isnan"
  /** f32 to i32: the bits as a number that is in order like the f32; -0 comes before 0, NaN beyond the infinities. */
  | "order"
  /** The nearest number of that type, ties to even: what storing it there and reading it again gives. */
  | HalfType;
export type BinaryFn =
  // div and mod of i32 are for non-negative numbers; min and max of f32 return the other operand when one is NaN
  | "add" | "sub" | "mul" | "div" | "mod" | "min" | "max" | "pow"
  | "lt" | "le" | "eq" | "ne" | "and" | "or"
  // bits, i32 only
  | "xor" | "shl" | "shr";

/** Of scalars: f32 and i32. */
export type ReduceFn = "add" | "min" | "max";

export type Expr =
  | { readonly op: "literal"; readonly type: ScalarType; readonly value: number }
  /** A size known at launch. */
  | { readonly op: "size"; readonly type: "i32"; readonly size: Size }
  | { readonly op: "local"; readonly type: ValueType; readonly name: string }
  /** The workgroup's number, 0 <= workgroup < grid. */
  | { readonly op: "workgroup"; readonly type: "i32" }
  /** The invocation's number inside its workgroup; 0 on a CPU. */
  | { readonly op: "invocation"; readonly type: "i32" }
  /** Reads one element, or four in a row when the type is x4 (index is that of the first; no alignment needed). Memory of f16 is read as f32
   * or as it is. */
  | {
      readonly op: "load";
      readonly type: "f32" | "i32" | "f16" | "f32x4" | "i32x4" | "f16x4";
      readonly buffer: string;
      readonly index: Expr;
    }
  | { readonly op: "unary"; readonly type: ValueType; readonly fn: UnaryFn; readonly a: Expr }
  | { readonly op: "binary"; readonly type: ValueType; readonly fn: BinaryFn; readonly a: Expr; readonly b: Expr }
  /** a * b + c, fused where the target can. */
  | {
      readonly op: "fma";
      readonly type: "f32" | "f32x4" | "f16" | "f16x4";
      readonly a: Expr;
      readonly b: Expr;
      readonly c: Expr;
    }
  | { readonly op: "select"; readonly type: ValueType; readonly condition: Expr; readonly a: Expr; readonly b: Expr }
  /** A scalar in all four lanes. */
  | { readonly op: "splat"; readonly type: "f32x4" | "i32x4" | "boolx4" | "f16x4"; readonly a: Expr }
  /** Four scalars as one vector. */
  | { readonly op: "vector"; readonly type: "f32x4" | "i32x4" | "f16x4"; readonly lanes: readonly [Expr, Expr, Expr, Expr] }
  | { readonly op: "extract"; readonly type: "f32" | "i32" | "f16"; readonly a: Expr; readonly lane: 0 | 1 | 2 | 3 }
  /** Between f32 and i32 (truncating, saturating; NaN gives 0), between f32 and f16, and from bool (0 or 1); x4 to x4 likewise. */
  | { readonly op: "cast"; readonly type: ValueType; readonly a: Expr }
  /** 24 random bits in [0, 1) as f32, or 32 as i32: threefry-2x32-20, key (key0, key1), counter (counter, stream). */
  | {
      readonly op: "random";
      readonly type: "f32" | "i32";
      readonly key0: Expr;
      readonly key1: Expr;
      readonly counter: Expr;
      readonly stream: number;
    };

/**
 * 16 x 16 numbers that a warp (invocations 32 w to 32 w + 31) holds together; `multiply` is sums += left * right. All invocations
 * of a warp reach each of its matrix statements, with the same indices; a warp may reach them alone. `sums` are f32 and begin
 * at zero; `left` (16 rows by 16 of k) and `right` (16 of k by 16 columns) are read from half scratch. Lives like a local.
 */
export type Fragment =
  | { readonly of: "sums" }
  | {
      readonly of: "left" | "right";
      readonly scratch: string;
      /** Of the first element; a multiple of 8, as is `stride`. */
      readonly index: Expr;
      /** From one run of 16 neighbours to the next. */
      readonly stride: number;
      /** Neighbours lie along k, or along the other axis (rows of `left`, columns of `right`). */
      readonly contiguous: "k" | "other";
    };

/** 16 of k of an operand that a warpgroup multiplies with, in half scratch with rows: 64 rows of left, or the columns of right. */
export interface Tile {
  readonly scratch: string;
  /** Of the first element: at a multiple of eight rows of scratch; where those lie along k, plus a multiple of 16 of k. */
  readonly index: Expr;
  /** Rows of scratch lie along k, one for each row or column; or along the other axis, one for each k. */
  readonly contiguous: "k" | "other";
  /** Elements from one row of scratch's worth of the other axis to the next, where rows of scratch lie along it. */
  readonly panel?: number;
}

export type Stmt =
  | { readonly op: "let"; readonly name: string; readonly value: Expr }
  /** A local that `set` may change. */
  | { readonly op: "var"; readonly name: string; readonly value: Expr }
  | { readonly op: "set"; readonly name: string; readonly value: Expr }
  | { readonly op: "store"; readonly buffer: string; readonly index: Expr; readonly value: Expr }
  /** for (name = from; name < to; name += step); the bounds are read once, the step is positive. */
  | {
      readonly op: "for";
      readonly name: string;
      readonly from: Expr;
      readonly to: Expr;
      readonly step: number;
      readonly body: readonly Stmt[];
    }
  | { readonly op: "if"; readonly condition: Expr; readonly then: readonly Stmt[]; readonly otherwise: readonly Stmt[] }
  /** All invocations of the workgroup, or of the warp, wait for each other; what they have written to scratch before they see after. Nothing
   * on a CPU. */
  | { readonly op: "barrier"; readonly of?: "warp" }
  /** Combines the values of all invocations of the workgroup and names the result, which each of them gets. A barrier, too. The
   * order of additions is fixed for a device, and may differ between devices. */
  | { readonly op: "reduce"; readonly name: string; readonly fn: ReduceFn; readonly value: Expr }
  /**
   * Sixteen bytes of a buffer that is only read, to scratch of its type, copied while the kernel goes on. They arrive before the
   * invocation has waited for their group, nobody knows when: until then nobody else reads or writes those elements, and others only
   * after the next barrier. Both indices are of the first element and a multiple of sixteen bytes. Where `there` does not hold
   * nothing is read, and zeros arrive.
   */
  | {
      readonly op: "copy";
      readonly scratch: string;
      readonly index: Expr;
      readonly buffer: string;
      readonly from: Expr;
      readonly there: Expr;
    }
  /** What the invocation has begun to copy since it last said so becomes its next group, which may be empty. */
  | { readonly op: "group" }
  /** Until all groups of the invocation but its last `open` have arrived; no barrier. */
  | { readonly op: "wait"; readonly open: number }
  /**
   * One invocation begins to copy a box of a map to scratch whose rows are as long as the box's first axis: row by row, from `index` on, a
   * multiple of eight rows. `at` is the box's first element, axis by axis; what lies outside of the map arrives as zeros. The signal's
   * phase that is going on ends only when all of it is there. Until then nobody reads or writes those elements, and
   * nobody who has not waited for that phase does after it.
   */
  | {
      readonly op: "bulk";
      readonly scratch: string;
      readonly index: Expr;
      readonly map: string;
      readonly at: readonly Expr[];
      readonly signal: string;
      readonly which: Expr;
    }
  /** The invocation arrives, and announces so many bytes that bulk copies bring in this phase. Who waits for the phase sees what it has
   * done before: stored, copied and waited for, and what its warp has multiplied and settled. */
  | { readonly op: "arrive"; readonly signal: string; readonly which: Expr; readonly bytes: number }
  /** Until the number of phases that have ended is odd (`phase` is 0), or even (1): the first wait for 1 goes on at once. */
  | { readonly op: "await"; readonly signal: string; readonly which: Expr; readonly phase: Expr }
  /** All of a warpgroup have more or fewer registers each from here on: so many. Each warpgroup says it at most once. Means nothing. */
  | { readonly op: "registers"; readonly to: number; readonly more: boolean }
  | { readonly op: "fragment"; readonly name: string; readonly is: Fragment }
  /** Names fragments. Products are exact; how their sum is rounded is the device's, but always the same. */
  | { readonly op: "multiply"; readonly sums: string; readonly left: string; readonly right: string }
  /**
   * Four warps together (a warpgroup: invocations 128 g to 128 g + 127) multiply tiles that their units read from scratch themselves: the
   * sums of warp w, side by side, += rows 16 w to 16 w + 15 of left, times as many columns of right as there are sums. All invocations of
   * a warpgroup reach it with the same indices. It goes on while the kernel does: until the warps have settled nobody writes what is
   * read, or reads the sums. What others stored is seen after a barrier of the workgroup, what they have copied and waited for after a
   * signal, too. Only where warpgroups multiply.
   */
  | { readonly op: "product"; readonly sums: readonly string[]; readonly left: Tile; readonly right: Tile }
  /** Until the warp's products are done. */
  | { readonly op: "settle" }
  /** Two ways to do the same, of which devices whose warpgroups multiply (sm_90a) run the first. */
  | { readonly op: "variant"; readonly warpgroups: readonly Stmt[]; readonly otherwise: readonly Stmt[] }
  /** Stores sums to f32 scratch, row by row. They can be read after a barrier, as can what a warp's other invocations stored. */
  | {
      readonly op: "spill";
      readonly sums: string;
      readonly scratch: string;
      readonly index: Expr;
      /** From row to row; even, as is the index. */
      readonly stride: number;
    }
  | { readonly op: "comment"; readonly text: string };
