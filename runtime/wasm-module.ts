// Wasm modules of a program: chooses the one that this engine can run, and compiles it.
// In: the bytes that the compiler printed (with and without fused multiply-add). Out: a compiled module.
// Does not know kernels or memory layouts; a memory is made here only because its flags must match the module's import.

import { UserError } from "./errors.ts";
import { allowRelaxedSimd } from "./wasm-host.ts";

export interface WasmBytes {
  readonly plain: Uint8Array;
  readonly relaxed?: Uint8Array;
}

export interface CompiledModule {
  readonly module: WebAssembly.Module;
  /** Multiply-adds are fused: results differ in the last bits from an engine where they are not. */
  readonly relaxed: boolean;
}

export const pageBytes = 65536;
/** Four gigabytes: all that 32-bit addresses reach. */
export const maximumPages = 65536;

export async function compileModule(wasm: WasmBytes, shared: boolean): Promise<CompiledModule> {
  const relaxed = wasm.relaxed !== undefined && (await allowRelaxedSimd(wasm.relaxed));
  const bytes = relaxed && wasm.relaxed !== undefined ? wasm.relaxed : wasm.plain;
  const module = shared ? copyOf(bytes) : unshare(bytes);
  if (!WebAssembly.validate(module))
    throw new UserError(
      "R0503",
      "this engine cannot run the model: it has no WebAssembly SIMD or no shared memory",
      {
        help: "use Node 20 or newer, or a browser of the last three years",
      },
    );
  return { module: await WebAssembly.compile(module), relaxed };
}

/** A copy that is certainly not shared memory: engines compile from nothing else. */
const copyOf = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

/** The same module, importing a memory that is not shared: clears one flag of its memory import. Unshared memories also
 * exist in pages that are not cross-origin isolated. */
export function unshare(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = copyOf(bytes);
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = copy[at++];
      if (byte === undefined) throw new Error("internal: the wasm module ends inside a number");
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const skip = (count: number): void => void (at += count);
  const limits = (): void => {
    const flags = number();
    number();
    if ((flags & 1) !== 0) number();
  };
  while (at < copy.length) {
    const section = number();
    const end = number() + at;
    if (section === 2) {
      for (let count = number(); count > 0; count--) {
        skip(number());
        skip(number());
        const kind = number();
        if (kind === 2) {
          copy[at]! &= ~2;
          return copy;
        }
        if (kind === 1) (skip(1), limits());
        else if (kind === 3) skip(2);
        else number();
      }
    }
    at = end;
  }
  throw new Error("internal: the wasm module imports no memory");
}

export function makeMemory(bytes: number, shared: boolean): WebAssembly.Memory {
  const initial = Math.ceil(bytes / pageBytes);
  if (initial > maximumPages) throw tooLarge(bytes);
  try {
    return new WebAssembly.Memory({ initial, maximum: maximumPages, shared });
  } catch {
    // Some systems reserve the maximum at once and refuse four gigabytes: then this memory never grows.
    try {
      return new WebAssembly.Memory({ initial, maximum: initial, shared });
    } catch {
      throw refused(bytes);
    }
  }
}

/** Makes a memory at least so large. Shared views stay valid; unshared ones are detached and must be made anew. */
export function growMemory(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / pageBytes);
  if (missing <= 0) return;
  if (bytes > maximumPages * pageBytes) throw tooLarge(bytes);
  try {
    memory.grow(missing);
  } catch {
    throw refused(bytes);
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
const smaller =
  "make the batch, the sequence length or the model smaller; `moe plan` shows what takes the most";
const tooLarge = (bytes: number): UserError =>
  new UserError("R0501", `the model needs ${gigabytes(bytes)}, and WebAssembly can address 4 GiB`, {
    help: smaller,
  });
const refused = (bytes: number): UserError =>
  new UserError("R0502", `the system refuses the ${gigabytes(bytes)} of memory that the model needs`, {
    help: smaller,
  });
