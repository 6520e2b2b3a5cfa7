// The package's public face: from a `.moe` text to a program, and the runtime that runs it. Runs in a page as in Node: what needs
// a file system is in `moelang/runtime/node` and in the command `moe`. The runtime alone, without the compiler, is
// `moelang/runtime`.

import type { Host } from "./compiler/model.ts";
import { stdlib } from "./stdlib/sources.ts";

export {
  checkModule as check,
  compile,
  planModel,
  type Compiled,
  type CompileRequest,
  type CompileResult,
  type PlannedModel,
  type PlanResult,
} from "./compiler/compile.ts";
export { catalogue } from "./compiler/diagnostics/catalogue.ts";
export type { Page } from "./compiler/diagnostics/page.ts";
export type { Host } from "./compiler/model.ts";
export type { Diagnostic, Place } from "./grammar/diagnostic.ts";
export { format, type Formatted } from "./grammar/format.ts";
export { parse, type Parse } from "./grammar/parse.ts";
export type * as Syntax from "./grammar/syntax.ts";
export {
  renderDiagnostic,
  renderDiagnostics,
  toGitHub,
  toJson,
  type DiagnosticData,
  type Sources as ModuleTexts,
} from "./grammar/text.ts";
export * from "./runtime/index.ts";

/** A host of modules in memory, by path, with the standard library. */
export const hostOf = (files: Readonly<Record<string, string>>): Host => ({
  read: (path) => own(stdlib, path) ?? own(files, path),
});

const own = (texts: Readonly<Record<string, string>>, path: string): string | undefined =>
  Object.hasOwn(texts, path) ? texts[path] : undefined;
