// Encoder of the WebAssembly binary format. In: functions as lists of instruction bytes. Out: the bytes of one module that
// imports one memory. Knows the format (LEB128, sections, local declarations), nothing of kernels.
// Deliberately absent: tables, globals, data segments, names, checking: tests hold the result against binaryen.

import { factsOf, type Instruction, type MemoryInstruction, type WasmType } from "./instructions.ts";

export interface WasmFunction {
  readonly parameters: readonly WasmType[];
  readonly results: readonly WasmType[];
  /** Types of the locals after the parameters. */
  readonly locals: readonly WasmType[];
  readonly code: ArrayLike<number>;
  /** What to change in `code` for engines without relaxed SIMD, in order. */
  readonly edits?: readonly Edit[];
  /** Exported under this name, if given. */
  readonly export?: string;
}

/** At byte `at` of some code: leaves out `remove` bytes and puts others there. */
export interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: readonly number[];
}

const typeByte = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

function pushUnsigned(bytes: number[], value: number): void {
  let rest = value >>> 0;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
}

function pushSigned(bytes: number[], value: number): void {
  let rest = value | 0;
  while (rest < -64 || rest > 63) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  bytes.push(rest & 0x7f);
}

export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  pushUnsigned(bytes, value);
  return bytes;
}

export function signed(value: number): number[] {
  const bytes: number[] = [];
  pushSigned(bytes, value);
  return bytes;
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

/** Appends instructions to one function's code. */
export interface Code {
  readonly bytes: number[];
  readonly edits: Edit[];
}

export const code = (): Code => ({ bytes: [], edits: [] });

function pushOpcode({ bytes }: Code, op: Instruction | MemoryInstruction): void {
  const opcode = factsOf(op).bytes;
  for (let index = 0; index < opcode.length; index++) bytes.push(opcode[index]!);
}

export function plain(into: Code, op: Instruction, lane = 0): void {
  pushOpcode(into, op);
  if (factsOf(op).hasLane) into.bytes.push(lane);
}

/** `op`; or, in engines without relaxed SIMD, `instead`. */
export function relaxed(into: Code, op: Instruction, instead: Instruction): void {
  const insert = factsOf(instead).bytes;
  into.edits.push({ at: into.bytes.length, remove: factsOf(op).bytes.length, insert });
  pushOpcode(into, op);
}

/** Only in engines without relaxed SIMD. */
export const withoutRelaxed = (into: Code, op: Instruction): void =>
  void into.edits.push({ at: into.bytes.length, remove: 0, insert: factsOf(op).bytes });

/** A load or store; the address (and the value) are on the stack. Alignment is a hint: that of one element. */
export function memory(into: Code, op: MemoryInstruction, offset: number): void {
  pushOpcode(into, op);
  into.bytes.push(2);
  pushUnsigned(into.bytes, offset);
}

function withIndex({ bytes }: Code, opcode: number, index: number): void {
  bytes.push(opcode);
  pushUnsigned(bytes, index);
}

export const localGet = (into: Code, index: number): void => withIndex(into, 0x20, index);
export const localSet = (into: Code, index: number): void => withIndex(into, 0x21, index);
export const localTee = (into: Code, index: number): void => withIndex(into, 0x22, index);
export const call = (into: Code, index: number): void => withIndex(into, 0x10, index);
export const branchIf = (into: Code, depth: number): void => withIndex(into, 0x0d, depth);
export function i32Const({ bytes }: Code, value: number): void {
  bytes.push(0x41);
  pushSigned(bytes, value);
}

const word = new DataView(new ArrayBuffer(4));
const pushWord = (bytes: number[], value: number): void =>
  void bytes.push(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff);

export function f32Const({ bytes }: Code, value: number): void {
  word.setFloat32(0, value);
  bytes.push(0x43);
  pushWord(bytes, word.getInt32(0));
}
/** Four 32-bit words, the lowest lane first. */
export function v128Const({ bytes }: Code, words: readonly number[]): void {
  bytes.push(0xfd, 0x0c);
  for (const lane of words) pushWord(bytes, lane);
}
export function shuffle(into: Code, lanes: readonly number[]): void {
  pushOpcode(into, "i8x16.shuffle");
  into.bytes.push(...lanes);
}
/** Typed: takes v128 too. */
export const select = (into: Code, type: WasmType): void => void into.bytes.push(0x1c, 1, typeByte[type]);
export const beginLoop = (into: Code): void => void into.bytes.push(0x03, 0x40);
export const beginIf = (into: Code): void => void into.bytes.push(0x04, 0x40);
export const otherwise = (into: Code): void => void into.bytes.push(0x05);
export const end = (into: Code): void => void into.bytes.push(0x0b);

/** A function's body: its length, its locals, its code. */
function bodyOf(fn: WasmFunction, relaxed: boolean): Uint8Array {
  const locals = vector(localRuns(fn.locals));
  const edits = relaxed ? [] : (fn.edits ?? []);
  const grown = edits.reduce((sum, { remove, insert }) => sum + insert.length - remove, 0);
  const length = unsigned(locals.length + fn.code.length + grown + 1);
  const body = new Uint8Array(length.length + locals.length + fn.code.length + grown + 1);
  body.set(length);
  body.set(locals, length.length);
  const code = fn.code instanceof Uint8Array ? fn.code : new Uint8Array(fn.code);
  let to = length.length + locals.length;
  let from = 0;
  for (const { at, remove, insert } of edits) {
    body.set(code.subarray(from, at), to);
    to += at - from;
    body.set(insert, to);
    to += insert.length;
    from = at + remove;
  }
  body.set(code.subarray(from), to);
  body[body.length - 1] = 0x0b;
  return body;
}

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
  options: { readonly shared: boolean; readonly relaxed: boolean },
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
  const bodies = functions.map((fn) => bodyOf(fn, options.relaxed));
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
