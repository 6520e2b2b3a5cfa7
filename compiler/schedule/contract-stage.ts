// Staging: copies a block of an operand into scratch in the order in which the micro-kernel reads it; prologues (gathers,
// element-wise maps, views) are evaluated here, once for each element of the block.
// In: operand readers. Out: statements. Rows and columns past the edge repeat the last one: their sums are never looked
// at, and reading stays inside. k is never padded.
//
//   rows    a[row][k]                     when k is contiguous in a
//   panels  a[row / 12][k][row % 12]      when m is contiguous in a
//   panels  b[n / 12][k][n % 12]          always; the last one or two panels may have 8 columns

import type { Expr, Stmt } from "../kernel.ts";
import type { ContractOperand, ContractPlace } from "./contract-spec.ts";
import {
  add,
  ceilDivide,
  divide,
  equal,
  extract,
  int,
  less,
  letInt,
  literalOf,
  local,
  loop,
  maximum,
  minimum,
  modulo,
  multiply,
  roundDown,
  selectInt,
  store,
  subtract,
  vector,
} from "./expr.ts";

export interface Stage {
  readonly fresh: (hint: string) => string;
  readonly operand: ContractOperand;
  readonly place: ContractPlace;
  /** Scratch. */
  readonly block: string;
  /** First coordinate and number of positions along the outer axis (m of a, n of b). */
  readonly outer: Expr;
  readonly outerCount: Expr;
  readonly k: Expr;
  readonly kCount: Expr;
}

/** [row][k], from rows along k; rows up to `padded` repeat the last. */
export function stageRows(stage: Stage, padded: Expr, stride: number, into: Stmt[]): void {
  const { fresh, operand, block } = stage;
  const last = letInt(fresh, into, "lastRow", subtract(stage.outerCount, int(1)));
  loop(fresh, into, "row", int(0), padded, 1, (row, body) => {
    const read = operand.open(stage.place, rowAt(stage.outer, row, last, stage.outerCount, padded), body);
    const base = letInt(fresh, body, "rowAt", multiply(row, int(stride)));
    copyAlong(fresh, body, stage.kCount, (k, lanes, inner) =>
      inner.push(store(block, add(base, k), read(add(stage.k, k), lanes, inner))),
    );
  });
}

const rowAt = (first: Expr, row: Expr, last: Expr, count: Expr, padded: Expr): Expr =>
  count === padded ? add(first, row) : add(first, minimum(row, last));

/** Vectors, four at a time where the length allows it, then single elements. */
function copyAlong(
  fresh: (hint: string) => string,
  into: Stmt[],
  count: Expr,
  copy: (at: Expr, lanes: 1 | 4, into: Stmt[]) => void,
): void {
  const length = literalOf(count);
  const unroll = length === undefined ? 1 : length % 16 === 0 ? 4 : length % 8 === 0 ? 2 : 1;
  const whole = letInt(fresh, into, "whole", roundDown(count, 4));
  loop(fresh, into, "at", int(0), whole, 4 * unroll, (at, body) => {
    for (let i = 0; i < unroll; i++) copy(add(at, int(4 * i)), 4, body);
  });
  loop(fresh, into, "at", whole, count, 1, (at, body) => copy(at, 1, body));
}

/** A run of panels of one width inside a block. */
export interface Panels {
  readonly width: 8 | 12;
  readonly count: Expr;
  /** How many of them have all their columns; the others repeat the last column. */
  readonly whole: Expr;
  /** Its first position along the outer axis, counted from the block's, and where it lies in scratch. */
  readonly first: Expr;
  readonly at: Expr;
  /** Elements from one panel to the next. */
  readonly stride: number;
}

export function withWhole(
  run: Omit<Panels, "whole">,
  count: Expr,
  fresh: (hint: string) => string,
  into: Stmt[],
): Panels {
  const there = divide(maximum(int(0), subtract(count, run.first)), int(run.width));
  return { ...run, whole: letInt(fresh, into, "whole", minimum(run.count, there)) };
}

/** Columns in vectors of four, covered by panels of 12, then at most two of 8. */
export function panelsOf(
  count: Expr,
  stride12: number,
  stride8: number,
  fresh: (hint: string) => string,
  into: Stmt[],
): Panels[] {
  const vectors = letInt(fresh, into, "vectors", ceilDivide(count, int(4)));
  const rest = letInt(fresh, into, "restVectors", modulo(vectors, int(3)));
  const two = selectInt(less(int(1), vectors), int(2), int(1));
  const eights = letInt(
    fresh,
    into,
    "eights",
    selectInt(equal(rest, int(0)), int(0), selectInt(equal(rest, int(1)), two, int(1))),
  );
  const twelves = letInt(
    fresh,
    into,
    "twelves",
    divide(maximum(int(0), subtract(vectors, multiply(eights, int(2)))), int(3)),
  );
  const first = letInt(fresh, into, "eightFrom", multiply(twelves, int(12)));
  const at = letInt(fresh, into, "eightAt", multiply(twelves, int(stride12)));
  const runs: readonly Omit<Panels, "whole">[] = [
    { width: 12, count: twelves, first: int(0), at: int(0), stride: stride12 },
    { width: 8, count: eights, first, at, stride: stride8 },
  ];
  return runs.filter((run) => literalOf(run.count) !== 0).map((run) => withWhole(run, count, fresh, into));
}

