// Numbers at the edges of both half widths: halves of the last place, the smallest and largest, what is no number.

const values = [
  ...[0, -0, 1, -1, 1 / 3, 65504, 65519, 65520, 70000, 3.3e38, 3.4e38],
  ...[1e-5, 6e-8, 3e-8, 2.98e-8, -5.96e-8, 1e-40, 2 ** -14, 2 ** -24, 2 ** -25, 2 ** -25 * 1.0001],
  ...[1.00390625, 1.01171875, 1.00048828125, 1.00146484375],
];

/** What f32 holds of them. */
export const halfEdges: readonly number[] = [
  ...values,
  ...values.map((x) => -x * 1.0001),
  ...[Infinity, -Infinity, NaN],
].map(Math.fround);
