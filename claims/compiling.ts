// Compiling the models of claims: files from disk, the standard library from its texts.

import { readFileSync } from "node:fs";
import { compile, type Compiled } from "../compiler/compile.ts";
import type { Host } from "../compiler/model.ts";
import { renderDiagnostics } from "../grammar/text.ts";
import { stdlib } from "../stdlib/sources.ts";

export const hostOf = (): Host => ({
  read: (path) => (path.startsWith("std.") ? stdlib[path] : readFileSync(path, "utf8")),
});

/** Throws with the diagnostics as text when the model has errors. */
export function compileModel(file: string, model: string): Compiled {
  const host = hostOf();
  const { compiled, diagnostics } = compile({ host, path: file, model });
  if (compiled !== undefined) return compiled;
  throw new Error(renderDiagnostics(diagnostics, (path) => host.read(path)));
}
