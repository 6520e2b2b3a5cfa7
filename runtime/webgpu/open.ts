// The way to sessions on WebGPU for who may not need them: loads the rest of this folder when it is first asked for.

import type { Shader } from "../artifact.ts";
import type { Precision, Program } from "../program.ts";
import type { Device, DeviceOptions } from "./device.ts";
import type { WebGpuOptions, WebGpuSession } from "./session.ts";

/** Loads a program that was compiled for `webgpu`. `shaders[i]` is kernel i's: a text, or one for any device and one for those with
 * subgroups. Errors: R0505 no such entry, R0506 sizes, R0601 no WebGPU, R0602 no device, R0603 memory, R0604 limits, R0607 a program
 * for something else, R0608 one with numbers that the device has not. An entry's shaders are compiled when it is first used, or by
 * the session's `prepare`: that is where R0606, a kernel that the device refuses, comes up. */
export async function openWebGpu(
  program: Program,
  shaders: readonly Shader[],
  options: WebGpuOptions = {},
): Promise<WebGpuSession> {
  const { openWebGpuSession } = await import("./session.ts");
  return openWebGpuSession(program, shaders, options);
}

/** A device that several sessions share; with `precision`, one that has its numbers. Errors: R0601, R0602, R0608. */
export async function openDevice(
  options: DeviceOptions & { readonly precision?: Precision } = {},
): Promise<Device> {
  const { checkPrecision, findDevice } = await import("./device.ts");
  const device = await findDevice(options);
  try {
    checkPrecision(device, options.precision);
    return device;
  } catch (error) {
    device.dispose();
    throw error;
  }
}
