// A run folder: all that `moe eval`, `moe generate` and `--resume` need, so that a run outlives changes of its source.
//   run.json                       what it is: model, sources, where its data are, how it ended
//   program.json, model*.wasm      the compiled model
//   source/                        the `.moe` modules, with the recipe that was really trained
//   tokenizer.NAME.json            how the text of a modality became tokens
//   last, previous, best.safetensors, metrics.jsonl     made by the training loop
//   phases/NAME/                   phases before the last: their compiled models and checkpoints
// Everything is written before training begins, run.json last: a folder with run.json is whole.

import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { UserError } from "../runtime/errors.ts";
import { codeOf, reasonOf } from "../runtime/system-error.ts";
import type { Data } from "../runtime/data/data.ts";
import { openData } from "../runtime/data/open-node.ts";
import type { Modality, Program, Training } from "../runtime/program.ts";
import type { Tokenizer } from "../runtime/tokenizer.ts";
import { tokenizerFromJSON } from "../runtime/tokenizer-load.ts";
import {
  artifactFiles,
  hashesOf,
  readArtifact,
  writeFiles,
  type Artifact,
  type Hashes,
} from "./artifact-folder.ts";
import type { CompiledFile } from "./compiling.ts";
import type { CompileFor } from "./devices.ts";
import type { Trained } from "./sessions.ts";
import { nearby, readJson, writeWhole } from "./files.ts";
import { phaseFolder } from "./start-from.ts";
import { typed } from "./typed.ts";
import { tool } from "./version.ts";

export const runVersion = 1;

export type RunEnd = "running" | "finished" | "stopped early" | "interrupted" | "failed";

/** run.json */
export interface RunNote {
  readonly format: "moe-run";
  readonly version: typeof runVersion;
  readonly tool: string;
  readonly model: string;
  /** The main module, below `source/`. */
  readonly main: string;
  readonly sourceHash: string;
  /** The same of the files as they were, where the command line changed the recipe. */
  readonly givenHash?: string;
  /** What paths of the data are relative to, seen from the run folder. */
  readonly base: string;
  readonly seed: number;
  /** How the text of a sample begins. */
  readonly prompt?: string;
  readonly state: RunEnd;
  readonly files: Hashes;
  /** Those before the last, in `phases/NAME`: each with its own program and checkpoints. */
  readonly phases?: readonly { readonly name: string; readonly files: Hashes }[];
}

export interface Run extends Trained {
  /** As the user names it. */
  readonly shown: string;
  /** Absolute. */
  readonly folder: string;
  readonly note: RunNote;
  /** Where the checkpoints lie, as the user would name it: the folder, or that of a phase. */
  readonly checkpoints: string;
  readonly tokenizers: Readonly<Record<string, Tokenizer>>;
}

export const isRunFolder = (folder: string, given: string): boolean =>
  existsSync(join(resolve(folder, given), "run.json"));

/** Writes the folder of a new run, which holds nothing but hidden files; or, when the disk is full, nothing that would be in the way of
 * the next try. */
export function createRun(folder: string, ...made: RunParts): RunNote {
  try {
    return writeRun(folder, ...made);
  } catch (error) {
    for (const name of readdirSync(folder))
      if (!name.startsWith(".")) rmSync(join(folder, name), { recursive: true, force: true });
    throw error;
  }
}

type RunParts = [
  file: CompiledFile,
  tokenizers: Readonly<Record<string, Tokenizer>>,
  more: Pick<RunNote, "seed"> & Partial<Pick<RunNote, "prompt">>,
  earlier?: readonly { readonly name: string; readonly artifact: Artifact }[],
];

function writeRun(folder: string, ...[file, tokenizers, more, earlier = []]: RunParts): RunNote {
  const { path, base, compiled, sources, hash, givenHash } = file;
  const texts = [...sources.texts()];
  const root = commonFolder(texts.map(([module]) => module));
  const inside = (module: string): string => relative(root, module).split(sep).join("/");
  const files = artifactFiles(compiled);
  writeFiles(folder, files, folder);
  const phases = earlier.map(({ name, artifact }) => {
    const own = artifactFiles(artifact);
    writeFiles(phaseFolder(folder, name), own, phaseFolder(folder, name));
    return { name, files: hashesOf(own) };
  });
  for (const [module, text] of texts) writeWhole(join(folder, "source", inside(module)), text);
  for (const [name, tokenizer] of Object.entries(tokenizers))
    writeWhole(join(folder, `tokenizer.${name}.json`), `${JSON.stringify(tokenizer.toJSON())}\n`);
  const note: RunNote = {
    format: "moe-run",
    version: runVersion,
    tool,
    model: compiled.program.name,
    main: inside(path),
    sourceHash: hash,
    ...(givenHash === hash ? {} : { givenHash }),
    base: relative(folder, base).split(sep).join("/") || ".",
    ...more,
    state: "running",
    files: hashesOf(files),
    ...(phases.length === 0 ? {} : { phases }),
  };
  writeNote(folder, note);
  return note;
}

