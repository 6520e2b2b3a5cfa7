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

interface Use {
  count: number;
  /** All uses stand in the value's own region, at its own epochs. */
  here: boolean;
  sameVariables: boolean;
  sameMemory: boolean;
}

interface Emitter {
  readonly flow: Flow;
  readonly code: Code;
  readonly uses: Map<Value, Use>;
  /** Locals of values that have been computed. */
  readonly locals: Map<Value, number>;
  /** What the values that are not computed yet read, with all they contain. */
  readonly waiting: Map<Value, number>;
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
    uses: new Map(),
    locals: new Map(),
    waiting: new Map(),
    functionIndex,
  };
  const end: Epochs = { variables: flow.variableEpoch, memory: flow.memoryEpoch };
  countUses(emitter.uses, flow.root);
  if (result !== undefined) use(emitter.uses, result, flow.root, end);
  emitRegion(emitter, flow.root);
  if (result !== undefined) push(emitter, result);
  return { ...signature, locals: flow.locals.slice(flow.parameters), code: emitter.code.bytes };
}

/** Marks `value` as used at a place; a value that was dead until now uses its operands. */
function use(uses: Map<Value, Use>, value: Value, region: Region, at: Epochs): void {
  let known = uses.get(value);
  if (known === undefined) {
    known = { count: 0, here: true, sameVariables: true, sameMemory: true };
    uses.set(value, known);
    for (const arg of value.args) use(uses, arg, value.region, value.epochs);
  }
  known.count++;
  if (region !== value.region) known.here = false;
  if (at.variables !== value.epochs.variables) known.sameVariables = false;
  if (at.memory !== value.epochs.memory) known.sameMemory = false;
}

function countUses(uses: Map<Value, Use>, region: Region): void {
  for (const item of region.items)
    switch (item.kind) {
      case "value":
        break;
      case "set":
        use(uses, item.value, region, item.epochs);
        break;
      case "store":
        use(uses, item.address, region, item.epochs);
        use(uses, item.value, region, item.epochs);
        break;
      case "if":
        use(uses, item.condition, region, item.epochs);
        countUses(uses, item.then);
        if (item.otherwise !== undefined) countUses(uses, item.otherwise);
        break;
      case "loop":
        countUses(uses, item.body);
        use(uses, item.limit, item.body, item.epochs);
        for (const { by } of item.moves) use(uses, by, item.body, item.epochs);
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
      return compute(emitter, item.value);
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
  const uses = emitter.uses.get(value);
  if (uses === undefined) return;
  let reads = value.reads;
  for (const arg of value.args) reads |= emitter.waiting.get(arg) ?? 0;
  const stays =
    uses.here &&
    ((reads & readsVariables) === 0 || uses.sameVariables) &&
    ((reads & readsMemory) === 0 || uses.sameMemory);
  emitter.waiting.set(value, reads);
  if (stays) return;
  pushOperation(emitter, value);
  encode.localSet(emitter.code, remember(emitter, value));
}

function remember(emitter: Emitter, value: Value): number {
  const local = declare(emitter.flow, value.type);
  emitter.locals.set(value, local);
  emitter.waiting.delete(value);
  return local;
}

function push(emitter: Emitter, value: Value): void {
  const local = emitter.locals.get(value);
  if (local !== undefined) return encode.localGet(emitter.code, local);
  pushOperation(emitter, value);
  const inPlace = value.kind === "constant" || value.kind === "local" || emitter.uses.get(value)!.count === 1;
  if (!inPlace) encode.localTee(emitter.code, remember(emitter, value));
}

function pushOperation(emitter: Emitter, value: Value): void {
  const { code } = emitter;
  for (const arg of value.args) push(emitter, arg);
  switch (value.kind) {
    case "constant":
      return value.type === "i32" ? encode.i32Const(code, value.value) : encode.f32Const(code, value.value);
    case "vector":
      return encode.v128Const(code, value.bytes);
    case "local":
    case "variable":
      return encode.localGet(code, value.index);
    case "operation":
      return encode.plain(code, value.op, value.lane);
    case "shuffle":
      encode.plain(code, "i8x16.shuffle");
      return void code.bytes.push(...value.lanes);
    case "select":
      return encode.select(code, value.type);
    case "load":
      return encode.memory(code, value.op, value.offset);
    case "call":
      return encode.call(code, emitter.functionIndex(value.helper));
    default:
      return value satisfies never;
  }
}
