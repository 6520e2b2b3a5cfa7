// Opens the model of a generated module. In: the places of its files, and the options of `load`. Out: a model that is ready.
// Finds the tokenizer: given, beside the weights in the folder of a run, or known from the recipe (bytes need no file).

import type { Shader } from "./artifact.ts";
import { UserError } from "./errors.ts";
import type { Executor } from "./executor.ts";
import { Fallback } from "./fallback.ts";
import { LoadedModel } from "./model.ts";
import { checkedFiles, checkSame, checksumOf, checksumOfJson, checksumOfText } from "./model-checks.ts";
import type { Checksums } from "./model-checks.ts";
import {
  inside,
  isFolder,
  modelTrouble,
  readBytes,
  readJson,
  weightsTrouble,
  type BytesSource,
} from "./model-files.ts";
import { readStart, type StartFiles } from "./model-start.ts";
import { programVersion, type Program } from "./program.ts";
import { openSession, type SessionOptions } from "./session.ts";
import type { Sizes } from "./size.ts";
import { bytesTokenizer, type Tokenizer, type TokenizerJSON } from "./tokenizer.ts";
import { tokenizerFromJSON } from "./tokenizer-load.ts";
import { openWebGpu } from "./webgpu/open.ts";
import { splitShaders } from "./webgpu/shader-file.ts";

/** Where the files of a compiled model are. */
export interface ModelFiles {
  readonly program: BytesSource | Program;
  readonly wasm: { readonly plain: BytesSource; readonly relaxed?: BytesSource };
  /** Of a model that was also built for WebGPU. */
  readonly webgpu?: {
    readonly program: BytesSource | Program;
    readonly shaders: BytesSource | readonly Shader[];
  };
  /** Of the files as they were built together. */
  readonly checksums?: Checksums;
}

export interface LoadOptions {
  /** Trained weights: a checkpoint or other safetensors file as path, URL or bytes; in Node also the folder of a run (its
   * last checkpoint and its tokenizer). Without, the parameters have their initial values. */
  readonly weights?: BytesSource;
  /** How text becomes tokens: the file that training wrote, as path, URL, JSON, or a tokenizer. Bytes need none. */
  readonly tokenizer?: string | URL | TokenizerJSON | Tokenizer;
  /** Where it runs. `auto`, the default: on the GPU when the model was built for WebGPU and there is one (not in software) that can
   * hold it, else on the CPU. `model.session.where` says what it came to. */
  readonly device?: "auto" | "cpu" | "webgpu";
  /** On the CPU; the main thread counts. Default: one per core, at most eight. */
  readonly threads?: number;
  /** Keys initial values, noise and sampling. Default: the recipe's. */
  readonly seed?: number;
  /** false: no `trainStep`, and no memory for it. */
  readonly training?: boolean;
  /** Other places than beside the module, or the bytes themselves. */
  readonly files?: Partial<Omit<ModelFiles, "checksums">>;
}

/** Of any model: a generated module declares `start` where its recipe has one, with the names of its sources. */
export interface OpenOptions extends LoadOptions {
  /** What the recipe starts from (`start from "runs/base"`): a file for each source by its name in the recipe, as path, URL or bytes;
   * in Node also the folder of a run. `"fresh"`: begin with the initialisers after all. A model that has such a recipe trains only
   * with one of them, or with weights of its own. */
  readonly start?: StartFiles;
}

export async function openModel(files: ModelFiles, options: OpenOptions = {}): Promise<LoadedModel> {
  const session = await openSomewhere(replaced(files, options.files), options);
  try {
    const { weights, start } = options;
    const { program } = session;
    const model = new LoadedModel(program, session, await findTokenizers(program, options));
    if (weights !== undefined && start !== undefined)
      throw new UserError("R0310", `\`weights\` and \`start\` are both given for ${program.name}`, {
        help: "leave out `start`: weights of the model hold all of its tensors",
      });
    if (start !== undefined) model.begin(await readStart(program, start, session.seed));
    if (weights !== undefined) await model.loadWeights(await checkpointOf(weights));
    return model;
  } catch (error) {
    session.dispose();
    throw error;
  }
}

/** Files that somebody gives are theirs to keep together. */
function replaced(files: ModelFiles, given: LoadOptions["files"] = {}): ModelFiles {
  const { checksums, ...places } = files;
  const { program, plain, relaxed, gpuProgram, shaders } = checkedFiles;
  const others = new Set<string>([
    ...(given.program === undefined ? [] : [program]),
    ...(given.wasm === undefined ? [] : [plain, relaxed]),
    ...(given.webgpu === undefined ? [] : [gpuProgram, shaders]),
  ]);
  const kept = Object.entries(checksums ?? {}).filter(([name]) => !others.has(name));
  return { ...places, ...given, checksums: Object.fromEntries(kept) };
}

