// The buffers of a session on a GPU: tensors, the pools that entries share, small ones with sizes. In: what is wanted. Out:
// buffers; those of pools are replaced by larger ones when an entry wants more.
// What the device's limits forbid is refused before anything is allocated, by name.

import { UserError } from "../errors.ts";
import type { Tensor } from "../program.ts";
import { usage } from "./constants.ts";
import { ofDevice, type Device } from "./device.ts";
import { leastBytes, type GpuLayout } from "./layout.ts";

export const tensorLength = ({ shape }: Tensor): number => shape.reduce((a, b) => a * b, 1);
export const tensorBytes = (tensor: Tensor): number => Math.max(leastBytes, 4 * tensorLength(tensor));

const shared = usage.storage | usage.copySource | usage.copyTarget;

export class GpuMemory {
  readonly #device: Device;
  readonly #tensors = new Map<string, GPUBuffer>();
  #pools: GPUBuffer[] = [];
  #inputs: GPUBuffer | undefined;
  readonly #launches = new Map<string, GPUBuffer>();
  /** Counts how often pools were replaced: bindings of older ones are of no use. */
  generation = 0;
  bytes = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Allocates tensors; they are zero. Errors: R0603, R0604. */
  async hold(tensors: readonly Tensor[]): Promise<void> {
    for (const tensor of tensors) checkBytes(this.#device, tensorBytes(tensor), tensor.name);
    const total = tensors.reduce((bytes, tensor) => bytes + tensorBytes(tensor), 0);
    await this.#allocating(`the tensors of the model (${megabytes(total)})`, () => {
      for (const tensor of tensors)
        this.#tensors.set(tensor.name, this.#buffer(tensor.name, tensorBytes(tensor), shared));
    });
  }

  /** Makes room for what an entry's layout wants; undefined when there is room already. Errors: R0603, R0604. */
  fit(layout: GpuLayout, entry: string): Promise<void> | undefined {
    for (const spots of [layout.temporaries, layout.outputs.values(), layout.inputs.values()])
      for (const { bytes, name } of spots) checkBytes(this.#device, bytes, name);
    const small = layout.pools.some((bytes, at) => bytes > (this.#pools[at]?.size ?? 0));
    const inputs = layout.inputBytes > (this.#inputs?.size ?? 0);
    return small || inputs ? this.#grow(layout, entry) : undefined;
  }

  async #grow(layout: GpuLayout, entry: string): Promise<void> {
    const total = layout.pools.reduce((a, b) => a + b, 0);
    try {
      await this.#allocating(`the values of \`${entry}\` (${megabytes(total)})`, () => {
        layout.pools.forEach((bytes, at) => {
          const before = this.#pools[at];
          if (bytes <= (before?.size ?? 0)) return;
          if (before !== undefined) this.#free(before);
          this.#pools[at] = this.#buffer(`pool ${at}`, bytes, shared);
        });
        if (layout.inputBytes > (this.#inputs?.size ?? 0)) {
          if (this.#inputs !== undefined) this.#free(this.#inputs);
          this.#inputs = this.#buffer("inputs", layout.inputBytes, shared);
        }
        this.generation++;
      });
    } catch (error) {
      // Some of them are no memory at all: whoever runs next begins anew.
      for (const buffer of this.#pools) this.#free(buffer);
      this.#pools = [];
      if (this.#inputs !== undefined) this.#free(this.#inputs);
      this.#inputs = undefined;
      this.generation++;
      throw error;
    }
  }

  tensor(name: string): GPUBuffer {
    const buffer = this.#tensors.get(name);
    if (buffer === undefined) throw new Error(`internal: the tensor ${name} is not on the device`);
    return buffer;
  }
  pool(number: number): GPUBuffer {
    return this.#pools[number]!;
  }
  get inputs(): GPUBuffer {
    return this.#inputs!;
  }

  /** What a kernel's launch tells it: sizes, an infinity and a NaN. Equal ones are one buffer. */
  launch(sizes: readonly number[]): GPUBuffer {
    const key = sizes.join();
    const known = this.#launches.get(key);
    if (known !== undefined) return known;
    const words = new Int32Array(4 * Math.ceil((sizes.length + 2) / 4));
    words.set(sizes);
    new Float32Array(words.buffer).set([Infinity, NaN], sizes.length);
    const buffer = this.#buffer("launch", words.byteLength, usage.uniform | usage.copyTarget);
    this.#device.gpu.queue.writeBuffer(buffer, 0, words);
    this.#launches.set(key, buffer);
    return buffer;
  }

  dispose(): void {
    for (const buffer of [...this.#tensors.values(), ...this.#pools, ...this.#launches.values()])
      buffer.destroy();
    this.#inputs?.destroy();
  }

  #buffer(label: string, bytes: number, flags: number): GPUBuffer {
    this.bytes += bytes;
    return this.#device.gpu.createBuffer({ label, size: bytes, usage: flags });
  }

  #free(buffer: GPUBuffer): void {
    this.bytes -= buffer.size;
    // Work that was submitted before still has it.
    buffer.destroy();
  }

  async #allocating(what: string, act: () => void): Promise<void> {
    const { gpu, name } = this.#device;
    gpu.pushErrorScope("out-of-memory");
    act();
    const error = await gpu.popErrorScope().catch(() => null);
    this.#device.check();
    if (error !== null) throw ofDevice(error, name, what);
  }
}

export const megabytes = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

function checkBytes({ gpu, name }: Device, bytes: number, what: string): void {
  const most = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
  if (bytes <= most) return;
  throw new UserError(
    "R0604",
    `\`${what}\` needs ${megabytes(bytes)} in one piece, and ${name} gives at most ${megabytes(most)}`,
    {
      help: "make the batch or the model smaller (`accumulate` computes the same step in parts), or use the CPU",
    },
  );
}
