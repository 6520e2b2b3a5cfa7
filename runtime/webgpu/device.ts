// The GPU: found, asked for all that it can give, and watched. In a page it is the browser's; in Node that of the package
// `webgpu`, which is loaded here when it is first needed. In: nothing. Out: a device whose errors are sentences.
// Several sessions may share one device. Does not know programs.

import { UserError } from "../errors.ts";
import type { Precision } from "../program.ts";
import { disposed } from "../session-checks.ts";
import { isNode } from "../wasm-host.ts";

/** Limits worth asking for, beyond what WebGPU guarantees of every device. */
const wanted = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
] as const;

/** What a device can do that not all can. */
const features = ["shader-f16", "subgroups", "timestamp-query"] as const;

export interface Device {
  readonly gpu: GPUDevice;
  /** `NVIDIA GeForce RTX 4060`, or as much of it as the browser tells. */
  readonly name: string;
  /** Throws when the device is lost, or when it has refused something since the last check. */
  readonly check: () => void;
  readonly dispose: () => void;
}

export interface DeviceOptions {
  /** In Node: settings for Dawn, as the package `webgpu` takes them (`backend=vulkan`). */
  readonly dawn?: readonly string[];
  /** False: the device is to do without subgroups, although it may have them. */
  readonly subgroups?: boolean;
  /** False: a device in software does not count, since WebAssembly is faster. */
  readonly software?: boolean;
}

/** Kept: a device whose instance was collected stops answering. */
let instance: GPU | undefined;

async function findGpu(options: DeviceOptions): Promise<GPU> {
  if (instance !== undefined) return instance;
  const page = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (page !== undefined) return (instance = page);
  if (!isNode) {
    const secure = (globalThis as { isSecureContext?: boolean }).isSecureContext !== false;
    throw new UserError("R0601", "this browser offers no WebGPU to this page", {
      help: secure
        ? "use a current browser with WebGPU switched on, or run on the CPU"
        : "serve the page over https or from localhost, or run on the CPU",
    });
  }
  // Named in a variable, so that bundlers for pages do not look for it.
  const name = "webgpu";
  let dawn: { create(options: string[]): GPU };
  try {
    dawn = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as typeof dawn;
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    const reason = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    throw new UserError(
      "R0601",
      missing ? "Node has no WebGPU here" : `Node's WebGPU cannot be loaded: ${reason}`,
      { help: missing ? "install the package `webgpu`, or use the CPU" : "use the CPU, or another Node" },
    );
  }
  return (instance = dawn.create([...(options.dawn ?? [])]));
}

/** Errors: R0601 no WebGPU, R0602 no device. */
export async function findDevice(options: DeviceOptions = {}): Promise<Device> {
  const gpu = await findGpu(options);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null)
    throw new UserError("R0602", "WebGPU finds no device to compute on", {
      help: isNode
        ? "install the graphics driver (on Linux: one for Vulkan), or use the CPU"
        : "switch on hardware acceleration in the browser's settings, or run on the CPU",
    });
  if (options.software === false && adapter.info.isFallbackAdapter)
    throw new UserError("R0602", "WebGPU finds nothing here but a device in software", {
      help: "run on the CPU, which is faster",
    });
  const limits = Object.fromEntries(wanted.map((limit) => [limit, adapter.limits[limit]]));
  const { subgroups = true } = options;
  const requiredFeatures = features.filter(
    (feature) => adapter.features.has(feature) && (subgroups || feature !== "subgroups"),
  );
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({ requiredLimits: limits, requiredFeatures });
  } catch (error) {
    throw new UserError("R0602", `WebGPU's device does not start: ${reasonOf(error)}`, {
      help: "close other programs that use it, update its driver, or use the CPU",
    });
  }
  const { info } = adapter;
  const name = info.description !== "" ? info.description : `${info.vendor} ${info.architecture}`.trim();
  return watch(device, name === "" ? "a GPU" : name);
}

/** Errors: R0608 no numbers of half width, where a program has some. */
export function checkPrecision({ gpu, name }: Device, precision: Precision | undefined): void {
  if (precision === undefined || precision === "f32" || gpu.features.has("shader-f16")) return;
  throw new UserError("R0608", `${name} has no ${precision}`, {
    help: "leave out `--precision`, or use another device",
  });
}

/** The first line of what an error says: the rest is for who writes shaders. */
export function reasonOf(error: unknown): string {
  const given = typeof error === "object" && error !== null && "message" in error ? error.message : error;
  return String(given).split("\n")[0]!;
}

function watch(gpu: GPUDevice, name: string): Device {
  let lost: string | undefined;
  let refused: GPUError | undefined;
  let closed = false;
  void gpu.lost.then(({ message, reason }) => {
    lost = message.split("\n")[0]! || reason;
  });
  gpu.addEventListener("uncapturederror", (event) => {
    refused ??= (event as GPUUncapturedErrorEvent).error;
  });
  return {
    gpu,
    name,
    check: () => {
      if (closed) throw disposed(`the device ${name}`);
      if (lost !== undefined)
        throw new UserError("R0605", `the connection to ${name} is lost: ${lost}`, {
          help: "start again from the last checkpoint; if it happens again, make the batch smaller or update the driver",
        });
      const error = refused;
      refused = undefined;
      if (error !== undefined) throw ofDevice(error, name);
    },
    dispose: () => {
      closed = true;
      gpu.destroy();
    },
  };
}

/** What the device refuses of what `act` asks of it; null when nothing. A device that is lost meanwhile says so when it is asked for
 * something. */
export async function refusalOf(
  gpu: GPUDevice,
  kind: GPUErrorFilter,
  act: () => void,
): Promise<GPUError | null> {
  gpu.pushErrorScope(kind);
  let refused: Promise<GPUError | null>;
  try {
    act();
  } finally {
    refused = gpu.popErrorScope().catch(() => null);
  }
  return refused;
}

/** What the device says, as an error of ours. `doing` says what it was asked to do. */
export function ofDevice(error: GPUError, name: string, doing?: string): Error {
  const while_ = doing === undefined ? "" : ` for ${doing}`;
  if (error.constructor.name === "GPUOutOfMemoryError" || /out.of.memory/i.test(error.message))
    return new UserError("R0603", `${name} has not enough memory${while_}`, {
      help: "make the batch or the model smaller (`accumulate` computes the same step in parts), or close other programs",
    });
  return new UserError("R0606", `${name} refuses what it is given${while_}: ${reasonOf(error)}`, {
    help: "use the CPU, and report this to the makers of moe",
  });
}
