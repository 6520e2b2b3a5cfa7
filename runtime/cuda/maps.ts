// Tensor maps: what bulk copies know of a buffer, in the 128 bytes that only the driver can write. In: maps of a program, the address of the
// buffer, sizes. Out: bytes. Node only.

import { bytesOf } from "../halves.ts";
import type { ProgramMap, StoredName } from "../program.ts";
import { evaluate, type Sizes } from "../size.ts";
import type { Driver } from "./driver.ts";

/** CUtensorMap. */
export const mapBytes = 128;
/** The driver writes it to such a place: 64 by its manual, 128 by its header since CUDA 13, as an argument of a kernel, too. */
export const mapAlignment = 128;

/** CUtensorMapDataType. */
export const types: Readonly<Record<StoredName, number>> = { i32: 3, f16: 6, f32: 7, bf16: 9 };
/** CUtensorMapSwizzle. */
export const swizzles = { 32: 1, 64: 2, 128: 3 } as const;
/** CUtensorMapL2promotion: what is read comes in lines of 128 bytes; boxes go on where others end. */
export const promotion = 2;

/** Into `at`, whose address is a multiple of `mapAlignment`. Errors: R0702 a driver before CUDA 12, R0706 what it does not take. */
export function encodeMap(
  driver: Driver,
  what: string,
  { type, offset, axes, swizzle }: ProgramMap,
  address: number,
  sizes: Sizes,
  at: Uint8Array,
): void {
  const bytes = bytesOf(type);
  const numbers = axes.map(({ extent, stride, box }) => ({
    // Where there is nothing no workgroup has work; a map of nothing is none.
    extent: Math.max(1, evaluate(extent, sizes)),
    stride: bytes * evaluate(stride, sizes),
    box,
  }));
  driver.call(
    `while describing what ${what} reads`,
    "cuTensorMapEncodeTiled",
    at,
    types[type],
    axes.length,
    BigInt(address + bytes * evaluate(offset, sizes)),
    BigUint64Array.from(numbers, ({ extent }) => BigInt(extent)),
    BigUint64Array.from([...numbers.slice(1).map(({ stride }) => BigInt(stride)), 0n]),
    Uint32Array.from(numbers, ({ box }) => box),
    Uint32Array.from(numbers, () => 1),
    ...[0, swizzles[swizzle], promotion, 0],
  );
}
