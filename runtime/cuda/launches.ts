// The dispatches of one entry as launches. In: calls with addresses and sizes, the kernels' functions. Out: launches one by one, or all of
// them as one graph, which the device replays without asking the host again. Node only.

import type { Call } from "../pool.ts";
import type { ProgramKernel } from "../program.ts";
import type { CudaDevice } from "./device.ts";
import type { UserError } from "../errors.ts";
import { failed, isFault, type Handle } from "./driver.ts";
import { sharedBytes } from "./kernels.ts";
import { addressOf } from "./library.ts";

export interface Launch {
  /** For errors. */
  readonly what: string;
  readonly function: Handle;
  readonly blocks: number;
  readonly threads: number;
  readonly shared: number;
  /** Where each argument lies; and the arguments, which must not be collected. */
  readonly parameters: BigUint64Array;
  readonly values: BigUint64Array;
}

/** CUDA's bound on blocks along x. */
const mostBlocks = 2 ** 31 - 1;

export function launchesOf(
  calls: readonly Call[],
  kernels: readonly ProgramKernel[],
  functions: ReadonlyMap<number, Handle>,
): readonly Launch[] {
  return calls.map(({ what, kernel, args, grid }): Launch => {
    const { workgroup, scratch, name } = kernels[kernel]!;
    const found = functions.get(kernel);
    if (found === undefined) throw new Error(`internal: the kernel ${name} was not loaded`);
    if (grid > mostBlocks) throw new Error(`internal: the kernel ${name} has ${grid} workgroups`);
    // In memory of their own: small arrays without a buffer may be moved.
    const values = new BigUint64Array(new ArrayBuffer(8 * args.length));
    // Sizes are 32-bit integers, at the low end of theirs.
    args.forEach((value, i) => (values[i] = BigInt.asUintN(64, BigInt(value))));
    const first = args.length === 0 ? 0n : addressOf(values);
    const parameters = new BigUint64Array(new ArrayBuffer(8 * Math.max(1, args.length)));
    args.forEach((_, i) => (parameters[i] = first + BigInt(8 * i)));
    return {
      ...{ what, function: found, blocks: grid, threads: workgroup, shared: sharedBytes(scratch) },
      ...{ parameters, values },
    };
  });
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

/** Of this thread only: others may go on using the driver meanwhile. */
const threadLocal = 1;

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
