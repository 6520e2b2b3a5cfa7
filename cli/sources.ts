// Sources: the modules of a program as the compiler wants to read them. In: the folder that paths are relative to. Out: a
// `Host` that remembers every text it gave, for diagnostics, for the source hash and for the copy in a run folder.
// Module paths are those that the user sees: relative to the folder where possible, with forward slashes.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import type { Host } from "../compiler/model.ts";
import { UserError } from "../runtime/errors.ts";
import { stdlib } from "../stdlib/sources.ts";
import { fail } from "./exit.ts";
import { readText, sha256 } from "./files.ts";
import type { Shell } from "./shell.ts";

export interface Sources extends Host {
  /** Texts read so far, by module path, without the standard library's. */
  texts(): ReadonlyMap<string, string>;
}

/** `edits` stand in for files: a recipe that the command line changed. */
export function openSources(folder: string, edits: ReadonlyMap<string, string> = new Map()): Sources {
  const texts = new Map<string, string>();
  return {
    read(path) {
      if (path.startsWith("std.")) return stdlib[path];
      const before = texts.get(path) ?? edits.get(path);
      const absolute = resolve(folder, path);
      // An import of a folder or of nothing is a diagnostic with a place; a file that is there and cannot be read is not.
      if (before === undefined && (!existsSync(absolute) || statSync(absolute).isDirectory()))
        return undefined;
      const text = before ?? readText(folder, path);
      texts.set(path, text);
      return text;
    },
    texts: () => texts,
  };
}

/** A path from the command line as a module path; the file must be there and be text. */
export function modulePath(folder: string, given: string): string {
  const path = modulePathOf(folder, given);
  if (existsSync(resolve(folder, path)) && statSync(resolve(folder, path)).isDirectory()) {
    const inside = moeFilesIn(resolve(folder, path), 1)[0];
    throw new UserError("C0102", `${given} is a folder`, {
      file: given,
      help: inside === undefined ? "give a `.moe` file" : `give a file in it: ${[path, inside].join("/")}`,
    });
  }
  readText(folder, path);
  return path;
}

function modulePathOf(folder: string, given: string): string {
  const absolute = resolve(folder, given);
  const short = relative(folder, absolute);
  const chosen = short === "" ? "." : short.startsWith(`..${sep}..${sep}..`) ? absolute : short;
  return chosen.split(sep).join("/");
}

/** What the command is about: the files that were named, or every `.moe` file below the folder. Whether they can be read shows later. */
export function modulePaths(folder: string, given: readonly string[]): string[] {
  if (given.length === 0) {
    const all = moeFilesIn(folder);
    if (all.length > 0) return all;
    throw new UserError("C0105", "there is no `.moe` file here", {
      help: "name a file, or make one with `moe init`",
    });
  }
  const paths = given.flatMap((each) => {
    const absolute = resolve(folder, each);
    if (!existsSync(absolute) || !statSync(absolute).isDirectory()) return [modulePathOf(folder, each)];
    const inside = moeFilesIn(absolute).map((file) => modulePathOf(folder, join(absolute, file)));
    if (inside.length > 0) return inside;
    throw new UserError("C0105", `there is no \`.moe\` file in ${each}`, {
      help: "name another folder or a file",
    });
  });
  return [...new Set(paths)];
}

/** Does the same with each file. One that cannot be used is told of, and the others go on. Says whether all could. */
export function withEach(shell: Shell, paths: readonly string[], act: (path: string) => void): boolean {
  const told = new Set<string>();
  for (const path of paths)
    try {
      act(path);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // Several may import one that cannot be read.
      if (!told.has(error.message)) fail(shell, error);
      told.add(error.message);
    }
  return told.size === 0;
}

const skipped = new Set(["node_modules", "dist", "build", "runs", "coverage"]);

/** Paths of `.moe` files below a folder, sorted; hidden folders, results and dependencies are left out. */
function moeFilesIn(folder: string, depth = 16): string[] {
  const found: string[] = [];
  const visit = (path: string, prefix: string, left: number): void => {
    let entries;
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch {
      return;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith(".")) continue;
      if (entry.isFile() && entry.name.endsWith(".moe")) found.push(`${prefix}${entry.name}`);
      else if (entry.isDirectory() && left > 1 && !skipped.has(entry.name))
        visit(join(path, entry.name), `${prefix}${entry.name}/`, left - 1);
    }
  };
  visit(folder, "", depth);
  return found;
}

/** One hash of all modules, whatever folder they lie in; the main one first. Line ends do not count. */
export function sourceHash(main: string, texts: ReadonlyMap<string, string>): string {
  const base = main.split("/").slice(0, -1).join("/");
  const parts = [...texts]
    .map(
      ([path, text]) => [relative(base, path).split(sep).join("/"), text.replaceAll("\r\n", "\n")] as const,
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify(parts)).slice(0, 16);
}
