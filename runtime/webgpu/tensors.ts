// The tensors of a session on a GPU: their values go where they lie, in buffers of f32, of half width, or of both, part by part.
// In: what the session holds, values. Out: writes, and places to read from. Knows no entries.

import type { Tensor } from "../program.ts";
import { wrongLength } from "../session-checks.ts";
import { elementsOf, padded, placesOf, valuesFor, type Stored } from "../stored.ts";
import type { Device } from "./device.ts";
import { partLength, type GpuMemory } from "./memory.ts";
import type { Source } from "./read-back.ts";

export class GpuTensors {
  readonly #device: Device;
  readonly #memory: GpuMemory;
  readonly #places: ReadonlyMap<string, readonly Stored[]>;

  constructor(device: Device, memory: GpuMemory, held: readonly Stored[]) {
    this.#device = device;
    this.#memory = memory;
    this.#places = placesOf(held);
  }

  write(tensor: Tensor, values: ArrayLike<number>): void {
    const length = elementsOf(tensor);
    if (values.length !== length) throw wrongLength(tensor, length, values.length);
    const each = partLength(tensor);
    for (const place of this.#places.get(tensor.name)!) {
      const held = valuesFor(place, values);
      for (const [part, buffer] of this.#memory.tensor(place.name).entries()) {
        const words = padded(held.subarray(part * each, (part + 1) * each));
        this.#device.gpu.queue.writeBuffer(buffer, 0, words as Float32Array<ArrayBuffer>);
      }
    }
  }

  clear({ name }: Tensor): void {
    const encoder = this.#device.gpu.createCommandEncoder();
    for (const place of this.#places.get(name)!)
      for (const buffer of this.#memory.tensor(place.name)) encoder.clearBuffer(buffer);
    this.#device.gpu.queue.submit([encoder.finish()]);
  }

  /** Where its values are read, part by part. */
  sources({ name }: Tensor): Source[] {
    const place = this.#places.get(name)![0]!;
    const length = partLength(place);
    return this.#memory.tensor(place.name).map((buffer) => ({ buffer, offset: 0, type: place.type, length }));
  }
}
