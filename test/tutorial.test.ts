// The README and the tutorial are tests. In the README, every program is an excerpt of the main example. The tutorial is followed
// as a reader would: `moe` blocks are written at the end of mine.moe, `diff` blocks change it, and what a `text` block shows is what the
// command above it prints. After each step the file has no errors, unless an error is what the next block shows.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { testShell } from "./helpers/cli.ts";

interface Block {
  readonly language: string;
  readonly text: string;
}

const blocksOf = (page: string): readonly Block[] =>
  [...readFileSync(page, "utf8").matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    language: language!,
    text: text!,
  }));

const book = readFileSync("examples/book/book.moe", "utf8");

test("every program of the README is in the main example", () => {
  const programs = blocksOf("README.md").filter(({ language }) => language === "moe");
  expect(programs.length).toBeGreaterThan(0);
  for (const { text } of programs)
    for (const declaration of text.trim().split("\n\n")) expect(book).toContain(declaration);
});

test("every change of one line in the README makes a program without errors", async () => {
  const changes = blocksOf("README.md").filter(({ language }) => language === "diff");
  expect(changes.length).toBeGreaterThan(0);
  const shell = testShell();
  for (const { text } of changes) {
    shell.write("book.moe", changed(book, text));
    expect(await shell.run(["check", "book.moe"])).toMatchObject({ code: 0 });
  }
  shell.remove();
});

test("the mistake that the README shows", async () => {
  const picture = blocksOf("README.md").find(({ text }) => text.startsWith("error["))!;
  const [wrong] = /router LossFree \{ k = \d+ \}/.exec(picture.text)!;
  const shell = testShell({ "examples/book/book.moe": book.replace("router LossFree { k = 2 }", wrong) });
  const { err, out } = await shell.run(["check", "examples/book/book.moe"]);
  expect(`${err}${out}`).toContain(picture.text);
  shell.remove();
});

test("the tutorial, step by step", async () => {
  const path = "examples/book/mine.moe";
  const shell = testShell();
  let file = book;
  let command: readonly string[] = [];
  const blocks = blocksOf("docs/tutorial.md");
  for (const [index, { language, text }] of blocks.entries()) {
    if (language === "sh") command = text.trim().split("\n").at(-1)!.split(" ").slice(2);
    else if (language === "text") {
      const { out, err } = await shell.run(command);
      expect(`${out}${err}`).toContain(text.trimEnd());
    } else {
      file = language === "diff" ? changed(file, text) : `${file}\n${text}`;
      shell.write(path, file);
      const fails = blocks.slice(index + 1, index + 3).some((next) => next.text.startsWith("error["));
      expect(await shell.run(["check", path]), text).toMatchObject({ code: fails ? 1 : 0 });
      expect(await shell.run(["fmt", "--check", path]), text).toMatchObject({ code: 0 });
    }
  }
  shell.remove();
});

test.each(["README.md", "docs/index.md", "docs/tutorial.md", "examples/README.md", "CHANGELOG.md"])(
  "the links of %s lead somewhere",
  (page) => {
    for (const [, target] of readFileSync(page, "utf8").matchAll(/\]\(([^)#\s]+)(?:#[\w-]+)?\)/g))
      if (!target!.startsWith("https:")) expect(existsSync(join(dirname(page), target!)), target!).toBe(true);
  },
);

/** Lines with `-` must be there, in this order and without others between; those with `+` come in their place. */
function changed(text: string, diff: string): string {
  const lines = (sign: string): string =>
    diff
      .split("\n")
      .filter((line) => line.startsWith(sign))
      .map((line) => `${line.slice(1)}\n`)
      .join("");
  expect(text.split(lines("-")), diff).toHaveLength(2);
  return text.replace(lines("-"), () => lines("+"));
}
