// The safetensors format: 8 bytes of little-endian header length, a JSON header, the raw values. In and out: bytes and
// named f32 / i32 tensors with string metadata; other types of elements are read, too, never written. Decoding trusts nothing: every
// claim of the header is checked against the bytes that are there before anything is allocated by it. Knows no checkpoints or files.

import { UserError } from "./errors.ts";
import type { ElementName } from "./program.ts";
import { storedType, storedTypes, valuesOf } from "./safetensors-types.ts";

export interface StoredTensor {
  readonly name: string;
  readonly type: ElementName;
  readonly shape: readonly number[];
  /** Of a file with another type of elements they are made anew each time that they are asked for. */
  readonly values: Float32Array | Int32Array;
}

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** The most a header may take; the reference implementation has the same limit. */
const headerLimit = 100_000_000;
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The file in parts, to be written one after another: the header, then each tensor's bytes (views, not copies). */
export function encodeSafetensors(
  tensors: readonly StoredTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBufferLike>[] {
  if (!littleEndian) throw new Error("internal: safetensors needs a little-endian machine");
  const entries: [string, unknown][] = [["__metadata__", metadata]];
  const parts: Uint8Array<ArrayBufferLike>[] = [];
  const names = new Set<string>();
  let at = 0;
  for (const { name, type, shape, values } of tensors) {
    const elements = shape.reduce((a, b) => a * b, 1);
    if (names.has(name) || badName(name) !== undefined) throw new Error(`internal: tensor name ${name}`);
    if (values.length !== elements || (type === "f32") !== values instanceof Float32Array)
      throw new Error(`internal: ${name} is [${shape.join(", ")}] ${type} but has ${values.length} values`);
    names.add(name);
    entries.push([
      name,
      { dtype: type === "f32" ? "F32" : "I32", shape, data_offsets: [at, at + values.byteLength] },
    ]);
    parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    at += values.byteLength;
  }
  // Object.fromEntries would reorder names that look like numbers.
  const json = `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(",")}}`;
  const text = new TextEncoder().encode(json);
  // Spaces to a multiple of 8, so that readers can use the values where they lie.
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return [header, ...parts];
}

/** Reads a file. `file` is its name, for messages. Values of 32 bits are views of `bytes` where they are aligned. */
export function decodeSafetensors(bytes: Uint8Array, file: string): SafetensorsFile {
  const { text, payload } = headerOf(bytes, file);
  const fail = (reason: string): never => {
    throw new UserError("R0204", `${file} is not a valid safetensors file: ${reason}`, {
      file,
      help: otherFile,
    });
  };
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    fail("its header is not JSON");
  }
  if (!isRecord(header)) return fail("its header is not a JSON object");
  const twice = duplicateKey(text);
  if (twice !== undefined) fail(`its header has ${shown(twice)} twice`);

  const metadata: Record<string, string> = {};
  const entries: { name: string; dtype: string; shape: number[]; begin: number; end: number }[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      if (!isRecord(entry)) return fail("its metadata is not an object");
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== "string") return fail(`its metadata ${shown(key)} is not a string`);
        Object.defineProperty(metadata, key, { value, enumerable: true });
      }
      continue;
    }
    const reason = badName(name);
    if (reason !== undefined) fail(`the tensor name ${shown(name)} ${reason}`);
    if (!isRecord(entry)) return fail(`the entry of ${shown(name)} is not an object`);
    const { dtype, shape, data_offsets: offsets } = entry;
    if (typeof dtype !== "string") return fail(`${shown(name)} has no dtype`);
    if (!isCounts(shape)) return fail(`the shape of ${shown(name)} is not a list of sizes`);
    if (!isCounts(offsets) || offsets.length !== 2)
      return fail(`the offsets of ${shown(name)} are not two positions`);
    const [begin, end] = offsets as [number, number];
    if (begin > end) fail(`the offsets of ${shown(name)} run backwards (${begin} to ${end})`);
    const stored = storedType(dtype);
    if (stored === undefined)
      throw new UserError("R0205", `${shown(name)} in ${file} has type ${shown(dtype)}, which is not read`, {
        file,
        help: `convert it to one of ${storedTypes.join(", ")}`,
      });
    const takes = shape.reduce((a, b) => a * b, 1) * stored.bytes;
    if (takes !== end - begin)
      fail(
        `${shown(name)} has shape [${shape.join(", ")}], which takes ${takes} bytes, but is given ${end - begin}`,
      );
    entries.push({ name, dtype, shape, begin, end });
  }

  // The values must tile the payload: no overlap, no gap, nothing after the last.
  let at = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < at) fail(`the bytes of ${shown(name)} overlap those of another tensor`);
    if (begin > at) fail(`there is a gap of ${begin - at} bytes before ${shown(name)}`);
    if (end > payload.length)
      throw new UserError(
        "R0202",
        `${file} is truncated: ${shown(name)} ends at byte ${end} of the values, but there are only ${payload.length}`,
        { file, help: otherFile },
      );
    at = end;
  }
  if (at !== payload.length) fail(`${payload.length - at} bytes after the last tensor belong to nothing`);

  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const { type } = storedType(dtype)!;
    const read = (): StoredTensor["values"] =>
      valuesOf(dtype, payload.subarray(begin, end), `${shown(name)} in ${file}`);
    // Wider or narrower elements are converted only where they are wanted: a large file is not held twice.
    const converted = dtype !== "F32" && dtype !== "I32";
    tensors.set(
      name,
      converted
        ? {
            name,
            type,
            shape,
            get values() {
              return read();
            },
          }
        : { name, type, shape, values: read() },
    );
  }
  return { metadata, tensors };
}

