// The modules that a text of the page may import: the standard library. In: the text. Out: a host for the compiler.

import type { Host } from "../../../compiler/model.ts";
import { stdlib } from "../../../stdlib/sources.ts";
import { mainPath } from "../messages.ts";

export const stdPaths: readonly string[] = Object.keys(stdlib);

export const libraryText = (path: string): string | undefined =>
  Object.hasOwn(stdlib, path) ? stdlib[path] : undefined;

export const hostOf = (text: string): Host => ({
  read: (path) => (path === mainPath ? text : libraryText(path)),
});
