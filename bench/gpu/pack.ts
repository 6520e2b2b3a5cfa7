// A pack: all that the GPU check and bench need on a bare Linux machine (x64, an NVIDIA driver, nothing else), in one folder and one archive:
// Node, the native part of koffi, both programs bundled, and models compiled for the CPU and for CUDA. In: what is to be packed, and how
// kernels become images. Out: the folder; its archive. Fetches nothing, here or there.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { compile, type CompileRequest } from "../../compiler/compile.ts";
import { cudaFiles, imageFiles } from "../../runtime/cuda/folder.ts";
import type { Warpgroups } from "../../compiler/target.ts";
import type { CudaCode } from "../../runtime/artifact.ts";
import type { Precision, TargetName } from "../../runtime/program.ts";
import { stdlib } from "../../stdlib/sources.ts";
import { groupsOf, type Group } from "./cases.ts";
import { ceilingsSource } from "./ceilings-source.ts";
import type { Imager } from "./images.ts";
import { layerText } from "./layers.ts";
import { ceilingsFolder, manifestFile, type Case, type Layer, type Manifest } from "./manifest.ts";

export interface PackOptions {
  /** The project's folder. */
  readonly root: string;
  /** Texts of which a case's name must contain one; all when there are none. */
  readonly only: readonly string[];
  /** With the cases of the check; default: yes. */
  readonly cases?: boolean;
  /** That the bench measures; with the kernels of the ceilings when there are some. */
  readonly layers: readonly Layer[];
  readonly images: Imager;
  readonly told?: (line: string) => void;
}

/** An archive must not be larger. */
export const mostBytes = 50e6;

/** Writes everything but Node and koffi: a folder that `check` and `bench` can use where those are. */
export async function writeModels(folder: string, options: PackOptions): Promise<Manifest> {
  const { root, only, images, told = () => {} } = options;
  const chosen = ({ name }: Pick<Case, "name">): boolean =>
    only.length === 0 || only.some((text) => name.includes(text));
  const groups = (options.cases === false ? [] : groupsOf(root))
    .map((group) => ({ ...group, cases: group.cases.filter(chosen) }))
    .filter(({ cases }) => cases.length > 0);
  const count = groups.length + options.layers.length;
  let done = 0;
  const cases: Case[] = [];
  for (const group of groups) {
    const own = `cases/${group.name.replaceAll("/", "-")}`;
    told(`${++done} of ${count}: ${group.name}`);
    const text =
      "text" in group.source ? group.source.text : readFileSync(join(root, group.source.path), "utf8");
    const onCpu = compiled({ ...requestOf(text, group), target: "wasm" }, group.name);
    writeAll(join(folder, own), [
      ["program.json", JSON.stringify(onCpu.program)],
      ["model.wasm", onCpu.wasm.plain],
    ]);
    await writeCuda(join(folder, own), text, { precision: "f32", ...group }, images);
    cases.push(...group.cases.map((each) => ({ ...each, folder: own })));
  }
  for (const layer of options.layers) {
    told(`${++done} of ${count}: ${layer.folder}`);
    await writeCuda(join(folder, layer.folder), layerText(layer), { ...layer, name: layer.folder }, images);
  }
  if (options.layers.length > 0) {
    const code = { source: ceilingsSource, images: await images(ceilingsSource) };
    writeAll(join(folder, ceilingsFolder), [["kernels.cu", code.source], ...imageFiles(code)]);
  }
  const manifest: Manifest = { cases, layers: options.layers };
  writeFileSync(join(folder, manifestFile), `${JSON.stringify(manifest, null, 1)}\n`);
  return manifest;
}

const requestOf = (text: string, { source }: Pick<Group, "source">): Omit<CompileRequest, "target"> => {
  const path = "path" in source ? source.path : "main.moe";
  return { path, host: { read: (name) => (name === path ? text : stdlib[name]) } };
};

function compiled<Target extends TargetName>(request: CompileRequest<Target>, name: string) {
  const result = compile<Target>(request);
  if (result.compiled !== undefined) return result.compiled;
  throw new Error(
    `internal: ${name} does not compile: ${result.diagnostics.map(({ message }) => message).join("; ")}`,
  );
}

