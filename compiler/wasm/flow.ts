// Flow: the body of one wasm function while it is being built. Values are hash-consed and immutable; effects (sets,
// stores, loops, branches) are items of nested regions. Building a value places it at once: as far out as its operands
// and its safety allow, so that loop invariants leave their loops and common subexpressions are computed once.
// Knows nothing of kernels (lower-kernel.ts) nor of bytes (emit.ts).

import { instructions, memoryInstructions, type Instruction, type MemoryInstruction, type WasmType } from "./instructions.ts";

/** What a value must not be moved across: nothing, an assignment to a variable, or a store. Bits. */
export const readsVariables = 1;
export const readsMemory = 2;

interface ValueCommon {
  readonly id: number;
  readonly type: WasmType;
  readonly args: readonly Value[];
  readonly region: Region;
  /** Epochs of the flow when the value was computed, see `Flow`. */
  readonly epochs: Epochs;
  readonly reads: number;
  /** i32 values that are known to be >= 0. */
  readonly nonNegative: boolean;
}

export type Value = ValueCommon & Operation;

export type Operation =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "vector"; readonly bytes: readonly number[] }
  /** A local that keeps its value while the region that declares it runs: parameters, counters, pointers. */
  | { readonly kind: "local"; readonly index: number }
  | { readonly kind: "variable"; readonly index: number }
  | { readonly kind: "operation"; readonly op: Instruction; readonly lane: number }
  | { readonly kind: "shuffle"; readonly lanes: readonly number[] }
  | { readonly kind: "select" }
  | { readonly kind: "load"; readonly op: MemoryInstruction; readonly offset: number; readonly buffer: string }
  | { readonly kind: "call"; readonly helper: string };

export interface Epochs {
  readonly variables: number;
  readonly memory: number;
}

export interface Region {
  readonly parent?: Region;
  readonly depth: number;
  /** Entering the parent does not mean that this region runs. */
  readonly conditional: boolean;
  readonly items: Item[];
  readonly table: Map<string, Value>;
  /** Accesses seen here, by the moving part of their address: the smallest constant part. See address.ts. */
  readonly witnesses: Map<string, number>;
  /** Set once, when the region is the body of an innermost loop and its counter exists. */
  loop?: Loop;
}

/** What address.ts needs to give an innermost loop pointers that move. */
export interface Loop {
  readonly counter: Value;
  readonly from: Value;
  readonly step: number;
  /** Where the initial values are computed. */
  readonly outside: Region;
  readonly moves: Move[];
  readonly pointers: Map<string, Value>;
}

export interface Move {
  readonly local: number;
  readonly by: Value;
}

export type Item =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "set"; readonly local: number; readonly value: Value; readonly epochs: Epochs }
  | {
      readonly kind: "store";
      readonly op: MemoryInstruction;
      readonly offset: number;
      readonly address: Value;
      readonly value: Value;
      readonly epochs: Epochs;
    }
  | {
      readonly kind: "if";
      readonly condition: Value;
      readonly then: Region;
      readonly otherwise?: Region;
      readonly epochs: Epochs;
    }
  /** do { body; moves } while (counter < limit), where the first move is the counter's. */
  | { readonly kind: "loop"; readonly body: Region; readonly moves: readonly Move[]; readonly limit: Value; readonly epochs: Epochs };

/** One state of a variable or a buffer, from a region on. */
export interface Version {
  readonly id: number;
  readonly region: Region;
}

export interface Flow {
  /** Of all locals, parameters first. */
  readonly locals: WasmType[];
  readonly parameters: number;
  readonly root: Region;
  region: Region;
  /** Grow with each assignment and each store, so that equal epochs mean: nothing happened between. */
  variableEpoch: number;
  memoryEpoch: number;
  nextId: number;
  readonly versions: Map<string, Version>;
  readonly options: FlowOptions;
  /** Helper functions that the flow calls. */
  readonly helpers: Set<string>;
}

export interface FlowOptions {
  readonly relaxed: boolean;
}

export function region(parent: Region | undefined, conditional: boolean): Region {
  return {
    ...(parent === undefined ? {} : { parent }),
    depth: parent === undefined ? 0 : parent.depth + 1,
    conditional,
    items: [],
    table: new Map(),
    witnesses: new Map(),
  };
}

export function flow(parameters: readonly WasmType[], options: FlowOptions): Flow {
  const root = region(undefined, false);
  return {
    locals: [...parameters],
    parameters: parameters.length,
    root,
    region: root,
    variableEpoch: 0,
    memoryEpoch: 0,
    nextId: 0,
    versions: new Map(),
    options,
    helpers: new Set(),
  };
}

export const epochs = (at: Flow): Epochs => ({ variables: at.variableEpoch, memory: at.memoryEpoch });

export function declare(at: Flow, type: WasmType): number {
  at.locals.push(type);
  return at.locals.length - 1;
}

interface Placement {
  /** May run although the program would not have run it here: cheap, cannot trap. */
  readonly speculative: boolean;
  readonly reads?: number;
  readonly nonNegative?: boolean;
  /** Not outside this region. */
  readonly within?: Region;
}

