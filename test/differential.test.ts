// Every example program, at small sizes, agrees with itself on every back end.

import { readFileSync } from "node:fs";
import { describe, test } from "vitest";
import { compileText, expectDifferential } from "./helpers/differential.ts";

const example = (path: string): string => readFileSync(new URL(`../examples/${path}`, import.meta.url), "utf8");

describe("examples", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, number>>, (text: string) => string])[] = [
    ["tour/chain.moe", { B: 2, T: 5 }, (text) => text],
    ["tour/choosers.moe", { B: 2 }, (text) => text],
    ["tour/pools.moe", { B: 2, T: 5 }, (text) => text],
    ["tour/selections.moe", { B: 2, T: 5 }, (text) => text],
    ["weather/weather.moe", { B: 5 }, (text) => text],
    ["digits/digits.moe", { B: 1 }, (text) => text],
  ];
  test.each(cases)("%s", async (path, sizes, change) => {
    const compiled = compileText(change(example(path)));
    await expectDifferential(compiled, { sizes, steps: 1, threads: [1], conditioned: true });
  });
});
