// The standard library's texts as the compiler has them are the files in stdlib/.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
// @ts-expect-error a plain script without types
import { stdlibSources } from "../scripts/stdlib.mjs";

test("stdlib/sources.ts is fresh (mend: node scripts/stdlib.mjs)", () => {
  expect(readFileSync("stdlib/sources.ts", "utf8")).toBe(stdlibSources());
});
