// Tiny programs, one construct each: they compile, keep the structure that their header states, agree on every back end, and
// have the gradients that differences say.
// Header of a program: what it shows; then, each on a line, what is to be checked beyond that:
//   // entries: forward evaluate train update   the entries, when not all five or (without tokens) all but decode
//   // kernels: 5                               dispatches of `forward`
//   // bindings <= 8                            of every kernel
//   // threads: 1 2                             sessions to run in, which must agree to the bit; one thread when not given
//   // gradient: stops                          the gradient is not that of the loss, on purpose

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compileText, expectDifferential, expectGradients } from "./helpers/differential.ts";

const folder = new URL("./programs/", import.meta.url);
const programs = readdirSync(folder)
  .filter((name) => name.endsWith(".moe"))
  .sort();

const header = (text: string, key: RegExp): string | undefined =>
  text
    .split("\n")
    .filter((line) => line.startsWith("//"))
    .map((line) => key.exec(line)?.[1])
    .find((found) => found !== undefined);

describe("programs", () => {
  test.each(programs)("%s", async (name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const compiled = compileText(text);
    const { entries } = compiled.program;
    const usual = text.includes("tokens(")
      ? "forward evaluate train update decode"
      : "forward evaluate train update";
    expect(Object.keys(entries)).toEqual((header(text, /entries: (.*)/) ?? usual).split(" "));
    const kernels = header(text, /kernels: (\d+)/);
    if (kernels !== undefined) expect(entries["forward"]!.dispatches.length, "kernels").toBe(Number(kernels));
    const most = Number(header(text, /bindings <= (\d+)/) ?? 8);
    for (const kernel of compiled.kernels)
      expect(kernel.buffers.length, kernel.name).toBeLessThanOrEqual(most);
    const sizes = text.includes("tokens(") ? { B: 2, T: 5 } : { B: 6 };
    const threads = header(text, /threads: (.*)/)
      ?.split(" ")
      .map(Number) ?? [1];
    const run = await expectDifferential(compiled, { sizes, threads });
    if (!/gradient: stops/.test(text)) expectGradients(compiled, run!.get("train")!);
  });
});
