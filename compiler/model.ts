// Model: the modules of a program with their names resolved: every name that a module may use at its top level, and where
// it comes from. In: Syntax of each module. Out: read by check and elaborate. Bodies stay Syntax: what a body means
// depends on statics, and is found out by elaboration.

import type { Diagnostic } from "../grammar/diagnostic.ts";
import type { Definition, DimDeclaration, Import, Module, TrainDeclaration } from "../grammar/syntax.ts";

/** Where texts come from. The compiler itself reads no files, so that it runs in a page. */
export interface Host {
  /** The text of a module by its path (`ffn.moe`, `std.experts`), or undefined when there is none. */
  read(path: string): string | undefined;
}

/** What a name means at the top level of a module. */
export type Entity =
  | { readonly kind: "definition"; readonly definition: Definition; readonly module: LoadedModule }
  | { readonly kind: "dim"; readonly declaration: DimDeclaration; readonly module: LoadedModule };

export interface LoadedModule {
  readonly path: string;
  readonly text: string;
  readonly syntax: Module;
  /** Own declarations and imported ones. */
  readonly names: ReadonlyMap<string, Entity>;
  /** Names that an import asked for in vain: an error has been reported, so using them is silent. */
  readonly missing: ReadonlySet<string>;
  readonly trains: readonly TrainDeclaration[];
  readonly imports: readonly Import[];
}

export interface Model {
  readonly main: LoadedModule;
  /** Every module that is reached, by path. */
  readonly modules: ReadonlyMap<string, LoadedModule>;
  /** What parsing and resolving found. */
  readonly diagnostics: readonly Diagnostic[];
}

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some((diagnostic) => diagnostic.severity === "error");

/** Definitions that stand in a module itself, in order. */
export const definitionsOf = (module: LoadedModule): readonly Definition[] =>
  module.syntax.declarations.filter((each): each is Definition => each.node === "definition");
