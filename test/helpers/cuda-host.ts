// Runs printed CUDA kernels on the CPU in tests: g++ compiles them against cuda-host/device.h. In: kernels, buffers by name, sizes. Out:
// the buffers, changed in place. Libraries are kept in node_modules/.cache, by the hash of what they are made of.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { printCuda } from "../../compiler/cuda/print.ts";
import { describeKernel } from "../../compiler/plan.ts";
import type { Kernel } from "../../compiler/kernel.ts";
import type { Warpgroups } from "../../compiler/target.ts";
import { openDriver, type Driver } from "../../runtime/cuda/driver.ts";
import { sharedBytes } from "../../runtime/cuda/kernels.ts";
import { argumentsOf } from "../../runtime/cuda/launches.ts";
import { compilerFlags } from "../../runtime/cuda/nvcc.ts";
import type { CudaCode } from "../../runtime/artifact.ts";
import { heldIn, isHalf, narrowed, valuesOf } from "../../runtime/halves.ts";
import { evaluate, type Sizes } from "../../runtime/size.ts";

export type Buffers = ReadonlyMap<string, Float32Array | Int32Array>;
type Koffi = (typeof import("koffi"))["default"];

export const koffi = createRequire(import.meta.url)("koffi") as Koffi;

const folder = resolve(import.meta.dirname, "../cuda-host");
const cache = resolve(import.meta.dirname, "../../node_modules/.cache/cuda-host");

const found = (command: string): boolean => spawnSync(command, ["--version"]).status === 0;
export const hasCompiler = found("g++");
export const hasNvcc = found("nvcc");

/** A file made by a command from a text, once for each text and command. */
export function made(
  text: string,
  ending: readonly [from: string, to: string],
  command: readonly string[],
): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([text, command]))
    .digest("hex")
    .slice(0, 24);
  const target = join(cache, `${hash}${ending[1]}`);
  if (existsSync(target)) return target;
  mkdirSync(cache, { recursive: true });
  const own = `${target}.${process.pid}`;
  const [source, result] = [`${own}${ending[0]}`, `${own}${ending[1]}`];
  writeFileSync(source, text);
  const [program, ...args] = command;
  const { status, stderr } = spawnSync(program!, [...args, source, "-o", result], { encoding: "utf8" });
  rmSync(source);
  if (status !== 0) {
    writeFileSync(`${join(cache, "failed")}${ending[0]}`, text);
    throw new Error(`${command.join(" ")}:\n${stderr.slice(0, 4000)}`);
  }
  renameSync(result, target);
  return target;
}

/** What the pretended device can do. */
export interface HostDevice {
  readonly warpgroups?: Warpgroups | undefined;
}

const multiplies = ({ warpgroups = false }: HostDevice): boolean => warpgroups !== false;

