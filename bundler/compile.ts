// Compiles a `.moe` file for a bundler. In: its path. Out: the files of the compiled model by name, the program and its types, and
// which texts were read; or what is wrong with it, with its place. Knows no bundler.

import { basename, dirname, resolve } from "node:path";
import { compile } from "../compiler/compile.ts";
import { hasErrors } from "../compiler/model.ts";
import type { AnyArtifact } from "../runtime/artifact.ts";
import type { Program } from "../runtime/program.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { positionAt, renderDiagnostic, renderDiagnostics } from "../grammar/text.ts";
import { artifactFiles, deviceFiles } from "../cli/artifact-folder.ts";
import { docsOf, type Docs } from "../cli/module/docs.ts";
import { openSources, sourceHash, type Sources } from "../cli/sources.ts";
import type { MoeOptions } from "./options.ts";

/** What is wrong, in words and as a picture of the text. */
export interface Trouble {
  readonly message: string;
  readonly picture: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 0, as bundlers count. */
  readonly column: number;
}

export interface CompiledModule {
  readonly program: Program;
  readonly docs: Docs;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly sourceHash: string;
}

export interface Outcome {
  /** Absent when there are errors. */
  readonly compiled?: CompiledModule;
  readonly error?: Trouble;
  readonly warnings: readonly string[];
  /** The module and what it imports, by absolute path, as they were read; known also when it does not compile. */
  readonly read: ReadonlyMap<string, string>;
}

export function compileModule(file: string, options: MoeOptions): Outcome {
  const folder = dirname(file);
  const sources = openSources(folder);
  const path = basename(file);
  const model = options.model?.(file);
  const request = {
    ...{ host: sources, path },
    ...(model === undefined ? {} : { model }),
    ...(options.context === undefined ? {} : { context: options.context }),
  };
  const { compiled, diagnostics } = compile(request);
  const read = new Map([...sources.texts()].map(([each, text]) => [resolve(folder, each), text]));
  const shown = (list: readonly Diagnostic[]): string => renderDiagnostics(list, sources.read);
  const warnings = diagnostics
    .filter(({ severity }) => severity === "warning")
    .map((each) => renderDiagnostic(each, sources.read));
  if (compiled === undefined) {
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    return { error: troubleOf(errors, shown(errors), folder, sources), warnings, read };
  }
  const others = (options.targets ?? []).map((target): AnyArtifact => {
    const made = compile({ ...request, target });
    if (made.compiled === undefined || hasErrors(made.diagnostics))
      throw new Error(`internal: ${path} compiles for the CPU and not for ${target}`);
    return made.compiled;
  });
  const texts = [artifactFiles(compiled), ...others.map(deviceFiles)].flatMap((files) => [...files]);
  const bytes = new TextEncoder();
  return {
    compiled: {
      program: compiled.program,
      docs: docsOf(compiled.model, compiled.program.name),
      files: new Map(
        texts.map(([name, content]) => [name, typeof content === "string" ? bytes.encode(content) : content]),
      ),
      sourceHash: sourceHash(path, sources.texts()),
    },
    warnings,
    read,
  };
}

function troubleOf(
  errors: readonly Diagnostic[],
  picture: string,
  folder: string,
  sources: Sources,
): Trouble {
  const { code, message, at } = errors[0]!;
  const { line, column } = positionAt(sources.read(at.module) ?? "", at.span.start);
  const more = errors.length === 1 ? "" : ` (and ${errors.length - 1} more)`;
  return {
    message: `${code}: ${message}${more}`,
    picture,
    file: resolve(folder, at.module),
    line,
    column: column - 1,
  };
}
