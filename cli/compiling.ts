// Compiling for commands: a `.moe` file as the user named it -> a compiled model, or its diagnostics on standard error.
// Loads the whole compiler: only commands import it, and commands are loaded when they run.

import { dirname, resolve } from "node:path";
import {
  compile,
  phaseNames,
  planModel,
  type Compiled,
  type CompileRequest,
  type PlannedModel,
} from "../compiler/compile.ts";
import type { AnyArtifact } from "../runtime/artifact.ts";
import type { TargetName } from "../runtime/program.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { renderDiagnostics } from "../grammar/text.ts";
import { plural } from "./numbers.ts";
import { overrideRecipe } from "./recipe.ts";
import type { Shell } from "./shell.ts";
import { arithmeticOn, type Arithmetic } from "./device-names.ts";
import { modulePath, openSources, sourceHash, type Sources } from "./sources.ts";

export interface CompileOptions extends Arithmetic {
  /** Optional when the file has one model. */
  readonly model?: string | undefined;
  /** A phase of the recipe; default: the last. */
  readonly phase?: string | undefined;
  /** Settings that replace those of the `train` block. */
  readonly settings?: readonly string[] | undefined;
  /** Positions that the caches of decoding hold. */
  readonly context?: number | undefined;
}

export interface CompiledFile {
  /** Path of the main module. */
  readonly path: string;
  /** What paths of data are relative to. */
  readonly base: string;
  readonly compiled: Compiled;
  readonly sources: Sources;
  readonly hash: string;
  /** Of the files as they are, without the settings of the command line. */
  readonly givenHash: string;
}

/** Undefined when the file has errors, which are then printed. Warnings are printed too. */
export function compileFile(
  shell: Shell,
  given: string,
  options: CompileOptions = {},
): CompiledFile | undefined {
  const path = modulePath(shell.folder, given);
  const sources = sourcesWith(shell.folder, path, options);
  const { compiled, diagnostics } = compile(requestOf(sources, path, options));
  printDiagnostics(shell, diagnostics, sources);
  if (compiled === undefined) return undefined;
  const base = dirname(resolve(shell.folder, path));
  const hash = sourceHash(path, sources.texts());
  const plain = openSources(shell.folder);
  for (const module of sources.texts().keys()) plain.read(module);
  return { path, base, compiled, sources, hash, givenHash: sourceHash(path, plain.texts()) };
}

/** Names of the phases that the recipe of a compiled file has; none: it has no phases. */
export const phasesOfFile = ({ compiled }: CompiledFile): readonly string[] =>
  phaseNames(compiled.model, compiled.program.name).flatMap((name) => name ?? []);

/** The same model for another target; what is wrong with the file was printed when it was compiled for the CPU. */
export function compileFor(
  folder: string,
  given: string,
  options: CompileOptions,
  target: Exclude<TargetName, "wasm">,
): AnyArtifact {
  const path = modulePath(folder, given);
  const sources = sourcesWith(folder, path, options);
  const { compiled } = compile({
    ...requestOf(sources, path, options),
    target,
    ...arithmeticOn(target, options),
  });
  if (compiled === undefined)
    throw new Error(`internal: ${given} compiles for the CPU and not for ${target}`);
  return compiled;
}

/** The same without kernels in print. */
/** `fuse: false`: each operation is a kernel of its own, and nothing is told that the fused plan tells. */
export function planFile(
  shell: Shell,
  given: string,
  options: CompileOptions & { readonly target?: TargetName; readonly fuse?: boolean } = {},
): PlannedModel | undefined {
  const path = modulePath(shell.folder, given);
  const sources = sourcesWith(shell.folder, path, options);
  const { target, fuse = true } = options;
  const request = {
    ...requestOf(sources, path, options),
    ...(target === undefined ? {} : { target }),
    ...arithmeticOn(target, options),
    fuse,
  };
  const { planned, diagnostics } = planModel(request);
  if (fuse) printDiagnostics(shell, diagnostics, sources);
  return planned;
}

const requestOf = (
  host: Sources,
  path: string,
  { model, phase, context }: CompileOptions,
): Omit<CompileRequest, "target"> => ({
  host,
  path,
  ...(model === undefined ? {} : { model }),
  ...(phase === undefined ? {} : { phase }),
  ...(context === undefined ? {} : { context }),
});

function sourcesWith(folder: string, path: string, { model, settings = [] }: CompileOptions): Sources {
  const sources = openSources(folder);
  if (settings.length === 0) return sources;
  const edited = overrideRecipe(sources.read(path) ?? "", path, model, settings);
  return openSources(folder, new Map([[path, edited]]));
}

/** Pictures, and at the end how many there are. */
export function printDiagnostics(shell: Shell, diagnostics: readonly Diagnostic[], sources: Sources): void {
  if (diagnostics.length === 0) return;
  const pictures = renderDiagnostics(diagnostics, (module) => sources.read(module), shell.colour.err);
  shell.err(`${pictures}\n\n${summary(diagnostics)}\n`);
}

/** "2 errors, 1 warning" */
export function summary(diagnostics: readonly Diagnostic[]): string {
  const of = (severity: Diagnostic["severity"]): number =>
    diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
  const parts = [
    ...(of("error") > 0 ? [plural(of("error"), "error")] : []),
    ...(of("warning") > 0 ? [plural(of("warning"), "warning")] : []),
  ];
  return parts.join(", ");
}
