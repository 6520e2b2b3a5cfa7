// The way to sessions on WebGPU for who may not need them: loads the rest of this folder when it is first asked for.

import type { Program } from "../program.ts";
import type { Device, DeviceOptions } from "./device.ts";
import type { WebGpuOptions, WebGpuSession } from "./session.ts";

/** Loads a program that was compiled for `webgpu`. `shaders[i]` is the text of kernel i. Errors: R0505 no such entry, R0506 sizes,
 * R0601 no WebGPU, R0602 no device, R0603 memory, R0604 limits, R0607 a program for something else. An entry's shaders are compiled
 * when it is first used, or by the session's `prepare`: that is where R0606, a kernel that the device refuses, comes up. */
export async function openWebGpu(
  program: Program,
  shaders: readonly string[],
  options: WebGpuOptions = {},
): Promise<WebGpuSession> {
  const { openWebGpuSession } = await import("./session.ts");
  return openWebGpuSession(program, shaders, options);
}

/** A device that several sessions share. Errors: R0601, R0602. */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const { findDevice } = await import("./device.ts");
  return findDevice(options);
}
