// Many programs on WebGPU, in a page: each compiled in place for the CPU and for the GPU, every case run on both. In: the text of a
// module and its cases. Out: for each case what does not agree, or nothing. One device serves all of them.

import {
  compile,
  hostOf,
  openDevice,
  openSession,
  openWebGpu,
  type Device,
  type Executor,
} from "../../index.ts";
import { disagreement } from "../../bench/gpu/compare.ts";
import type { Case } from "../../bench/gpu/manifest.ts";
import { lent } from "./lent.ts";

export interface PageProgram {
  readonly text: string;
  readonly cases: readonly Omit<Case, "folder">[];
}

const path = "program.moe";
let device: Promise<Device> | undefined;

/** `subgroups`: whether the device that all share may use them, where it has them. */
export async function disagreements(
  { text, cases }: PageProgram,
  subgroups: boolean,
): Promise<readonly (string | null)[]> {
  device ??= openDevice({ subgroups });
  const shared = await device;
  const host = hostOf({ [path]: text });
  const wasm = compile({ host, path }).compiled;
  const webgpu = compile({ host, path, target: "webgpu" }).compiled;
  if (wasm === undefined || webgpu === undefined) return ["the module does not compile"];
  // Its shaders are compiled once for all cases that do not change what it was opened for.
  let session: Executor | undefined;
  const found: (string | null)[] = [];
  for (const tested of cases) {
    const { sizes, kind, start } = tested;
    const entries = kind === "curve" ? { entries: ["train", "update"] } : {};
    const options = { sizes, seed: 3, ...entries };
    const openGpu = (initialise: boolean): Promise<Executor> =>
      openWebGpu(webgpu.program, webgpu.shaders, { ...options, device: shared, initialise });
    const told = await disagreement({ ...tested, folder: "" }, async (where) => {
      if (where === "cpu")
        return openSession(wasm.program, wasm.wasm, {
          ...options,
          threads: 1,
          initialise: start === "initial",
        });
      // Curves begin by themselves; for all else tensors are copied from the CPU.
      if (kind === "curve") return openGpu(true);
      session ??= await openGpu(false);
      session.resize(sizes);
      return lent(session);
    });
    found.push(told?.text ?? null);
  }
  session?.dispose();
  return found;
}
