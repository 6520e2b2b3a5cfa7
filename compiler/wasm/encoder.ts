// Encoder of the WebAssembly binary format. In: functions as lists of instruction bytes. Out: the bytes of one module that
// imports one memory. Knows the format (LEB128, sections, local declarations), nothing of kernels.
// Deliberately absent: tables, globals, data segments, names, checking: tests hold the result against binaryen.

import {
  hasLane,
  instructions,
  memoryInstructions,
  opcodeBytes,
  type Instruction,
  type MemoryInstruction,
  type WasmType,
} from "./instructions.ts";

export interface WasmFunction {
  readonly parameters: readonly WasmType[];
  readonly results: readonly WasmType[];
  /** Types of the locals after the parameters. */
  readonly locals: readonly WasmType[];
  readonly code: readonly number[];
  /** Exported under this name, if given. */
  readonly export?: string;
}

const typeByte = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? byte : byte | 0x80);
  } while (rest !== 0);
  return bytes;
}

export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

const vector = (items: readonly (readonly number[])[]): number[] => [
  ...unsigned(items.length),
  ...items.flat(),
];
const name = (text: string): number[] => {
  const bytes = [...new TextEncoder().encode(text)];
  return [...unsigned(bytes.length), ...bytes];
};
const section = (id: number, content: readonly number[]): number[] => [
  id,
  ...unsigned(content.length),
  ...content,
];

/** Little-endian bytes of four f32 or four i32 lanes, as `v128.const` wants them. */
export function laneBytes(type: "f32" | "i32", lanes: readonly number[]): number[] {
  const array = type === "f32" ? new Float32Array(lanes) : new Int32Array(lanes);
  return littleEndian(array.buffer, 4);
}
export const f64LaneBytes = (value: number): number[] =>
  littleEndian(new Float64Array([value, value]).buffer, 8);

function littleEndian(buffer: ArrayBuffer, width: number): number[] {
  const bytes = [...new Uint8Array(buffer)];
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1) return bytes;
  return bytes.flatMap((_, at) => bytes[at - (at % width) + width - 1 - (at % width)]!);
}

/** Appends instructions to one function's code. */
export interface Code {
  readonly bytes: number[];
}

export const code = (): Code => ({ bytes: [] });

export function plain(into: Code, op: Instruction, lane = 0): void {
  into.bytes.push(...opcodeBytes(instructions[op][0]));
  if (hasLane(op)) into.bytes.push(lane);
}

/** A load or store; the address (and the value) are on the stack. Alignment is a hint: that of one element. */
export function memory(into: Code, op: MemoryInstruction, offset: number): void {
  into.bytes.push(...opcodeBytes(memoryInstructions[op][0]), 2, ...unsigned(offset));
}

export const localGet = (into: Code, index: number): void => void into.bytes.push(0x20, ...unsigned(index));
export const localSet = (into: Code, index: number): void => void into.bytes.push(0x21, ...unsigned(index));
export const localTee = (into: Code, index: number): void => void into.bytes.push(0x22, ...unsigned(index));
export const i32Const = (into: Code, value: number): void => void into.bytes.push(0x41, ...signed(value));
export const f32Const = (into: Code, value: number): void =>
  void into.bytes.push(0x43, ...laneBytes("f32", [value]).slice(0, 4));
export const v128Const = (into: Code, bytes: readonly number[]): void =>
  void into.bytes.push(0xfd, 0x0c, ...bytes);
export const call = (into: Code, index: number): void => void into.bytes.push(0x10, ...unsigned(index));
/** Typed: takes v128 too. */
export const select = (into: Code, type: WasmType): void => void into.bytes.push(0x1c, 1, typeByte[type]);
export const beginLoop = (into: Code): void => void into.bytes.push(0x03, 0x40);
export const beginIf = (into: Code): void => void into.bytes.push(0x04, 0x40);
export const otherwise = (into: Code): void => void into.bytes.push(0x05);
export const end = (into: Code): void => void into.bytes.push(0x0b);
export const branchIf = (into: Code, depth: number): void => void into.bytes.push(0x0d, ...unsigned(depth));

/** Runs of one type, as the format wants locals. */
function localRuns(locals: readonly WasmType[]): number[][] {
  const runs: { count: number; type: WasmType }[] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ count: 1, type });
  }
  return runs.map(({ count, type }) => [...unsigned(count), typeByte[type]]);
}

/** The most pages that 32-bit addresses reach: 4 GiB. */
const maximumPages = 65536;

export function encodeModule(
  functions: readonly WasmFunction[],
  options: { readonly shared: boolean },
): Uint8Array {
  const types: number[][] = [];
  const typeAt = new Map<string, number>();
  const indices = functions.map(({ parameters, results }) => {
    const key = `${parameters.join()}>${results.join()}`;
    const known = typeAt.get(key);
    if (known !== undefined) return known;
    typeAt.set(key, types.length);
    const codes = (list: readonly WasmType[]): number[] => vector(list.map((type) => [typeByte[type]]));
    types.push([0x60, ...codes(parameters), ...codes(results)]);
    return types.length - 1;
  });
  const limits = options.shared ? [0x03, ...unsigned(1), ...unsigned(maximumPages)] : [0x00, ...unsigned(1)];
  const exports = functions.flatMap((fn, at) =>
    fn.export === undefined ? [] : [[...name(fn.export), 0x00, ...unsigned(at)]],
  );
  const parts: Uint8Array[] = [];
  const push = (bytes: readonly number[]): void => void parts.push(Uint8Array.from(bytes));
  push([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  push(section(1, vector(types)));
  push(section(2, vector([[...name("env"), ...name("memory"), 0x02, ...limits]])));
  push(section(3, vector(indices.map((index) => unsigned(index)))));
  push(section(7, vector(exports)));
  const bodies = functions.map((fn) => {
    const locals = vector(localRuns(fn.locals));
    const length = unsigned(locals.length + fn.code.length + 1);
    return Uint8Array.from([...length, ...locals, ...fn.code, 0x0b]);
  });
  const count = unsigned(bodies.length);
  const total = bodies.reduce((sum, body) => sum + body.length, count.length);
  push([10, ...unsigned(total), ...count]);
  parts.push(...bodies);
  const module = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    module.set(part, at);
    at += part.length;
  }
  return module;
}
