// IDX files (the format of MNIST): two zero bytes, a type byte, the number of axes, one big-endian length per axis, then
// the values. In: a file, compressed or not. Out: a row store, one row per index of the first axis. Nothing is allocated
// by what the header claims before the file is known to hold it; large plain files are read by position.

import { UserError } from "../errors.ts";
import type { Modality } from "../program.ts";
import { arrayStore, widthOf } from "./columns.ts";
import type { RowStore } from "./data.ts";
import { wholeFile, type DataFile } from "./folder.ts";

interface ElementType {
  readonly bytes: number;
  readonly whole: boolean;
  get(view: DataView, at: number): number;
}

const elementTypes: Readonly<Record<number, ElementType>> = {
  0x08: { bytes: 1, whole: true, get: (view, at) => view.getUint8(at) },
  0x09: { bytes: 1, whole: true, get: (view, at) => view.getInt8(at) },
  0x0b: { bytes: 2, whole: true, get: (view, at) => view.getInt16(at) },
  0x0c: { bytes: 4, whole: true, get: (view, at) => view.getInt32(at) },
  0x0d: { bytes: 4, whole: false, get: (view, at) => view.getFloat32(at) },
  0x0e: { bytes: 8, whole: false, get: (view, at) => view.getFloat64(at) },
};

/** Plain files above this are read by position. */
const holdLimit = 2 ** 26;

export async function idxRows(
  file: DataFile,
  modality: Modality,
): Promise<{ readonly store: RowStore; readonly labels?: readonly string[] }> {
  const held = file.size === undefined || file.size <= holdLimit ? await wholeFile(file) : undefined;
  const size = held?.length ?? file.size!;
  const head = held ?? new Uint8Array(Math.min(size, 4 + 4 * 255));
  if (held === undefined) file.read(0, head);
  const { type, axes, start } = headerOf(head, file.name);
  const [rows = 0, ...rest] = axes;
  const width = rest.reduce((a, b) => a * b, 1);
  const needed = start + rows * width * type.bytes;
  if (needed !== size)
    throw new UserError(
      "R0122",
      `${file.name} is ${size < needed ? "truncated" : "too long"}: [${axes.join(", ")}] values take ${needed} bytes, it has ${size}`,
      { file: file.name, help: "fetch the file again" },
    );
  if (rows === 0)
    throw new UserError("R0103", `${file.name} has no rows`, {
      file: file.name,
      help: "fetch the file again",
    });
  const expected = widthOf(modality);
  if (expected !== undefined && width !== expected)
    throw new UserError(
      "R0116",
      `${file.name} has [${rest.join(", ")}] values a row, \`${modality.name}\` takes ${expected}`,
      {
        file: file.name,
        help: `change the shape of \`${modality.name}\` in the model to that of the file`,
      },
    );
  if (modality.kind === "category") return categories(file, modality, held, { rows, type, start });

  // Bytes are pixels: black 0, white 1.
  const scale = type.bytes === 1 && type.whole && modality.kind !== "number" ? 1 / 255 : 1;
  if (held !== undefined && type === elementTypes[0x08])
    return { store: arrayStore(held.subarray(start), width, "f32", scale) };
  const bytes = new Uint8Array(width * type.bytes);
  const view = new DataView(bytes.buffer);
  return {
    store: {
      rows,
      width,
      type: "f32",
      read(row, into, at) {
        const offset = start + row * bytes.length;
        if (held !== undefined) bytes.set(held.subarray(offset, offset + bytes.length));
        else file.read(offset, bytes);
        for (let i = 0; i < width; i++) into[at + i] = type.get(view, i * type.bytes) * scale;
      },
      close: () => file.close(),
    },
  };
}

function headerOf(head: Uint8Array, name: string): { type: ElementType; axes: number[]; start: number } {
  const wrong = (reason: string): UserError =>
    new UserError("R0121", `${name} is not an IDX file: ${reason}`, {
      file: name,
      help: "give a file that begins with 00 00, such as train-images-idx3-ubyte (or the same with .gz)",
    });
  if (head.length < 4) throw wrong(`it has only ${head.length} bytes`);
  const magic = [...head.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  if (head[0] !== 0 || head[1] !== 0) throw wrong(`it begins with ${magic}`);
  const type = elementTypes[head[2]!];
  if (type === undefined)
    throw wrong(`it begins with ${magic}, and ${magic.slice(6, 8)} is no type of values`);
  const count = head[3]!;
  const start = 4 + 4 * count;
  if (count === 0) throw wrong("it has no axes");
  if (head.length < start)
    throw new UserError("R0122", `${name} is truncated: it ends within its header`, {
      file: name,
      help: "fetch the file again",
    });
  const view = new DataView(head.buffer, head.byteOffset);
  const axes = Array.from({ length: count }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { type, axes, start };
}

function categories(
  file: DataFile,
  { name, count }: Modality,
  held: Uint8Array | undefined,
  { rows, type, start }: { rows: number; type: ElementType; start: number },
): { store: RowStore; labels: string[] } {
  let bytes = held;
  if (bytes === undefined) file.read(0, (bytes = new Uint8Array(start + rows * type.bytes)));
  file.close();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const ids = Int32Array.from({ length: rows }, (_, row) => {
    const value = type.get(view, start + row * type.bytes);
    if (!Number.isInteger(value) || value < 0 || (count !== undefined && value >= count))
      throw new UserError(
        "R0114",
        `${file.name}: row ${row} has category ${value}, \`${name}\` has ${count === undefined ? "whole numbers from 0 on" : `0 to ${count - 1}`}`,
        { file: file.name, help: "raise the number of classes, or give the file with the labels" },
      );
    return value;
  });
  const labels = Array.from({ length: count ?? ids.reduce((a, b) => Math.max(a, b), 0) + 1 }, (_, id) =>
    String(id),
  );
  return { store: arrayStore(ids, 1), labels };
}
