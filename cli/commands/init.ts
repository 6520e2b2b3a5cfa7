// moe init: a starter project in a folder. In: the folder. Out: files, and what to type next. Never overwrites: when one of its
// files is there already, nothing is written.

import { existsSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { UserError } from "../../runtime/errors.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { writeWhole } from "../files.ts";
import { paintWith } from "../paint.ts";
import type { Shell } from "../shell.ts";
import { starterFiles } from "../starter.ts";
import { typed } from "../typed.ts";

export function init(shell: Shell, given: string | undefined): ExitCode {
  const folder = resolve(shell.folder, given ?? ".");
  const files = starterFiles(packageName(basename(folder)));
  const shown = (path: string): string => (given === undefined ? path : join(given, path));
  const there = [...files.keys()].find((path) => existsSync(join(folder, path)));
  if (there !== undefined)
    throw new UserError("C0202", `${shown(there)} is there already, and nothing was written`, {
      file: shown(there),
      help: "name a new folder: moe init my-model",
    });
  const made: string[] = [];
  try {
    for (const [path, text] of files) {
      writeWhole(join(folder, path), text, shown(path));
      made.push(path);
    }
  } catch (error) {
    // Half a project would be in the way of the next try.
    for (const path of made) rmSync(join(folder, path));
    throw error;
  }
  const paint = paintWith(shell.colour.out);
  const next = [
    ...(given === undefined ? [] : [`cd ${typed(given)}`]),
    "moe train small.moe",
    "moe generate runs/small",
  ];
  shell.out(
    [...files.keys()].map((path) => `  ${paint.green("+")} ${shown(path)}\n`).join("") +
      `\nNext:\n\n${next.map((line) => `  ${paint.cyan(line)}\n`).join("")}`,
  );
  return exitCodes.good;
}

/** A name that npm takes. */
function packageName(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name === "" ? "my-model" : name;
}
