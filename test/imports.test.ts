// Imports point one way: grammar <- compiler; the runtime knows nothing of either; only the command line knows Node's files and processes.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));

/** Relative imports of a file as paths from the root, others as they are. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^;]*?from\s*"([^"]+)"|import\("([^"]+)"\)/g)]
    .map((match) => match[1] ?? match[2]!)
    .map((name) => (name.startsWith(".") ? relative(root, resolve(root, dirname(file), name)) : name));
}

const folder = (path: string): string => path.split("/")[0]!;
const allowed: Readonly<Record<string, readonly string[]>> = {
  grammar: ["grammar"],
  stdlib: ["stdlib"],
  runtime: ["runtime"],
  compiler: ["compiler", "grammar", "runtime", "stdlib"],
  cli: ["cli", "compiler", "grammar", "runtime", "stdlib"],
  bundler: ["bundler", "cli", "compiler", "grammar", "runtime", "stdlib"],
  editor: ["editor", "cli", "compiler", "grammar", "runtime", "stdlib"],
  playground: ["playground", "editor", "cli", "compiler", "grammar", "runtime", "stdlib"],
};

describe("imports", () => {
  for (const [from, to] of Object.entries(allowed))
    test(`${from} imports only ${to.join(", ")}`, () => {
      const wrong = filesIn(from).flatMap((file) =>
        importsOf(file)
          .filter((path) => path.endsWith(".ts") && !to.includes(folder(path)))
          .map((path) => `${file} imports ${path}`),
      );
      expect(wrong).toEqual([]);
    });

  for (const from of ["grammar", "compiler", "stdlib"])
    test(`${from} runs in a page: no Node module`, () => {
      const wrong = filesIn(from).flatMap((file) =>
        importsOf(file)
          .filter((path) => path.startsWith("node:"))
          .map((path) => `${file} imports ${path}`),
      );
      expect(wrong).toEqual([]);
    });

  test("all that the playground reaches runs in a page: no Node module", () => {
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      importsOf(file)
        .filter((path) => path.endsWith(".ts"))
        .forEach(visit);
    };
    visit("playground/src/main.ts");
    visit("playground/src/work/work.worker.ts");
    expect(seen.size).toBeGreaterThan(200);
    const wrong = [...seen].flatMap((file) =>
      importsOf(file)
        .filter((path) => path.startsWith("node:"))
        .map((path) => `${file} imports ${path}`),
    );
    expect(wrong).toEqual([]);
  });

  test("the compiler takes from the runtime only the artifact's shape, the program's, sizes and the random numbers", () => {
    const known = ["runtime/artifact.ts", "runtime/program.ts", "runtime/size.ts", "runtime/random.ts"];
    const wrong = filesIn("compiler").flatMap((file) =>
      importsOf(file)
        .filter((path) => folder(path) === "runtime" && !known.includes(path))
        .map((path) => `${file} imports ${path}`),
    );
    expect(wrong).toEqual([]);
  });

  test("optional packages are looked for when they are wanted, and their types never: the build does without them", () => {
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      optionalDependencies: Record<string, string>;
    };
    const wrong = Object.keys(allowed).flatMap((from) =>
      filesIn(from).flatMap((file) =>
        importsOf(file)
          .filter((path) => path in optionalDependencies)
          .map((path) => `${file} imports ${path}`),
      ),
    );
    expect(wrong).toEqual([]);
  });

  test("no cycles of imports", () => {
    const files = Object.keys(allowed).flatMap(filesIn);
    const edges = new Map(
      files.map((file) => [file, importsOf(file).filter((path) => path.endsWith(".ts"))]),
    );
    // Type-only imports vanish when compiled; cycles among values are what breaks.
    const values = (file: string): string[] => {
      const text = readFileSync(join(root, file), "utf8");
      return edges.get(file)!.filter((path) => {
        const name = path.split("/").at(-1)!;
        return new RegExp(
          `(?:import|export)\\s+(?!type)[^;]*from\\s*"[^"]*${name.replace(".", "\\.")}"`,
        ).test(text);
      });
    };
    const state = new Map<string, "open" | "done">();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done" || !edges.has(file)) return;
      if (state.get(file) === "open") {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
        return;
      }
      state.set(file, "open");
      for (const next of values(file)) visit(next, [...path, file]);
      state.set(file, "done");
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });
});
