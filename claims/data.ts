// Data with a known answer, made by a rule and a seed. In: the folder of the claims. Out: files below `generated/`, the same bytes on every
// machine. Real data are not here: claims read them where the examples have them.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../cli/files.ts";
import { threefry, uniform } from "../runtime/random.ts";

/** Writes what is not there yet, or is not what the rules make. */
export function prepareData(folder: string): void {
  for (const [name, make] of Object.entries(files)) {
    const path = join(folder, "generated", name);
    const text = make();
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeWhole(path, text);
  }
}

const files: Readonly<Record<string, () => string>> = { "tasks.csv": () => twoTasks(6000, 64, 0.5) };

/** Normal numbers (Box and Muller), as many as are asked for. */
function normals(stream: number): () => number {
  let count = 0;
  return () => {
    const [a, b] = threefry(stream, 0, count++, 0);
    return Math.sqrt(-2 * Math.log(1 - uniform(a))) * Math.cos(2 * Math.PI * uniform(b));
  };
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/**
 * Two regressions of the same features, as Ma et al. (MMoE, KDD 2018, section 3.2) make them: y_t = w_t x + sum_j sin(a_j w_t x + b_j) + noise
 * with |w_t| = 1 and a cosine of `alike` between w_1 and w_2. Six sines; noise of deviation 0.1.
 */
export function twoTasks(rows: number, width: number, alike: number): string {
  const normal = normals(1);
  const vector = (): number[] => Array.from({ length: width }, normal);
  const unit = (v: readonly number[]): number[] => v.map((value) => value / Math.sqrt(dot(v, v)));
  const first = unit(vector());
  const drawn = vector();
  const along = dot(drawn, first);
  const across = unit(drawn.map((value, i) => value - along * first[i]!));
  const second = first.map((value, i) => alike * value + Math.sqrt(1 - alike ** 2) * across[i]!);
  const sines = Array.from({ length: 6 }, (_, j) => [j + 1, 2 * Math.PI * (j / 6)] as const);
  const answer = (w: readonly number[], x: readonly number[]): number => {
    const z = dot(w, x);
    return z + sines.reduce((sum, [a, b]) => sum + Math.sin(a * z + b), 0) + 0.1 * normal();
  };
  const lines = [[...Array.from({ length: width }, (_, i) => `x${i}`), "first", "second"].join()];
  for (let row = 0; row < rows; row++) {
    const x = vector();
    lines.push([...x, answer(first, x), answer(second, x)].map((value) => value.toFixed(4)).join());
  }
  return `${lines.join("\n")}\n`;
}
