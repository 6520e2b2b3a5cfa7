// The meaning of matrix statements: what a warp does together. In: a statement, its indices, the fragments that the warp holds, and
// scratch to read and write. Out: the fragments and the scratch, changed. Sums are rounded once for sixteen products, which a device
// may do otherwise. Who reaches a statement, and who may write where, is the interpreter's (interpret-kernel.ts).

import type { Fragment, Kernel, Stmt, Tile } from "./kernel.ts";

const operations = ["fragment", "multiply", "spill", "product", "settle"] as const;
export type MatrixStmt = Extract<Stmt, { readonly op: (typeof operations)[number] }>;

export const isMatrix = (statement: Stmt): statement is MatrixStmt =>
  operations.some((op) => op === statement.op);

/** What a warp holds. */
export interface Fragments {
  /** 256 numbers each, by row, by name. */
  readonly held: Map<string, Float32Array>;
  /** Sums that products go on adding to. */
  readonly unsettled: Set<string>;
}

export const noFragments = (): Fragments => ({ held: new Map(), unsettled: new Set() });

export interface MatrixMemory {
  readonly read: (scratch: string, at: number) => number;
  readonly write: (scratch: string, at: number, value: number) => void;
  /** The element is read until `release`. */
  readonly hold: (scratch: string, at: number) => void;
  readonly release: () => void;
}

const size = 16;

export function runMatrix(
  kernel: Kernel,
  warp: number,
  statement: MatrixStmt,
  [index, other]: readonly [number, number],
  { held: fragments, unsettled }: Fragments,
  { read, write, hold, release }: MatrixMemory,
): void {
  const of = (name: string): Float32Array => {
    const found = fragments.get(name);
    if (found === undefined) throw new Error(`internal: no fragment ${name}`);
    if (statement.op !== "product" && unsettled.has(name))
      throw new Error(`internal: kernel ${kernel.name}: ${name} is read before its products have settled`);
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
    case "product": {
      const [left, right] = [
        [statement.left, index],
        [statement.right, other],
      ].map(([tile, first]) => placesOf(kernel, tile as Tile, first as number)) as [Places, Places];
      const element = ({ scratch, place }: Places, at: number, k: number): number => {
        const found = place(at, k);
        hold(scratch, found);
        return read(scratch, found);
      };
      const columns = size * statement.sums.length;
      const first = (warp % 4) * size;
      const a = tableOf(size, (row, k) => element(left, first + row, k));
      const b = tableOf(columns, (column, k) => element(right, column, k));
      statement.sums.forEach((name, block) => {
        const sums = of(name);
        for (let row = 0; row < size; row++)
          for (let column = 0; column < size; column++) {
            let sum = sums[row * size + column]!;
            for (let k = 0; k < size; k++) sum += a[row]![k]! * b[block * size + column]![k]!;
            sums[row * size + column] = sum;
          }
        unsettled.add(name);
      });
      return;
    }
    case "settle":
      unsettled.clear();
      release();
      return;
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

interface Places {
  readonly scratch: string;
  /** Of a row of left or a column of right. */
  readonly place: (at: number, k: number) => number;
}

function placesOf({ scratch }: Kernel, tile: Tile, first: number): Places {
  const run = scratch.find(({ name }) => name === tile.scratch)!.rows! / 2;
  const within = first % (8 * run);
  if (tile.contiguous === "k" ? within % size !== 0 || within >= run : within !== 0)
    throw new Error(`internal: a tile begins at ${first} of ${tile.scratch}, within eight rows`);
  return {
    scratch: tile.scratch,
    place: (at, k) =>
      tile.contiguous === "k"
        ? first + at * run + k
        : first + Math.floor(at / run) * (tile.panel ?? 0) + k * run + (at % run),
  };
}

const tableOf = (count: number, element: (at: number, k: number) => number): number[][] =>
  Array.from({ length: count }, (_, at) => Array.from({ length: size }, (_, k) => element(at, k)));

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
