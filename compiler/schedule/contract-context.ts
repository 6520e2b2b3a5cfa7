// What the parts of a contraction's schedule share. Types, and two conditions. In: made by contract.ts. Out: read by the
// parts. Deliberately absent: statements.

import type { Expr } from "../kernel.ts";
import type { ContractPlace, ContractSpec } from "./contract-spec.ts";
import type { Panels } from "./contract-stage.ts";
import type { Range } from "./contract-tasks.ts";
import type { Tiles } from "./contract-tiles.ts";

/** Everything that the parts of the body share. */
export interface Context {
  readonly spec: ContractSpec;
  readonly tiles: Tiles;
  readonly place: ContractPlace;
  readonly columns: Range;
  readonly depth: Range;
  /** Elements between rows (or 12-row panels) of the block of a, panels of 12 columns of b, and rows of sums. */
  readonly aStride: number;
  readonly stride12: number;
  readonly tileStride: number;
  /** The panels of a block of b. */
  readonly runs: readonly Panels[];
  /** a is packed as [row / 12][k][row % 12]. */
  readonly panels: boolean;
  /** Inner products along k instead of packed panels of b. */
  readonly dots: boolean;
}

export const never: Expr = { op: "literal", type: "bool", value: 0 };
export const always: Expr = { op: "literal", type: "bool", value: 1 };

/** One block of the reduction: what has been staged of a, and of b where b is staged. */
export interface Block {
  readonly rows: Range;
  readonly depth: Range;
  /** Whether the sums go on from what scratch holds. */
  readonly goOn: Expr;
}
