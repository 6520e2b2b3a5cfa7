// The buffers of a session on a GPU: tensors, the pools that entries share, small ones with sizes. In: what is wanted. Out:
// buffers; those of pools are replaced by larger ones when an entry wants more.
// What the device's limits forbid is refused before anything is allocated, by name.

import { UserError } from "../errors.ts";
import { inWords } from "../in-words.ts";
import { wholeWords } from "../halves.ts";
import type { Dispatch, Entry } from "../program.ts";
import { elementsOf, type Stored } from "../stored.ts";
import { usage } from "./constants.ts";
import { ofDevice, refusalOf, type Device } from "./device.ts";
import { fullest, leastBytes, type GpuLayout } from "./layout.ts";

/** Elements of each of its parts, which is all of it where it has none. */
export const partLength = (tensor: Stored): number => elementsOf(tensor) / (tensor.parts ?? 1);
export const partBytes = (tensor: Stored): number =>
  Math.max(leastBytes, wholeWords(tensor.type, partLength(tensor)));
export const tensorBytes = (tensor: Stored): number => partBytes(tensor) * (tensor.parts ?? 1);

const shared = usage.storage | usage.copySource | usage.copyTarget;

export class GpuMemory {
  readonly #device: Device;
  /** A buffer for each part. */
  readonly #tensors = new Map<string, readonly GPUBuffer[]>();
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
  async hold(tensors: readonly Stored[]): Promise<void> {
    for (const tensor of tensors) checkBytes(this.#device, partBytes(tensor), tensor.name);
    const total = tensors.reduce((bytes, tensor) => bytes + tensorBytes(tensor), 0);
    await this.#allocating(`the tensors of the model (${megabytes(total)})`, () => {
      for (const tensor of tensors)
        this.#tensors.set(
          tensor.name,
          Array.from({ length: tensor.parts ?? 1 }, () =>
            this.#buffer(tensor.name, partBytes(tensor), shared),
          ),
        );
    });
  }

  /** Makes room for what an entry's layout wants; undefined when there is room already. Errors: R0603, R0604. */
  fit(entry: Entry, layout: GpuLayout): Promise<void> | undefined {
    for (const [at, { bytes, name }] of layout.temporaries.entries())
      checkBytes(this.#device, bytes, name, entry.dispatches[entry.temporaries[at]!.first]);
    for (const spots of [layout.outputs.values(), layout.inputs.values()])
      for (const { bytes, name } of spots) checkBytes(this.#device, bytes, name);
    const small = layout.pools.some((bytes, at) => bytes > (this.#pools[at]?.size ?? 0));
    const inputs = layout.inputBytes > (this.#inputs?.size ?? 0);
    return small || inputs ? this.#grow(layout, entry) : undefined;
  }

  async #grow(layout: GpuLayout, entry: Entry): Promise<void> {
    const total = layout.pools.reduce((a, b) => a + b, 0);
    const most = fullest(entry, layout);
    const largest = most === undefined ? "" : `, most of them for ${inWords(most)}`;
    try {
      await this.#allocating(`the values of \`${entry.name}\` (${megabytes(total)})${largest}`, () => {
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

  /** The buffers of a tensor, one for each of its parts. */
  tensor(name: string): readonly GPUBuffer[] {
    const buffers = this.#tensors.get(name);
    if (buffers === undefined) throw new Error(`internal: the tensor ${name} is not on the device`);
    return buffers;
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
    for (const buffer of [...this.#tensors.values()].flat().concat(this.#pools, [...this.#launches.values()]))
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
    const error = await refusalOf(gpu, "out-of-memory", act);
    this.#device.check();
    if (error !== null) throw ofDevice(error, name, what);
  }
}

export const megabytes = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** `by`: what makes it. */
function checkBytes({ gpu, name }: Device, bytes: number, what: string, by?: Dispatch): void {
  const most = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
  if (bytes <= most) return;
  throw new UserError(
    "R0604",
    `\`${what}\`${by === undefined ? "" : `, which ${inWords(by)} makes,`} needs ${megabytes(bytes)} in one piece, and ${name} gives at most ${megabytes(most)}`,
    {
      help: "make the batch or the model smaller (`accumulate` computes the same step in parts), or use the CPU",
    },
  );
}
