// Every example program, made small, agrees with itself on every back end, and its gradients are those of its loss.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { stdlib } from "../stdlib/sources.ts";
import { compileText, expectDifferential, expectGradients } from "./helpers/differential.ts";

const folder = new URL("../examples/", import.meta.url);
const programs = readdirSync(folder, { recursive: true })
  .map((name) => String(name).replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".moe"))
  .sort();

/** Widths and vocabularies that an interpreter in double precision has the time for. */
const smaller: readonly (readonly [RegExp, string])[] = [
  [/dim D = (32|128)\b/g, "dim D = 8"],
  [/dim D = 48\b/g, "dim D = 24"],
  [/dim D = 64\b/g, "dim D = 16"],
  [/dim F = 12\b/g, "dim F = 3"],
  [/vocab = (256|512)\b/g, "vocab = 19"],
  [/\[256, D\]/g, "[19, D]"],
  [/\[D, 256\]/g, "[D, 19]"],
  [/\(D, 256,/g, "(D, 19,"],
  [/dim V = 256/g, "dim V = 19"],
  [/repeat 4 \{/g, "repeat 2 {"],
  [/heads = 4/g, "heads = 2"],
  // Heads that have hardly anything in common: what cancels in f32 to a last digit of its terms, ten times.
  [/10 \* Diversity/g, "Diversity"],
];

/** Gradients that are declared, not derived: no difference of losses finds them. In the text, or in a module of std that it takes from. */
const declared = (text: string): boolean =>
  /straight_through|stop\(/.test(text) ||
  [...text.matchAll(/^import (std\.\w+)/gm)].some(([, module]) =>
    /straight_through|stop\(/.test(stdlib[module!] ?? ""),
  );

describe("examples", () => {
  test.each(programs)("%s", async (path) => {
    const text = smaller.reduce(
      (t, [from, to]) => t.replaceAll(from, to),
      readFileSync(new URL(path, folder), "utf8"),
    );
    const compiled = compileText(text);
    // Of two examples all that is left of what a batch normalises is their order.
    const B = /BatchNorm|Correlation|Diversity|GroupedTasks/.test(text) ? 6 : 2;
    const sizes = compiled.program.sizes.some(({ name }) => name === "T") ? { B, T: 5 } : { B };
    // The kernel interpreter takes too long here: it has the small programs.
    const run = await expectDifferential(compiled, { sizes, steps: 1, conditioned: true, targets: ["wasm"] });
    expect(run, "the program is nearly tied at these values").toBeDefined();
    if (!declared(text)) expectGradients(compiled, run!.get("train")!);
  });
});
