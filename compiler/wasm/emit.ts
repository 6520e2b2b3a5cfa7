// Emit: a flow becomes the code of one wasm function. In: regions of placed values and effects. Out: bytes and locals.
// A value that is used once, or first where it stands, is written in place on the stack; others get a local. Loads and
// reads of variables move down to their use only when nothing that they depend on happens between.
// Deliberately absent: sharing of locals between values (engines allocate registers themselves).

import * as encode from "./encoder.ts";
import type { Code, WasmFunction } from "./encoder.ts";
import {
  declare,
  readsMemory,
  readsVariables,
  type Epochs,
  type Flow,
  type Item,
  type Region,
  type Value,
} from "./flow.ts";
import type { WasmType } from "./instructions.ts";

/** Of all uses of a value. Bits. */
const elsewhere = 1;
const otherVariables = 2;
const otherMemory = 4;

interface Emitter {
  readonly flow: Flow;
  readonly code: Code;
  // by the values' ids
  /** How often a value is used; 0: it is dead. */
  readonly counts: Int32Array;
  /** Whether uses stand in another region than the value, or at other epochs. */
  readonly uses: Uint8Array;
  /** Locals of values that have been computed, else -1. */
  readonly locals: Int32Array;
  /** What the values that are not computed yet read, with all they contain. */
  readonly waiting: Uint8Array;
  readonly functionIndex: (helper: string) => number;
}

export interface Signature {
  readonly parameters: readonly WasmType[];
  readonly results: readonly WasmType[];
  readonly export?: string;
}

export function emitFunction(
  flow: Flow,
  signature: Signature,
  result: Value | undefined,
  functionIndex: (helper: string) => number,
): WasmFunction {
  const emitter: Emitter = {
    flow,
    code: encode.code(),
    counts: new Int32Array(flow.nextId),
    uses: new Uint8Array(flow.nextId),
    locals: new Int32Array(flow.nextId).fill(-1),
    waiting: new Uint8Array(flow.nextId),
    functionIndex,
  };
  countUses(emitter, flow.root);
  if (result !== undefined) use(emitter, result, flow.root, flow.epochs);
  emitRegion(emitter, flow.root);
  if (result !== undefined) push(emitter, result);
  const { bytes, edits } = emitter.code;
  return { ...signature, locals: flow.locals.slice(flow.parameters), code: new Uint8Array(bytes), edits };
}

/** Marks `value` as used at a place; a value that was dead until now uses its operands. */
function use(emitter: Emitter, value: Value, region: Region, at: Epochs): void {
  const { id, epochs } = value;
  if (emitter.counts[id]!++ === 0) for (const arg of value.args) use(emitter, arg, value.region, epochs);
  emitter.uses[id]! |=
    (region === value.region ? 0 : elsewhere) |
    (at.variables === epochs.variables ? 0 : otherVariables) |
    (at.memory === epochs.memory ? 0 : otherMemory);
}

function countUses(emitter: Emitter, region: Region): void {
  for (const item of region.items)
    switch (item.kind) {
      case "value":
        break;
      case "set":
        use(emitter, item.value, region, item.epochs);
        break;
      case "store":
        use(emitter, item.address, region, item.epochs);
        use(emitter, item.value, region, item.epochs);
        break;
      case "if":
        use(emitter, item.condition, region, item.epochs);
        countUses(emitter, item.then);
        if (item.otherwise !== undefined) countUses(emitter, item.otherwise);
        break;
      case "loop":
        countUses(emitter, item.body);
        use(emitter, item.limit, item.body, item.epochs);
        for (const { by } of item.moves) use(emitter, by, item.body, item.epochs);
        break;
      default:
        item satisfies never;
    }
}

function emitRegion(emitter: Emitter, region: Region): void {
  for (const item of region.items) emitItem(emitter, item);
}

