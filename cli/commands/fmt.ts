// moe fmt: the one style. In: files, or standard input as `-`. Out: the files rewritten where they differ, or (`--check`) a
// list of those that would be. A file with syntax errors is left as it is, and one that cannot be
// read is told of; the others go on. Line ends are those of Unix.

import { resolve } from "node:path";
import { format } from "../../grammar/format.ts";
import { renderDiagnostics } from "../../grammar/text.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { readText, writeWhole } from "../files.ts";
import { plural } from "../numbers.ts";
import type { Shell } from "../shell.ts";
import { modulePaths, withEach } from "../sources.ts";

export interface FormatOptions {
  readonly check?: boolean;
}

export async function fmt(shell: Shell, files: readonly string[], options: FormatOptions): Promise<ExitCode> {
  if (files.includes("-")) return formatInput(shell, options);
  const paths = modulePaths(shell.folder, files);
  let broken = 0;
  let changed = 0;
  const read = withEach(shell, paths, (path) => {
    const before = readText(shell.folder, path);
    const after = formatted(shell, before, path);
    if (after === undefined) broken++;
    else if (after !== before) {
      changed++;
      if (options.check !== true) writeWhole(resolve(shell.folder, path), after, path);
      shell.out(`${options.check === true ? "would format" : "formatted"} ${path}\n`);
    }
  });
  if (options.check === true && changed > 0)
    shell.err(`run \`moe fmt\` to format ${plural(changed, "file")}\n`);
  else if (read && broken === 0 && changed === 0)
    shell.out(`${plural(paths.length, "file")} already in style\n`);
  if (!read) return exitCodes.mistake;
  return broken > 0 || (options.check === true && changed > 0) ? exitCodes.findings : exitCodes.good;
}

async function formatInput(shell: Shell, options: FormatOptions): Promise<ExitCode> {
  const before = await shell.input();
  const after = formatted(shell, before, "standard input");
  if (after === undefined) return exitCodes.findings;
  if (options.check === true) return after === before ? exitCodes.good : exitCodes.findings;
  shell.out(after);
  return exitCodes.good;
}

/** Undefined when the text has errors, which are then printed. */
function formatted(shell: Shell, text: string, name: string): string | undefined {
  const result = format(text, name);
  const errors = result.diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return result.text;
  shell.err(`${renderDiagnostics(errors, () => text, shell.colour.err)}\n\n${name} is left as it is\n`);
  return undefined;
}
