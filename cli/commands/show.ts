// moe show: the model with every default filled in, as a file that could be trained as it stands, and then its tensors. In: a
// file. Out: text on standard output, or JSON. Writes nothing.

import { hasErrors } from "../../compiler/model.ts";
import { loadModel } from "../../compiler/resolve.ts";
import { format } from "../../grammar/format.ts";
import type { Init, Tensor } from "../../runtime/program.ts";
import { compileFile, type CompileOptions } from "../compiling.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { count } from "../numbers.ts";
import { paintWith } from "../paint.ts";
import type { Shell } from "../shell.ts";
import { table } from "../table.ts";
import { withDefaults } from "../defaults.ts";

export interface ShowOptions extends CompileOptions {
  readonly json?: boolean;
}

export async function show(shell: Shell, file: string, options: ShowOptions): Promise<ExitCode> {
  const read = compileFile(shell, file, options);
  if (read === undefined) return exitCodes.findings;
  const { compiled, sources, path } = read;
  const { program } = compiled;
  const model = loadModel(sources, path);
  if (hasErrors(model.diagnostics)) throw new Error("internal: a compiled model cannot be loaded again");
  const { text, diagnostics } = format(withDefaults(model.main, program.name, program.training), path);
  if (hasErrors(diagnostics))
    throw new Error(`internal: the shown text has errors: ${diagnostics[0]!.message}`);
  const tensors = program.tensors.filter(
    ({ role, name }) => role === "parameter" || (role === "state" && !name.startsWith("cache.")),
  );
  if (options.json === true)
    shell.out(`${JSON.stringify({ model: program.name, text, tensors }, null, 2)}\n`);
  else shell.out(`${text}\n${paintWith(shell.colour.out).dim(list(tensors))}`);
  return exitCodes.good;
}

/** As comments, so that the whole output is a `.moe` file. */
function list(tensors: readonly Tensor[]): string {
  const elements = (of: readonly Tensor[]): number =>
    of.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const rows = tensors.map(({ name, role, shape, init, frozen }) => [
    name,
    `[${shape.join(", ")}]`,
    showInit(init),
    frozen === true ? "frozen" : role === "state" ? "state" : "",
  ]);
  const parameters = tensors.filter(({ role }) => role === "parameter");
  return `// ${count(elements(parameters))} parameters in ${parameters.length} tensors\n${table(rows, "llll", "//   ")}`;
}

function showInit(init: Init): string {
  const short = (value: number): string => String(Number(value.toPrecision(4)));
  switch (init.kind) {
    case "constant":
      return short(init.value);
    case "normal":
      return `normal(${short(init.deviation)})`;
    case "uniform":
      return `uniform(${short(init.low)}, ${short(init.high)})`;
    case "orthogonal":
      return `orthogonal(${short(init.gain)})`;
    case "identity":
      return "identity()";
    case "copy":
      return `copy(${init.from})`;
    case "values":
      return "values";
    default:
      return init satisfies never;
  }
}
