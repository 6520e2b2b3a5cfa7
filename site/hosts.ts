// Modules from disk, from the repository's root, with the standard library.

import { existsSync, readFileSync, statSync } from "node:fs";
import type { Host } from "../compiler/model.ts";
import { stdlib } from "../stdlib/sources.ts";

export const hostOfFiles = (): Host => ({
  read: (path) => {
    if (path.startsWith("std.")) return stdlib[path];
    return existsSync(path) && statSync(path).isFile() ? readFileSync(path, "utf8") : undefined;
  },
});
