// npm run gpu:bench: a routed layer on the GPU of this machine, forward and a step of training, at three shapes, for 1, 64 and 4096 tokens, in
// f32 and bf16. In: the folder of an unpacked pack. Out: times, TFLOP/s, TB/s for few tokens, shares of the measured ceilings, ratios to
// PyTorch where it is there; and what was not measured, and why. Exit code 3 without a GPU. Times are the device's own, of runs that follow
// each other, with inputs that are there already.

import { join } from "node:path";
import type { CudaDevice } from "../../runtime/cuda/device.ts";
import { readCudaArtifact } from "../../runtime/cuda/folder.ts";
import { openCuda, type CudaSession } from "../../runtime/cuda/session.ts";
import { UserError } from "../../runtime/errors.ts";
import { measureCeilings, noiseBlock, type Ceiling, type Ceilings } from "./ceilings.ts";
import { deviceOrSentence, exitWithoutDevice, readManifest } from "./check.ts";
import { operations, tokenCounts, wayOf, weightBytes } from "./layers.ts";
import { ceilingsFolder, type Layer } from "./manifest.ts";
import { Torch, type TorchTimes } from "./torch.ts";

const tera = (rate: number): string => (rate / 1e12).toPrecision(3);
const share = (rate: number, { rate: most }: Ceiling): string => `${((100 * rate) / most).toFixed(1)} %`;

export interface BenchOptions {
  /** Of the peer. */
  readonly script?: string;
  readonly tokens?: readonly number[];
  /** In tests: ceilings of a device that has none. */
  readonly ceilings?: Ceilings;
}

export function bench(folder: string, options: BenchOptions = {}): number {
  const device = deviceOrSentence();
  if (device === undefined) return exitWithoutDevice;
  const missing: string[] = [];
  try {
    const ceilings = options.ceilings ?? measureCeilings(device, join(folder, ceilingsFolder));
    const torch = Torch.find(options.script ?? join(folder, "torch_peer.py"));
    if (torch.about === undefined) missing.push(`ratios to PyTorch: ${torch.why}`);
    const { copy } = ceilings;
    const f32 = better(ceilings.f32, torch.about?.float32);
    const bf16 = better(ceilings.bf16, torch.about?.bfloat16);
    console.log(`${device.name}, ${device.processors} processors`);
    console.log(`copy ${tera(copy.rate)} TB/s (${copy.by})`);
    console.log(`bf16 ${tera(bf16.rate)} TFLOP/s (${bf16.by}), f32 ${tera(f32.rate)} TFLOP/s (${f32.by})`);
    if (bf16.by.startsWith("mma.sync"))
      missing.push("the matrix ceiling by cuBLAS: neither its library nor PyTorch is here");
    const { layers } = readManifest(folder);
    if (layers.length === 0) missing.push("layers: the pack was made without them");
    const { tokens = tokenCounts } = options;
    for (const layer of layers)
      measureLayer({ device, folder, layer, tokens, ceilings: { copy, bf16, f32 }, torch, missing });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`${error.code} ${error.message}: ${error.help}`);
    return 1;
  } finally {
    device.dispose();
  }
  console.log("\nParameters are f32 in memory in either precision: bytes are counted as such.");
  for (const line of missing) console.log(`not measured: ${line}`);
  return 0;
}

const better = (one: Ceiling, other: number | undefined): Ceiling =>
  other !== undefined && other > one.rate ? { rate: other, by: "PyTorch's product" } : one;

interface Measured {
  readonly device: CudaDevice;
  readonly folder: string;
  readonly layer: Layer;
  readonly tokens: readonly number[];
  readonly ceilings: Ceilings;
  readonly torch: Torch;
  /** Grows by what could not be measured. */
  readonly missing: string[];
}

function measureLayer({ device, folder, layer, tokens: counts, ceilings, torch, missing }: Measured): void {
  const { width, hidden, experts, k, precision } = layer;
  const name = `(${[width, hidden, experts, k].join(", ")}) ${wayOf(layer)}`;
  console.log(`\n${name}`);
  const most = precision === "f32" ? ceilings.f32 : ceilings.bf16;
  const artifact = readCudaArtifact(join(folder, layer.folder));
  for (const tokens of counts) {
    // One after another: the largest layer with its gradients fills much of a GPU.
    const found = attempt(name, missing, () => {
      const options = { device, sizes: { B: tokens }, initialise: false };
      const session = openCuda(artifact.program, artifact, options);
      try {
        return timesOf(session, layer, tokens);
      } finally {
        session.dispose();
      }
    });
    if (found === undefined) return;
    const { forward, step, chosen } = found;
    const work = operations(layer, tokens);
    const rate = work / (forward / 1e3);
    const parts = [
      `  ${String(tokens).padStart(4)} tokens: forward ${forward.toFixed(3)} ms, ${tera(rate)} TFLOP/s (${share(rate, most)})`,
    ];
    if (tokens <= 64) {
      const bytes = weightBytes(layer, chosen) / (forward / 1e3);
      parts.push(`${tera(bytes)} TB/s (${share(bytes, ceilings.copy)} of the copy), ${chosen} experts`);
    }
    const stepRate = (3 * work) / (step / 1e3);
    parts.push(`step ${step.toFixed(3)} ms, ${tera(stepRate)} TFLOP/s (${share(stepRate, most)})`);
    console.log(parts.join("; "));
    const times = torch.times(layer, tokens);
    for (const [form, peer] of Object.entries(times)) tellPeer(form, peer, found, name, missing);
  }
}

function tellPeer(
  form: string,
  peer: TorchTimes | null,
  { forward, step }: Pick<TorchTimes, "forward" | "step">,
  name: string,
  missing: string[],
): void {
  const what = form === "grouped" ? "PyTorch's grouped product" : "PyTorch's loop over experts";
  if (peer === null) {
    const line = `${what}: this PyTorch does not do ${name}`;
    if (!missing.includes(line)) missing.push(line);
    return;
  }
  const times = (theirs: number, ours: number): string => `${(theirs / ours).toFixed(2)} times`;
  console.log(
    `       ${what} takes ${times(peer.forward, forward)} as long forward, ${times(peer.step, step)} a step`,
  );
}

/** What the device refuses (memory, most of all) is said, and the rest goes on. */
function attempt<Result>(name: string, missing: string[], act: () => Result): Result | undefined {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof UserError) || error.code === "R0706") throw error;
    console.log(`  not measured: ${error.message}`);
    missing.push(`${name}: ${error.message}`);
    return undefined;
  }
}

interface Times {
  /** Milliseconds. */
  readonly forward: number;
  readonly step: number;
  /** Experts that at least one token chose. */
  readonly chosen: number;
}

function timesOf(session: CudaSession, { width }: Layer, tokens: number): Times {
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
  const x = noiseBlock(11, tokens * width);
  const { routers, entries } = session.program;
  const inputs = (entry: string): Record<string, Float32Array | number> =>
    Object.fromEntries(entries[entry]!.inputs.map(({ name }) => [name, name === "x" ? x : 1]));
  const time = (entry: string): number => {
    const once = session.measure(entry, inputs(entry), 3);
    return session.measure(entry, inputs(entry), Math.max(3, Math.min(2000, Math.round(300 / once))));
  };
  const forward = time("forward");
  const step = time("train") + time("update");
  const { load, experts } = routers[0]!;
  const counts = [...session.run("train", inputs("train"), { outputs: [load] })[load]!].slice(0, experts);
  return { forward, step, chosen: counts.filter((count) => count > 0).length };
}