/** The path of a shared library with `moe_launch` for these kernels. */
export function hostLibrary(text: string, pretended: HostDevice = {}): string {
  // A kernel that has two ways is there twice, and is compiled once.
  const names = [...new Set([...text.matchAll(/\b(k\d+)\(/g)].map(([, name]) => `MOE_KERNEL(${name!})`))];
  const headers = ["tensor-map.h", "device.h", "units.h", "bulk.h"];
  const device = headers.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  const body = text.replaceAll(
    /extern __shared__ (?:__align__\((\d+)\) )?(\w+) (\w+)\[\];/g,
    (_, align: string | undefined, type, name) => `MOE_DYNAMIC(${type}, ${name}, ${align ?? 16});`,
  );
  const products = new Set(
    [...text.matchAll(/\bproduct_\d+_(b?f16)/g)].map(([name, type]) => `MOE_PRODUCT(${name}, ${type!})`),
  );
  const abilities = `#define MOE_WARPGROUPS ${multiplies(pretended) ? 1 : 0}\n${[...products].join("\n")}`;
  const whole = `${device}\n${abilities}\n${body}\nMOE_KERNELS(${names.join(" ")})\n`;
  const flags =
    "-std=c++17 -O0 -fwrapv -ffp-contract=off -fno-strict-aliasing -fsanitize=alignment -Wl,--as-needed -shared -fPIC -w";
  return made(whole, [".cpp", ".so"], ["g++", ...flags.split(" ")]);
}

export interface HostKernels {
  run(
    index: number,
    grid: number,
    addresses: readonly (Float32Array | Int32Array)[],
    sizes: readonly number[],
  ): void;
  /** Accesses of shared memory that waited for a bank, since this was last asked. */
  conflicts(): number;
}

export const loadKernels = (kernels: readonly Kernel[], device: HostDevice = {}): HostKernels =>
  loadText(printCuda(kernels), kernels, device);

/** The same, of a text that is not quite what was printed for them. */
export function loadText(text: string, kernels: readonly Kernel[], device: HostDevice = {}): HostKernels {
  const library = koffi.load(hostLibrary(text, device));
  const launch = library.func("int moe_launch(int kernel, uint blocks, uint block, uint shared, void *args)");
  const error = library.func("const char *moe_error()");
  const conflicts = library.func("long moe_conflicts()");
  return {
    conflicts: () => Number(conflicts()),
    run(index, grid, addresses, sizes) {
      const kernel = kernels[index]!;
      const way = multiplies(device) ? kernel.warpgroups : undefined;
      const bytes = addresses.reduce((sum, { byteLength }) => sum + padded(byteLength), 16);
      // One block of memory for all buffers: their addresses must be multiples of 16.
      const memory = new ArrayBuffer(bytes);
      const base = koffi.address(new Uint8Array(memory));
      let next = Number(-base & 15n);
      const places = addresses.map((data, i) => {
        const at = next;
        next += padded(data.byteLength);
        // Buffers of half width are given and taken as f32.
        const { type } = kernel.buffers[i]!;
        const view = heldIn(type, memory, at, data.length);
        view.set(isHalf(type) ? narrowed(type, data as Float32Array) : data);
        return { at, type, view };
      });
      const args = [...places.map(({ at }) => Number(base) + at), ...sizes];
      const described = describeKernel(kernel);
      const maps = way === undefined ? [] : described.warpgroups!.maps;
      const { parameters } = withFakeDriver(maps.length > 0, (driver) =>
        argumentsOf(driver, kernel.name, { ...described, maps }, args),
      );
      const { workgroup, scratch } = way === undefined ? described : described.warpgroups!;
      const status = launch(index, grid, workgroup, sharedBytes(scratch), parameters) as number;
      if (status !== 0) throw new Error(`kernel ${kernel.name}: ${error() as string}`);
      places.forEach(({ type, view }, i) => addresses[i]!.set(valuesOf(type, view)));
    },
  };
}

/** Maps of memory that the driver has not allocated. */
function withFakeDriver<T>(needed: boolean, use: (driver: Driver) => T): T {
  if (!needed) return use(undefined as never);
  const fake = fakeDriver();
  fake.set("any memory", 1);
  const made = use(openDriver(fake.path));
  fake.set("any memory", 0);
  return made;
}

const padded = (bytes: number): number => Math.ceil(bytes / 16) * 16 + 64;

export function runOnHost(kernel: Kernel, buffers: Buffers, sizes: Sizes = {}): void {
  loadKernels([kernel]).run(
    0,
    evaluate(kernel.grid, sizes),
    kernel.buffers.map(({ name }) => buffers.get(name)!),
    kernel.sizes.map((name) => sizes[name]!),
  );
}

/** The driver of cuda-host/driver.cpp, and what tests can tell and ask it. */
export interface FakeDriver {
  readonly path: string;
  set(key: string, value: number): void;
  /** Forgets what was set and counted. */
  reset(): void;
  count(what: string): number;
  /** Of the last kernel that failed. */
  error(): string;
  /** What its NVRTC gives for any source, and the options it was last called with. */
  compiles(image: string): void;
  options(): string;
}

let fake: FakeDriver | undefined;

export function fakeDriver(): FakeDriver {
  if (fake !== undefined) return fake;
  const text = ["tensor-map.h", "driver.cpp", "nvrtc.cpp"]
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
  const path = made(text, [".cpp", ".so"], ["g++", "-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-ldl"]);
  const library = koffi.load(path);
  const set = library.func("void fake_set(const char *key, long value)");
  const reset = library.func("void fake_reset()");
  const count = library.func("long fake_count(const char *what)");
  const error = library.func("const char *fake_error()");
  const compiles = library.func("void fake_compiled(const char *image)");
  const options = library.func("const char *fake_options()");
  fake = {
    path,
    set: (key, value) => void set(key, value),
    reset: () => void reset(),
    count: (what) => Number(count(what)),
    error: () => error() as string,
    compiles: (image) => void compiles(image),
    options: () => options() as string,
  };
  return fake;
}

/** Kernels as the fake driver loads them. */
export const hostImage = (source: string, device: HostDevice = {}): string =>
  `HOST:${hostLibrary(source, device)}`;

/** Code of a program for the fake driver, for whichever GPU it pretends to be. */
export function hostCode(kernels: readonly Kernel[], device: HostDevice = {}): CudaCode {
  const source = printCuda(kernels);
  const bytes = new TextEncoder().encode(hostImage(source, device));
  return { source, images: [{ architecture: multiplies(device) ? "sm_90a" : "compute_80", bytes }] };
}

/** The path of what nvcc makes of a text: machine code for `sm_..`, PTX for `compute_..`. */
export function imageOf(source: string, architecture: string): string {
  const [kind, ending] = architecture.startsWith("compute") ? ["-ptx", ".ptx"] : ["-cubin", ".cubin"];
  const flags = [kind!, `-arch=${architecture}`, "-std=c++17", "-w", ...compilerFlags];
  return made(source, [".cu", ending!], ["nvcc", ...flags]);
}

/** What nvcc's assembler says that a kernel takes of a thread: registers, and bytes that did not fit there. */
export interface Resources {
  readonly kernel: string;
  readonly registers: number;
  readonly spilled: number;
}

/** Of all kernels of a text, and what else it warns of. */
export function resourcesOf(
  source: string,
  architecture: string,
): { readonly kernels: readonly Resources[]; readonly warnings: readonly string[] } {
  const report = made(
    source,
    [".cu", ".txt"],
    ["sh", "-c", `${assembling(architecture)} "$0" -o /dev/null > "$2" 2>&1`],
  );
  const text = readFileSync(report, "utf8");
  const each =
    /Compiling entry function '(k\d+)'[^]*?(\d+) bytes spill stores, (\d+) bytes spill loads[^]*?Used (\d+) registers/g;
  return {
    kernels: [...text.matchAll(each)].map(([, kernel, stores, loads, registers]) => {
      return { kernel: kernel!, registers: Number(registers), spilled: Number(stores) + Number(loads) };
    }),
    warnings: text.split("\n").filter((line) => /warning|\(C7\d+\)/.test(line)),
  };
}

const assembling = (architecture: string): string => {
  const virtual = architecture.replace("sm", "compute");
  return [
    "nvcc -cubin -std=c++17 -Xptxas -v -diag-suppress 177",
    `-gencode=arch=${virtual},code=${architecture}`,
    ...compilerFlags,
  ].join(" ");
};
