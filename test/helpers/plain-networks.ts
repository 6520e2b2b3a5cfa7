// Gated networks, norms and noise for formulas in tests: plain loops in double precision over what a mechanism's tensors hold.

import { signedNumbers } from "./differential.ts";
import type { Given } from "./mechanism.ts";
import { mean, sigmoid, times, type Rows } from "./plain.ts";

export const silu = (x: number): number => x * sigmoid(x);

/** Numbers of both signs; the same for the same seed. */
export const noiseRows = (seed: number, rows: number, columns: number): Rows =>
  Array.from({ length: rows }, (_, i) => [...signedNumbers(seed * 100 + i, columns)]);

export const rms = (row: readonly number[], gain: readonly number[]): number[] => {
  const length = Math.sqrt(mean(row.map((value) => value * value)) + 1e-6);
  return row.map((value, c) => (value / length) * gain[c]!);
};

/** `(act(x gate) * (x up)) down`, expert e of several, whose parameters stand one behind the other. */
export function gated(
  { tensor }: Pick<Given, "tensor">,
  path: string,
  hidden: number,
  e = 0,
  activation = silu,
): (row: readonly number[]) => number[] {
  return (row) => {
    const size = row.length * hidden;
    const part = (name: string, columns: number): Rows => {
      const flat = tensor(`${path}.${name}`).slice(size * e, size * (e + 1));
      return Array.from({ length: size / columns }, (_, i) => flat.slice(i * columns, (i + 1) * columns));
    };
    const gate = times(row, part("gate", hidden)).map(activation);
    const up = times(row, part("up", hidden));
    return times(
      up.map((value, h) => gate[h]! * value),
      part("down", row.length),
    );
  };
}
