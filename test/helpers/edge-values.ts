// Numbers on which functions of the kernel IR are tested on every target: signs, zeros, halves, the ends of ranges, NaN.

export const floats: readonly number[] = (
  "0 -0 1 -1 0.5 -0.5 1.5 2.5 -2.5 3.7 -3.2 1e-3 -1e-5 1e-8 7.3 -9.1 12.25 20 -20 87 -86 88.7 89 -104 1000 -1000 1e6 -123456.7 3e9 " +
  "-3e9 1e30 -1e30 1.17549435e-38 1e-41 1e-42 3.4e38 Infinity -Infinity NaN 0.7071 1.4142 0.3"
)
  .split(" ")
  .map(Number);
export const wholes: readonly number[] = [
  ...[0, 1, -1, 2, 3, 5, -7, 7, -8, 31, 100, -100],
  ...[65536, 2147483647, -2147483648, 12345678],
];
/** Not below zero. */
export const normal = (x: number): boolean => !(Math.abs(x) > 0 && Math.abs(x) < 2 ** -126);

type Pair = readonly [number, number];

/** Powers: every one of the first with every other; in the others b log a is large, so that its error counts. */
const bases = [0, -0, 1, -1, 0.5, 2, -2, 3, -3, 2.5, -2.5, 10, 0.999, 1e-3, Infinity, -Infinity, NaN];
const far: readonly Pair[] = [
  ...([
    [0.999, 30000],
    [1.0001, 5e5],
    [1.5, 200],
    [1e-3, -12.3],
  ] as const),
  ...([
    [7, 44],
    [3e38, -0.9],
    [1e-40, 0.5],
  ] as const),
];

/** Vectors are read in fours: the first are repeated. */
export const inFours = <T>(values: readonly T[]): T[] => [
  ...values,
  ...values.slice(0, (4 - (values.length % 4)) % 4),
];
export const single = (values: readonly number[]): Pair[] =>
  inFours(values).map((value) => [value, value] as const);
export const pairsOf = (values: readonly number[]): Pair[] =>
  inFours(values.flatMap((a) => values.map((b) => [a, b] as const)));
export const powers: readonly Pair[] = inFours([...pairsOf(bases), ...far]);
/** Whole numbers that are not negative, by others that are positive: what div and mod are for. */
export const quotients: readonly Pair[] = pairsOf(wholes.filter((x) => x >= 0)).map(
  ([a, b]) => [a, b === 0 ? 5 : b] as const,
);
export const shifts: readonly Pair[] = wholes.flatMap((a) => [0, 1, 7, 31].map((b) => [a, b] as const));
/** Evenly from -22 to 22. */
export const dense = (count: number): number[] =>
  Array.from({ length: count }, (_, at) => ((at - count / 2) * 44.4) / count);

/** Within a relative error, and an absolute one for what lies below the normal range. NaN is like NaN. */
export function close(actual: number, wanted: number, relative: number, absolute: number): boolean {
  if (Number.isNaN(wanted)) return Number.isNaN(actual);
  return actual === wanted || Math.abs(actual - wanted) <= relative * Math.abs(wanted) + absolute;
}
