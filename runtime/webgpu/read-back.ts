// Bringing numbers back from the GPU. In: places in buffers. Out: copies of them, when the device has done all that was asked of
// it before. Buffers that the host can read are kept for the next time.

import { bytesOf, heldIn, readAs, valuesOf, wholeWords } from "../halves.ts";
import { joinedNumbers } from "../join.ts";
import type { StoredName } from "../program.ts";
import type { Values } from "../session-values.ts";
import { mapRead, usage } from "./constants.ts";
import type { Device } from "./device.ts";

export interface Source {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly type: StoredName;
  /** In elements. */
  readonly length: number;
}

/** More than this is brought in parts. */
const partBytes = 64 << 20;
const keptBuffers = 4;
/** Milliseconds that a device which gives no numbers is waited for to say why. */
const patience = 1000;

export class ReadBack {
  readonly #device: Device;
  readonly #free: GPUBuffer[] = [];
  #closed = false;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Records the copies into `encoder`; after it is submitted, `values()` gives the numbers. For results of a run. */
  record(encoder: GPUCommandEncoder, sources: readonly Source[]): { values: () => Promise<Values[]> } {
    const offsets: number[] = [];
    let bytes = 0;
    for (const source of sources) {
      offsets.push(bytes);
      bytes += bytesAt(source);
    }
    if (bytes === 0) return { values: () => Promise.resolve(sources.map(({ type }) => made(type, 0))) };
    const target = this.#take(bytes);
    sources.forEach((source, at) => {
      const { buffer, offset, length } = source;
      if (length > 0) encoder.copyBufferToBuffer(buffer, offset, target, offsets[at]!, bytesAt(source));
    });
    return {
      values: async () => {
        await this.#map(target, bytes);
        const mapped = target.getMappedRange(0, bytes);
        const values = sources.map(({ type, length }, at) =>
          valuesOf(type, heldIn(type, mapped, offsets[at]!, length).slice()),
        );
        target.unmap();
        this.#give(target);
        return values;
      },
    };
  }

  /** Places of any length: long ones in parts, short ones several at a time. */
  async read(sources: readonly Source[]): Promise<Values[]> {
    const all = sources.map(({ type, length }) => made(type, length));
    let pieces: { readonly source: Source; readonly to: number; readonly at: number }[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const encoder = this.#device.gpu.createCommandEncoder();
      const part = this.record(
        encoder,
        pieces.map(({ source }) => source),
      );
      this.#device.gpu.queue.submit([encoder.finish()]);
      const values = await part.values();
      pieces.forEach(({ to, at }, i) => all[to]!.set(values[i]!, at));
      [pieces, bytes] = [[], 0];
    };
    const step = partBytes / 4;
    for (const [to, source] of sources.entries())
      for (let at = 0; at < source.length; at += step) {
        const length = Math.min(step, source.length - at);
        const piece = { ...source, offset: source.offset + bytesOf(source.type) * at, length };
        if (bytes + bytesAt(piece) > partBytes) await flush();
        pieces.push({ source: piece, to, at });
        bytes += bytesAt(piece);
      }
    if (pieces.length > 0) await flush();
    return all;
  }

  dispose(): void {
    this.#closed = true;
    for (const buffer of this.#free) buffer.destroy();
  }

  async #map(target: GPUBuffer, bytes: number): Promise<void> {
    try {
      await target.mapAsync(mapRead, 0, bytes);
    } catch (error) {
      // A device that is lost may say so only after it has given its buffers up.
      await Promise.race([this.#device.gpu.lost, new Promise((resolve) => setTimeout(resolve, patience))]);
      this.#device.check();
      throw error;
    }
    this.#device.check();
  }

  #take(bytes: number): GPUBuffer {
    const at = this.#free.findIndex(({ size }) => size >= bytes);
    if (at >= 0) return this.#free.splice(at, 1)[0]!;
    // Large ones are no larger than they must be: the device may not give twice as much in one piece.
    const size = bytes > partBytes ? bytes : Math.max(256, 2 ** Math.ceil(Math.log2(bytes)));
    return this.#device.gpu.createBuffer({
      label: "read back",
      size,
      usage: usage.mapRead | usage.copyTarget,
    });
  }

  #give(buffer: GPUBuffer): void {
    const kept = !this.#closed && buffer.size <= partBytes && this.#free.length < keptBuffers;
    if (kept) this.#free.push(buffer);
    else buffer.destroy();
  }
}

const bytesAt = ({ type, length }: Source): number => wholeWords(type, length);

const made = (type: StoredName, length: number): Values =>
  readAs(type) === "f32" ? new Float32Array(length) : new Int32Array(length);

/** The parts of a tensor, one after the other. */
export function joined(parts: readonly Values[]): Values {
  return parts.length === 1 ? parts[0]! : joinedNumbers(parts);
}
