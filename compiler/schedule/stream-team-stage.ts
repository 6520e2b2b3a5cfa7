// Staging for streamed kernels on a GPU: a workgroup copies a block of an operand into scratch, neighbours in memory by
// neighbouring invocations.
// In: an operand's reader and ranges. Out: statements. The caller's barriers keep readers and writers apart.

import type { Expr, Stmt } from "../kernel.ts";
import { invocation, select } from "../lower/expr.ts";
import type { ContractOperand } from "./contract-spec.ts";
import type { Range } from "./contract-tasks.ts";
import type { StreamPlace, StreamSpec } from "./stream-spec.ts";
import {
  add,
  branch,
  divide,
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
} from "./expr.ts";

/** Invocations along the columns, and how many rows and columns each has. */
export const side = 8;
export const each = 4;
/** Columns of a block. */
export const block = side * each;
/** From one line to the next in scratch: one more than a block, so that its columns lie in different banks. */
export const stride = block + 1;
/** Who stages, and where they are. */
interface Stager {
  readonly spec: StreamSpec;
  readonly place: StreamPlace;
  readonly rowSide: number;
}

/** A block of an operand in scratch, [k][outer]; beyond the end of k zeros, beyond the end of the outer axis its last. */
interface Staging {
  readonly operand: ContractOperand;
  /** Where in scratch, and from one k to the next. */
  readonly at: number;
  readonly stride: number;
  readonly outer: Range;
  readonly outerBlock: number;
  readonly k: Expr;
  /** Coordinates of k from `kEnd` on are not there; undefined when all are. */
  readonly kEnd: Expr | undefined;
  readonly kBlock: number;
}

export function stage({ spec, place, rowSide }: Stager, staging: Staging, into: Stmt[]): void {
  const { operand, outer, outerBlock, kBlock, kEnd } = staging;
  const workgroup = rowSide * side;
  const { fresh } = spec;
  const alongK = operand.contiguous === "k";
  const last = letInt(fresh, into, "last", subtract(outer.count, int(1)));
  const total = outerBlock * kBlock;
  loop(fresh, into, "part", int(0), int(total), workgroup, (part, turn) => {
    const index = letInt(fresh, turn, "index", add(invocation, part));
    const all: Expr = { op: "literal", type: "bool", value: 1 };
    branch(turn, total % workgroup === 0 ? all : less(index, int(total)), (body) => {
      const inner = int(alongK ? kBlock : outerBlock);
      const [fast, slow] = [modulo(index, inner), divide(index, inner)];
      const k = letInt(fresh, body, "k", alongK ? fast : slow);
      const x = letInt(fresh, body, "x", alongK ? slow : fast);
      const there = letInt(fresh, body, "there", add(outer.from, minimum(x, last)));
      const wanted = letInt(fresh, body, "wanted", add(staging.k, k));
      const inside =
        kEnd === undefined ? wanted : letInt(fresh, body, "inside", minimum(wanted, subtract(kEnd, int(1))));
      const [fixed, moving] = alongK ? [there, inside] : [inside, there];
      const read = operand.open(place, fixed, body)(moving, 1, body);
      const value = kEnd === undefined ? read : select(less(wanted, kEnd), read, float(0));
      body.push(store("staged", add(multiply(k, int(staging.stride)), x, int(staging.at)), value));
    });
  });
}
