// The meaning of matrix statements: what a warp does together. In: a statement, its index, the fragments that the warp holds, and
// scratch to read and write. Out: the fragments and the scratch, changed. Sums are rounded once for sixteen products, which a device
// may do otherwise. Who reaches a statement, and who may write where, is the interpreter's (interpret-kernel.ts).

import type { Fragment, Stmt } from "./kernel.ts";

export type MatrixStmt = Extract<Stmt, { readonly op: "fragment" | "multiply" | "spill" }>;

export const isMatrix = (statement: Stmt): statement is MatrixStmt =>
  statement.op === "fragment" || statement.op === "multiply" || statement.op === "spill";

/** 256 numbers each, by row, by name. */
export type Fragments = Map<string, Float32Array>;

export interface MatrixMemory {
  readonly read: (scratch: string, at: number) => number;
  readonly write: (scratch: string, at: number, value: number) => void;
}

const size = 16;

export function runMatrix(
  statement: MatrixStmt,
  index: number,
  fragments: Fragments,
  { read, write }: MatrixMemory,
): void {
  const of = (name: string): Float32Array => {
    const found = fragments.get(name);
    if (found === undefined) throw new Error(`internal: no fragment ${name}`);
    return found;
  };
  switch (statement.op) {
    case "fragment": {
      const { name, is } = statement;
      fragments.set(
        name,
        Float32Array.from({ length: size * size }, (_, at) =>
          is.of === "sums" ? 0 : read(is.scratch, placeOf(is, index, Math.floor(at / size), at % size)),
        ),
      );
      return;
    }
    case "multiply": {
      const [sums, left, right] = [of(statement.sums), of(statement.left), of(statement.right)];
      for (let row = 0; row < size; row++)
        for (let column = 0; column < size; column++) {
          let sum = sums[row * size + column]!;
          for (let k = 0; k < size; k++) sum += left[row * size + k]! * right[k * size + column]!;
          sums[row * size + column] = sum;
        }
      return;
    }
    case "spill": {
      if (index % 2 !== 0)
        throw new Error(`internal: ${statement.sums} is spilled to ${index}, which is odd`);
      of(statement.sums).forEach((sum, at) =>
        write(statement.scratch, index + Math.floor(at / size) * statement.stride + (at % size), sum),
      );
      return;
    }
    default:
      statement satisfies never;
  }
}

/** Rows of `left` and columns of `right` are apart or neighbours; k is the other. */
function placeOf(
  is: Exclude<Fragment, { readonly of: "sums" }>,
  index: number,
  row: number,
  column: number,
): number {
  if (index % 8 !== 0)
    throw new Error(`internal: a fragment begins at ${index} of ${is.scratch}, no multiple of 8`);
  const [k, other] = is.of === "left" ? [column, row] : [row, column];
  return is.contiguous === "k" ? index + other * is.stride + k : index + k * is.stride + other;
}
