// Flow: the body of one wasm function while it is being built. Values are hash-consed and immutable; effects (sets,
// stores, loops, branches) are items of nested regions. Building a value places it at once: as far out as its operands
// and its safety allow, so that loop invariants leave their loops and common subexpressions are computed once.
// Knows nothing of kernels (lower-kernel.ts) nor of bytes (emit.ts).

import type { Instruction, MemoryInstruction, WasmType } from "./instructions.ts";

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
  | {
      readonly kind: "load";
      readonly op: MemoryInstruction;
      readonly offset: number;
      readonly buffer: string;
    }
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
  | {
      readonly kind: "loop";
      readonly body: Region;
      readonly moves: readonly Move[];
      readonly limit: Value;
      readonly epochs: Epochs;
    };

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
  for (
    let scope: Region | undefined = at.region;
    scope !== undefined && scope.depth >= deepest.depth;
    scope = scope.parent
  ) {
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
  if (operation.kind !== "constant" && operation.kind !== "local")
    home.items.push({ kind: "value", value: made });
  return made;
}

/** From now on, what `name` (a variable, or `@buffer`) held before is no longer known. */
export function renew(at: Flow, name: string, within: Region = at.region): void {
  at.versions.set(name, { id: at.nextId++, region: within });
}

export function assign(at: Flow, local: number, assigned: Value): void {
  at.region.items.push({ kind: "set", local, value: assigned, epochs: epochs(at) });
  at.variableEpoch++;
}

export function store(
  at: Flow,
  op: MemoryInstruction,
  buffer: string,
  address: Value,
  offset: number,
  stored: Value,
): void {
  at.region.items.push({ kind: "store", op, offset, address, value: stored, epochs: epochs(at) });
  at.memoryEpoch++;
  renew(at, `@${buffer}`);
}
