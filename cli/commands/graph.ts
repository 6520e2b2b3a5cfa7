// moe graph: a drawing of the model, its routing and its kernels. In: a file. Out: an SVG or, with details on hover, HTML.

import { resolve } from "node:path";
import { UserError } from "../../runtime/errors.ts";
import { compileFile, type CompileOptions } from "../compiling.ts";
import { drawModel } from "../draw/draw.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { writeWhole } from "../files.ts";
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
  writeWhole(resolve(shell.folder, shown), /\.svg$/i.test(shown) ? svg : html, shown);
  shell.out(`${shown}\n`);
  return exitCodes.good;
}
