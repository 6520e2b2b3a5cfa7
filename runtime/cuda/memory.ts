// A session's memory on a GPU: one block for all tensors, one arena for the values of whichever entry runs, which only grows. In: tensors
// and the bytes that an entry needs. Out: addresses. What cannot fit is said before anything is allocated. Node only.

import { align, alignment } from "../arena.ts";
import { tensorBytes } from "../arena-plan.ts";
import { UserError } from "../errors.ts";
import { heldIn, valuesOf } from "../halves.ts";
import type { StoredName } from "../program.ts";
import type { Values } from "../session-values.ts";
import type { Stored } from "../stored.ts";
import type { CudaDevice } from "./device.ts";

export class CudaMemory {
  readonly #device: CudaDevice;
  readonly #tensors = new Map<string, number>();
  #tensorBlock = 0;
  #tensorBytes = 0;
  #arenaBytes = 0;
  /** Address of the arena; what was prepared for another one is void. */
  arena = 0;

  constructor(device: CudaDevice) {
    this.#device = device;
  }

  get bytes(): number {
    return this.#tensorBytes + this.#arenaBytes;
  }
  get tensors(): ReadonlyMap<string, number> {
    return this.#tensors;
  }

  /** Allocates tensors; they are zero. `further` bytes are known to be wanted too. */
  hold(tensors: readonly Stored[], further: number): void {
    let top = 0;
    const offsets = tensors.map((tensor) => {
      const at = top;
      top += tensorBytes(tensor);
      return at;
    });
    this.#check(top + further, "for its tensors and the values of a step");
    if (top === 0) return;
    this.#tensorBlock = this.#allocate(top, "for the model's tensors");
    this.#tensorBytes = top;
    tensors.forEach(({ name }, i) => this.#tensors.set(name, this.#tensorBlock + offsets[i]!));
    this.clear(this.#tensorBlock, top);
  }

  /** Makes the arena at least so large; `fullest` says what of the entry needs most of it. */
  fit(bytes: number, entry: string, fullest: string): void {
    if (bytes <= this.#arenaBytes && this.arena !== 0) return;
    if (this.arena !== 0) {
      this.#device.finish(`while running before \`${entry}\``);
      this.#device.driver.call("while freeing memory", "cuMemFree", BigInt(this.arena));
      [this.arena, this.#arenaBytes] = [0, 0];
    }
    const wanted = align(Math.max(bytes, alignment));
    const why = `for the values of \`${entry}\`, most of them for ${fullest}`;
    this.#check(wanted, why);
    this.arena = this.#allocate(wanted, why);
    this.#arenaBytes = wanted;
  }

  /** The values may be changed as soon as this returns. */
  write(address: number, values: ArrayBufferView): void {
    const { driver, stream, readsHost, finish } = this.#device;
    const { byteLength } = values;
    if (byteLength === 0) return;
    const doing = "while writing to it";
    driver.call(doing, "cuMemcpyHtoDAsync", BigInt(address), values, byteLength, stream);
    // Others have the values copied aside before the call returns.
    if (readsHost) finish(doing);
  }

  clear(address: number, bytes: number): void {
    const { driver, stream } = this.#device;
    if (bytes > 0) driver.call("while clearing memory", "cuMemsetD8Async", BigInt(address), 0, bytes, stream);
  }

  /** Copies of places, once all work before is done. */
  read(
    places: readonly { readonly address: number; readonly type: StoredName; readonly length: number }[],
    doing: string,
  ): Values[] {
    const { driver, stream, finish } = this.#device;
    const held = places.map(({ address, type, length }) => {
      const into = heldIn(type, length);
      if (length > 0) driver.call(doing, "cuMemcpyDtoHAsync", into, BigInt(address), into.byteLength, stream);
      return into;
    });
    finish(doing);
    return places.map(({ type }, at) => valuesOf(type, held[at]!));
  }

  dispose(): void {
    for (const block of [this.#tensorBlock, this.arena])
      if (block !== 0) this.#device.driver.try("cuMemFree", BigInt(block));
    [this.#tensorBlock, this.arena, this.#tensorBytes, this.#arenaBytes] = [0, 0, 0, 0];
  }

  #allocate(bytes: number, why: string): number {
    return this.#device.driver.number(why, "cuMemAlloc", bytes);
  }

  #check(bytes: number, why: string): void {
    const { free, total } = this.#device.memory();
    if (bytes <= free) return;
    throw new UserError(
      "R0705",
      `${this.#device.name} has ${megabytes(free)} of ${megabytes(total)} free, and ${megabytes(bytes)} are needed ${why}`,
      {
        help: "make the batch smaller (`accumulate` computes the same step in parts), end other programs that use the GPU, or run on the CPU",
      },
    );
  }
}

const megabytes = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
