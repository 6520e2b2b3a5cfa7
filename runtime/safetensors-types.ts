// Types of elements that safetensors files hold, and how they become the two that programs have: 32-bit floats and integers. In: the raw
// little-endian bytes of one tensor. Out: values. Floats of 16 and 64 bits become the nearest f32; whole numbers and truth values i32.

import { UserError } from "./errors.ts";
import { widened } from "./halves.ts";
import type { ElementName, HalfName } from "./program.ts";
import type { Values } from "./session-values.ts";

type Numbers = { readonly length: number; readonly [index: number]: number | bigint };

interface StoredType {
  /** Bytes of an element. */
  readonly bytes: number;
  /** What it is read as. */
  readonly type: ElementName;
  /** `buffer` from `start` on, which is a multiple of `bytes`; undefined: a number that i32 does not hold. */
  readonly read: (buffer: ArrayBufferLike, start: number, length: number) => Values | undefined;
}

/** A byte, 16 or 64 bits, each as i32 where all fit. */
const whole = (
  bytes: number,
  view: new (buffer: ArrayBufferLike, start: number, length: number) => Numbers,
): StoredType => ({
  bytes,
  type: "i32",
  read(buffer, start, length) {
    const from = new view(buffer, start, length);
    const values = new Int32Array(length);
    for (let i = 0; i < length; i++) {
      const value = from[i]!;
      if (value < -(2 ** 31) || value >= 2 ** 31) return undefined;
      values[i] = Number(value);
    }
    return values;
  },
});

/** Floats of 16 bits as f32. */
const half = (type: HalfName): StoredType => ({
  bytes: 2,
  type: "f32",
  read: (buffer, start, length) => widened(type, new Uint16Array(buffer, start, length)),
});

const types: Readonly<Record<string, StoredType>> = {
  F32: { bytes: 4, type: "f32", read: (buffer, start, length) => new Float32Array(buffer, start, length) },
  I32: { bytes: 4, type: "i32", read: (buffer, start, length) => new Int32Array(buffer, start, length) },
  F64: {
    bytes: 8,
    type: "f32",
    read: (buffer, start, length) => Float32Array.from(new Float64Array(buffer, start, length)),
  },
  F16: half("f16"),
  BF16: half("bf16"),
  I64: whole(8, BigInt64Array),
  U64: whole(8, BigUint64Array),
  U32: whole(4, Uint32Array),
  I16: whole(2, Int16Array),
  U16: whole(2, Uint16Array),
  I8: whole(1, Int8Array),
  U8: whole(1, Uint8Array),
  BOOL: whole(1, Uint8Array),
};

export const storedType = (dtype: string): StoredType | undefined =>
  Object.hasOwn(types, dtype) ? types[dtype] : undefined;

/** Names of the types that are read. */
export const storedTypes: readonly string[] = Object.keys(types);

/** `bytes`: exactly those of the tensor; a view of them where type and place allow. `shown`: tensor and file. Errors: R0205. */
export function valuesOf(dtype: string, bytes: Uint8Array, shown: string): Values {
  const stored = types[dtype]!;
  const aligned = bytes.byteOffset % stored.bytes === 0;
  const { buffer, byteOffset } = aligned ? bytes : bytes.slice();
  const values = stored.read(buffer, byteOffset, bytes.byteLength / stored.bytes);
  if (values !== undefined) return values;
  throw new UserError("R0205", `${shown} holds a whole number of type ${dtype} that 32 bits do not hold`, {
    help: "leave this tensor out, or convert it first",
  });
}
