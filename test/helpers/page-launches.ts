// Launches of shaders in a page: many at once, on one device without subgroups (the tests over Dawn run with them). In and out: what can be
// sent to a page as JSON.

import { openDevice } from "../../runtime/webgpu/open.ts";
import type { Device } from "../../runtime/webgpu/device.ts";
import { fromBase64, toBase64 } from "./page-run.ts";
import { launchShader } from "./shader-launch.ts";

/** A ShaderLaunch; bytes are base64. */
export interface SentLaunch {
  readonly code: string;
  readonly buffers: readonly { readonly readOnly: boolean; readonly bytes: string }[];
  readonly uniform: string;
  readonly workgroups: number;
}

/** Memory of each buffer afterwards, in base64, or what the device has against the launch. */
export type Left = readonly string[] | string;

let device: Promise<Device> | undefined;

export async function launchesInPage(sent: readonly SentLaunch[]): Promise<readonly Left[]> {
  device ??= openDevice({ subgroups: false });
  const { gpu } = await device;
  return Promise.all(
    sent.map(async ({ code, buffers, uniform, workgroups }) => {
      const left = await launchShader(gpu, {
        code,
        buffers: buffers.map(({ readOnly, bytes }) => ({ readOnly, bytes: fromBase64(bytes) })),
        uniform: fromBase64(uniform),
        workgroups,
      });
      return typeof left === "string" ? left : left.map((bytes) => toBase64(new Uint8Array(bytes)));
    }),
  );
}
