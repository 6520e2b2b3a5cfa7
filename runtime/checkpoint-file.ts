// Checkpoints on disk; Node only. A run folder holds `last.safetensors`, `previous.safetensors` (the one before) and
// `best.safetensors`. At every moment, also when the process is killed or the disk is full, `last` is a complete
// checkpoint: the new one is written beside it, synced, and renamed over it. Two runs must not share a folder.

import * as nodeFiles from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  decodeCheckpoint,
  decodeRunState,
  decodeStored,
  type Checkpoint,
  type RunState,
} from "./checkpoint.ts";
import { UserError } from "./errors.ts";
import type { Tensor } from "./program.ts";
import type { StoredTensor } from "./safetensors.ts";
import { decodeIndex, indexEnding } from "./safetensors-index.ts";
import { codeOf, isFull, reasonOf } from "./system-error.ts";

/** What is used of `node:fs`; tests give one that fails. */
export type CheckpointFiles = Pick<
  typeof nodeFiles,
  | "openSync"
  | "writeSync"
  | "readSync"
  | "fstatSync"
  | "fsyncSync"
  | "closeSync"
  | "renameSync"
  | "rmSync"
  | "linkSync"
  | "copyFileSync"
  | "existsSync"
  | "mkdirSync"
>;

export type CheckpointKind = "last" | "best";

export const checkpointPath = (folder: string, kind: CheckpointKind | "previous"): string =>
  join(folder, `${kind}.safetensors`);

/** A pipe that nobody writes to would be waited for without end. Windows has no such flag, nor such files. */
const readAtOnce =
  nodeFiles.constants.O_RDONLY | ((nodeFiles.constants.O_NONBLOCK as number | undefined) ?? 0);

/** Most bytes in one system call: some systems refuse more than two gigabytes. */
const piece = 2 ** 26;

/** Writes the parts of `encodeCheckpoint` as `last` (the old one becomes `previous`) or `best`. Makes the folder. */
export function writeCheckpoint(
  folder: string,
  kind: CheckpointKind,
  parts: readonly Uint8Array<ArrayBufferLike>[],
  files: CheckpointFiles = nodeFiles,
): void {
  const path = checkpointPath(folder, kind);
  const temporary = `${path}.tmp`;
  try {
    files.mkdirSync(folder, { recursive: true });
    writeSynced(temporary, parts, files);
    if (kind === "last" && files.existsSync(path)) keep(path, checkpointPath(folder, "previous"), files);
    files.renameSync(temporary, path);
    syncFolder(folder, files);
  } catch (error) {
    remove(temporary, files);
    throw writeError(error, path);
  }
}

function writeSynced(
  path: string,
  parts: readonly Uint8Array<ArrayBufferLike>[],
  files: CheckpointFiles,
): void {
  const file = files.openSync(path, "w");
  try {
    for (const part of parts)
      for (let at = 0; at < part.length;) {
        const written = files.writeSync(file, part, at, Math.min(piece, part.length - at));
        if (written === 0) throw Object.assign(new Error("nothing was written"), { code: "ENOSPC" });
        at += written;
      }
    files.fsyncSync(file);
  } finally {
    files.closeSync(file);
  }
}

/** A second name for the file, put in place at once, so that there is no moment without `last`. */
function keep(path: string, previous: string, files: CheckpointFiles): void {
  const temporary = `${previous}.tmp`;
  remove(temporary, files);
  try {
    try {
      files.linkSync(path, temporary);
    } catch {
      // File systems without hard links.
      files.copyFileSync(path, temporary);
    }
    files.renameSync(temporary, previous);
  } catch (error) {
    remove(temporary, files);
    throw error;
  }
}

function syncFolder(folder: string, files: CheckpointFiles): void {
  let handle: number | undefined;
  try {
    handle = files.openSync(folder, "r");
    files.fsyncSync(handle);
  } catch {
    // Windows cannot sync folders; the rename itself has happened.
  } finally {
    if (handle !== undefined) files.closeSync(handle);
  }
}

function remove(path: string, files: CheckpointFiles): void {
  try {
    files.rmSync(path, { force: true });
  } catch {
    // The error that led here says more.
  }
}

function writeError(error: unknown, path: string): unknown {
  if (codeOf(error) === "" || error instanceof UserError) return error;
  const help = isFull(error)
    ? "free some space and resume the run; the checkpoint before this one is intact"
    : "choose a folder that can be written, and resume the run; the checkpoint before this one is intact";
  return new UserError("R0208", `cannot write ${path}: ${reasonOf(error)}`, { file: path, help });
}

