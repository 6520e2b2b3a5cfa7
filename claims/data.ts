// Data with a known answer, made by a rule and a seed. In: the folder of the claims. Out: files below `generated/`, the same bytes on every
// machine. Real data are the examples' own: claims read them where they lie, or a selection of them from here.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../cli/files.ts";
import { documents } from "./data-documents.ts";
import { novelLines } from "./data-lines.ts";
import { changedFunction, clusters, days, groupedTasks, trails, views } from "./data-tables.ts";
import { normals } from "./draws.ts";

const made = new Map<string, string>();

/** Writes what is not there yet, or is not what the rules make. */
export function prepareData(folder: string): void {
  for (const [name, make] of Object.entries(files)) {
    const path = join(folder, "generated", name);
    const text = made.get(name) ?? make();
    made.set(name, text);
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeWhole(path, text);
  }
}

const files: Readonly<Record<string, () => string>> = {
  "tasks.csv": () => twoTasks(6000, 64, 0.5),
  "documents.csv": () => documents({ documents: 8000, length: 65, domains: 8, common: 0.25, stream: 2 }),
  "blurred.csv": () =>
    documents({
      documents: 6000,
      length: 65,
      domains: 2,
      common: 0,
      stream: 11,
      even: true,
      blurred: [0, 0.5],
    }),
  "branches.csv": () => branches(),
  "branch-0.csv": () => branches(0),
  "branch-1.csv": () => branches(1),
  "branch-2.csv": () => branches(2),
  "clusters.jsonl": () =>
    clusters({ rows: 6000, width: 8, classes: 4, clusters: 3, spread: 0.5, noise: 0, stream: 3 }),
  "noisy-labels.jsonl": () =>
    clusters({ rows: 2560, width: 16, classes: 8, clusters: 4, spread: 0.6, noise: 0.15, stream: 4 }),
  "grouped-tasks.jsonl": () => groupedTasks(8000, 24),
  "changed-function.jsonl": () => changedFunction(5000, 16),
  "views.jsonl": () => views(5000, 16, 8),
  "trails.jsonl": () => trails(2500, 16, 4.5),
  "days.jsonl": () => days(400, 48),
  "lines.jsonl": () => novelLines(5000, 48),
};

/** Documents of three domains, or other ones of one of them, from the same chains. */
const branches = (domain?: number): string =>
  documents({
    documents: 6000,
    length: 33,
    domains: 3,
    common: 0.25,
    stream: 10,
    even: true,
    ...(domain === undefined ? {} : { only: { domain, after: 6000 } }),
  });

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
