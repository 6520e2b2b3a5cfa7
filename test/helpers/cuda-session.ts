// Whole programs by CUDA in tests, on the driver without a GPU. In: the text of a module. Out: sessions of the same program on the CPU and by
// CUDA; or the first disagreement of any entry, which fails the test. Both start every entry from the same tensors.

import { planModel, type PlannedModel } from "../../compiler/compile.ts";
import { openCudaDevice } from "../../runtime/cuda/device.ts";
import { openCuda, type CudaOptions, type CudaSession } from "../../runtime/cuda/session.ts";
import type { Precision } from "../../runtime/program.ts";
import { fakeDriver, hostCode, type HostDevice } from "./cuda-host.ts";
import { expectAlikeOnDevice, type AlikeOptions, type OpenDevice } from "./device-programs.ts";
import { hostOf } from "./elaborate.ts";

export function planCuda(
  text: string,
  precision: Precision = "f32",
  { warpgroups = false }: HostDevice = {},
): PlannedModel {
  const host = hostOf({ "main.moe": text });
  const { planned, diagnostics } = planModel({
    host,
    path: "main.moe",
    target: "cuda",
    precision,
    warpgroups,
    verify: true,
  });
  if (planned === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return planned;
}

/** A session with a device of its own. */
export function openOnHost(
  planned: PlannedModel,
  options: CudaOptions = {},
  host: HostDevice = {},
): CudaSession {
  const device = openCudaDevice({ driver: fakeDriver().path });
  const session = openCuda(planned.program, hostCode(planned.kernels, host), { ...options, device });
  const dispose = session.dispose.bind(session);
  session.dispose = () => {
    dispose();
    device.dispose();
  };
  return session;
}

/** Runs every entry on both; outputs and all tensors must be alike. */
export function expectCudaAlike(
  text: string,
  { precision, warpgroups, ...options }: AlikeOptions & HostDevice & { readonly precision?: Precision } = {},
): Promise<void> {
  return expectAlikeOnDevice(text, openCudaOf(text, precision, { warpgroups }), options);
}

export const openCudaOf =
  (text: string, precision?: Precision, host: HostDevice = {}): OpenDevice =>
  (options) =>
    openOnHost(planCuda(text, precision, host), options, host);
