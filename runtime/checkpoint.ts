// A checkpoint: every tensor of a program (parameters, state, optimiser) and where the run stood, as one safetensors
// file. In and out: bytes; the file system is `checkpoint-file.ts`. A checksum over header and values lies in the
// metadata, so that any changed bit is found; names and shapes are compared with the program's before anything is used.

import { crc32, hex8 } from "./checkpoint-checksum.ts";
import { UserError } from "./errors.ts";
import type { Tensor } from "./program.ts";
import { decodeSafetensors, encodeSafetensors, headerOf, type SafetensorsFile } from "./safetensors.ts";

/** Where a run stands: what it needs, beside the tensors, to go on as if it had never stopped. */
export interface RunState {
  readonly model: string;
  /** Optimiser steps done. */
  readonly step: number;
  /** Index of the next batch of the training data. */
  readonly position: number;
  readonly seed: number;
  /** The lowest loss on held-out data so far. */
  readonly best?: number;
  /** Evaluations since then. */
  readonly waited?: number;
  /** `Data.fingerprint`: a resumed run checks that the data are still the same. */
  readonly data?: string;
}

export interface Checkpoint {
  readonly state: RunState;
  readonly tensors: ReadonlyMap<string, Float32Array | Int32Array>;
}

const format = "moe-checkpoint-1";
const checksumPattern = /"checksum":"([0-9a-f]{8})"/;
const noChecksum = "00000000";

/** A short text that differs when names, types or shapes differ; their order does not matter. */
export function signature(tensors: readonly Pick<Tensor, "name" | "type" | "shape">[]): string {
  const lines = tensors.map(({ name, type, shape }) => `${JSON.stringify(name)} ${type} ${shape.join(",")}`);
  return `${tensors.length}-${hex8(crc32(new TextEncoder().encode(lines.sort().join("\n"))))}`;
}

/** The file in parts, to be written one after another. Values are views, not copies: write before the next step. */
export function encodeCheckpoint(
  tensors: readonly Tensor[],
  values: (name: string) => Float32Array | Int32Array,
  state: RunState,
): Uint8Array<ArrayBufferLike>[] {
  const metadata: Record<string, string> = {
    format,
    checksum: noChecksum,
    tensors: signature(tensors),
  };
  // String() of a number reads back as the same number, infinities and NaN included, which JSON would lose.
  for (const [key, value] of Object.entries(state)) if (value !== undefined) metadata[key] = String(value);
  const parts = encodeSafetensors(
    tensors.map(({ name, type, shape }) => ({ name, type, shape, values: values(name) })),
    metadata,
  );
  const header = parts[0]!;
  const text = new TextDecoder().decode(header.subarray(8));
  const sum = parts.reduce((crc, part) => crc32(part, crc), 0);
  header.set(new TextEncoder().encode(text.replace(checksumPattern, `"checksum":"${hex8(sum)}"`)), 8);
  return parts;
}

/** Reads and checks a checkpoint of exactly these tensors. `file` is its name, for messages. */
export function decodeCheckpoint(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
  tensors: readonly Tensor[],
): Checkpoint {
  const stored = decodeVerified(bytes, file);
  const state = stateOf(stored.metadata, file);
  compare(stored, tensors, state.model, file);
  return { state, tensors: new Map([...stored.tensors].map(([name, { values }]) => [name, values])) };
}

/** Reads where the run stood, without knowing its program: for listings, and to tell which model it was. */
export function decodeRunState(bytes: Uint8Array<ArrayBuffer>, file: string): RunState {
  return stateOf(decodeVerified(bytes, file).metadata, file);
}

/** Any safetensors file; one that says it is a run's checkpoint must be a whole one, others have no checksum. Errors: R0202 to R0205, R0207. */
export function decodeStored(bytes: Uint8Array<ArrayBuffer>, file: string): SafetensorsFile {
  const stored = decodeSafetensors(bytes, file);
  if (stored.metadata["format"] === format) decodeRunState(bytes, file);
  return stored;
}

