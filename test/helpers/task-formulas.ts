// Formulas of layers for several tasks as plain loops: experts that look at a whole batch of rows, and gates with allowed sets. In: the
// tensors of a program by name, rows of numbers. Out: rows of numbers.

import type { Given } from "./mechanism.ts";
import {
  added,
  columnMeans,
  columnOf,
  mean,
  range,
  sigmoid,
  softmax,
  times,
  weighted,
  type Rows,
} from "./plain.ts";

/** Part n of a tensor that holds several one behind the other, as rows. */
export function part({ tensor }: Given, name: string, n: number, rows: number, columns: number): Rows {
  const values = tensor(name).slice(n * rows * columns, (n + 1) * rows * columns);
  return Array.from({ length: rows }, (_, i) => values.slice(i * columns, (i + 1) * columns));
}
/** What expert n of a pool says about rows: all rows at once, because some look at the whole batch. */
export type Experts = (given: Given, pool: string, n: number, rows: Rows, hidden: number) => Rows;

export const linear = (given: Given, path: string, n: number, rows: Rows, hidden: number): Rows =>
  rows.map((row) => times(row, part(given, `${path}.w`, n, row.length, hidden)));
export const neurons: Experts = (given, path, n, rows, hidden) => {
  const bias = part(given, `${path}.bias`, n, 1, hidden)[0]!;
  return linear(given, path, n, rows, hidden).map((row) =>
    row.map((value, h) => Math.max(0, value + bias[h]!)),
  );
};

export const swish = (rows: Rows): Rows => rows.map((row) => row.map((value) => value * sigmoid(value)));
/** Normalised over rows, or in inference by the statistics that are kept. */
export const batchNorm = (given: Given, path: string, n: number, z: Rows, training: boolean): Rows => {
  const hidden = z[0]!.length;
  const at = (name: string): readonly number[] => part(given, `${path}.${name}`, n, 1, hidden)[0]!;
  const centre = training ? columnMeans(z) : at("running_mean");
  const variance = training
    ? centre.map((m, h) => mean(columnOf(z, h).map((value) => (value - m) ** 2)))
    : at("running_variance");
  return z.map((row) =>
    row.map((value, h) => {
      const scaled = (value - centre[h]!) / Math.sqrt(variance[h]! + 1e-5);
      return scaled * at("gain")[h]! + at("bias")[h]!;
    }),
  );
};
export const normed =
  (training: boolean): Experts =>
  (given, path, n, rows, hidden) =>
    swish(batchNorm(given, `${path}.norm`, n, linear(given, path, n, rows, hidden), training));

/** x times a mixture of L maps with values in (0, 2); of expert n. */
export function featureGate(given: Given, path: string, n: number, x: readonly number[]): number[] {
  const [D, rank, L] = [x.length, 4, 2];
  const choice = softmax(times(x, part(given, `${path}.choice`, n, D, L)));
  const low = times(x, part(given, `${path}.B`, n, D, L * rank));
  const A = part(given, `${path}.A`, n, rank, L * D);
  return x.map((value, d) => {
    const maps = choice.map((share, l) => {
      const high = A.reduce((total, row, r) => total + low[l * rank + r]! * row[l * D + d]!, 0);
      return share * 2 * sigmoid(high);
    });
    return value * maps.reduce((a, b) => a + b);
  });
}
export const viewed: Experts = (given, pool, n, rows, hidden) =>
  normed(true)(
    given,
    `${pool}.normedswish`,
    n,
    rows.map((row) => featureGate(given, `${pool}.featuregate`, n, row)),
    hidden,
  );

/** Logits of gate t, whose matrix stands beside those of other gates. */
export const logitsOf = (
  { matrix }: Given,
  name: string,
  gates: number,
  n: number,
  t: number,
  x: readonly number[],
) => times(x, matrix(name, gates * n)).slice(t * n, (t + 1) * n);

/** What gate t of several reads where gates are small networks; `name` is a layer's of such networks. */
export function gateInput(
  given: Given,
  name: string,
  gates: number,
  width: number,
  t: number,
  x: readonly number[],
): number[] {
  const at = (values: readonly number[]): readonly number[] => values.slice(t * width, (t + 1) * width);
  const seen = at(times(x, given.matrix(`${name}.enter`, gates * width)));
  return added(seen, at(given.tensor(`${name}.bias`))).map((value) => Math.max(0, value));
}

export interface Gates {
  readonly path: string;
  readonly tasks: number;
  readonly own: number;
  readonly common: number;
  readonly gates: number;
  readonly hidden: number;
  readonly self?: boolean;
  /** Of gates that are small networks. */
  readonly width?: number;
}
/** From streams of rows, task 0's, task 1's, ..., shared, to streams of rows; each gate goes over the list of experts that it may see. */
export function customGates(
  given: Given,
  streams: readonly Rows[],
  settings: Gates,
  experts: Experts,
): Rows[] {
  const { path, tasks, own, common, gates, hidden, self = false, width = 0 } = settings;
  const inner = (which: string, count: number, t: number, x: readonly number[]): readonly number[] =>
    width > 0 ? gateInput(given, `${path}.gateinput${which}`, count, width, t, x) : x;
  const N = tasks * own + common;
  const ownerOf = (n: number): number => (n < tasks * own ? Math.floor(n / own) : tasks);
  const said = range(N).map((n) =>
    experts(given, `${path}.eachexpert.pool`, n, streams[ownerOf(n)]!, hidden),
  );
  return range(gates).map((t) =>
    streams[t]!.map((x, token) => {
      const seen = range(N).filter((n) => t === tasks || ownerOf(n) === t || ownerOf(n) === tasks);
      const z = logitsOf(given, `${path}.gate`, gates, N, t, inner(self ? ".0" : "", gates, t, x));
      const shares = softmax(seen.map((n) => z[n]!));
      const h = weighted(
        shares,
        seen.map((n) => said[n]![token]!),
      );
      if (!self) return h;
      const mine = range(N).filter((n) => ownerOf(n) === t);
      const alone = inner(".1", tasks + 1, t, x);
      const logits = mine.map((n) => times(alone, given.matrix(`${path}.self_gate`, N))[n]!);
      const own_shares = mine.length > 1 ? softmax(logits) : logits.map(sigmoid);
      return added(
        h,
        weighted(
          own_shares,
          mine.map((n) => said[n]![token]!),
        ),
      );
    }),
  );
}
/** Streams of rows as one row for each token. */
export const joined = (streams: readonly Rows[]): Rows =>
  streams[0]!.map((_, token) => streams.flatMap((rows) => rows[token]!));
