// How long each dispatch takes on the GPU, by events between them. In: an entry's launches, one run after another. Out: sums by dispatch.
// Launches one by one, without a graph. Node only.

import type { Timing } from "../executor.ts";
import type { DispatchInfo } from "../session-entry.ts";
import type { CudaDevice } from "./device.ts";
import type { Handle } from "./driver.ts";
import { launch, type Launch } from "./launches.ts";

interface Sums {
  readonly entry: string;
  readonly dispatches: readonly DispatchInfo[];
  readonly times: Float64Array;
  runs: number;
}

export class Profile {
  readonly #device: CudaDevice;
  readonly #events: Handle[] = [];
  readonly #sums = new Map<readonly DispatchInfo[], Sums>();

  constructor(device: CudaDevice) {
    this.#device = device;
  }

  run(entry: string, launches: readonly Launch[], dispatches: readonly DispatchInfo[]): void {
    const { driver, stream, finish } = this.#device;
    const doing = `while measuring \`${entry}\``;
    while (this.#events.length <= launches.length)
      this.#events.push(driver.handle(doing, "cuEventCreate", 0));
    const record = (at: number): void => driver.call(doing, "cuEventRecord", this.#events[at]!, stream);
    record(0);
    launches.forEach((one, at) => {
      launch(this.#device, one);
      record(at + 1);
    });
    finish(doing);
    const sums = this.#sums.get(dispatches) ?? {
      ...{ entry, dispatches, times: new Float64Array(dispatches.length), runs: 0 },
    };
    this.#sums.set(dispatches, sums);
    sums.runs++;
    launches.forEach((_, at) => {
      const elapsed: [number] = [0];
      driver.call(doing, "cuEventElapsedTime", elapsed, this.#events[at]!, this.#events[at + 1]!);
      sums.times[at]! += elapsed[0];
    });
  }

  timings(): readonly Timing[] {
    return [...this.#sums.values()].flatMap(({ entry, dispatches, times, runs }) =>
      dispatches.map(({ label, kernel, multiplyAdds }, at): Timing => ({
        ...{ entry, label, kernel, runs, milliseconds: times[at]!, multiplyAdds: multiplyAdds * runs },
      })),
    );
  }

  dispose(): void {
    for (const event of this.#events) this.#device.driver.try("cuEventDestroy", event);
  }
}