/** A run goes on in the middle of an epoch, so the data must still be what they were. `fingerprint`: of `Data`. */
export function checkSameData(state: RunState, fingerprint: string, file: string): void {
  if (state.data === undefined || state.data === fingerprint) return;
  throw new UserError("R0210", `the data are not those that ${file} was trained on`, {
    file,
    help: "restore the data files, or begin a new run in another folder",
  });
}

function decodeVerified(bytes: Uint8Array<ArrayBuffer>, file: string): SafetensorsFile {
  const damaged = (): UserError =>
    new UserError("R0203", `${file} is damaged: its checksum does not match its contents`, {
      file,
      help: "use another copy of this file, or another checkpoint of the same run",
    });
  const { text } = headerOf(bytes, file);
  const written = checksumPattern.exec(text)?.[1];
  let stored: SafetensorsFile;
  try {
    stored = decodeSafetensors(bytes, file);
  } catch (error) {
    // It was a checkpoint once, so a broken header is damage, not a foreign format.
    if (written !== undefined && error instanceof UserError && error.code !== "R0202") throw damaged();
    throw error;
  }
  if (
    written === undefined ||
    stored.metadata["checksum"] !== written ||
    stored.metadata["format"] !== format
  )
    throw new UserError("R0207", `${file} holds tensors, but it is not a checkpoint of a run`, {
      file,
      help: "resume from a file that `moe train` wrote, such as last.safetensors",
    });
  // The checksum was made with zeros where it now stands.
  const at = 8 + utf8Length(text.slice(0, text.search(checksumPattern) + '"checksum":"'.length));
  let sum = crc32(bytes.subarray(0, at));
  sum = crc32(new TextEncoder().encode(noChecksum), sum);
  sum = crc32(bytes.subarray(at + noChecksum.length), sum);
  if (hex8(sum) !== written) throw damaged();
  return stored;
}

const utf8Length = (text: string): number => new TextEncoder().encode(text).length;

function stateOf(metadata: Readonly<Record<string, string>>, file: string): RunState {
  const { model, step, position, seed, best, waited, data } = metadata;
  const whole = [step, position, seed].map((text) =>
    text === undefined || text === "" ? NaN : Number(text),
  );
  if (model === undefined || !whole.every(Number.isSafeInteger))
    throw new UserError("R0207", `${file} does not say at which step of which model it was written`, {
      file,
      help: "resume from a file that `moe train` wrote, such as last.safetensors",
    });
  return {
    model,
    step: whole[0]!,
    position: whole[1]!,
    seed: whole[2]!,
    ...(best === undefined ? {} : { best: Number(best) }),
    ...(waited === undefined ? {} : { waited: Number(waited) }),
    ...(data === undefined ? {} : { data }),
  };
}

/** One error for all that differs between the checkpoint and the program. */
function compare(stored: SafetensorsFile, tensors: readonly Tensor[], model: string, file: string): void {
  const wanted = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const differences: string[] = [];
  for (const { name, type, shape } of tensors) {
    const other = stored.tensors.get(name);
    if (other === undefined) differences.push(`\`${name}\` is missing in it`);
    else if (other.shape.join() !== shape.join())
      differences.push(
        `\`${name}\` is [${other.shape.join(", ")}] in it, [${shape.join(", ")}] in the model`,
      );
    else if (other.type !== type)
      differences.push(`\`${name}\` is ${other.type} in it, ${type} in the model`);
  }
  for (const name of stored.tensors.keys())
    if (!wanted.has(name)) differences.push(`the model has no \`${name}\``);
  if (differences.length === 0) return;
  const more = differences.length > 3 ? `, and ${differences.length - 3} more differences` : "";
  throw new UserError("R0206", `${file} is of another model: ${differences.slice(0, 3).join("; ")}${more}`, {
    file,
    help: `it was written by the model \`${model}\`: restore the \`.moe\` file it was trained with, or train anew in another folder`,
  });
}
