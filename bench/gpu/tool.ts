// npm run gpu:pack | gpu:check | gpu:bench, in the project's folder. In: arguments. Out: an exit code: 0 good, 1 something failed, 2 a mistake in
// the command line, 3 no GPU here. Nothing is compiled before a GPU was found, where one is needed.

import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { architectures } from "../../runtime/cuda/nvcc.ts";
import { readArguments } from "./arguments.ts";
import { bench } from "./bench.ts";
import { check } from "./check.ts";
import { cachedImages, type Imager } from "./images.ts";
import { exitWithoutDevice } from "./jobs.ts";
import { layers } from "./layers.ts";
import { archive, loadFailure, mostBytes, writeModels, writePack } from "./pack.ts";
import { deviceOrSentence, work } from "./worker.ts";

const usage = `gpu:pack [--out FILE] [--architecture sm_90a ...] [--source-only] [--no-bench] [TEXT...]
gpu:check [--seconds N] [TEXT...]
gpu:bench [--seconds N]
N: seconds that it may take, without compiling. TEXT: only cases whose names contain it`;

const root = process.cwd();
const cache = resolve("node_modules/.cache/gpu");
const told = (line: string): void => void process.stderr.write(`${line}\n`);

const sourceOnly: Imager = () => Promise.resolve([]);

async function pack(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      out: { type: "string", default: "dist/moe-gpu.tar.xz" },
      architecture: { type: "string", multiple: true, default: [...architectures] },
      "source-only": { type: "boolean", default: false },
      "no-bench": { type: "boolean", default: false },
    },
  });
  const images = values["source-only"]
    ? sourceOnly
    : cachedImages(resolve(cache, "images"), values.architecture);
  const folder = resolve(cache, "moe-gpu");
  const manifest = await writePack(folder, {
    ...{ root, only: positionals, layers: values["no-bench"] ? [] : layers, images, told },
  });
  if (manifest.cases.length + manifest.layers.length === 0) {
    console.error(`no case's name contains ${positionals.join(" or ")}`);
    return 2;
  }
  const failure = loadFailure(folder);
  if (failure !== "") throw new Error(`internal: the pack's Node does not load koffi: ${failure}`);
  mkdirSync(resolve(values.out, ".."), { recursive: true });
  const bytes = archive(folder, resolve(values.out));
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(`${values.out}: ${size}, ${manifest.cases.length} cases, ${manifest.layers.length} layers`);
  if (bytes <= mostBytes) return 0;
  console.error(`that is more than ${mostBytes / 1e6} MB: write --out FILE.tar.xz, or choose cases`);
  return 1;
}

/** The models of one verb, compiled for the GPU that is here. */
async function here(only: readonly string[], withBench: boolean): Promise<string | undefined> {
  const device = deviceOrSentence();
  if (device === undefined) return undefined;
  const { capability } = device;
  device.dispose();
  const folder = resolve(cache, withBench ? "bench" : "check");
  mkdirSync(folder, { recursive: true });
  const images = cachedImages(resolve(cache, "images"), [`sm_${capability}${capability === 90 ? "a" : ""}`]);
  await writeModels(folder, {
    ...{ root, only, layers: withBench ? layers : [], cases: !withBench, images, told },
  });
  return folder;
}

async function main([verb, ...rest]: readonly string[]): Promise<number> {
  if (verb === "pack") return pack(rest);
  if (verb === "worker") return work(rest[0]!);
  const read = readArguments(rest);
  if (read !== undefined && verb === "check") {
    const folder = await here(read.only, false);
    return folder === undefined ? exitWithoutDevice : check(folder, read);
  }
  if (read !== undefined && verb === "bench" && read.only.length === 0) {
    const folder = await here([], true);
    const script = resolve(root, "bench/gpu/torch_peer.py");
    return folder === undefined ? exitWithoutDevice : bench(folder, { ...read, script });
  }
  console.error(usage);
  return 2;
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  return error instanceof TypeError ? 2 : 1;
});
