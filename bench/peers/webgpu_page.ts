// The page of the comparison on WebGPU: our layer, and the peers, whose modules lie beside it. In: requests of the bench
// (sections/webgpu.ts). Out: what the adapter is, how far a peer is from us, seconds of runs. Our session makes the weights, and every
// side gets them as arrays. A run takes its inputs from arrays and gives an array (a step: its loss), so all sides move as much.

import { compile, hostOf, openDevice, openWebGpu, type Device, type Executor } from "../../index.ts";
import { noise } from "../noise.ts";
import { layerModel, settledTokens, type WebGpuLayer } from "../webgpu-layer.ts";

export type Task = "forward" | "step";

/** What one side does over and over: it has the function of the task that it was opened for. */
interface Side {
  forward?(): Promise<ArrayLike<number>>;
  /** Gives the loss before the step, when the step is done. */
  step?(): Promise<number>;
  dispose(): unknown;
}

const matrices = { router: "router.w", gate: "pool.gate", up: "pool.up", down: "pool.down" } as const;
type Weights = Readonly<
  Record<keyof typeof matrices, { readonly shape: readonly number[]; readonly values: Float32Array }>
>;

/** What a peer is opened with. */
interface Given extends WebGpuLayer {
  readonly weights: Weights;
  /** [tokens, width], as is `target`. */
  readonly x: Float32Array;
  readonly target: Float32Array;
  /** Rows of the fullest expert. */
  readonly fullest: number;
}

/** A script of bench/peers for this page. */
interface PeerModule {
  /** In how many ways it can compute the layer. */
  forms(layer: WebGpuLayer): readonly string[];
  open(given: Given, form: string, task: Task): Promise<Side>;
}

export interface Adapter {
  readonly name: string;
  /** It computes on the CPU. */
  readonly software: boolean;
  /** Sizes of its subgroups. */
  readonly subgroups: string;
}

export interface Opened {
  /** The fastest form that gives our numbers; undefined where there is none. */
  readonly form?: string;
  /** Why others were left out. */
  readonly left: readonly string[];
}

/** As shares of the largest number, and of our loss. */
const tolerances: Readonly<Record<Task, number>> = { forward: 1e-4, step: 1e-3 };
const ourName = "moelang";

interface State {
  readonly task: Task;
  readonly given: Given;
  /** What every side must answer. */
  readonly expected: ArrayLike<number>;
  readonly sides: Map<string, Side>;
}
let state: State | undefined;

async function adapter(): Promise<Adapter> {
  const found = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (found === null || found === undefined) throw new Error("the browser offers no WebGPU adapter");
  const { vendor, architecture, description, isFallbackAdapter, subgroupMinSize, subgroupMaxSize } =
    found.info;
  return {
    name: description !== "" ? description : `${vendor} ${architecture}`.trim(),
    software:
      isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|warp/i.test(`${architecture} ${description}`),
    subgroups: found.features.has("subgroups") ? `${subgroupMinSize} to ${subgroupMaxSize}` : "none",
  };
}

/** A session with one task's entries. */
async function openOurs(
  layer: WebGpuLayer,
  task: Task,
): Promise<{ readonly session: Executor; readonly device: Device }> {
  const host = hostOf({ "layer.moe": layerModel(layer) });
  const { program, shaders } = compile({ host, path: "layer.moe", target: "webgpu" }).compiled!;
  const device = await openDevice();
  try {
    const entries = task === "forward" ? ["forward"] : ["train", "update"];
    const sizes = { B: layer.tokens };
    return { device, session: await openWebGpu(program, shaders, { device, sizes, entries, seed: 1 }) };
  } catch (error) {
    device.dispose();
    throw error;
  }
}

