// The devices that `--device` takes. Apart from devices.ts, which loads the runtime: `moe --help` must be there at once.

export const deviceNames = ["cpu", "webgpu", "cuda"] as const;
export type DeviceName = (typeof deviceNames)[number];

/** The precisions that `--precision` takes. */
export const precisionNames = ["f32", "bf16", "f16"] as const;

/** Whether kernels for a device or a target may have operands of contractions of that type. */
export const hasPrecision = (
  place: DeviceName | "wasm" | undefined,
  precision: (typeof precisionNames)[number],
): boolean => precision === "f32" || place === "cuda" || (place === "webgpu" && precision === "f16");
