// Whole programs by CUDA in tests, on the driver without a GPU. In: the text of a module. Out: sessions of the same program on the CPU and by
// CUDA; or the first disagreement of any entry, which fails the test. Both start every entry from the same tensors.

import { planModel, type Compiled, type PlannedModel } from "../../compiler/compile.ts";
import { openCudaDevice } from "../../runtime/cuda/device.ts";
import { openCuda, type CudaOptions, type CudaSession } from "../../runtime/cuda/session.ts";
import { openSession } from "../../runtime/session.ts";
import type { Precision } from "../../runtime/program.ts";
import type { Sizes } from "../../runtime/size.ts";
import { fakeDriver, hostCode } from "./cuda-host.ts";
import { compileText, expectAlike, f32Tolerance, inputsFor, tensorsFor } from "./differential.ts";
import { hostOf } from "./elaborate.ts";

export function planCuda(text: string, precision: Precision = "f32"): PlannedModel {
  const host = hostOf({ "main.moe": text });
  const { planned, diagnostics } = planModel({
    host,
    path: "main.moe",
    target: "cuda",
    precision,
    verify: true,
  });
  if (planned === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return planned;
}

/** A session with a device of its own. */
export function openOnHost(planned: PlannedModel, options: CudaOptions = {}): CudaSession {
  const device = openCudaDevice({ driver: fakeDriver().path });
  const session = openCuda(planned.program, hostCode(planned.kernels), { ...options, device });
  const dispose = session.dispose.bind(session);
  session.dispose = () => {
    dispose();
    device.dispose();
  };
  return session;
}

export interface AlikeOptions {
  readonly sizes?: Sizes;
  readonly entries?: readonly string[];
  readonly seed?: number;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly tensors?: Readonly<Record<string, readonly number[]>>;
  readonly tolerance?: number;
  readonly precision?: Precision;
}

const order = ["forward", "evaluate", "decode", "train", "update"];

/** Runs every entry on both; outputs and all tensors must be alike. */
export async function expectCudaAlike(text: string, options: AlikeOptions = {}): Promise<void> {
  const compiled = compileText(text);
  const planned = planCuda(text, options.precision);
  const wanted = options.entries ?? Object.keys(compiled.program.entries);
  const names = [...wanted].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const given = options.sizes === undefined ? {} : { sizes: options.sizes };
  const cpu = await openSession(compiled.program, compiled.wasm, { threads: 1, initialise: false, ...given });
  const gpu = openOnHost(planned, { initialise: false, ...given });
  try {
    for (const name of names) runBoth(compiled, cpu, gpu, name, options);
  } finally {
    cpu.dispose();
    gpu.dispose();
  }
}

function runBoth(
  compiled: Compiled,
  cpu: Awaited<ReturnType<typeof openSession>>,
  gpu: CudaSession,
  name: string,
  options: AlikeOptions,
): void {
  const { seed = 1, tolerance = f32Tolerance } = options;
  const tensors = tensorsFor(compiled, seed, options.tensors);
  for (const { name: tensor } of cpu.tensors()) cpu.write(tensor, tensors.get(tensor)!);
  if (name === "update") {
    // Gradients to update by, instead of nothing.
    const inputs = inputsOf(compiled, "train", cpu.sizes, options);
    if (cpu.entries.includes("train")) cpu.run("train", inputs);
  }
  for (const { name: tensor } of gpu.tensors()) gpu.write(tensor, cpu.read(tensor));
  const inputs = inputsOf(compiled, name, cpu.sizes, options);
  const [wanted, actual] = [cpu.run(name, inputs), gpu.run(name, inputs)];
  for (const [port, values] of Object.entries(wanted))
    expectAlike(actual[port]!, values, `${name} ${port}`, tolerance);
  for (const { name: tensor } of cpu.tensors())
    expectAlike(gpu.read(tensor), cpu.read(tensor), `${name} ${tensor}`, tolerance);
}

const inputsOf = (
  compiled: Compiled,
  name: string,
  sizes: Sizes,
  options: AlikeOptions,
): Record<string, number[]> =>
  Object.fromEntries(
    [...inputsFor(compiled, compiled.program.entries[name]!, sizes, options.seed ?? 1, options.inputs)].map(
      ([port, values]) => [port, Array.from(values)],
    ),
  );
