// moe show --level: a level of the compiler as text, for those who want to see what became of their model. In: a file, the level,
// the target, and perhaps one entry. Out: text on standard output. The levels are those of compiler/passes.ts.

import { artifact } from "../../compiler/artifact.ts";
import type { PlannedModel } from "../../compiler/compile.ts";
import { printGraph } from "../../compiler/print-graph.ts";
import { printKernel } from "../../compiler/print-kernel.ts";
import { UserError } from "../../runtime/errors.ts";
import type { TargetName } from "../../runtime/program.ts";
import { plainText } from "../../runtime/webgpu/shader.ts";
import { planFile, type CompileOptions } from "../compiling.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import type { LevelName } from "../level-names.ts";
import type { Shell } from "../shell.ts";

export interface ShowLevelOptions extends CompileOptions {
  readonly level: LevelName;
  readonly target?: TargetName;
  /** Only this one; default: all. */
  readonly entry?: string;
}

export function showLevel(shell: Shell, file: string, options: ShowLevelOptions): ExitCode {
  const planned = planFile(shell, file, options);
  if (planned === undefined) return exitCodes.findings;
  const { entries } = planned.program;
  const { entry } = options;
  if (entry !== undefined && entries[entry] === undefined)
    throw new UserError("C0401", `there is no entry \`${entry}\``, {
      help: `${planned.program.name} has ${Object.keys(entries).join(", ")}`,
    });
  shell.out(textOf(planned, options));
  return exitCodes.good;
}

function textOf(planned: PlannedModel, { level, entry }: ShowLevelOptions): string {
  const { program, kernels, graphs, drafts } = planned;
  const used =
    entry === undefined ? undefined : new Set(program.entries[entry]!.dispatches.map(({ kernel }) => kernel));
  const wanted = <T>(list: readonly T[]): T[] =>
    list.filter((_, number) => used === undefined || used.has(number));
  const graphsOf = (all: typeof graphs): string =>
    Object.values(all)
      .filter(({ name }) => entry === undefined || name === entry)
      .map(printGraph)
      .join("\n");
  switch (level) {
    case "draft":
      return graphsOf(drafts);
    case "graph":
      return graphsOf(graphs);
    case "kernel":
      return wanted(kernels).map(printKernel).join("\n");
    case "program":
      return `${JSON.stringify(entry === undefined ? program : program.entries[entry], null, 2)}\n`;
    case "code":
      return code(planned, wanted, entry);
    default:
      return level satisfies never;
  }
}

function code(
  planned: PlannedModel,
  wanted: <T>(list: readonly T[]) => T[],
  entry: string | undefined,
): string {
  const { program } = planned;
  if (program.target === "webgpu")
    return wanted(artifact(planned, "webgpu").shaders).map(plainText).join("\n");
  if (program.target === "cuda" && entry !== undefined)
    throw new UserError("C0401", "the code for CUDA is one text for all entries", {
      help: "leave out `--entry`, or show its kernels with `--level kernel`",
    });
  if (program.target === "cuda") return artifact(planned, "cuda").source;
  throw new UserError("C0401", "WebAssembly is bytes, not text", {
    help: "show its kernels, `--level kernel`, or the code of another target: `--target webgpu` or `--target cuda`",
  });
}
