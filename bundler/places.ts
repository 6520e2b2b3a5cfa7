// How a module that a bundler makes finds the files of its model: bundlers differ in what they recognise.
// In: the files and what the bundler offers. Out: expressions for the module.

import { existsSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { sha256, writeWhole } from "../cli/files.ts";
import type { Places } from "../cli/module/module.ts";

type Files = ReadonlyMap<string, Uint8Array>;

/** Base64 in the module itself. */
export function inlined(files: Files): Places {
  return {
    before: "const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));",
    of: (file) => `bytes("${Buffer.from(files.get(file)!).toString("base64")}")`,
  };
}

/** Vite, webpack and Rspack follow `new URL(…, import.meta.url)` to a file, which lies in the cache of the project's packages. */
export function onDisk(files: Files, module: string): Places {
  // Two files of one name are told apart; what a file was before is overwritten.
  const folder = join(cacheOf(dirname(module)), `${basename(module, ".moe")}-${sha256(module).slice(0, 8)}`);
  for (const [name, content] of files) writeWhole(join(folder, name), content, join(folder, name));
  return {
    of: (file) => {
      const path = relative(dirname(module), join(folder, file)).split(sep).join("/");
      return `new URL(${JSON.stringify(path.startsWith(".") ? path : `./${path}`)}, import.meta.url)`;
    },
  };
}

/** `node_modules/.cache/moelang` of the nearest project above. */
function cacheOf(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, "node_modules"))) return join(at, "node_modules/.cache/moelang");
    if (dirname(at) === at) return join(folder, "node_modules/.cache/moelang");
  }
}

/** Rollup and Rolldown emit files and give a reference. */
export const emitted = (files: Files, emit: (name: string, content: Uint8Array) => string): Places => ({
  of: (file) => `new URL(import.meta.ROLLUP_FILE_URL_${emit(file, files.get(file)!)})`,
});

/** esbuild copies what is imported with its loader for files; `address` makes the import's path. */
export function imported(files: Files, address: (file: string) => string): Places {
  const word = (file: string): string => file.replaceAll(/\W/g, "_");
  return {
    before: [...files.keys()]
      .map((file) => `import ${word(file)} from ${JSON.stringify(address(file))};`)
      .join("\n"),
    of: (file) => `new URL(${word(file)}, import.meta.url)`,
  };
}
