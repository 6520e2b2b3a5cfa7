// The devices that `--device` takes. Apart from devices.ts, which loads the runtime: `moe --help` must be there at once.

export const deviceNames = ["cpu", "webgpu", "cuda"] as const;
export type DeviceName = (typeof deviceNames)[number];

/** The precisions that `--precision` takes. */
export const precisionNames = ["f32", "bf16", "f16"] as const;

/** What `--accumulation` takes. */
export const accumulationNames = ["f32", "f16"] as const;

/** What contractions on GPUs compute with: the types of their operands, and of a few products that are added up at a time. */
export interface Arithmetic {
  readonly precision?: (typeof precisionNames)[number] | undefined;
  readonly accumulation?: (typeof accumulationNames)[number] | undefined;
}

/** Whether kernels for a device or a target may have operands of contractions of that type. */
export const hasPrecision = (
  place: DeviceName | "wasm" | undefined,
  precision: (typeof precisionNames)[number],
): boolean => precision === "f32" || place === "cuda" || (place === "webgpu" && precision === "f16");

/** What of it kernels for a device or a target may have. */
export const arithmeticOn = (
  place: DeviceName | "wasm" | undefined,
  { precision, accumulation }: Arithmetic,
): { readonly [Name in keyof Arithmetic]?: NonNullable<Arithmetic[Name]> } => ({
  ...(precision !== undefined && hasPrecision(place, precision) ? { precision } : {}),
  ...(place === "webgpu" && precision === "f16" && accumulation !== undefined ? { accumulation } : {}),
});
