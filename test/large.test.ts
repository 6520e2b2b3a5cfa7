// A definition of 671 billion parameters is checked and planned, every entry of it, without allocating its weights: under 3 s and
// 500 MB. Measured in a process of its own, with twice the room, and more on a machine that is slow or does other things at the
// moment; printed with MOE_PRINT=1.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const path = (name: string): string => fileURLToPath(new URL(`./large/${name}`, import.meta.url));

interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly reference: number;
  readonly megabytes: number;
  readonly parameters: number;
  readonly kernels: number;
  readonly dispatches: Readonly<Record<string, number>>;
  readonly diagnostics: readonly string[];
}

function measure(): Measured {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [path("measure.mjs"), path("deepseek.moe")],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`the measurement failed: ${stderr}`);
  return JSON.parse(stdout) as Measured;
}

/** Seconds that the fixed piece of work takes on a machine of today that does nothing else. */
const usualReference = 0.3;
const limit = ({ reference }: Measured): number => 2 * 3 * Math.max(1, reference / usualReference);
const within = (measured: Measured): boolean =>
  Math.min(measured.seconds, measured.cpuSeconds) < limit(measured);

test("671 billion parameters in 61 layers", () => {
  let best = measure();
  for (let again = 0; again < 2 && !within(best); again++) best = measure();
  if (process.env["MOE_PRINT"] !== undefined) console.log(best);
  expect(best.diagnostics).toEqual([]);
  expect(best.parameters / 1e9).toBeGreaterThan(665);
  expect(best.parameters / 1e9).toBeLessThan(680);
  expect(Object.keys(best.dispatches)).toEqual(["forward", "evaluate", "train", "update", "decode"]);
  // Layers repeat, and so do their kernels.
  expect(best.kernels).toBeLessThan(300);
  expect(best.megabytes).toBeLessThan(2 * 500);
  expect(Math.min(best.seconds, best.cpuSeconds)).toBeLessThan(limit(best));
});
