// Where the plug-in puts the types of a module. In: the module, the options. Out: a path.

import { join, relative, resolve } from "node:path";
import { typesBeside } from "../cli/module/beside.ts";
import type { MoeOptions } from "./options.ts";

/** Undefined: nowhere. In a folder they have the path that the module has below `root`; one from outside has as much of its path as
 * is its own. */
export function typesFile(
  module: string,
  { types = "beside" }: MoeOptions,
  root: string,
): string | undefined {
  if (types === false) return undefined;
  const beside = typesBeside(module);
  return types === "beside"
    ? beside
    : join(resolve(root, types.folder), relative(root, beside).replace(/^(\.\.[\\/])+/, ""));
}

export const elsewhere = 'move it away, or give the plug-in another place: `types: { folder: "types" }`';
