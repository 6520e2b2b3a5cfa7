// Random numbers for made data. In: a number for the stream. Out: draws in a fixed order, the same on every machine.

import { threefry, uniform } from "../runtime/random.ts";

export interface Draws {
  /** In [0, 1). */
  uniform(): number;
  /** A whole number from 0 to `below` - 1. */
  whole(below: number): number;
  /** An index, each as likely as its share of the weights' sum. */
  among(weights: readonly number[]): number;
  /** So many different whole numbers from 0 to `below` - 1. */
  different(count: number, below: number): readonly number[];
  normal(): number;
}

export function drawsOf(stream: number): Draws {
  let count = 0;
  const normal = normals(stream);
  const next = (): number => uniform(threefry(stream, 1, count++, 0)[0]);
  const whole = (below: number): number => Math.floor(next() * below);
  return {
    uniform: next,
    whole,
    among(weights) {
      let rest = next() * weights.reduce((sum, weight) => sum + weight, 0);
      const found = weights.findIndex((weight) => (rest -= weight) < 0);
      return found < 0 ? weights.length - 1 : found;
    },
    different(some, below) {
      const all = Array.from({ length: below }, (_, i) => i);
      return Array.from({ length: some }, () => all.splice(whole(all.length), 1)[0]!);
    },
    normal,
  };
}

/** Normal numbers (Box and Muller), as many as are asked for. */
export function normals(stream: number): () => number {
  let count = 0;
  return () => {
    const [a, b] = threefry(stream, 0, count++, 0);
    return Math.sqrt(-2 * Math.log(1 - uniform(a))) * Math.cos(2 * Math.PI * uniform(b));
  };
}
