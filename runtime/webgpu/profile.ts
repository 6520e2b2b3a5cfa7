// Measures each dispatch on the GPU: a pass of its own, with a time before and after. In: dispatches to record. Out: sums by
// dispatch. Where the device has no clock, nothing is measured.

import type { Timing } from "../executor.ts";
import type { DispatchInfo } from "../session-entry.ts";
import { mapRead, usage } from "./constants.ts";
import type { Device } from "./device.ts";

interface Measured {
  readonly entry: { readonly name: string };
  readonly dispatches: readonly DispatchInfo[];
}

/** A set of queries holds at most so many times. */
const mostQueries = 4096;

export class Profile {
  readonly #device: Device;
  readonly #sums = new Map<
    readonly DispatchInfo[],
    { entry: string; runs: number; readonly times: Float64Array }
  >();
  #pending: {
    readonly of: Measured;
    readonly times: GPUBuffer;
    readonly count: number;
    readonly helpers: readonly { destroy(): void }[];
  }[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  record(
    encoder: GPUCommandEncoder,
    of: Measured,
    dispatches: readonly ((pass: GPUComputePassEncoder) => void)[],
  ): void {
    const { gpu } = this.#device;
    const count = Math.min(dispatches.length, mostQueries / 2);
    const clock = gpu.features.has("timestamp-query") && count > 0;
    const queries = clock ? gpu.createQuerySet({ type: "timestamp", count: 2 * count }) : undefined;
    dispatches.forEach((dispatch, at) => {
      const times =
        queries === undefined || at >= count
          ? {}
          : {
              timestampWrites: {
                querySet: queries,
                beginningOfPassWriteIndex: 2 * at,
                endOfPassWriteIndex: 2 * at + 1,
              },
            };
      const pass = encoder.beginComputePass(times);
      dispatch(pass);
      pass.end();
    });
    if (queries === undefined) return;
    const bytes = 16 * count;
    const resolved = gpu.createBuffer({ size: bytes, usage: usage.queryResolve | usage.copySource });
    const times = gpu.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyTarget });
    encoder.resolveQuerySet(queries, 0, 2 * count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, times, 0, bytes);
    this.#pending.push({ of, times, count, helpers: [queries, resolved] });
  }

  /** After the submission: adds up what was measured. */
  async collect(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    for (const { of, times, count, helpers } of pending) {
      await times.mapAsync(mapRead);
      const nanoseconds = new BigInt64Array(times.getMappedRange());
      const sums = this.#sums.get(of.dispatches) ?? {
        entry: of.entry.name,
        runs: 0,
        times: new Float64Array(of.dispatches.length),
      };
      this.#sums.set(of.dispatches, sums);
      sums.runs++;
      for (let at = 0; at < count; at++)
        sums.times[at]! += Number(nanoseconds[2 * at + 1]! - nanoseconds[2 * at]!) / 1e6;
      for (const used of [times, ...helpers]) used.destroy();
    }
  }

  timings(): Timing[] {
    return [...this.#sums].flatMap(([dispatches, { entry, runs, times }]) =>
      dispatches.map(({ label, kernel, multiplyAdds }, at): Timing => ({
        ...{ entry, label, kernel, runs },
        milliseconds: times[at]!,
        multiplyAdds: multiplyAdds * runs,
      })),
    );
  }

  dispose(): void {
    for (const { times, helpers } of this.#pending) for (const used of [times, ...helpers]) used.destroy();
  }
}
