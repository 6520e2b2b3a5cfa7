// Compiling the models of claims: files from disk, the standard library from its texts.

import { readFileSync } from "node:fs";
import { compile, type Compiled } from "../compiler/compile.ts";
import type { Host } from "../compiler/model.ts";
import { renderDiagnostics } from "../grammar/text.ts";
import { stdlib } from "../stdlib/sources.ts";

export const hostOf = (): Host => ({
  read: (path) => (path.startsWith("std.") ? stdlib[path] : readFileSync(path, "utf8")),
});

/** Seeds of an arm share what was compiled, as long as the file is the same. */
const kept = new Map<string, { readonly text: string; readonly compiled: Compiled }>();

/** `phase`: of its recipe; the last, when not given. Throws with the diagnostics as text when the model has errors. */
export function compileModel(file: string, model: string, phase?: string): Compiled {
  const key = JSON.stringify([file, model, phase]);
  const text = readFileSync(file, "utf8");
  const known = kept.get(key);
  if (known?.text === text) return known.compiled;
  const host = hostOf();
  const of = phase === undefined ? {} : { phase };
  const { compiled, diagnostics } = compile({ host, path: file, model, ...of });
  if (compiled === undefined) throw new Error(renderDiagnostics(diagnostics, (path) => host.read(path)));
  kept.set(key, { text, compiled });
  return compiled;
}
