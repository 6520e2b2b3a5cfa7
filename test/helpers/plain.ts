// Plain mathematics of rows of numbers for formulas in tests: loops in double precision, written from textbooks and sharing nothing with
// the compiler.

export type Rows = readonly (readonly number[])[];

export const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** One row times a matrix given by its rows. */
export const times = (row: readonly number[], matrix: Rows): number[] =>
  matrix[0]!.map((_, column) => row.reduce((sum, value, i) => sum + value * matrix[i]![column]!, 0));

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
export const mean = (values: readonly number[]): number => sum(values) / values.length;
export const columnOf = (rows: Rows, column: number): number[] => rows.map((row) => row[column]!);
/** The sum of every column. */
export const columnSums = (rows: Rows): number[] => rows[0]!.map((_, i) => sum(columnOf(rows, i)));
export const columnMeans = (rows: Rows): number[] => rows[0]!.map((_, i) => mean(columnOf(rows, i)));

/** 0 to n - 1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
/** Numbers in row-major order as rows. */
export const rowsOf = (flat: readonly number[], columns: number): Rows =>
  range(flat.length / columns).map((i) => flat.slice(i * columns, (i + 1) * columns));
export const added = (a: readonly number[], b: readonly number[]): number[] =>
  a.map((value, i) => value + b[i]!);
/** The sum of rows, each times its share. */
export const weighted = (shares: readonly number[], rows: Rows): number[] =>
  rows[0]!.map((_, i) => dot(shares, columnOf(rows, i)));

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const softplus = (x: number): number => Math.log(1 + Math.exp(x));

export function softmax(values: readonly number[]): number[] {
  const highest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - highest));
  const total = sum(powers);
  return powers.map((power) => power / total);
}

export const logsumexp = (values: readonly number[]): number => Math.log(sum(values.map(Math.exp)));

/** The Taylor series of the integral of exp(-t^2) near 0, where its terms are small; the continued fraction of 1 - erf elsewhere. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (size < 2) {
    let term = x;
    let total = x;
    for (let n = 1; n < 60; n++) {
      term *= -(x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = size;
  for (let n = 80; n > 0; n--) fraction = size + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / fraction);
}
/** The share of a standard normal distribution below x. */
export const normalBelow = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;

/** The places of the k largest, in falling order, the first of equals first. */
export const largest = (values: readonly number[], k: number): number[] =>
  values
    .map((_, i) => i)
    .sort((a, b) => values[b]! - values[a]! || a - b)
    .slice(0, k);

export const unit = (values: readonly number[], epsilon = 0): number[] => {
  const length = Math.sqrt(dot(values, values) + epsilon);
  return values.map((value) => value / length);
};

/** Variance / mean^2, the variance divided by n - correction. */
export const squaredVariation = (values: readonly number[], correction = 0): number =>
  sum(values.map((value) => (value - mean(values)) ** 2)) /
  (values.length - correction) /
  (mean(values) ** 2 + 1e-10);

/** How often each of n experts is picked. */
export function counts(picks: Rows, n: number): number[] {
  const load = new Array<number>(n).fill(0);
  for (const expert of picks.flat()) if (expert >= 0) load[expert]!++;
  return load;
}

/** The weight of each of n experts, 0 where it is not picked. */
export const spread = (picks: Rows, n: number, weight: (token: number, expert: number) => number): Rows =>
  picks.map((row, token) =>
    Array.from({ length: n }, (_, expert) => (row.includes(expert) ? weight(token, expert) : 0)),
  );

/** What was given first: values that no gradient changes. */
export const stopped = (): ((x: Rows) => Rows) => {
  let first: Rows | undefined;
  return (x) => (first ??= x.map((row) => [...row]));
};
