// Numbers of half width: what rounding to bf16 and f16 gives, and how many bytes elements take. In: a number. Out: the nearest
// of the narrower type, ties to the one whose last bit is 0. Holds them as the f32 that they are; knows no bits.

import type { ElementType, HalfType } from "./kernel.ts";

export const isHalf = (type: string): type is HalfType => type === "bf16" || type === "f16";
export const bytesOf = (type: ElementType): number => (isHalf(type) ? 2 : 4);
/** Elements that one asynchronous copy brings: sixteen bytes. */
export const copiedTogether = (type: ElementType): number => 16 / bytesOf(type);

/** Bits after the leading one, exponent of the smallest normal number, largest number. */
const formats: Readonly<
  Record<HalfType, { readonly bits: number; readonly least: number; readonly most: number }>
> = {
  bf16: { bits: 7, least: -126, most: (2 - 2 ** -7) * 2 ** 127 },
  f16: { bits: 10, least: -14, most: 65504 },
};

export function roundHalf(type: HalfType, x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const { bits, least, most } = formats[type];
  // Every f32 has an exact logarithm's floor in double, but for rounding just below a power of two.
  let exponent = Math.floor(Math.log2(Math.abs(x)));
  if (2 ** exponent > Math.abs(x)) exponent--;
  const step = 2 ** (Math.max(exponent, least) - bits);
  const steps = x / step;
  const below = Math.floor(steps);
  const rest = steps - below;
  const whole = rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
  const rounded = whole * step;
  if (Math.abs(rounded) > most) return Math.sign(x) * Infinity;
  return rounded === 0 && x < 0 ? -0 : rounded;
}