/** The value for `key`: found, or placed in the outermost region that its operands and its safety allow. */
export function value(
  at: Flow,
  key: string,
  type: WasmType,
  args: readonly Value[],
  operation: Operation,
  placement: Placement,
): Value {
  let deepest = placement.within ?? at.root;
  for (const arg of args) if (arg.region.depth > deepest.depth) deepest = arg.region;
  for (let scope: Region | undefined = at.region; scope !== undefined && scope.depth >= deepest.depth; scope = scope.parent) {
    const found = scope.table.get(key);
    if (found !== undefined) return found;
  }
  let home = deepest;
  if (!placement.speculative) {
    home = at.region;
    while (home !== deepest && !home.conditional && home.parent !== undefined) home = home.parent;
  }
  const made: Value = {
    ...operation,
    id: at.nextId++,
    type,
    args,
    region: home,
    epochs: epochs(at),
    reads: placement.reads ?? 0,
    nonNegative: placement.nonNegative ?? false,
  };
  home.table.set(key, made);
  if (operation.kind !== "constant" && operation.kind !== "local") home.items.push({ kind: "value", value: made });
  return made;
}

export const i32 = (at: Flow, number: number): Value =>
  value(at, `i32 ${number | 0}`, "i32", [], { kind: "constant", value: number | 0 }, {
    speculative: true,
    nonNegative: (number | 0) >= 0,
  });

export const f32 = (at: Flow, number: number): Value =>
  value(at, `f32 ${Object.is(number, -0) ? "-0" : number}`, "f32", [], { kind: "constant", value: number }, { speculative: true });

export const v128 = (at: Flow, bytes: readonly number[]): Value =>
  value(at, `v128 ${bytes.join()}`, "v128", [], { kind: "vector", bytes }, { speculative: true });

/** A local of `region`, declared now; the caller sees to it that it is set before and not while the region runs. */
export function localValue(at: Flow, type: WasmType, index: number, within: Region, nonNegative: boolean): Value {
  return value(at, `local ${index}`, type, [], { kind: "local", index }, { speculative: true, within, nonNegative });
}

const cheap = /^i32\.(add|sub|mul|shl|shr_u|shr_s|and|or|xor|eqz|eq|ne|lt_s|le_s|gt_s)$/;
const commutative = /^(i32|f32|i32x4|f32x4|v128)\.(add|mul|and|or|xor|eq|ne)$/;

export function operation(at: Flow, op: Instruction, ...given: readonly Value[]): Value {
  const args =
    commutative.test(op) && given[0]!.id > given[1]!.id && given[1]!.kind !== "constant" ? [given[1]!, given[0]!] : given;
  return value(at, `${op} ${args.map(({ id }) => id).join()}`, instructions[op][1], args, { kind: "operation", op, lane: 0 }, {
    speculative: cheap.test(op),
    nonNegative: op === "i32.and" ? args.some((arg) => arg.nonNegative) : op === "i32.shr_u" && args[0]!.nonNegative,
  });
}

/** Quotient or remainder of non-negative numbers; `safe` says that the divisor cannot be zero, wherever it runs. */
export const division = (at: Flow, op: "i32.div_u" | "i32.rem_u", a: Value, b: Value, safe: boolean): Value =>
  value(at, `${op} ${a.id},${b.id}`, "i32", [a, b], { kind: "operation", op, lane: 0 }, {
    speculative: safe,
    nonNegative: true,
  });

export const lane = (at: Flow, op: Instruction, index: number, ...args: readonly Value[]): Value =>
  value(at, `${op} ${index} ${args.map(({ id }) => id).join()}`, instructions[op][1], args, { kind: "operation", op, lane: index }, {
    speculative: false,
  });

export const shuffle = (at: Flow, a: Value, b: Value, lanes: readonly number[]): Value =>
  value(at, `shuffle ${lanes.join()} ${a.id},${b.id}`, "v128", [a, b], { kind: "shuffle", lanes }, { speculative: false });

export const selectValue = (at: Flow, a: Value, b: Value, condition: Value): Value =>
  value(at, `select ${a.id},${b.id},${condition.id}`, a.type, [a, b, condition], { kind: "select" }, { speculative: false });

export function callValue(at: Flow, helper: string, type: WasmType, ...args: readonly Value[]): Value {
  at.helpers.add(helper);
  return value(at, `call ${helper} ${args.map(({ id }) => id).join()}`, type, args, { kind: "call", helper }, { speculative: false });
}

/** `changing`: something stores to this buffer while the function runs. */
export function load(
  at: Flow,
  op: MemoryInstruction,
  buffer: string,
  changing: boolean,
  address: Value,
  offset: number,
): Value {
  const version = at.versions.get(`@${buffer}`);
  const key = `${op} ${buffer} ${version?.id ?? 0} ${address.id} ${offset}`;
  return value(at, key, memoryInstructions[op][1], [address], { kind: "load", op, offset, buffer }, {
    speculative: false,
    reads: changing ? readsMemory : 0,
    ...(version === undefined ? {} : { within: version.region }),
  });
}

export function variable(at: Flow, name: string, index: number): Value {
  const version = at.versions.get(name);
  if (version === undefined) throw new Error(`internal: the variable ${name} is read before it is set`);
  return value(at, `variable ${index} ${version.id}`, at.locals[index]!, [], { kind: "variable", index }, {
    speculative: true,
    reads: readsVariables,
    within: version.region,
  });
}

/** From now on, what `name` (a variable, or `@buffer`) held before is no longer known. */
export function renew(at: Flow, name: string, within: Region = at.region): void {
  at.versions.set(name, { id: at.nextId++, region: within });
}

export function assign(at: Flow, local: number, assigned: Value): void {
  at.region.items.push({ kind: "set", local, value: assigned, epochs: epochs(at) });
  at.variableEpoch++;
}

export function store(at: Flow, op: MemoryInstruction, buffer: string, address: Value, offset: number, stored: Value): void {
  at.region.items.push({ kind: "store", op, offset, address, value: stored, epochs: epochs(at) });
  at.memoryEpoch++;
  renew(at, `@${buffer}`);
}