/** [outer / width][k][outer % width], from an operand that is contiguous along the outer axis. "edges" leaves the whole panels
 * to whoever reads them first. */
export function stagePanels(
  stage: Stage,
  runs: readonly Panels[],
  only: "all" | "edges",
  into: Stmt[],
): void {
  const { fresh, operand, block } = stage;
  loop(fresh, into, "k", int(0), stage.kCount, 1, (k, body) => {
    const read = operand.open(stage.place, add(stage.k, k), body);
    for (const run of runs) {
      const { width, whole } = run;
      const base = letInt(fresh, body, "kAt", add(run.at, multiply(k, int(width))));
      const first = letInt(fresh, body, "from", add(stage.outer, run.first));
      loop(fresh, body, "panel", int(0), only === "all" ? whole : int(0), 1, (panel, inner) => {
        const from = add(first, multiply(panel, int(width)));
        const to = letInt(fresh, inner, "to", add(base, multiply(panel, int(run.stride))));
        for (let v = 0; v < width; v += 4)
          inner.push(store(block, add(to, int(v)), read(add(from, int(v)), 4, inner)));
      });
      // The edge: at most one panel that is not all there, element by element.
      const last = subtract(stage.outerCount, int(1));
      loop(fresh, body, "edge", whole, run.count, 1, (panel, outer) => {
        const to = letInt(fresh, outer, "to", add(base, multiply(panel, int(run.stride))));
        const column = letInt(fresh, outer, "column", add(run.first, multiply(panel, int(width))));
        loop(fresh, outer, "lane", int(0), int(width), 1, (lane, inner) => {
          const from = letInt(fresh, inner, "at", add(stage.outer, minimum(add(column, lane), last)));
          inner.push(store(block, add(to, lane), read(from, 1, inner)));
        });
      });
    }
  });
}

/** The same from an operand that is contiguous along k: a transposition, four columns at once. */
export function stageTransposed(stage: Stage, runs: readonly Panels[], into: Stmt[]): void {
  for (const run of runs)
    loop(stage.fresh, into, "panel", int(0), run.count, 1, (panel, body) => {
      const at = letInt(stage.fresh, body, "panelAt", add(run.at, multiply(panel, int(run.stride))));
      const first = letInt(stage.fresh, body, "first", add(run.first, multiply(panel, int(run.width))));
      loop(stage.fresh, body, "four", int(0), int(run.width), 4, (four, inner) =>
        transposeFour(stage, add(first, four), add(at, four), run.width, inner),
      );
    });
}

/** Four columns from `first` on, to scratch[at + k * width + column]. */
function transposeFour(stage: Stage, first: Expr, at: Expr, width: number, body: Stmt[]): void {
  const { fresh, operand, block } = stage;
  const lanes = [0, 1, 2, 3] as const;
  const count = literalOf(stage.outerCount);
  const last = subtract(stage.outerCount, int(1));
  const readers = lanes.map((j) => {
    const column = add(first, int(j));
    // Only four columns, in a panel of eight, leave whole vectors past the edge.
    const covered = count !== undefined && count % 4 === 0 && count > 4;
    const inside = covered ? column : minimum(column, last);
    return operand.open(stage.place, letInt(fresh, body, "column", add(stage.outer, inside)), body);
  });
  const whole = letInt(fresh, body, "whole", roundDown(stage.kCount, 4));
  loop(fresh, body, "k", int(0), whole, 4, (k, inner) => {
    const to = letInt(fresh, inner, "to", add(at, multiply(k, int(width))));
    const vectors = readers.map((read) => {
      const name = fresh("values");
      inner.push({ op: "let", name, value: read(add(stage.k, k), 4, inner) });
      return local(name, "f32x4");
    });
    for (const lane of lanes)
      inner.push(
        store(block, add(to, int(lane * width)), vector(vectors.map((each) => extract(each, lane)))),
      );
  });
  loop(fresh, body, "k", whole, stage.kCount, 1, (k, inner) => {
    const from = add(stage.k, k);
    const to = add(at, multiply(k, int(width)));
    inner.push(store(block, to, vector(readers.map((read) => read(from, 1, inner)))));
  });
}
