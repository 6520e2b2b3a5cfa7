// Numbers of half width as they lie in a device's memory, 16 bits each. In and out: f32, and their bits. Rounded to the nearest, ties to
// even; what is too large becomes infinite, NaN stays one, numbers below the normal range are kept.

import type { ElementName, HalfName, StoredName } from "./program.ts";
import type { Values } from "./session-values.ts";

export const isHalf = (type: StoredName): type is HalfName => type === "bf16" || type === "f16";
/** Of one element in memory. */
export const bytesOf = (type: StoredName): number => (isHalf(type) ? 2 : 4);
/** Of several: what a GPU copies and binds is of whole words, of which two elements of half width share one. */
export const wholeWords = (type: StoredName, count: number): number =>
  Math.ceil((bytesOf(type) * count) / 4) * 4;
/** What the host sees of it. */
export const readAs = (type: StoredName): ElementName => (type === "i32" ? "i32" : "f32");

/** Elements as they lie in memory. */
export type Held = Values | Uint16Array;

/** A view of elements of a type, or room for them. */
export function heldIn(type: StoredName, length: number): Held;
export function heldIn(type: StoredName, buffer: ArrayBuffer, at: number, length: number): Held;
export function heldIn(type: StoredName, of: ArrayBuffer | number, at?: number, length?: number): Held {
  const view = isHalf(type) ? Uint16Array : type === "f32" ? Float32Array : Int32Array;
  return typeof of === "number" ? new view(of) : new view(of, at, length);
}

/** What they are; the same array where nothing has to be widened. */
export const valuesOf = (type: StoredName, held: Held): Values =>
  isHalf(type) ? widened(type, held as Uint16Array) : (held as Values);

/** The bits of the nearest numbers of a type. */
export function narrowed(type: HalfName, values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  const half = type === "bf16" ? bf16Of : f16Of;
  for (let i = 0; i < bits.length; i++) halves[i] = half(bits[i]!);
  return halves;
}

export function widened(type: HalfName, halves: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  const whole = type === "bf16" ? (half: number): number => half << 16 : f32OfF16;
  for (let i = 0; i < bits.length; i++) bits[i] = whole(halves[i]!);
  return new Float32Array(bits.buffer);
}

const sizeBits = 0x7fffffff;
const infinite = 0x7f800000;

/** The upper half of an f32. */
function bf16Of(bits: number): number {
  if ((bits & sizeBits) > infinite) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function f16Of(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & sizeBits;
  if (size > infinite) return sign | 0x7e00;
  const exponent = size >>> 23;
  // From 2^16 on, and less than half of the smallest number.
  if (exponent >= 143) return sign | 0x7c00;
  if (exponent < 102) return sign;
  // Below 2^-14 the last place stays where it is: more of the fraction is cut off.
  const cut = exponent < 113 ? 126 - exponent : 13;
  const fraction = (size & 0x7fffff) | 0x800000;
  const kept = fraction >>> cut;
  const rest = fraction & ((1 << cut) - 1);
  const middle = 1 << (cut - 1);
  const rounded = kept + (rest > middle || (rest === middle && (kept & 1) === 1) ? 1 : 0);
  // The leading one counts as one more in the exponent, and a carry goes there by itself.
  return sign | (rounded + (exponent < 113 ? 0 : (exponent - 113) << 10));
}

function f32OfF16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | infinite | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}
