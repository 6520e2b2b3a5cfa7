// What the schedules of a streamed kernel are told. Types only.
// In: made by lower/stream.ts from one cluster. Out: `streamBody` (stream.ts, a thread of a CPU; stream-team.ts, a workgroup
// of a GPU) turns it into the body of one kernel.
//
//   tile t [m, j] = sum over k of left_t[m, k] * right_t[j, k]
//   weight s [m, j], score [m, j], row terms r [m, j] = element-wise expressions of the tiles
//   sum s [m, n] = sum over j (and over `extra`) of weight_s[m, j] * right_s[j, n],   row r [m] = sum or maximum over j of term r
//
// With `max`, row terms and weights are relative to the running maximum of the score, and what has been summed is
// multiplied by exp(old maximum - new maximum) when it grows. m runs over the rows that a workgroup owns, j is streamed.

import type { Expr, Scratch, Stmt } from "../kernel.ts";
import type { Size } from "../../runtime/size.ts";
import type { ContractOperand } from "./contract-spec.ts";

/** Coordinates outside m and j, one for each of `batch` and then of `extra`. */
export interface StreamPlace {
  readonly batch: readonly Expr[];
}

/** left has axes m and k, right n (the streamed one) and k. */
export interface StreamTile {
  readonly left: (place: StreamPlace) => ContractOperand;
  readonly right: (place: StreamPlace) => ContractOperand;
  readonly depth: Size;
}

/** The right operand has axes k (the streamed one) and n. */
export interface StreamSum {
  readonly right: (place: StreamPlace) => ContractOperand;
  readonly width: Size;
}

/** One element of a row, or four along j: its place in the whole, and where the tiles of the block are read. */
export interface StreamCell {
  readonly at: Expr;
  readonly lanes: 1 | 4;
  readonly tile: (tile: number) => Expr;
}

export interface StreamTerms {
  readonly rows: readonly Expr[];
  readonly weights: readonly Expr[];
}

/** A necessary condition for anything to be summed: own * m + stream * j + offset <= 0. */
export interface StreamBound {
  readonly own: number;
  readonly stream: -1 | 1;
  /** The same for all of the kernel. */
  readonly offset: Expr;
}

export interface StreamSpec {
  readonly batch: readonly Size[];
  /** Summed besides j, one after the other. */
  readonly extra: readonly Size[];
  readonly own: Size;
  readonly stream: Size;
  readonly tiles: readonly StreamTile[];
  readonly sums: readonly StreamSum[];
  readonly rows: readonly ("sum" | "max")[];
  readonly max: boolean;
  readonly bounds: readonly StreamBound[];
  /** Fixes a row; the statements pushed dominate all uses of what comes back. */
  readonly score: (place: StreamPlace, m: Expr, into: Stmt[]) => (cell: StreamCell, into: Stmt[]) => Expr;
  readonly terms: (
    place: StreamPlace,
    m: Expr,
    max: Expr | undefined,
    into: Stmt[],
  ) => (cell: StreamCell, score: Expr | undefined, into: Stmt[]) => StreamTerms;
  /** Stores the row's values; gives the factors of each sum and its writer. `rows` are finished. */
  readonly finish: (
    place: StreamPlace,
    m: Expr,
    max: Expr | undefined,
    rows: readonly Expr[],
    into: Stmt[],
  ) => {
    /** Pushes the stores of the row's own values. */
    readonly store: (into: Stmt[]) => void;
    readonly write: (sum: number, n: Expr, lanes: 1 | 4, value: Expr, into: Stmt[]) => void;
  };
  readonly fresh: (hint: string) => string;
}

export interface StreamBody {
  readonly scratch: readonly Scratch[];
  readonly grid: Size;
  readonly body: readonly Stmt[];
  readonly multiplyAdds: Size;
}