const otherFile = "copy the file again, or use another checkpoint";

/** The header's text and the bytes after it, once the claimed length is known to be there. */
export function headerOf(bytes: Uint8Array, file: string): { text: string; payload: Uint8Array } {
  const fail = (code: string, message: string): never => {
    throw new UserError(code, message, { file, help: otherFile });
  };
  if (bytes.length < 8)
    fail("R0202", `${file} is truncated: it has ${bytes.length} bytes, a header needs at least 8`);
  const claimed = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (claimed > BigInt(headerLimit))
    fail("R0204", `${file} is not a valid safetensors file: it claims a header of ${claimed} bytes`);
  const length = Number(claimed);
  if (length > bytes.length - 8)
    fail(
      "R0202",
      `${file} is truncated: its header should take ${length} bytes, only ${bytes.length - 8} are there`,
    );
  if (length < 2) fail("R0204", `${file} is not a valid safetensors file: its header is empty`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(8, 8 + length),
    );
    return { text, payload: bytes.subarray(8 + length) };
  } catch {
    return fail("R0204", `${file} is not a valid safetensors file: its header is not UTF-8 text`);
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);

/** A name from a hostile file, short and without control characters. */
function shown(name: string): string {
  const text = JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);
  return text.replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, "?");
}

/** Names may become paths when tensors are unpacked by other programs: nothing that leads out of a folder. */
function badName(name: string): string | undefined {
  if (name === "") return "is empty";
  if (name.length > 1024) return "is too long";
  if (/[\u0000-\u001f\u007f]/.test(name)) return "has control characters";
  if (name.includes("\\") || /^([A-Za-z]:|\/)/.test(name) || name.split("/").includes(".."))
    return "is a path out of the file";
  return undefined;
}

/** The first key that some object of valid JSON text has twice: JSON.parse would keep the last in silence. */
export function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  const token = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}[\]]/g;
  for (const match of json.matchAll(token)) {
    const [text, colon] = match;
    if (text === "{") open.push(new Set());
    else if (text === "[") open.push(undefined);
    else if (text === "}" || text === "]") open.pop();
    else if (colon !== undefined) {
      const keys = open.at(-1);
      const key = JSON.parse(text.slice(0, text.lastIndexOf('"') + 1)) as string;
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