async function writeCuda(
  folder: string,
  text: string,
  {
    name,
    precision,
    warpgroups = false,
  }: { readonly name: string; readonly precision: Precision; readonly warpgroups?: Warpgroups },
  images: Imager,
): Promise<void> {
  const { program, source } = compiled(
    { ...requestOf(text, { source: { text } }), target: "cuda", precision, warpgroups },
    name,
  );
  const code: CudaCode = { source, images: await images(source) };
  writeAll(folder, [...cudaFiles(program, code), ...imageFiles(code)]);
}

function writeAll(folder: string, files: Iterable<readonly [string, string | Uint8Array]>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of files) writeFileSync(join(folder, name), content);
}

/** Both programs, bundled; only koffi stays an import. */
export async function writePrograms(folder: string, root: string): Promise<void> {
  await build({
    entryPoints: { gpu: join(root, "bench/gpu/main.ts") },
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    target: "es2022",
    external: ["koffi"],
    logLevel: "warning",
  });
  copyFileSync(join(root, "bench/gpu/torch_peer.py"), join(folder, "torch_peer.py"));
}

/** The running Node, without symbols where `strip` is there and what it leaves still runs. */
function writeNode(folder: string): void {
  const [whole, stripped] = [join(folder, "node"), join(folder, "node.stripped")];
  copyFileSync(realpathSync(process.execPath), whole);
  chmodSync(whole, 0o755);
  const { status } = spawnSync("strip", ["-o", stripped, whole]);
  const runs = status === 0 && spawnSync(stripped, ["-p", "1 + 1"]).stdout.toString().trim() === "2";
  if (runs) copyFileSync(stripped, whole);
  rmSync(stripped, { force: true });
}

/** The package and its native part for Linux on x64, without sources and documentation. */
function writeKoffi(folder: string): void {
  const from = dirname(createRequire(import.meta.url).resolve("koffi"));
  const to = join(folder, "node_modules/koffi");
  for (const file of ["package.json", "LICENSE.txt", "index.cjs", "index.js"]) copy(from, to, file);
  for (const file of ["index.cjs", "index.js", "src/static.cjs", "src/static.js"])
    copy(from, to, `src/koffi/${file}`);
  const native = "@koromix/koffi-linux-x64";
  const nativeFrom = join(from, "..", native);
  for (const file of ["package.json", "index.js", "linux_x64"])
    copy(nativeFrom, join(folder, "node_modules", native), file);
}

function copy(from: string, to: string, file: string): void {
  mkdirSync(dirname(join(to, file)), { recursive: true });
  cpSync(join(from, file), join(to, file), { recursive: true });
}

const script = `#!/bin/sh
# ./run check [--seconds N] [TEXT...]   ./run bench [--seconds N]
cd "$(dirname "$0")" && exec ./node gpu.mjs "$@" --folder .
`;

/** Writes the whole pack. */
export async function writePack(folder: string, options: PackOptions): Promise<Manifest> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const manifest = await writeModels(folder, options);
  await writePrograms(folder, options.root);
  writeNode(folder);
  writeKoffi(folder);
  writeFileSync(join(folder, "run"), script);
  chmodSync(join(folder, "run"), 0o755);
  return manifest;
}

/** What the folder's own Node says when it loads koffi; empty when it does. */
export const loadFailure = (folder: string): string => {
  const { status, stderr } = spawnSync("./node", ["-e", 'require("koffi")'], {
    cwd: folder,
    encoding: "utf8",
  });
  return status === 0 ? "" : stderr || "it does not start";
};

/** Bytes of the archive of a folder; `tar xf` unpacks it into a folder of the same name. With xz (a file that ends so) kernels that are alike
 * in several models count once; gzip does not see so far, but is on every machine. */
export function archive(folder: string, file: string, level = 9): number {
  const flags = ["--sort=name", "--owner=0", "--group=0", "--mtime=@0"];
  const compressor = file.endsWith(".xz") ? `xz -${Math.min(level, 6)}` : `gzip -n -${level}`;
  const { status, stderr } = spawnSync(
    "tar",
    [...flags, "-I", compressor, "-cf", file, "-C", dirname(folder), folder.split("/").at(-1)!],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`tar cannot write ${file}: ${stderr}`);
  return statSync(file).size;
}
