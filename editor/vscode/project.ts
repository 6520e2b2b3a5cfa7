// Project: what the extension runs for a document: the server and the command of the `moelang` that the project has installed, so that
// editor and command line say the same. In: paths. Out: files to run and folders to run them in. Knows Node, not the editor.

import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** An installed package, by its folder. */
export interface Installed {
  readonly folder: string;
  readonly version: string;
  readonly server: string;
  readonly command: string;
}

/** The nearest `moelang` that a file could import, from its folder up. */
export function installedFor(file: string): Installed | undefined {
  for (let at = dirname(file); ; at = dirname(at)) {
    for (const folder of [join(at, "node_modules/moelang"), at]) {
      const found = installedIn(folder);
      if (found !== undefined) return found;
    }
    if (dirname(at) === at) return undefined;
  }
}

function installedIn(folder: string): Installed | undefined {
  const server = join(folder, "dist/language-server.js");
  const command = join(folder, "dist/cli.js");
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest) || !existsSync(command)) return undefined;
  try {
    const { name, version } = JSON.parse(readFileSync(manifest, "utf8")) as Partial<Record<string, unknown>>;
    if (name !== "moelang" || typeof version !== "string") return undefined;
    return { folder, version, server, command };
  } catch {
    return undefined;
  }
}

export interface ServerChoice {
  readonly file: string;
  /** Where it comes from, for the log. */
  readonly from: string;
}

/** The project's own server when there is one and the folder is trusted, else the one that came with the extension. */
export function serverFor(
  places: readonly string[],
  bundled: string,
  { trusted, setting = "" }: { readonly trusted: boolean; readonly setting?: string },
): ServerChoice {
  if (trusted && setting !== "") return { file: setting, from: "the setting moe.server.path" };
  const own = trusted
    ? places.map(installedFor).find((each) => each !== undefined && existsSync(each.server))
    : undefined;
  return own === undefined
    ? { file: bundled, from: "the extension" }
    : { file: own.server, from: `${own.folder} (${own.version})` };
}

/** A run folder that is not there yet, by the scheme of `moe train`: `runs/book`, `runs/book-2`. */
export function freeRunFolder(file: string): string {
  const stem = basename(file).replace(/\.moe$/, "");
  for (let number = 1; ; number += 1) {
    const shown = join("runs", number === 1 ? stem : `${stem}-${number}`);
    if (!existsSync(join(dirname(file), shown))) return shown;
  }
}

/** Arguments of `moe graph`, which writes a page. */
export const drawingArguments = (file: string, page: string, model?: string): readonly string[] => [
  ...["graph", file, "-o", page],
  ...(model === undefined ? [] : ["--model", model]),
];

export const trainingArguments = (file: string, folder: string, model?: string): readonly string[] => [
  ...["train", basename(file), "-o", folder],
  ...(model === undefined ? [] : ["--model", model]),
];
