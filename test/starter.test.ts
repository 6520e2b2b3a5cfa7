// What `moe init` makes is the first model that many people train: it learns, and its report has something to show, because every
// expert has work.

import { expect, test } from "vitest";
import { testShell } from "./helpers/cli.ts";

test("the starter learns, and all of its experts have work", async () => {
  const shell = testShell();
  expect((await shell.run(["init"])).code).toBe(0);
  expect((await shell.run(["train", "small.moe", "--threads", "1", "--quiet"])).code).toBe(0);
  const { out } = await shell.run(["eval", "runs/small", "--threads", "1", "--json"]);
  const { metrics, loads } = JSON.parse(out) as {
    readonly metrics: { readonly loss: number };
    readonly loads: Readonly<Record<string, readonly number[]>>;
  };
  expect(metrics.loss).toBeLessThan(2.6);
  expect(Object.keys(loads)).toHaveLength(2);
  for (const load of Object.values(loads)) {
    const even = load.reduce((a, b) => a + b, 0) / load.length;
    expect(Math.max(...load) / even).toBeLessThan(2);
    expect(Math.min(...load) / even).toBeGreaterThan(0.2);
  }
  shell.remove();
}, 120_000);
