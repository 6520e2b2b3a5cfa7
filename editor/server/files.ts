// Files: modules by their paths and addresses. A module of a file is known by the file's absolute path with forward slashes, one of
// the standard library by its import path, anything else (a text that was never saved) by its address. Node only.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { stdlib } from "../../stdlib/sources.ts";

/** Texts larger than this are no programs. */
const largest = 4_000_000;

export function readModule(path: string): string | undefined {
  if (Object.hasOwn(stdlib, path)) return stdlib[path];
  if (!isFile(path)) return undefined;
  try {
    const { size } = statSync(path);
    return size > largest ? undefined : readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch {
    return undefined;
  }
}

const isFile = (path: string): boolean => path.startsWith("/") || /^[A-Za-z]:\//.test(path);

/** The scheme under which an editor shows modules of the standard library. */
export const stdScheme = "moe-std";

export function pathOf(address: string): string {
  if (address.startsWith(`${stdScheme}:`))
    return decodeURIComponent(address)
      .replace(/^moe-std:\/*/, "")
      .replace(/\.moe$/, "");
  if (!address.startsWith("file:")) return address;
  try {
    return fileURLToPath(address).replaceAll("\\", "/");
  } catch {
    return address;
  }
}

export function addressOf(path: string): string {
  if (Object.hasOwn(stdlib, path)) return `${stdScheme}:/${path}.moe`;
  return isFile(path) ? pathToFileURL(path).href : path;
}

const skipped = new Set(["node_modules", "dist", "build", "runs", "coverage"]);

/** `.moe` files below a folder; hidden folders, results and dependencies are left out, and so is whatever exceeds the bounds. */
export function moeFilesBelow(folder: string, most = 500): readonly string[] {
  const found: string[] = [];
  let visited = 0;
  const visit = (path: string, left: number): void => {
    if (found.length >= most || (visited += 1) > 4 * most) return;
    let entries;
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch {
      return;
    }
    for (const entry of entries) {
      if (entry.name.startsWith(".") || found.length >= most) continue;
      if (entry.isFile() && entry.name.endsWith(".moe"))
        found.push(join(path, entry.name).replaceAll("\\", "/"));
      else if (entry.isDirectory() && left > 0 && !skipped.has(entry.name))
        visit(join(path, entry.name), left - 1);
    }
  };
  visit(folder, 10);
  return found.sort();
}