export const writeNote = (folder: string, note: RunNote): void =>
  writeWhole(join(folder, "run.json"), `${JSON.stringify(note, null, 2)}\n`);

/** The deepest folder that holds all of the modules. */
function commonFolder(modules: readonly string[]): string {
  const [first = [], ...others] = modules.map((module) => dirname(module).split("/"));
  let length = first.length;
  for (const other of others) {
    let same = 0;
    while (same < length && first[same] === other[same]) same++;
    length = same;
  }
  return first.slice(0, length).join("/") || (modules[0]?.startsWith("/") === true ? "/" : ".");
}

/** Opens a run that `moe train` made; `phase`: one that its recipe names, else the last. */
export function openRun(from: string, given: string, phase?: string): Run {
  const folder = resolve(from, given);
  const shown = given.replace(/[\\/]+$/, "") || given;
  const note = readNote(from, shown);
  const last = readArtifact(from, shown, note.files);
  const inside = (note.phases ?? []).find(({ name }) => name === phase);
  if (phase !== undefined && inside === undefined && phase !== last.program.training?.phase)
    throw noPhase(shown, phase, phaseNamesOf(note, last));
  const checkpoints = inside === undefined ? shown : phaseFolder(shown, inside.name);
  const artifact = inside === undefined ? last : readArtifact(from, checkpoints, inside.files);
  const tokenizers = readTokenizers(from, shown, artifact.program);
  const compileFor = compilerOf(folder, note, artifact.program.training?.phase);
  return { ...artifact, shown, folder, note, checkpoints, tokenizers, compileFor };
}

const phaseNamesOf = ({ phases = [] }: RunNote, { program }: Artifact): readonly string[] => [
  ...phases.map(({ name }) => name),
  ...(program.training?.phase === undefined ? [] : [program.training.phase]),
];

const noPhase = (shown: string, phase: string, known: readonly string[]): UserError =>
  new UserError("C0305", `${shown} has no phase ${phase}`, {
    file: shown,
    help: known.length === 0 ? "leave out --phase: its recipe has no phases" : `it has ${known.join(", ")}`,
  });

/** Kernels for other devices are made of the run's own source, when somebody wants them. */
const compilerOf =
  (folder: string, { main, model }: RunNote, phase: string | undefined): CompileFor =>
  async (target, arithmetic) => {
    const { compileFor } = await import("./compiling.ts");
    return compileFor(folder, join(folder, "source", main), { model, phase, ...arithmetic }, target);
  };

function readNote(from: string, shown: string): RunNote {
  const folder = resolve(from, shown);
  const refuse = (message: string, help: string): never => {
    throw new UserError("C0301", message, { file: shown, help });
  };
  if (!existsSync(folder)) {
    const close = nearby(from, shown);
    const help = close.startsWith("did you mean") ? close : "train first: moe train FILE.moe";
    return refuse(`there is no folder ${shown}`, help);
  }
  if (!statSync(folder).isDirectory())
    return refuse(
      `${shown} is a file, not the folder of a run`,
      shown.endsWith(".moe")
        ? `train it first: moe train ${typed(shown)}`
        : `give the folder that it is in: ${dirname(shown)}`,
    );
  if (!existsSync(join(folder, "run.json"))) {
    const inside = existsSync(join(folder, "runs"))
      ? runsIn(join(folder, "runs")).at(-1)
      : runsIn(folder).at(-1);
    const where = existsSync(join(folder, "runs")) ? join(shown, "runs") : shown;
    return refuse(
      `${shown} is not the folder of a run`,
      inside === undefined
        ? "give the folder that `moe train` made"
        : `there is one in it: ${join(where, inside)}`,
    );
  }
  const note = readJson(from, join(shown, "run.json"));
  if (!isNote(note))
    return refuse(`${join(shown, "run.json")} is of another version of moe, or damaged`, "train again");
  return note;
}

