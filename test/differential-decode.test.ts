// Decoding one token at a time, with caches, gives what the whole text gives at each position; a prompt read at once, too.
// Every program that has a `decode` entry, in wasm.

import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { openSession, type Session } from "../runtime/session.ts";
import { compileText, expectAlike, tensorsFor } from "./helpers/differential.ts";

const folder = new URL("./programs/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");
/** A capacity counts the tokens that are there: one at a time, nothing is ever full. */
const programs = readdirSync(folder)
  .filter((name) => name.endsWith(".moe") && !name.startsWith("capacity"))
  .map((name) => [name, read(name)] as const)
  .filter(([, text]) => text.includes("tokens(") && !/\/\/ entries: (?!.*decode)/.test(text))
  .sort();

const open: Session[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.dispose();
});

const length = 5;
const vocabulary = 5;
const text = [3, 0, 2, 2, 4];
/** How the text is cut: one by one, a prompt and then one by one, pieces, all at once. */
const cuts: readonly (readonly number[])[] = [[1, 1, 1, 1, 1], [2, 1, 1, 1], [3, 2], [5]];

describe("decoding", () => {
  test.each(programs)("%s", async (_, source) => {
    const compiled = compileText(source);
    const session = await openSession(compiled.program, compiled.wasm, {
      threads: 1,
      sizes: { B: 1, T: length },
      entries: ["forward", "decode"],
      initialise: false,
    });
    open.push(session);
    const takesPosition = compiled.program.entries["decode"]!.inputs.some(({ name }) => name === "$position");
    const tensors = tensorsFor(compiled);
    for (const { name } of session.tensors()) session.write(name, tensors.get(name)!);
    const want = session.run("forward", { text })["logits"]!;
    expect(want).toHaveLength(length * vocabulary);
    for (const cut of cuts) {
      for (const { name } of session.tensors())
        if (name.startsWith("cache"))
          session.write(
            name,
            tensors.get(name)!.map(() => 7),
          );
      const got: number[] = [];
      let position = 0;
      for (const count of cut) {
        const place = takesPosition ? { $position: position } : {};
        const { logits } = session
          .bind({ T: count })
          .run("decode", { text: text.slice(position, position + count), ...place });
        got.push(...logits!);
        position += count;
      }
      expectAlike(got, want, `logits, cut ${cut.join(" ")}`, 2e-5);
    }
  });
});
