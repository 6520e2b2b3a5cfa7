// Value types of the Kernel IR: scalars, and four of them in one register. In and out: types.

import type { ScalarType, ValueType } from "./kernel.ts";

export const isVector = (type: ValueType): boolean => type.endsWith("x4");
/** Of one lane. */
export const scalarOf = (type: ValueType): ScalarType => type.replace("x4", "") as ScalarType;
export const vectorOf = (type: ScalarType): "f32x4" | "i32x4" | "boolx4" => `${type}x4`;
