// Runs printed CUDA kernels on the CPU in tests: g++ compiles them against cuda-host/device.h. In: kernels, buffers by name, sizes. Out:
// the buffers, changed in place. Libraries are kept in node_modules/.cache, by the hash of what they are made of.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { printCuda } from "../../compiler/cuda/print.ts";
import type { Kernel } from "../../compiler/kernel.ts";
import { compilerFlags } from "../../runtime/cuda/nvcc.ts";
import type { CudaCode } from "../../runtime/artifact.ts";
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

/** The path of a shared library with `moe_launch` for these kernels. */
export function hostLibrary(text: string): string {
  const names = [...text.matchAll(/\b(k\d+)\(/g)].map(([, name]) => `MOE_KERNEL(${name!})`);
  const device = readFileSync(join(folder, "device.h"), "utf8");
  const body = text.replaceAll(/extern __shared__ (\w+) (\w+)\[\];/g, "MOE_DYNAMIC($1, $2);");
  const whole = `${device}\n${body}\nMOE_KERNELS(${names.join(" ")})\n`;
  const flags = "-std=c++17 -O0 -fwrapv -ffp-contract=off -fno-strict-aliasing -shared -fPIC -w";
  return made(whole, [".cpp", ".so"], ["g++", ...flags.split(" ")]);
}

export interface HostKernels {
  run(
    index: number,
    grid: number,
    addresses: readonly (Float32Array | Int32Array)[],
    sizes: readonly number[],
  ): void;
}

export function loadKernels(kernels: readonly Kernel[]): HostKernels {
  const library = koffi.load(hostLibrary(printCuda(kernels)));
  const launch = library.func("int moe_launch(int kernel, uint blocks, uint block, void *args)");
  const error = library.func("const char *moe_error()");
  return {
    run(index, grid, addresses, sizes) {
      const kernel = kernels[index]!;
      const bytes = addresses.reduce((sum, { byteLength }) => sum + padded(byteLength), 16);
      // One block of memory for all buffers: their addresses must be multiples of 16.
      const memory = new ArrayBuffer(bytes);
      const base = koffi.address(new Uint8Array(memory));
      let next = Number(-base & 15n);
      const places = addresses.map((data) => {
        const at = next;
        next += padded(data.byteLength);
        const view =
          data instanceof Float32Array
            ? new Float32Array(memory, at, data.length)
            : new Int32Array(memory, at, data.length);
        view.set(data);
        return { at, view };
      });
      const values = BigUint64Array.from([
        ...places.map(({ at }) => base + BigInt(at)),
        ...sizes.map(BigInt),
        0n,
      ]);
      const first = koffi.address(values);
      const args = BigUint64Array.from(values, (_, i) => first + BigInt(8 * i));
      const status = launch(index, grid, kernel.workgroup, args) as number;
      if (status !== 0) throw new Error(`kernel ${kernel.name}: ${error() as string}`);
      places.forEach(({ view }, i) => addresses[i]!.set(view));
    },
  };
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
  const text = readFileSync(join(folder, "driver.cpp"), "utf8");
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
export const hostImage = (source: string): string => `HOST:${hostLibrary(source)}`;

/** Code of a program for the fake driver, for whichever GPU it pretends to be. */
export function hostCode(kernels: readonly Kernel[]): CudaCode {
  const source = printCuda(kernels);
  const bytes = new TextEncoder().encode(hostImage(source));
  return { source, images: [{ architecture: "compute_80", bytes }] };
}

/** The path of what nvcc makes of a text: machine code for `sm_..`, PTX for `compute_..`. */
export function imageOf(source: string, architecture: string): string {
  const [kind, ending] = architecture.startsWith("compute") ? ["-ptx", ".ptx"] : ["-cubin", ".cubin"];
  const flags = [kind!, `-arch=${architecture}`, "-std=c++17", "-w", ...compilerFlags];
  return made(source, [".cu", ending!], ["nvcc", ...flags]);
}
