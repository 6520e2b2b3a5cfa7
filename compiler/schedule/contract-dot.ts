// Register tiles of inner products: two rows of a by four columns of b, both read along k, four k at once.
// In: the rows of a, staged in scratch; b where it lies, contiguous along k. Out: statements that leave sums in scratch. Each
// sum is kept as four partial sums, which are added at the end, so b is neither packed nor transposed and weights stream
// from memory in its order. Deliberately absent: edges. Rows and columns past the end repeat the last one.

import type { Expr, Stmt } from "../kernel.ts";
import { keptAhead, readAhead } from "./contract-ahead.ts";
import type { Block, Context } from "./contract-context.ts";
import type { ContractOperand, Reader } from "./contract-spec.ts";
import type { Range } from "./contract-tasks.ts";
import {
  add,
  add4,
  branch,
  ceilDivide,
  divide,
  extract,
  float,
  int,
  letInt,
  literalOf,
  loadFloat,
  loadVector,
  local,
  loop,
  maximum,
  minimum,
  multiply,
  multiplyAdd4,
  roundDown,
  setLocal,
  store,
  subtract,
  vector,
  zero4,
} from "./expr.ts";

const dotRows = 2;
const dotColumns = 4;

interface DotTile {
  readonly fresh: (hint: string) => string;
  /** Scratch: rows of a, and where each row of the tile starts. */
  readonly a: string;
  readonly aAt: readonly Expr[];
  /** Readers along k, one for each column. */
  readonly b: readonly Reader[];
  /** First k of b, length of the run, and the largest multiple of four in it. */
  readonly k: Expr;
  readonly depth: Expr;
  readonly whole: Expr;
  readonly tile: string;
  readonly tileBase: Expr;
  readonly tileStride: number;
  /** Whether the sums go on from what the tile holds. */
  readonly goOn: Expr;
}

function emitDotTile(dot: DotTile, into: Stmt[]): void {
  const { fresh } = dot;
  const sums = dot.aAt.map(() =>
    dot.b.map(() => {
      const name = fresh("sum");
      into.push({ op: "var", name, value: zero4 });
      return name;
    }),
  );
  const step = (body: Stmt[], a: (row: number) => Expr, b: (column: number) => Expr): void => {
    const columns = dot.b.map((_, c) => named(fresh, "b", b(c), body));
    sums.forEach((row, r) => {
      const left = named(fresh, "a", a(r), body);
      row.forEach((sum, c) => body.push(setLocal(sum, multiplyAdd4(left, columns[c]!, local(sum, "f32x4")))));
    });
  };
  loop(fresh, into, "k", int(0), dot.whole, 4, (k, body) =>
    step(
      body,
      (r) => loadVector(dot.a, add(dot.aAt[r]!, k)),
      (c) => dot.b[c]!(add(dot.k, k), 4, body),
    ),
  );
  // The last few k, in the first lane.
  const alone = (value: Expr): Expr => vector([value, float(0), float(0), float(0)]);
  loop(fresh, into, "k", dot.whole, dot.depth, 1, (k, body) =>
    step(
      body,
      (r) => alone(loadFloat(dot.a, add(dot.aAt[r]!, k))),
      (c) => alone(dot.b[c]!(add(dot.k, k), 1, body)),
    ),
  );
  sums.forEach((row, r) => {
    const lanes = ([0, 1, 2, 3] as const).map((lane) =>
      vector(row.map((sum) => extract(local(sum, "f32x4"), lane))),
    );
    const total = fresh("total");
    const value = add4(add4(lanes[0]!, lanes[1]!), add4(lanes[2]!, lanes[3]!));
    into.push({ op: "var", name: total, value });
    const place = add(dot.tileBase, int(r * dot.tileStride));
    branch(into, dot.goOn, (body) =>
      body.push(setLocal(total, add4(local(total, "f32x4"), loadVector(dot.tile, place)))),
    );
    into.push(store(dot.tile, place, local(total, "f32x4")));
  });
}

function named(fresh: (hint: string) => string, hint: string, value: Expr, into: Stmt[]): Expr {
  const name = fresh(hint);
  into.push({ op: "let", name, value });
  return local(name, "f32x4");
}

/** Columns outside, four at a time, rows inside. */
export function emitDots(context: Context, { rows, depth, goOn }: Block, into: Stmt[]): void {
  const { spec, columns, place, aStride, tileStride } = context;
  const { fresh } = spec;
  const whole = letInt(fresh, into, "wholeK", roundDown(depth.count, 4));
  const last = letInt(fresh, into, "lastColumn", add(columns.from, columns.count, int(-1)));
  spec.b.forEach((operand, sibling) =>
    loop(fresh, into, "column", int(0), columns.count, dotColumns, (column, body) => {
      const readers = Array.from({ length: dotColumns }, (_, c) =>
        operand.open(place, letInt(fresh, body, "n", minimum(add(columns.from, column, int(c)), last)), body),
      );
      const ahead = readDots(context, operand, rows, column, depth, body);
      loop(fresh, body, "row", int(0), rows.count, dotRows, (row, inner) => {
        ahead(divide(row, int(dotRows)), inner);
        const aAt = letInt(fresh, inner, "aAt", multiply(row, int(aStride)));
        emitDotTile(
          {
            fresh,
            a: "aBlock",
            aAt: Array.from({ length: dotRows }, (_, r) => add(aAt, int(r * aStride))),
            b: readers,
            k: depth.from,
            depth: depth.count,
            whole,
            tile: `sums${sibling}`,
            tileBase: letInt(fresh, inner, "tileAt", add(multiply(row, int(tileStride)), column)),
            tileStride,
            goOn,
          },
          inner,
        );
      });
    }),
  );
}

/** The columns that follow, while the rows pass these. */
function readDots(
  { spec, tiles, columns, place }: Context,
  operand: ContractOperand,
  rows: Range,
  column: Expr,
  depth: Range,
  into: Stmt[],
): (turn: Expr, into: Stmt[]) => void {
  const length = literalOf(depth.count);
  if (!tiles.readsAhead || length === undefined) return () => undefined;
  const { fresh } = spec;
  const left = subtract(columns.count, add(column, int(dotColumns)));
  const count = letInt(fresh, into, "aheadRows", minimum(maximum(left, int(0)), int(dotColumns)));
  const first = add(columns.from, column, int(dotColumns));
  const read = (row: Expr, position: Expr, body: Stmt[]): Expr =>
    operand.open(place, letInt(fresh, body, "n", add(first, row)), body)(add(depth.from, position), 4, body);
  const turns = letInt(fresh, into, "turns", ceilDivide(rows.count, int(dotRows)));
  return readAhead({ fresh, rows: count, length, parts: 1, read, turns, keep: keptAhead.name }, into);
}
