// What the command tells the engine: an engine that does not know it ignores it, and everything is as slow as before.

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { engineFlags } from "../cli/engine.ts";

test("this engine knows the flags that the command sets", () => {
  const known = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
  expect(engineFlags.length).toBeGreaterThan(0);
  for (const flag of engineFlags) expect(known).toContain(`  ${flag.split("=")[0]!} (`);
});