async function openSomewhere(places: ModelFiles, options: LoadOptions): Promise<Executor> {
  const { device = "auto", training = true, weights, seed } = options;
  const { checksums = {} } = places;
  const how = (program: Program, initialise = weights === undefined): SessionOptions => ({
    entries: Object.keys(program.entries).filter(
      (name) => training || (name !== "train" && name !== "update"),
    ),
    initialise,
    ...(seed === undefined ? {} : { seed }),
  });
  const onCpu = async (initialise?: boolean, sizes?: Sizes): Promise<Executor> => {
    const [program, plain, relaxed] = await Promise.all([
      readProgram(places.program, checksums[checkedFiles.program]),
      readModule(places.wasm.plain, checksums[checkedFiles.plain]),
      places.wasm.relaxed === undefined
        ? undefined
        : readModule(places.wasm.relaxed, checksums[checkedFiles.relaxed]),
    ]);
    const wasm = { plain, ...(relaxed === undefined ? {} : { relaxed }) };
    const { threads } = options;
    return openSession(program, wasm, {
      ...how(program, initialise),
      ...(threads === undefined ? {} : { threads }),
      ...(sizes === undefined ? {} : { sizes }),
    });
  };
  if (device === "webgpu" || (device === "auto" && places.webgpu !== undefined))
    try {
      const { program, shaders } = await readShaders(places.webgpu, checksums);
      const software = device === "webgpu";
      const session = await openWebGpu(program, shaders, { ...how(program), software });
      // What the device refuses of an entry shows when it is first used.
      return device === "webgpu" ? session : new Fallback(session, (sizes) => onCpu(false, sizes));
    } catch (error) {
      // No WebGPU, no device, or one that is too small.
      const unable = error instanceof UserError && /^R060[1-68]$/.test(error.code);
      if (device === "webgpu" || !unable) throw error;
    }
  return onCpu();
}

async function readModule(source: BytesSource, checksum: string | undefined): Promise<Uint8Array> {
  const { bytes, name } = await readBytes(source, modelTrouble);
  checkSame(name, checksum, () => checksumOf(bytes));
  return bytes;
}

async function readShaders(
  places: ModelFiles["webgpu"],
  checksums: Checksums,
): Promise<{ program: Program; shaders: readonly Shader[] }> {
  if (places === undefined)
    throw new UserError("R0607", "the model was built without kernels for WebGPU", {
      help: "build it with `--target webgpu`",
    });
  const { shaders: source } = places;
  const reading = readProgram(places.program, checksums[checkedFiles.gpuProgram]);
  if (isList(source)) return { program: await reading, shaders: source };
  const [program, { bytes, name }] = await Promise.all([reading, readBytes(source, modelTrouble)]);
  const text = new TextDecoder().decode(bytes);
  checkSame(name, checksums[checkedFiles.shaders], () => checksumOfText(text));
  const shaders = splitShaders(text, program.kernels.length);
  if (shaders !== undefined) return { program, shaders };
  throw new UserError("R0507", `${name} does not hold the kernels of ${program.name}`, {
    file: name,
    help: "build the model again, and keep the files together",
  });
}

const isList = (source: BytesSource | readonly Shader[]): source is readonly Shader[] =>
  Array.isArray(source);

async function readProgram(source: ModelFiles["program"], checksum: string | undefined): Promise<Program> {
  if (isProgram(source)) return source;
  const { json, name } = await readJson(source, modelTrouble);
  if (isProgram(json)) {
    checkSame(name, checksum, () => checksumOfJson(json));
    return json;
  }
  throw new UserError("R0507", `${name} is not a program of this version of moe`, {
    file: name,
    help: "build the model again with the version of moelang that is installed",
  });
}

const isProgram = (value: unknown): value is Program =>
  typeof value === "object" &&
  value !== null &&
  "format" in value &&
  value.format === "moe-program" &&
  "version" in value &&
  value.version === programVersion;

/** The folder of a run stands for its last checkpoint. */
async function checkpointOf(weights: BytesSource): Promise<BytesSource> {
  return isPlace(weights) && (await isFolder(weights)) ? inside(weights, "last.safetensors") : weights;
}

const isPlace = (source: unknown): source is string | URL =>
  typeof source === "string" || source instanceof URL;

/** By modality. */
async function findTokenizers(
  program: Program,
  { tokenizer, weights }: LoadOptions,
): Promise<Readonly<Record<string, Tokenizer>>> {
  const texts = program.modalities.filter(({ kind }) => kind === "tokens");
  const [first] = texts;
  const found: Record<string, Tokenizer> = {};
  for (const { name, count } of texts) {
    const readers = program.training?.data.filter(({ modality }) => modality === name) ?? [];
    if (readers.length > 0 && readers.every(({ reader }) => reader === "bytes"))
      found[name] = bytesTokenizer((count ?? 256) > 256 ? 256 : 0);
  }
  if (isPlace(weights) && (await isFolder(weights)))
    for (const { name } of texts) {
      const file = inside(weights, `tokenizer.${name}.json`);
      const read = await readJson(file, weightsTrouble).catch((error: unknown) => {
        if (error instanceof UserError && error.code === weightsTrouble.missing.code) return undefined;
        throw error;
      });
      if (read !== undefined) found[name] = tokenizerFromJSON(read.json, read.name);
    }
  if (tokenizer !== undefined && first !== undefined) {
    if (isPlace(tokenizer)) {
      const { json, name } = await readJson(tokenizer, weightsTrouble);
      found[first.name] = tokenizerFromJSON(json, name);
    } else found[first.name] = "encode" in tokenizer ? tokenizer : tokenizerFromJSON(tokenizer);
  }
  return found;
}
