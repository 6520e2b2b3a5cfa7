// How long work takes on a GPU, by events around it. In: what puts one run of it on the device's stream. Out: milliseconds of a run, the mean of
// several that follow each other without a pause; the first, which finds caches cold and memory untouched, does not count. Node only.

import type { CudaDevice } from "./device.ts";

export function milliseconds({ driver, stream, finish }: CudaDevice, runs: number, run: () => void): number {
  const doing = "while measuring";
  run();
  const events = [0, 1].map(() => driver.handle(doing, "cuEventCreate", 0));
  try {
    driver.call(doing, "cuEventRecord", events[0]!, stream);
    for (let i = 0; i < runs; i++) run();
    driver.call(doing, "cuEventRecord", events[1]!, stream);
    finish(doing);
    const elapsed: [number] = [0];
    driver.call(doing, "cuEventElapsedTime", elapsed, events[0]!, events[1]!);
    return elapsed[0] / runs;
  } finally {
    for (const event of events) driver.try("cuEventDestroy", event);
  }
}
