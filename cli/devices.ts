// Where a model runs: the CPU, a GPU by WebGPU, or an NVIDIA GPU by CUDA. In: what was compiled for the CPU, and how to compile it
// for something else. Out: an executor. Folders keep the program for the CPU and the source; kernels for a GPU are made from the
// same source when they are asked for, so that a run can move from one device to another.

import type { AnyArtifact, Artifact } from "../runtime/artifact.ts";
import type { Executor } from "../runtime/executor.ts";
import type { Program, TargetName } from "../runtime/program.ts";
import { openSession, type SessionOptions } from "../runtime/session.ts";
import { UserError } from "../runtime/errors.ts";
import { hasPrecision, type Arithmetic, type DeviceName } from "./device-names.ts";

export type { DeviceName } from "./device-names.ts";

/** Compiles the same model for another target, with what the target has of the arithmetic. */
export type CompileFor = (
  target: Exclude<TargetName, "wasm">,
  arithmetic: Arithmetic,
) => Promise<AnyArtifact>;

export async function openOn(
  device: DeviceName | undefined,
  onCpu: Pick<Artifact, "program" | "wasm">,
  compileFor: CompileFor,
  { precision, accumulation, ...options }: SessionOptions & Arithmetic,
): Promise<Executor> {
  if (device === undefined || device === "cpu") return openSession(onCpu.program, onCpu.wasm, options);
  const artifact = await compileFor(device, { precision, accumulation });
  sameModel(onCpu.program, artifact.program);
  if ("shaders" in artifact) {
    const { openWebGpu } = await import("../runtime/webgpu/open.ts");
    return openWebGpu(artifact.program, artifact.shaders, options);
  }
  if ("source" in artifact) {
    const { openCuda } = await import("../runtime/cuda/session.ts");
    return openCuda(artifact.program, artifact, options);
  }
  throw new Error(`internal: ${device} was asked for, and ${artifact.program.target} was compiled`);
}

/** Whether there is such a device, before anything is compiled or written. */
export async function checkDevice(
  device: DeviceName | undefined,
  threads: number | undefined,
  arithmetic: Arithmetic,
): Promise<void> {
  checkArithmetic(arithmetic, [device ?? "cpu"], "--device");
  const { precision } = arithmetic;
  if (device === undefined || device === "cpu") return;
  if (threads !== undefined)
    throw new UserError("C0401", "`--threads` is for the CPU", {
      help: `leave out \`--threads\`, or \`--device ${device}\``,
    });
  if (device === "webgpu") {
    const { openDevice } = await import("../runtime/webgpu/open.ts");
    (await openDevice(precision === undefined ? {} : { precision })).dispose();
  } else {
    const { openCudaDevice } = await import("../runtime/cuda/device.ts");
    openCudaDevice().dispose();
  }
}

/** A CPU computes in f32, WGSL has no bf16, matrix units of CUDA add in f32. `places`: those that are asked for, of which one must have it. */
export function checkArithmetic(
  { precision, accumulation }: Arithmetic,
  places: readonly (DeviceName | TargetName)[],
  option: "--device" | "--target",
): void {
  checkPrecision(precision, places, option);
  if (accumulation !== "f16") return;
  const missing = [
    ...(places.includes("webgpu") ? [] : [`${option} webgpu`]),
    ...(precision === "f16" ? [] : ["--precision f16"]),
  ];
  if (missing.length === 0) return;
  throw new UserError("C0401", "`--accumulation f16` is for contractions of f16 by WebGPU", {
    help: `add \`${missing.join(" ")}\`, or leave out \`--accumulation\``,
  });
}

function checkPrecision(
  precision: Arithmetic["precision"],
  places: readonly (DeviceName | TargetName)[],
  option: "--device" | "--target",
): void {
  if (
    precision === undefined ||
    precision === "f32" ||
    places.some((place) => hasPrecision(place, precision))
  )
    return;
  const only = precision === "bf16" ? "by CUDA" : "on GPUs";
  const choices = precision === "bf16" ? ["cuda"] : ["cuda", "webgpu"];
  const help = choices.map((choice) => `\`${option} ${choice}\``).join(" or ");
  throw new UserError("C0401", `\`--precision ${precision}\` is computed ${only} only`, {
    help: `add ${help}, or leave out \`--precision\``,
  });
}

/** The version of moe that began a run may have named its tensors otherwise. */
function sameModel(one: Program, other: Program): void {
  const tensors = ({ tensors: all }: Program): string =>
    JSON.stringify(all.map(({ name, type, shape }) => [name, type, shape]));
  if (tensors(one) === tensors(other)) return;
  throw new UserError("C0106", `the model ${one.name} was made by another version of moe`, {
    help: "train or build again, or run it on the CPU",
  });
}