/** Reads a checkpoint of exactly these tensors; `path` is the file, or the run folder (its `last`). */
export function readCheckpoint(
  path: string,
  tensors: readonly Tensor[],
  files: CheckpointFiles = nodeFiles,
): Checkpoint {
  const { bytes, file } = readFile(path, files);
  return rescued(file, files, () => decodeCheckpoint(bytes, file, tensors));
}

/** Reads where a run stood. `path` as for `readCheckpoint`. */
export function readRunState(path: string, files: CheckpointFiles = nodeFiles): RunState {
  const { bytes, file } = readFile(path, files);
  return rescued(file, files, () => decodeRunState(bytes, file));
}

/** Reads the tensors of any safetensors file, or of several with an index, whatever their model. `path` as for `readCheckpoint`. */
export function readStored(
  path: string,
  files: CheckpointFiles = nodeFiles,
): ReadonlyMap<string, StoredTensor> {
  if (path.endsWith(indexEnding)) return readParts(path, files);
  const { bytes, file } = readFile(path, files);
  return rescued(file, files, () => decodeStored(bytes, file).tensors);
}

function readParts(path: string, files: CheckpointFiles): ReadonlyMap<string, StoredTensor> {
  const index = decodeIndex(new TextDecoder().decode(readFile(path, files).bytes), path);
  const all = new Map<string, StoredTensor>();
  for (const [part, names] of index) {
    const tensors = readStored(join(dirname(path), part), files);
    for (const name of names) {
      const found = tensors.get(name);
      if (found === undefined)
        throw new UserError(
          "R0204",
          `${path} says that ${part} holds ${JSON.stringify(name)}, which it does not`,
          {
            file: path,
            help: "copy all files of the checkpoint again",
          },
        );
      all.set(name, found);
    }
  }
  return all;
}

/** Truncated, damaged, no safetensors file. */
const broken: readonly string[] = ["R0202", "R0203", "R0204"];

/** Of a broken checkpoint: says which others the run folder has. */
function rescued<T>(file: string, files: CheckpointFiles, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof UserError) || !broken.includes(error.code)) throw error;
    const others = otherCheckpoints(file, files);
    if (others.length === 0) throw error;
    const last = basename(checkpointPath("", "last"));
    const help =
      basename(file) === last && others.includes("previous.safetensors")
        ? `previous.safetensors, beside it, is the checkpoint before it: copy that over ${last} and go on from there`
        : `its folder has ${others.join(" and ")}, which may be whole`;
    throw new UserError(error.code, error.message, { file, help });
  }
}

function otherCheckpoints(file: string, files: CheckpointFiles): readonly string[] {
  return (["last", "previous", "best"] as const)
    .map((kind) => checkpointPath(dirname(file), kind))
    .filter((path) => path !== file && files.existsSync(path))
    .map((path) => basename(path));
}

function readFile(path: string, files: CheckpointFiles): { bytes: Uint8Array<ArrayBuffer>; file: string } {
  const named = path.endsWith(".safetensors") || path.endsWith(indexEnding);
  const file = named ? path : checkpointPath(path, "last");
  let handle: number | undefined;
  try {
    handle = files.openSync(file, readAtOnce);
    const status = files.fstatSync(handle);
    if (!status.isFile() && !status.isDirectory())
      throw Object.assign(new Error("it is no ordinary file"), { code: "EINVAL" });
    const { size } = status;
    const bytes = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const count = files.readSync(handle, bytes, at, Math.min(piece, size - at), at);
      if (count === 0) break;
      at += count;
    }
    return { bytes: bytes.subarray(0, at), file };
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT")
      throw new UserError("R0201", `there is no checkpoint ${file}`, {
        file,
        help: missingHelp(file, files),
      });
    if (code === "" && !(error instanceof RangeError)) throw error;
    throw new UserError("R0209", `cannot read ${file}: ${reasonOf(error)}`, {
      file,
      help: "make the file readable",
    });
  } finally {
    if (handle !== undefined) files.closeSync(handle);
  }
}

function missingHelp(file: string, files: CheckpointFiles): string {
  const [other] = otherCheckpoints(file, files);
  return other === undefined
    ? "train first, or give the folder of another run"
    : `there is a ${other} in its folder`;
}