function readTokenizers(from: string, shown: string, program: Program): Readonly<Record<string, Tokenizer>> {
  const found: Record<string, Tokenizer> = {};
  for (const { name, kind } of program.modalities) {
    const file = join(shown, `tokenizer.${name}.json`);
    if (kind === "tokens" && existsSync(resolve(from, file)))
      found[name] = tokenizerFromJSON(readJson(from, file), file);
  }
  return found;
}

/** Names of the runs in a folder, the latest last. */
export function runsIn(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  const time = (name: string): number => statSync(join(folder, name, "run.json")).mtimeMs;
  return names
    .filter((name) => existsSync(join(folder, name, "run.json")))
    .sort((a, b) => time(a) - time(b) || (a < b ? -1 : 1));
}

/** Of what moe wrote; anybody may have edited it since. */
function isNote(value: unknown): value is RunNote {
  const isObject = (each: unknown): each is Readonly<Record<string, unknown>> =>
    typeof each === "object" && each !== null;
  const isText = (each: unknown): boolean => typeof each === "string";
  const hasFiles = ({ files }: Readonly<Record<string, unknown>>): boolean =>
    isObject(files) && Object.values(files).every(isText);
  if (!isObject(value) || value["format"] !== "moe-run" || value["version"] !== runVersion) return false;
  const { model, main, base, prompt = "", phases = [] } = value;
  return (
    [model, main, base, prompt].every(isText) &&
    hasFiles(value) &&
    Array.isArray(phases) &&
    phases.every((phase: unknown) => isObject(phase) && isText(phase["name"]) && hasFiles(phase))
  );
}

/** `runs/book`, or `runs/book-2` when that is taken. Makes it, so that two runs that start together differ. */
export function freshFolder(from: string, path: string): string {
  const stem = basename(path).replace(/\.moe$/, "");
  makeFolder(from, "runs");
  for (let number = 1; ; number++) {
    const shown = `runs/${stem}${number === 1 ? "" : `-${number}`}`;
    if (makeFolder(from, shown)) return shown;
  }
}

/** False when something of that name is there already. Errors: C0201. */
function makeFolder(from: string, shown: string): boolean {
  try {
    mkdirSync(resolve(from, shown));
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw new UserError("C0201", `cannot make the folder ${shown}: ${reasonOf(error)}`, {
      file: shown,
      help: "choose a place that can be written with --out",
    });
  }
}

/** Takes a folder away that a run was to be made in, if nothing came to lie in it. */
export function leaveNoFolder(from: string, shown: string): void {
  try {
    rmdirSync(resolve(from, shown));
  } catch {
    // Something lies in it.
  }
}

/** The folder of `--out`, which must hold no other run and nothing of anybody else. */
export function givenFolder(from: string, given: string): string {
  const folder = resolve(from, given);
  if (!existsSync(folder)) return given;
  if (!statSync(folder).isDirectory())
    throw new UserError("C0202", `${given} is a file`, { file: given, help: "choose another folder" });
  if (existsSync(join(folder, "run.json")))
    throw new UserError("C0203", `${given} already holds a run`, {
      file: given,
      help: "continue it with --resume, or choose another folder",
    });
  const other = readdirSync(folder).find((name) => !name.startsWith("."));
  if (other === undefined) return given;
  throw new UserError("C0202", `${given} is not empty: it holds ${other}`, {
    file: given,
    help: "choose another folder",
  });
}

/** The data of a run, from where they were when it began, seen from its folder. A folder that was moved without them says so. */
export async function openRunData(
  { folder, shown, note }: Run,
  training: Training,
  modalities: readonly Modality[],
): Promise<Data> {
  const base = resolve(folder, note.base);
  try {
    return await openData(training, modalities, base);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "R0101") throw error;
    throw new UserError(
      "R0101",
      `${error.message} in ${base}, where ${shown} looks for its data (its run.json says \`${note.base}\`, seen from the run)`,
      {
        file: join(shown, "run.json"),
        help:
          "the run or its data were moved: bring the data there, or change `base` in that run.json to the folder that they " +
          "are relative to now",
      },
    );
  }
}
