// moe check: is the file well? Names, kinds, sizes, routing, and every model with its numbers. In: files. Out: diagnostics as
// pictures, JSON or GitHub annotations, and exit code 1 when there are errors. A file that cannot
// be read is told of, and the others go on (exit code 2). Writes nothing.

import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { renderDiagnostics, toGitHub, toJson } from "../../grammar/text.ts";
import { summary } from "../compiling.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { readText } from "../files.ts";
import { plural } from "../numbers.ts";
import { paintWith } from "../paint.ts";
import type { Shell } from "../shell.ts";
import { modulePaths, openSources, withEach } from "../sources.ts";

export interface CheckOptions {
  readonly json?: boolean;
  readonly errorFormat?: "text" | "json" | "github";
  /** Warnings are findings too. */
  readonly strict?: boolean;
}

export async function check(
  shell: Shell,
  files: readonly string[],
  options: CheckOptions,
): Promise<ExitCode> {
  const paths = modulePaths(shell.folder, files);
  const { checkModule } = await import("../../compiler/compile.ts");
  const sources = openSources(shell.folder);
  const text = (module: string): string | undefined => sources.read(module);
  const format = options.json === true ? "json" : (options.errorFormat ?? "text");
  // A module that several files import says what is wrong with it once.
  const seen = new Set<string>();
  const found: Diagnostic[] = [];
  const checked: string[] = [];
  const read = withEach(shell, paths, (path) => {
    readText(shell.folder, path);
    const own = checkModule(sources, path).filter((diagnostic) => {
      const key = JSON.stringify([diagnostic.code, diagnostic.message, diagnostic.at]);
      return !seen.has(key) && seen.add(key);
    });
    checked.push(path);
    found.push(...own);
    if (format === "github") for (const diagnostic of own) shell.out(`${toGitHub(diagnostic, text)}\n`);
    if (format === "text") {
      if (own.length > 0) shell.err(`${renderDiagnostics(own, text, shell.colour.err)}\n\n`);
      shell.out(`${verdict(path, own, shell)}\n`);
    }
  });
  const count = (severity: Diagnostic["severity"]): number =>
    found.filter((diagnostic) => diagnostic.severity === severity).length;
  const [errors, warnings] = [count("error"), count("warning")];
  if (format === "json") {
    const diagnostics = found.map((diagnostic) => toJson(diagnostic, text));
    shell.out(`${JSON.stringify({ files: checked, errors, warnings, diagnostics }, null, 2)}\n`);
  }
  if (format === "text" && errors > 0 && checked.length > 1)
    shell.err(`${plural(errors, "error")} in ${plural(checked.length, "file")}\n`);
  if (!read) return exitCodes.mistake;
  return errors > 0 || (options.strict === true && warnings > 0) ? exitCodes.findings : exitCodes.good;
}

/** "book.moe is well" */
function verdict(path: string, found: readonly Diagnostic[], shell: Shell): string {
  const paint = paintWith(shell.colour.out);
  if (found.some(({ severity }) => severity === "error")) return `${path} has ${summary(found)}`;
  return paint.green(`${path} is well${found.length === 0 ? "" : `, with ${summary(found)}`}`);
}