function ourSide(session: Executor, device: Device, { x, target }: Given): Side {
  const { rate } = session.program.training!;
  let steps = 0;
  return {
    forward: async () => (await session.run("forward", { x }))["logits"]!,
    async step() {
      const { loss } = await session.run("train", { x, target }, { outputs: ["loss"] });
      // The loss is there before the optimiser has run.
      await session.run("update", { $step: steps++ }, { outputs: [rate] });
      return loss![0]!;
    },
    dispose() {
      session.dispose();
      device.dispose();
    },
  };
}

async function weightsOf(session: Executor): Promise<Weights> {
  const read = async (name: string): Promise<Weights["gate"]> => ({
    shape: session.tensors().find((tensor) => tensor.name === name)!.shape,
    values: (await session.read(name)) as Float32Array,
  });
  const [router, gate, up, down] = await Promise.all(Object.values(matrices).map(read));
  return { router: router!, gate: gate!, up: up!, down: down! };
}

/** Opens our side, and makes what all sides are given. */
async function begin(layer: WebGpuLayer, task: Task): Promise<void> {
  const { session, device } = await openOurs(layer, task);
  try {
    const weights = await weightsOf(session);
    const target = noise(layer.tokens * layer.width, 5);
    const given: Given = { ...layer, weights, target, ...settledTokens(layer, weights.router.values) };
    const ours = ourSide(session, device, given);
    state = { task, given, expected: await answers(ours, task), sides: new Map([[ourName, ours]]) };
  } catch (error) {
    session.dispose();
    device.dispose();
    throw error;
  }
}

/** The layer's output, or the losses of three steps. */
const answers = async (side: Side, task: Task): Promise<ArrayLike<number>> =>
  task === "forward" ? side.forward!() : [await side.step!(), await side.step!(), await side.step!()];

/** Throws unless a side answers as we do. */
async function check(side: Side, { task, expected }: State): Promise<void> {
  const found = await answers(side, task);
  if (found.length !== expected.length)
    throw new Error(`it gives ${found.length} numbers, not ${expected.length}`);
  let [largest, away] = [0, 0];
  for (let at = 0; at < expected.length; at++) {
    largest = Math.max(largest, Math.abs(expected[at]!));
    // NaN is never near.
    const difference = Math.abs(found[at]! - expected[at]!);
    away = Math.max(away, Number.isNaN(difference) ? Infinity : difference);
  }
  if (!(away < tolerances[task] * largest))
    throw new Error(
      `its ${task === "forward" ? "output" : "losses"} differ by ${(away / largest).toPrecision(2)} of the largest`,
    );
}

const reason = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]!.slice(0, 200);

/** Opens a peer in each of its forms in turn, and keeps the fastest of those that answer as we do. */
async function openPeer(name: string, script: string): Promise<Opened> {
  const now = state!;
  const peer = (await import(script)) as PeerModule;
  const left: string[] = [];
  let best: { readonly form: string; readonly side: Side; readonly seconds: number } | undefined;
  for (const form of peer.forms(now.given)) {
    let side: Side | undefined;
    try {
      side = await peer.open(now.given, form, now.task);
      await check(side, now);
      const seconds = await timed(side, now.task, 2);
      if (best !== undefined && best.seconds <= seconds) {
        await side.dispose();
        continue;
      }
      await best?.side.dispose();
      best = { form, side, seconds };
    } catch (error) {
      await side?.dispose();
      left.push(`${form}: ${reason(error)}`);
    }
  }
  if (best === undefined) return { left };
  now.sides.set(name, best.side);
  return { form: best.form, left };
}

/** Seconds of the fastest run. */
async function timed(side: Side, task: Task, runs: number): Promise<number> {
  let best = Infinity;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await side[task]!();
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  return best;
}

const turn = (name: string, runs: number): Promise<number> =>
  timed(state!.sides.get(name)!, state!.task, runs);

async function end(): Promise<void> {
  for (const side of state?.sides.values() ?? []) await side.dispose();
  state = undefined;
}

const page = { adapter, begin, openPeer, turn, end };

declare global {
  var webgpuBench: typeof page;
}
globalThis.webgpuBench = page;
