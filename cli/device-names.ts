// The devices that `--device` takes. Apart from devices.ts, which loads the runtime: `moe --help` must be there at once.

export const deviceNames = ["cpu", "webgpu", "cuda"] as const;
export type DeviceName = (typeof deviceNames)[number];

/** The precisions that `--precision` takes. */
export const precisionNames = ["f32", "bf16", "f16"] as const;
