// Patterns of file names: what they match, and where a search for them starts.

import { expect, test } from "vitest";
import { glob, tidyPath } from "../runtime/data/glob.ts";

test.each<[string, string[], string[]]>([
  [
    "corpus/*.txt",
    ["corpus/a.txt", "corpus/b b.txt"],
    ["corpus/a.md", "corpus/x/a.txt", "a.txt", "corpus/.a.txt"],
  ],
  ["./corpus//?.txt", ["corpus/a.txt"], ["corpus/ab.txt"]],
  ["**/*.txt", ["a.txt", "x/a.txt", "x/y/a.txt"], ["a.md", ".x/a.txt"]],
  ["data/**", ["data/a", "data/x/a"], ["data", "other/a"]],
  ["a/{x,y}/*.{txt,md}", ["a/x/1.txt", "a/y/1.md"], ["a/z/1.txt", "a/x/1.csv"]],
  ["../books/m*y (1).txt", ["../books/moby (1).txt"], ["../books/moby.txt"]],
  ["/abs/*.txt", ["/abs/a.txt"], ["abs/a.txt"]],
  ["a+b[1].txt", ["a+b[1].txt"], ["aab1.txt"]],
])("glob %s", (pattern, yes, no) => {
  const { matches } = glob(pattern);
  for (const path of yes) expect([path, matches(tidyPath(path))]).toEqual([path, true]);
  for (const path of no) expect([path, matches(tidyPath(path))]).toEqual([path, false]);
});

test.each([
  ["corpus/*.txt", "corpus", 1],
  ["a/b/c.txt", "a/b", 1],
  ["*.txt", "", 1],
  ["a/*/c/*.txt", "a", 3],
  ["a/{x,y}/*.txt", "a", 2],
  ["../a/**/x", "../a", Infinity],
  ["/*.txt", "/", 1],
])("glob %s starts in %s", (pattern, folder, depth) => {
  expect(glob(pattern)).toMatchObject({ folder, depth });
});
