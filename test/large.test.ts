// The compiler's own time: a definition of 671 billion parameters is checked and planned, every entry of it, without
// allocating its weights, in under 3 s and 500 MB; the main example is compiled in under 1 s. Each in a process of its own,
// the time of the thread that the user waits for; a quarter more is allowed, and more on a machine that is slow or does other
// things at the moment. Printed with MOE_PRINT=1.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

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

function measureOnce(what: "plan" | "compile", file: string): Measured {
  const line = [path("./large/measure.mjs"), what, path(file)];
  const { stdout, stderr, status } = spawnSync(process.execPath, line, { encoding: "utf8" });
  if (status !== 0) throw new Error(`the measurement failed: ${stderr}`);
  return JSON.parse(stdout) as Measured;
}

/** Seconds that the fixed piece of work takes on a machine of today that does nothing else. */
const usualReference = 0.3;
const allowed = 1.25;
/** The seconds it took, as part of what it may take here and now. */
const share = ({ seconds, cpuSeconds, reference }: Measured, most: number): number =>
  Math.min(seconds, cpuSeconds) / (allowed * most * Math.max(1, reference / usualReference));

/** The first of three measurements that is within `most` seconds, or the best. */
function measure(what: "plan" | "compile", file: string, most: number): Measured {
  let best = measureOnce(what, file);
  for (let again = 0; again < 2 && share(best, most) >= 1; again++) {
    const next = measureOnce(what, file);
    if (share(next, most) < share(best, most)) best = next;
  }
  if (process.env["MOE_PRINT"] !== undefined) console.log(best);
  return best;
}

const patience = 240_000;

test("671 billion parameters in 61 layers", { timeout: patience }, () => {
  const best = measure("plan", "./large/deepseek.moe", 3);
  expect(best.diagnostics).toEqual([]);
  expect(best.parameters / 1e9).toBeGreaterThan(665);
  expect(best.parameters / 1e9).toBeLessThan(680);
  expect(Object.keys(best.dispatches)).toEqual(["forward", "evaluate", "train", "update", "decode"]);
  // Layers repeat, and so do their kernels.
  expect(best.kernels).toBeLessThan(300);
  expect(best.megabytes).toBeLessThan(500);
  expect(share(best, 3)).toBeLessThan(1);
});

test("the main example, from its text to wasm", { timeout: patience }, () => {
  const best = measure("compile", "../examples/book/book.moe", 1);
  expect(best.diagnostics).toEqual([]);
  expect(Object.keys(best.dispatches)).toEqual(["forward", "evaluate", "train", "update", "decode"]);
  expect(share(best, 1)).toBeLessThan(1);
});
