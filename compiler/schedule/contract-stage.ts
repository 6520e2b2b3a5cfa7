// Staging: copies a block of an operand into scratch in the order in which the micro-kernel reads it; prologues (gathers,
// element-wise maps, views) are evaluated here, once for each element of the block.
// In: operand readers. Out: statements. Rows and columns past the edge repeat the last one: their sums are never looked
// at, and reading stays inside. k is never padded.
//
//   rows    a[row][k]                     when k is contiguous in a
//   panels  a[row / 12][k][row % 12]      when m is contiguous in a: two register tiles of 6 rows, three vectors
//   panels  b[n / 8][k][n % 8]            always: one register tile of 8 columns, two vectors

import type { Expr, Stmt } from "../kernel.ts";
import type { ContractOperand, ContractPlace } from "./contract-spec.ts";
import {
  add, ceilDivide, divide, float, int, letInt, loop, minimum, modulo, multiply, roundDown, store, subtract, literalOf,
} from "./expr.ts";

export interface Stage {
  readonly fresh: (hint: string) => string;
  readonly operand: ContractOperand;
  readonly place: ContractPlace;
  /** Scratch, and elements from one row or panel to the next. */
  readonly block: string;
  readonly stride: number;
  /** First coordinate and number of positions along the outer axis (m of a, n of b). */
  readonly outer: Expr;
  readonly outerCount: Expr;
  readonly k: Expr;
  readonly kCount: Expr;
}

/** [row][k], from k-contiguous rows. */
export function stageRows(stage: Stage, padded: Expr, into: Stmt[]): void {
  const { fresh, operand, block } = stage;
  const last = letInt(fresh, into, "lastRow", subtract(stage.outerCount, int(1)));
  loop(fresh, into, "row", int(0), padded, 1, (row, body) => {
    const read = operand.open(stage.place, rowAt(stage.outer, row, last, stage.outerCount, padded), body);
    const base = letInt(fresh, body, "rowAt", multiply(row, int(stage.stride)));
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

/** [outer / width][k][outer % width], from an operand that is contiguous along the outer axis. */
export function stagePanels(stage: Stage, width: 8 | 12, into: Stmt[]): void {
  const { fresh, operand, block, stride } = stage;
  const whole = letInt(fresh, into, "wholePanels", divide(stage.outerCount, int(width)));
  const rest = letInt(fresh, into, "rest", modulo(stage.outerCount, int(width)));
  loop(fresh, into, "k", int(0), stage.kCount, 1, (k, body) => {
    const read = operand.open(stage.place, add(stage.k, k), body);
    const base = letInt(fresh, body, "kAt", multiply(k, int(width)));
    loop(fresh, body, "panel", int(0), whole, 1, (panel, inner) => {
      const from = add(stage.outer, multiply(panel, int(width)));
      const to = letInt(fresh, inner, "to", add(base, multiply(panel, int(stride))));
      for (let i = 0; i < width; i += 4) inner.push(store(block, add(to, int(i)), read(add(from, int(i)), 4, inner)));
    });
    // The last, partial panel: single elements, then zeros.
    if (literalOf(rest) === 0) return;
    const from = letInt(fresh, body, "from", add(stage.outer, multiply(whole, int(width))));
    const to = letInt(fresh, body, "to", add(base, multiply(whole, int(stride))));
    loop(fresh, body, "lane", int(0), rest, 1, (lane, inner) =>
      inner.push(store(block, add(to, lane), read(add(from, lane), 1, inner))),
    );
    const padding: Stmt[] = [];
    loop(fresh, padding, "lane", rest, int(width), 1, (lane, inner) =>
      inner.push(store(block, add(to, lane), float(0))),
    );
    if (literalOf(rest) !== undefined) body.push(...padding);
    else body.push({ op: "if", condition: notZero(rest), then: padding, otherwise: [] });
  });
}

const notZero = (a: Expr): Expr => ({ op: "binary", type: "bool", fn: "lt", a: int(0), b: a });

/** [n / 8][k][n % 8], from an operand that is contiguous along k: a transposition, eight columns at once. */
export function stageTransposed(stage: Stage, into: Stmt[]): void {
  const { fresh, operand, block } = stage;
  const width = 8;
  const count = literalOf(stage.outerCount);
  const last = letInt(fresh, into, "lastColumn", subtract(stage.outerCount, int(1)));
  loop(fresh, into, "panel", int(0), ceilDivide(stage.outerCount, int(width)), 1, (panel, body) => {
    const first = letInt(fresh, body, "column", multiply(panel, int(width)));
    const readers = Array.from({ length: width }, (_, j) => {
      const column = add(first, int(j));
      const inside = count !== undefined && count % width === 0 ? column : minimum(column, last);
      return operand.open(stage.place, add(stage.outer, inside), body);
    });
    const base = letInt(fresh, body, "panelAt", multiply(panel, int(stage.stride)));
    const single = (k: Expr, inner: Stmt[]): void =>
      readers.forEach((read, j) =>
        inner.push(store(block, add(base, multiply(k, int(width)), int(j)), read(add(stage.k, k), 1, inner))),
      );
    if (operand.plain) {
      loop(fresh, body, "k", int(0), stage.kCount, 1, single);
      return;
    }
    const whole = letInt(fresh, body, "whole", roundDown(stage.kCount, 4));
    loop(fresh, body, "k", int(0), whole, 4, (k, inner) => {
      const to = letInt(fresh, inner, "to", add(base, multiply(k, int(width))));
      readers.forEach((read, j) => {
        const name = fresh("values");
        inner.push({ op: "let", name, value: read(add(stage.k, k), 4, inner) });
        for (const lane of [0, 1, 2, 3] as const)
          inner.push(
            store(block, add(to, int(lane * width + j)), {
              op: "extract",
              type: "f32",
              a: { op: "local", type: "f32x4", name },
              lane,
            }),
          );
      });
    });
    loop(fresh, body, "k", whole, stage.kCount, 1, single);
  });
}
