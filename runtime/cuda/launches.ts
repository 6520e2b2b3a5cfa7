// The dispatches of one entry as launches. In: calls with addresses and sizes, the kernels' functions. Out: launches one by one, or all of
// them as one graph, which the device replays without asking the host again. Node only.

import type { Call } from "../pool.ts";
import type { CudaDevice } from "./device.ts";
import type { UserError } from "../errors.ts";
import { failed, isFault, type Driver, type Handle } from "./driver.ts";
import { sharedBytes, type LoadedKernel } from "./kernels.ts";
import { addressOf } from "./library.ts";
import { encodeMap, mapAlignment, mapBytes } from "./maps.ts";

export interface Launch {
  /** For errors. */
  readonly what: string;
  readonly function: Handle;
  readonly blocks: number;
  readonly threads: number;
  readonly shared: number;
  /** Where each argument lies; and the arguments, which must not be collected. */
  readonly parameters: BigUint64Array;
  readonly values: ArrayBufferView;
}

/** CUDA's bound on blocks along x. */
const mostBlocks = 2 ** 31 - 1;

export function launchesOf(
  driver: Driver,
  calls: readonly Call[],
  kernels: readonly LoadedKernel[],
  functions: ReadonlyMap<number, Handle>,
): readonly Launch[] {
  return calls.map(({ what, kernel, args, grid }): Launch => {
    const { workgroup, scratch, name } = kernels[kernel]!;
    const found = functions.get(kernel);
    if (found === undefined) throw new Error(`internal: the kernel ${name} was not loaded`);
    if (grid > mostBlocks) throw new Error(`internal: the kernel ${name} has ${grid} workgroups`);
    return {
      ...{ what, function: found, blocks: grid, threads: workgroup, shared: sharedBytes(scratch) },
      ...argumentsOf(driver, what, kernels[kernel]!, args),
    };
  });
}

/** Addresses of buffers, sizes, maps, each where the driver finds it. */
export function argumentsOf(
  driver: Driver,
  what: string,
  { buffers, sizes, maps = [] }: Pick<LoadedKernel, "buffers" | "sizes" | "maps">,
  args: readonly number[],
): Pick<Launch, "parameters" | "values"> {
  // In memory of their own: small arrays without a buffer may be moved.
  const memory = new ArrayBuffer(mapAlignment + mapBytes * maps.length + 8 * args.length);
  const values = new Uint8Array(memory);
  const start = addressOf(values);
  const skipped = Number(-start & BigInt(mapAlignment - 1));
  const first = start + BigInt(skipped);
  const launch = Object.fromEntries(sizes.map((size, i) => [size, args[buffers.length + i]!]));
  for (const [i, map] of maps.entries()) {
    const at = new Uint8Array(memory, skipped + mapBytes * i, mapBytes);
    encodeMap(driver, what, map, args[map.buffer]!, launch, at);
  }
  const view = new DataView(memory, skipped + mapBytes * maps.length);
  // Sizes are 32-bit integers, at the low end of theirs.
  args.forEach((value, i) => view.setBigUint64(8 * i, BigInt.asUintN(64, BigInt(value)), true));
  const afterMaps = first + BigInt(mapBytes * maps.length);
  const parameters = new BigUint64Array(new ArrayBuffer(8 * Math.max(1, args.length + maps.length)));
  args.forEach((_, i) => (parameters[i] = afterMaps + BigInt(8 * i)));
  maps.forEach((_, i) => (parameters[args.length + i] = first + BigInt(mapBytes * i)));
  return { parameters, values };
}

export function launch({ driver, stream }: CudaDevice, one: Launch): void {
  if (one.blocks === 0) return;
  const { blocks, threads, shared } = one;
  driver.call(
    `in ${one.what}`,
    "cuLaunchKernel",
    ...[one.function, blocks, 1, 1, threads, 1, 1, shared, stream, one.parameters, 0],
  );
}

/** One by one, each waited for: what goes wrong is of that one. */
export function launchStepwise(device: CudaDevice, launches: readonly Launch[]): void {
  for (const one of launches) {
    launch(device, one);
    device.finish(`in ${one.what}`);
  }
}

/** What the driver refuses of a graph, as an error of one kernel where one is refused alone. After a fault nothing can be tried any
 * more: only another process finds out, with `MOE_CUDA_STEPWISE`. */
function blamed(device: CudaDevice, launches: readonly Launch[], status: number, doing: string): UserError {
  const whole = failed(status, doing);
  if (isFault(status)) return whole;
  try {
    launchStepwise(device, launches);
  } catch (error) {
    return error as UserError;
  }
  return whole;
}

export interface Graph {
  readonly run: (doing: string) => void;
  readonly dispose: () => void;
}

/** CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: others may go on using the driver meanwhile. */
export const threadLocal = 1;

export function captureGraph(device: CudaDevice, launches: readonly Launch[], entry: string): Graph {
  const { driver, stream } = device;
  const doing = `while recording \`${entry}\``;
  driver.call(doing, "cuStreamBeginCapture", stream, threadLocal);
  let failure: unknown;
  try {
    for (const one of launches) launch(device, one);
  } catch (error) {
    failure = error;
  }
  // A stream must not stay in the middle of a recording.
  const graph: [bigint | number] = [0];
  const status = driver.try("cuStreamEndCapture", stream, graph);
  const recorded = BigInt(graph[0]);
  try {
    if (failure !== undefined) throw failure;
    if (status !== 0) throw failed(status, doing);
    const out: [bigint | number] = [0];
    const made = driver.try("cuGraphInstantiate", out, recorded, 0);
    if (made !== 0) throw blamed(device, launches, made, doing);
    const executable = BigInt(out[0]);
    return {
      run: (what) => {
        const launched = driver.try("cuGraphLaunch", executable, stream);
        if (launched !== 0) throw blamed(device, launches, launched, what);
      },
      dispose: () => void driver.try("cuGraphExecDestroy", executable),
    };
  } finally {
    if (status === 0) driver.try("cuGraphDestroy", recorded);
  }
}
