// moe build: the artifact folder of a model: program, wasm, kernels as text, a typed module, and with `--target` kernels for GPUs
// beside those for the CPU, which every machine can run. In: a file. Out: a folder whose
// bytes depend on the file and the version of moe alone. `--check` writes nothing and fails when the folder is stale.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { printKernel } from "../../compiler/print-kernel.ts";
import type { AnyArtifact } from "../../runtime/artifact.ts";
import { imageFiles } from "../../runtime/cuda/folder.ts";
import { compileImages } from "../../runtime/cuda/nvcc.ts";
import { UserError } from "../../runtime/errors.ts";
import type { TargetName } from "../../runtime/program.ts";
import { artifactFiles, deviceFiles, hashesOf, writeFiles } from "../artifact-folder.ts";
import { compileFile, compileFor, type CompiledFile, type CompileOptions } from "../compiling.ts";
import { checkArithmetic } from "../devices.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { holdsText, readBytes } from "../files.ts";
import { bytes } from "../numbers.ts";
import type { Shell } from "../shell.ts";
import { table } from "../table.ts";
import { typesBeside, writeTypes } from "../module/beside.ts";
import { docsOf } from "../module/docs.ts";
import { moduleText, type ModuleOptions, type ModuleText } from "../module/module.ts";
import { tool, version } from "../version.ts";
import { again } from "../watching.ts";

export interface BuildOptions extends CompileOptions {
  /** Besides the CPU. */
  readonly target?: readonly TargetName[];
  readonly out?: string;
  readonly check?: boolean;
  /** Only the types, beside the file, for bundlers that import it. */
  readonly types?: boolean;
  /** Again whenever the file or what it imports changes. */
  readonly watch?: boolean;
  readonly json?: boolean;
}

type Files = Map<string, string | Uint8Array>;

export function build(shell: Shell, file: string, options: BuildOptions): Promise<ExitCode> {
  const work = (): Promise<ExitCode> =>
    options.types === true ? buildTypes(shell, file, options) : buildFolder(shell, file, options);
  return options.watch === true ? again(shell, file, work) : work();
}

/** `small.d.moe.ts`, which is checked or written like the folder. */
async function buildTypes(shell: Shell, file: string, options: BuildOptions): Promise<ExitCode> {
  const read = compileFile(shell, file, options);
  if (read === undefined) return exitCodes.findings;
  const { dts } = await textOf(read);
  const [path, shown] = [typesBeside(resolve(shell.folder, file)), typesBeside(file)];
  if (options.check === true) {
    const fresh = holdsText(path, dts);
    if (fresh) shell.out(`${shown} is fresh\n`);
    else
      shell.err(`${shown} is ${existsSync(path) ? "stale" : "missing"}\nrun \`moe build --types\` again\n`);
    return fresh ? exitCodes.good : exitCodes.findings;
  }
  const written = writeTypes(path, dts, "move it away");
  shell.out(`${shown}${written ? "" : " is fresh"}\n`);
  return exitCodes.good;
}

async function buildFolder(shell: Shell, file: string, options: BuildOptions): Promise<ExitCode> {
  const shown = options.out ?? "dist";
  const folder = resolve(shell.folder, shown);
  const read = compileFile(shell, file, options);
  if (read === undefined) return exitCodes.findings;
  checkArithmetic(options, options.target ?? [], "--target");
  const targets = [...new Set(options.target ?? [])].flatMap((target) => (target === "wasm" ? [] : [target]));
  const others = targets.map((target) => compileFor(shell.folder, file, options, target));
  const files = await contents(read, others);
  if (options.check === true) return compare(shell, folder, shown, files);
  guard(folder, shown, files);
  writeFiles(folder, files, shown);
  // Not among the files that are compared: they depend on the compiler of the machine.
  for (const artifact of others)
    if ("source" in artifact) {
      const images = (await compileImages(artifact.source)) ?? [];
      const made = imageFiles({ ...artifact, images });
      writeFiles(folder, made, shown);
      for (const [name, content] of made) files.set(name, content);
    }
  const size = (content: string | Uint8Array): number =>
    typeof content === "string" ? new TextEncoder().encode(content).length : content.length;
  if (options.json === true) {
    const list = [...files].map(([name, content]) => ({ name, bytes: size(content) }));
    shell.out(
      `${JSON.stringify({ model: read.compiled.program.name, folder: shown, files: list }, null, 2)}\n`,
    );
  } else
    shell.out(
      table(
        [...files].map(([name, content]) => [join(shown, name), bytes(size(content))]),
        "lr",
      ),
    );
  return exitCodes.good;
}

/** Every file of the folder, build.json last. */
async function contents(read: CompiledFile, others: readonly AnyArtifact[]): Promise<Files> {
  const { path, compiled, hash } = read;
  const { program, kernels } = compiled;
  const main = path.split("/").at(-1)!;
  const made = [artifactFiles(compiled), ...others.map(deviceFiles)].flatMap((each) => [...each]);
  const webgpu = others.some((artifact) => "shaders" in artifact);
  const { js, dts } = await textOf(read, { webgpu, files: new Map(made) });
  const head = `// Made by ${tool} from ${main} (${hash}). Do not edit.\n`;
  const name = program.name.toLowerCase();
  const files = new Map<string, string | Uint8Array>([
    ...made,
    ["kernels.txt", `${head}\n${kernels.map(printKernel).join("\n")}`],
    [`${name}.js`, js],
    [`${name}.d.ts`, dts],
  ]);
  const note = {
    format: "moe-build",
    version: 1,
    tool,
    model: program.name,
    source: main,
    sourceHash: hash,
    files: hashesOf(files),
  };
  return files.set("build.json", `${JSON.stringify(note, null, 2)}\n`);
}

const textOf = (
  { path, compiled, hash }: CompiledFile,
  options: Pick<ModuleOptions, "webgpu" | "files"> = {},
): Promise<ModuleText> =>
  moduleText(compiled.program, {
    ...{ source: path.split("/").at(-1)!, version, sourceHash: hash, ...options },
    docs: docsOf(compiled.model, compiled.program.name),
  });

/** Nothing that somebody else made is overwritten. */
function guard(folder: string, shown: string, files: Files): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory())
    throw new UserError("C0202", `${shown} is a file`, {
      file: shown,
      help: "choose another folder with --out",
    });
  const present = new Set(readdirSync(folder));
  if (present.has("build.json")) return;
  const name = [...files.keys()].find((each) => present.has(each));
  if (name === undefined) return;
  throw new UserError("C0202", `${join(shown, name)} is there already, and \`moe build\` did not make it`, {
    file: join(shown, name),
    help: "choose another folder with --out",
  });
}

function compare(shell: Shell, folder: string, shown: string, files: Files): ExitCode {
  const stale = [...files].flatMap(([name, content]) => {
    const path = join(folder, name);
    if (!existsSync(path)) return [`${join(shown, name)} is missing`];
    const same =
      typeof content === "string"
        ? holdsText(path, content)
        : Buffer.from(readBytes(folder, path)).equals(content);
    return same ? [] : [`${join(shown, name)} is stale`];
  });
  if (stale.length === 0) {
    shell.out(`${shown} is fresh\n`);
    return exitCodes.good;
  }
  shell.err(`${stale.join("\n")}\nrun \`moe build\` again\n`);
  return exitCodes.findings;
}
