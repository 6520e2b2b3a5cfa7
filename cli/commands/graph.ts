// moe graph: a drawing of the model, its routing and its kernels. In: a file. Out: an SVG or, with details on hover, HTML. Nothing but
// an older drawing is overwritten.

import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../../runtime/errors.ts";
import { compileFile, type CompileOptions } from "../compiling.ts";
import { drawModel, isDrawing } from "../draw/draw.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { readBytes, writeWhole } from "../files.ts";
import type { Shell } from "../shell.ts";

export interface GraphOptions extends CompileOptions {
  /** `-` is standard output. */
  readonly out?: string;
}

export function graph(shell: Shell, file: string, options: GraphOptions): ExitCode {
  const out = options.out;
  if (out !== undefined && out !== "-" && !/\.(svg|html?)$/i.test(out))
    throw new UserError("C0401", `a drawing is an .svg or an .html file, not ${out}`, {
      help: "end the name with .svg or .html",
    });
  const read = compileFile(shell, file, options);
  if (read === undefined) return exitCodes.findings;
  const { svg, html } = drawModel(read.compiled);
  if (out === "-") {
    shell.out(svg);
    return exitCodes.good;
  }
  const shown = out ?? `${read.compiled.program.name.toLowerCase()}.html`;
  checkFree(shell.folder, shown);
  writeWhole(resolve(shell.folder, shown), /\.svg$/i.test(shown) ? svg : html, shown);
  shell.out(`${shown}\n`);
  return exitCodes.good;
}

/** Only an older drawing is replaced. Errors: C0202. */
function checkFree(folder: string, shown: string): void {
  const path = resolve(folder, shown);
  if (!existsSync(path) || !statSync(path).isFile()) return;
  if (isDrawing(new TextDecoder().decode(readBytes(folder, shown)))) return;
  throw new UserError("C0202", `${shown} is there already, and is no drawing of moe's`, {
    file: shown,
    help: "choose another name with --out, or move the file",
  });
}
