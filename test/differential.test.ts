// Every example program, made small, agrees with itself on every back end, and its gradients are those of its loss.

import { describe, expect, test } from "vitest";
import { stdlib } from "../stdlib/sources.ts";
import { compileText, expectDifferential, expectGradients } from "./helpers/differential.ts";
import { sizesOf, smallExamples } from "./helpers/small-programs.ts";

/** Gradients that are declared, not derived: no difference of losses finds them. In the text, or in a module of std that it takes from. */
const declared = (text: string): boolean =>
  /straight_through|stop\(/.test(text) ||
  [...text.matchAll(/^import (std\.\w+)/gm)].some(([, module]) =>
    /straight_through|stop\(/.test(stdlib[module!] ?? ""),
  );

describe("examples", () => {
  test.each(smallExamples().map((small) => [small.name, small] as const))("%s", async (_, small) => {
    const { text } = small;
    const compiled = compileText(text);
    const sizes = sizesOf(compiled, small);
    // The kernel interpreter takes too long here: it has the small programs.
    const run = await expectDifferential(compiled, { sizes, steps: 1, conditioned: true, targets: ["wasm"] });
    expect(run, "the program is nearly tied at these values").toBeDefined();
    if (!declared(text)) expectGradients(compiled, run!.get("train")!);
  });
});
