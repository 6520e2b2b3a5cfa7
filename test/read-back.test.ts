// Bringing numbers back from a device that gives none: what it says of itself afterwards is what the user is told.

import { expect, test } from "vitest";
import { UserError } from "../runtime/errors.ts";
import type { Device } from "../runtime/webgpu/device.ts";
import { ReadBack } from "../runtime/webgpu/read-back.ts";

/** A device whose buffers cannot be read, and which is lost so many milliseconds after somebody tried; undefined: never. */
function failing(lostAfter: number | undefined): Device {
  let isLost = false;
  let lose = (): void => {};
  const lost = new Promise<void>((resolve) => {
    lose = () => {
      isLost = true;
      resolve();
    };
  });
  const mapAsync = (): Promise<never> => {
    if (lostAfter !== undefined) setTimeout(lose, lostAfter);
    return Promise.reject(new Error("Buffer was unmapped before mapping was resolved."));
  };
  return {
    name: "made",
    gpu: {
      lost,
      createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, mapAsync }),
      createCommandEncoder: () => ({ copyBufferToBuffer: () => {}, finish: () => ({}) }),
      queue: { submit: () => {} },
    } as unknown as GPUDevice,
    check: () => {
      if (isLost) throw new UserError("R0605", "the connection to made is lost", { help: "start again" });
    },
    dispose: () => {},
  };
}

const readFrom = (device: Device): Promise<unknown> =>
  new ReadBack(device).read([{ buffer: {} as GPUBuffer, offset: 0, type: "f32", length: 4 }]);

test("a device that says later that it is lost", async () => {
  await expect(readFrom(failing(30))).rejects.toThrow("the connection to made is lost");
});

test("a device that says nothing is not waited for long", async () => {
  await expect(readFrom(failing(undefined))).rejects.toThrow("unmapped before");
});
