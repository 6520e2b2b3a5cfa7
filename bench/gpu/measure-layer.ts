// Times of one layer on the device at hand, as the device's own events have them, of runs that follow each other with inputs that are there already.
// In: the layer's program, numbers of tokens. Out: a forward pass and a step of training for each, said as soon as they are known. Weights are
// noise, made once; the largest number of tokens should come first, because a session's memory only grows.

import type { CudaCode } from "../../runtime/artifact.ts";
import type { CudaDevice } from "../../runtime/cuda/device.ts";
import { openCuda, type CudaSession } from "../../runtime/cuda/session.ts";
import { UserError } from "../../runtime/errors.ts";
import type { Program } from "../../runtime/program.ts";
import { noiseBlock } from "./ceilings.ts";
import type { News } from "./jobs.ts";
import type { Layer } from "./manifest.ts";

export function measureLayer(
  device: CudaDevice,
  artifact: CudaCode & { readonly program: Program },
  { width }: Pick<Layer, "width">,
  tokens: readonly number[],
  say: (news: News) => void,
): void {
  let session: CudaSession | undefined;
  for (const count of tokens)
    try {
      session ??= opened(device, artifact, count);
      session.resize({ B: count });
      measure(session, width, count, say);
    } catch (error) {
      // What the device refuses (memory, most of all) is said, and the rest goes on; after a fault nothing does.
      if (!(error instanceof UserError) || error.code === "R0706") throw error;
      say({ is: "refused", tokens: count, text: error.message });
    }
  session?.dispose();
}

function opened(
  device: CudaDevice,
  artifact: CudaCode & { readonly program: Program },
  B: number,
): CudaSession {
  const session = openCuda(artifact.program, artifact, { device, sizes: { B }, initialise: false });
  const block = noiseBlock(7);
  for (const { name, role, shape } of session.tensors()) {
    if (role !== "parameter") continue;
    const length = shape.reduce((a, b) => a * b, 1);
    const values = new Float32Array(length);
    // Sums over the last axis but one keep their size.
    const scale = shape.length < 2 ? 0 : Math.sqrt(3 / shape.at(-2)!);
    const scaled = block.map((x) => (scale === 0 ? 1 : scale * x));
    for (let at = 0; at < length; at += scaled.length)
      values.set(scaled.subarray(0, Math.min(scaled.length, length - at)), at);
    session.write(name, values);
  }
  return session;
}

function measure(session: CudaSession, width: number, tokens: number, say: (news: News) => void): void {
  const x = noiseBlock(11, tokens * width);
  const { routers, entries } = session.program;
  const inputs = (entry: string): Record<string, Float32Array | number> =>
    Object.fromEntries(entries[entry]!.inputs.map(({ name }) => [name, name === "x" ? x : 1]));
  const time = (entry: string): number => {
    const once = session.measure(entry, inputs(entry), 3);
    return session.measure(entry, inputs(entry), Math.max(3, Math.min(2000, Math.round(300 / once))));
  };
  say({ is: "forward", tokens, milliseconds: time("forward") });
  const { load, experts } = routers[0]!;
  const counts = [...session.run("train", inputs("train"), { outputs: [load] })[load]!].slice(0, experts);
  const chosen = counts.filter((count) => count > 0).length;
  say({ is: "chosen", tokens, experts: chosen });
  say({ is: "step", tokens, milliseconds: time("train") + time("update") });
}
