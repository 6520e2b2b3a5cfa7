// Speed of the contraction kernels on one thread, as fractions of the peak of a bare multiply-add loop in the same run.
// Run: npx esbuild bench/contraction.ts --bundle --platform=node --format=esm --outfile=dist/bench.mjs && node dist/bench.mjs
// Prints one line for each shape. Checks each result against plain sums at a few places, so that a wrong kernel is not fast.

import type { Case } from "../test/helpers/contraction.ts";
import { loadKernel } from "./kernel-run.ts";
import { preparePeak } from "./peak.ts";

const even = (groups: number, rows: number): number[] => Array.from({ length: groups }, () => rows);

const cases: readonly (readonly [string, Case])[] = [
  ["512 x 512 x 512", { m: 512, n: 512, k: 512 }],
  ["1024 x 512, k 256", { m: 1024, n: 512, k: 256 }],
  ["1024 x 256, k 512", { m: 1024, n: 256, k: 512 }],
  ["1024 x 256, k 256", { m: 1024, n: 256, k: 256 }],
  ["1024 x 512, k 256, rows known at launch", { m: 1024, n: 512, k: 256, symbolic: "m" }],
  ["1024 x 256, k 512, b transposed", { m: 1024, n: 256, k: 512, b: "k" }],
  ["256 x 512, k 1024, a transposed", { m: 256, n: 512, k: 1024, a: "m", symbolic: "k" }],
  [
    "8 groups of 128 rows, 512, k 256, gathered",
    { ragged: "rows", rows: even(8, 128), m: 1024, n: 512, k: 256, symbolic: "m", gather: true },
  ],
  [
    "8 groups of 128 rows, gate and up",
    { ragged: "rows", rows: even(8, 128), m: 1024, n: 512, k: 256, symbolic: "m", gather: true, siblings: 2 },
  ],
  [
    "8 groups of 128 rows, 256, k 512",
    { ragged: "rows", rows: even(8, 128), m: 1024, n: 256, k: 512, symbolic: "m" },
  ],
  [
    "8 groups of 128 rows, b transposed",
    { ragged: "rows", rows: even(8, 128), m: 1024, n: 256, k: 512, symbolic: "m", b: "k" },
  ],
  [
    "8 weight gradients of 128 rows",
    { ragged: "reduction", rows: even(8, 128), m: 256, n: 512, k: 1024, symbolic: "k", a: "m" },
  ],
  ["8 groups of 512 rows", { ragged: "rows", rows: even(8, 512), m: 4096, n: 512, k: 256, symbolic: "m" }],
  ["256 groups of 16 rows", { ragged: "rows", rows: even(256, 16), m: 4096, n: 512, k: 256, symbolic: "m" }],
  [
    "256 groups of 16 rows, b transposed",
    { ragged: "rows", rows: even(256, 16), m: 4096, n: 256, k: 512, symbolic: "m", b: "k" },
  ],
  ["256 groups of 4 rows", { ragged: "rows", rows: even(256, 4), m: 1024, n: 512, k: 256, symbolic: "m" }],
  ["64 heads, 128 x 128, k 64, b transposed", { batch: 64, m: 128, n: 128, k: 64, b: "k", symbolic: "mn" }],
  ["64 heads, 128 x 64, k 128", { batch: 64, m: 128, n: 64, k: 128, symbolic: "mk" }],
  ["1 x 512, k 512", { m: 1, n: 512, k: 512, symbolic: "m" }],
  ["1 x 512, k 512, b transposed", { m: 1, n: 512, k: 512, symbolic: "m", b: "k" }],
  ["4 x 512, k 512", { m: 4, n: 512, k: 512, symbolic: "m" }],
];

function measure(test: Case, milliseconds: number): { perSecond: number; wrong: boolean } {
  const { run, grid, work, right } = loadKernel(test);
  // The engine replaces its first, quick code while the kernel runs.
  const warm = performance.now();
  do run(0, grid);
  while (performance.now() - warm < 60);
  // The machine is shared: the launch is cut into slices of about a millisecond and the best of each is taken.
  const slices = Math.min(grid, 16);
  const best = new Array<number>(slices).fill(Infinity);
  const begin = performance.now();
  do {
    sample(2);
    for (let i = 0; i < slices; i++) {
      const start = performance.now();
      run(Math.floor((grid * i) / slices), Math.floor((grid * (i + 1)) / slices));
      best[i] = Math.min(best[i]!, performance.now() - start);
    }
  } while (performance.now() - begin < milliseconds);
  const seconds = best.reduce((sum, time) => sum + time, 0) / 1000;
  return { perSecond: work / seconds, wrong: !right() };
}

const only = process.argv[2];
const peakOnce = preparePeak();
let peak = 0;
const sample = (times: number): void => {
  for (let i = 0; i < times; i++) peak = Math.max(peak, peakOnce());
};
sample(10);
const results = cases
  .filter(([name]) => only === undefined || name.includes(only))
  .map(([name, test]) => {
    const { perSecond, wrong } = measure(test, Number(process.argv[3] ?? 150));
    return { name, perSecond, wrong };
  });
console.log(`peak: ${((2 * peak) / 1e9).toFixed(1)} GFLOP/s on one thread`);
for (const { name, perSecond, wrong } of results)
  console.log(
    `${name.padEnd(44)} ${((2 * perSecond) / 1e9).toFixed(1).padStart(6)} GFLOP/s  ${(perSecond / peak).toFixed(2)} of the peak${wrong ? "  WRONG" : ""}`,
  );
