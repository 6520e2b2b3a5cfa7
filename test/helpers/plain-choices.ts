// Experts that choose their tokens in training, and a second router that foretells the choice, as plain loops. In: the two routers' tensors, tokens, how many
// each expert takes. Out: picks, weights, and the second router's loss.

import type { Given } from "./mechanism.ts";
import { largest, mean, sigmoid, softplus, times, type Rows } from "./plain.ts";
import { silu } from "./plain-networks.ts";

/** Cross-entropy of logits with 0 or 1, the mean of all. */
const crossEntropy = (z: Rows, target: Rows): number =>
  mean(z.flatMap((row, t) => row.map((value, e) => softplus(value) - target[t]![e]! * value)));

export interface TokenChoice {
  readonly picks: Rows;
  readonly weight: Rows;
  readonly auxiliary: number;
}
/** Each of n experts takes its `room` best of the tokens that are `open`; at inference, those that the second router foretells. */
export function chosen(
  { matrix }: Pick<Given, "matrix">,
  x: Rows,
  n: number,
  room: number,
  training: boolean,
  stop: (x: Rows) => Rows,
  noise: readonly number[] = [],
  open: readonly boolean[] = x.map(() => true),
): TokenChoice {
  const a = x.map((row, t) =>
    times(row, matrix("w", n)).map((value, e) => sigmoid(value + (noise[n * t + e] ?? 0))),
  );
  const hidden = x[0]!.length / 2;
  const foretold = stop(x).map((row) => times(times(row, matrix("see", hidden)).map(silu), matrix("say", n)));
  const taken = x.map(() => new Array<number>(n).fill(0));
  const there = x.flatMap((_, t) => (open[t] ? [t] : []));
  if (training)
    for (let e = 0; e < n; e++)
      for (const i of largest(
        there.map((t) => a[t]![e]!),
        Math.min(room, there.length),
      ))
        taken[there[i]!]![e] = 1;
  else for (const t of there) foretold[t]!.forEach((value, e) => (taken[t]![e] = value > 0 ? 1 : 0));
  return {
    picks: taken.map((row) => row.map((there, e) => (there > 0 ? e : -1))),
    weight: taken.map((row, t) => row.map((there, e) => there * a[t]![e]!)),
    auxiliary:
      there.length === 0
        ? 0
        : crossEntropy(
            there.map((t) => foretold[t]!),
            there.map((t) => taken[t]!),
          ),
  };
}