function emitItem(emitter: Emitter, item: Item): void {
  const { code } = emitter;
  switch (item.kind) {
    case "value":
      return compute(emitter, item);
    case "set":
      push(emitter, item.value);
      return encode.localSet(code, item.local);
    case "store":
      push(emitter, item.address);
      push(emitter, item.value);
      return encode.memory(code, item.op, item.offset);
    case "if":
      push(emitter, item.condition);
      encode.beginIf(code);
      emitRegion(emitter, item.then);
      if (item.otherwise !== undefined && item.otherwise.items.length > 0) {
        encode.otherwise(code);
        emitRegion(emitter, item.otherwise);
      }
      return encode.end(code);
    case "loop": {
      encode.beginLoop(code);
      emitRegion(emitter, item.body);
      const [counter, ...moves] = item.moves;
      for (const { local, by } of [...moves, counter!]) {
        encode.localGet(code, local);
        push(emitter, by);
        encode.plain(code, "i32.add");
        encode.localSet(code, local);
      }
      encode.localGet(code, counter!.local);
      push(emitter, item.limit);
      encode.plain(code, "i32.lt_s");
      encode.branchIf(code, 0);
      return encode.end(code);
    }
    default:
      return item satisfies never;
  }
}

/** Where a value stands: leaves it for its use, or computes it into a local. */
function compute(emitter: Emitter, value: Value): void {
  const { id } = value;
  if (emitter.counts[id] === 0) return;
  let { reads } = value;
  for (let index = 0; index < value.args.length; index++) reads |= emitter.waiting[value.args[index]!.id]!;
  const uses = emitter.uses[id]!;
  emitter.waiting[id] = reads;
  const moves =
    (uses & elsewhere) === 0 &&
    ((reads & readsVariables) === 0 || (uses & otherVariables) === 0) &&
    ((reads & readsMemory) === 0 || (uses & otherMemory) === 0);
  if (moves) return;
  pushOperation(emitter, value);
  encode.localSet(emitter.code, remember(emitter, value));
}

function remember(emitter: Emitter, value: Value): number {
  const local = declare(emitter.flow, value.type);
  emitter.locals[value.id] = local;
  emitter.waiting[value.id] = 0;
  return local;
}

function push(emitter: Emitter, value: Value): void {
  const local = emitter.locals[value.id]!;
  if (local >= 0) return encode.localGet(emitter.code, local);
  pushOperation(emitter, value);
  const { kind } = value.operation;
  const inPlace = kind === "constant" || kind === "local" || emitter.counts[value.id] === 1;
  if (!inPlace) encode.localTee(emitter.code, remember(emitter, value));
}

function pushOperation(emitter: Emitter, value: Value): void {
  const { code } = emitter;
  const { operation } = value;
  if (operation.kind === "operation" && operation.op === "f32x4.relaxed_madd") {
    const [a, b, c] = value.args;
    push(emitter, a!);
    push(emitter, b!);
    encode.withoutRelaxed(code, "f32x4.mul");
    push(emitter, c!);
    return encode.relaxed(code, operation.op, "f32x4.add");
  }
  for (let index = 0; index < value.args.length; index++) push(emitter, value.args[index]!);
  switch (operation.kind) {
    case "constant":
      return value.type === "i32"
        ? encode.i32Const(code, operation.value)
        : encode.f32Const(code, operation.value);
    case "vector":
      return encode.v128Const(code, operation.words);
    case "local":
    case "variable":
      return encode.localGet(code, operation.index);
    case "operation":
      return operation.op === "i32x4.relaxed_laneselect"
        ? encode.relaxed(code, operation.op, "v128.bitselect")
        : encode.plain(code, operation.op, operation.lane);
    case "shuffle":
      return encode.shuffle(code, operation.lanes);
    case "select":
      return encode.select(code, value.type);
    case "load":
      return encode.memory(code, operation.op, operation.offset);
    case "call":
      return encode.call(code, emitter.functionIndex(operation.helper));
    default:
      return operation satisfies never;
  }
}
