// Flow: the body of one wasm function while it is being built. Values are hash-consed and immutable; effects (sets,
// stores, loops, branches) are items of nested regions. Building a value places it at once: as far out as its operands
// and its safety allow, so that loop invariants leave their loops and common subexpressions are computed once.
// Knows nothing of kernels (lower-kernel.ts) nor of bytes (emit.ts).

import { factsOf, type Instruction, type MemoryInstruction, type WasmType } from "./instructions.ts";

/** What a value must not be moved across: nothing, an assignment to a variable, or a store. Bits. */
export const readsVariables = 1;
export const readsMemory = 2;

export interface Value {
  /** As an item: the value is computed here, or where it is used. */
  readonly kind: "value";
  readonly id: number;
  readonly type: WasmType;
  readonly operation: Operation;
  readonly args: readonly Value[];
  readonly region: Region;
  /** Epochs of the flow when the value was computed, see `Flow`. */
  readonly epochs: Epochs;
  readonly reads: number;
  /** i32 values that are known to be >= 0. */
  readonly nonNegative: boolean;
  /** The next older value with the same hash. */
  readonly older: Value | undefined;
}

export type Operation =
  | { readonly kind: "constant"; readonly value: number }
  /** Four 32-bit words, the lowest lane first. */
  | { readonly kind: "vector"; readonly words: readonly number[] }
  /** A local that keeps its value while the region that declares it runs: parameters, counters, pointers. */
  | { readonly kind: "local"; readonly index: number }
  | { readonly kind: "variable"; readonly index: number; readonly version: number }
  | { readonly kind: "operation"; readonly op: Instruction; readonly lane: number }
  | { readonly kind: "shuffle"; readonly lanes: readonly number[] }
  | { readonly kind: "select" }
  | {
      readonly kind: "load";
      readonly op: MemoryInstruction;
      readonly offset: number;
      readonly buffer: string;
      readonly version: number;
    }
  | { readonly kind: "call"; readonly helper: string };

/** Grow with each assignment and each store, so that equal epochs mean: nothing happened between. */
export interface Epochs {
  readonly variables: number;
  readonly memory: number;
}

export interface Region {
  readonly parent: Region | undefined;
  readonly depth: number;
  /** Entering the parent does not mean that this region runs. */
  readonly conditional: boolean;
  readonly items: Item[];
  /** Accesses seen here that may have failed: see address.ts. */
  readonly witnesses: Witness[];
  /** Set once, when the region is the body of an innermost loop and its counter exists. */
  loop: Loop | undefined;
}

/** What address.ts needs to give an innermost loop pointers that move. */
export interface Loop {
  readonly counter: Value;
  readonly from: Value;
  readonly step: number;
  /** Where the initial values are computed. */
  readonly outside: Region;
  readonly moves: Move[];
  readonly pointers: Pointer[];
}

/** The address of an access, without its constant part: the smallest constant that some access has added to it. */
export interface Witness {
  readonly rest: Polynomial;
  readonly hash: number;
  smallest: number;
}

/** A local that starts at `start` (plus a part that grows) and grows by `rate` times the counter. */
export interface Pointer {
  readonly start: Value | undefined;
  readonly rate: Polynomial;
  readonly hash: number;
  readonly value: Value;
}

/** One product of values. */
export interface Term {
  readonly coefficient: number;
  /** Sorted by id; never empty. */
  readonly factors: readonly Value[];
}

/** An integer polynomial over values, see polynomial.ts. No two terms have the same factors, no coefficient is 0. */
export interface Polynomial {
  readonly constant: number;
  /** Sorted by their factors. */
  readonly terms: readonly Term[];
}

export interface Move {
  readonly local: number;
  readonly by: Value;
}

export type Item =
  | Value
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
      readonly otherwise: Region | undefined;
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
  epochs: Epochs;
  nextId: number;
  readonly versions: Map<string, Version>;
  /** The newest value of each hash; older ones hang on it. */
  readonly table: Map<number, Value>;
}

export const region = (parent: Region | undefined, conditional: boolean): Region => ({
  parent,
  depth: parent === undefined ? 0 : parent.depth + 1,
  conditional,
  items: [],
  witnesses: [],
  loop: undefined,
});

export function flow(parameters: readonly WasmType[]): Flow {
  const root = region(undefined, false);
  return {
    locals: [...parameters],
    parameters: parameters.length,
    root,
    region: root,
    epochs: { variables: 0, memory: 0 },
    nextId: 0,
    versions: new Map(),
    table: new Map(),
  };
}

/** Something was assigned, something stored, or (after loops and branches) perhaps both. */
export function advance(at: Flow, variables: 0 | 1, memory: 0 | 1): void {
  at.epochs = { variables: at.epochs.variables + variables, memory: at.epochs.memory + memory };
}

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
  readonly within?: Region | undefined;
}

/** The value of an operation: found, or placed in the outermost region that its operands and its safety allow. */
export function value(
  at: Flow,
  type: WasmType,
  args: readonly Value[],
  operation: Operation,
  placement: Placement,
): Value {
  let hash = hashOf(operation);
  let deepest = placement.within ?? at.root;
  for (let index = 0; index < args.length; index++) {
    const { id, region } = args[index]!;
    hash = Math.imul(hash, 31) + id;
    if (region.depth > deepest.depth) deepest = region;
  }
  hash |= 0;
  const newest = at.table.get(hash);
  let found: Value | undefined;
  for (let other = newest; other !== undefined; other = other.older)
    if (
      same(other, type, args, operation) &&
      (found === undefined || other.region.depth > found.region.depth) &&
      surrounds(other.region, at.region)
    )
      found = other;
  if (found !== undefined) return found;
  let home = deepest;
  if (!placement.speculative) {
    home = at.region;
    while (home !== deepest && !home.conditional && home.parent !== undefined) home = home.parent;
  }
  const made: Value = {
    kind: "value",
    id: at.nextId++,
    type,
    operation,
    args,
    region: home,
    epochs: at.epochs,
    reads: placement.reads ?? 0,
    nonNegative: placement.nonNegative ?? false,
    older: newest,
  };
  at.table.set(hash, made);
  if (operation.kind !== "constant" && operation.kind !== "local") home.items.push(made);
  return made;
}

function surrounds(outer: Region, inner: Region): boolean {
  let region = inner;
  while (region.depth > outer.depth) region = region.parent!;
  return region === outer;
}

function hashOf(operation: Operation): number {
  switch (operation.kind) {
    case "constant":
      return Math.imul(operation.value * 1024, 5);
    case "vector":
      return Math.imul(operation.words[0]!, 3) + operation.words[3]!;
    case "local":
      return Math.imul(operation.index, 7);
    case "variable":
      return Math.imul(operation.version, 11);
    case "operation":
      return Math.imul(factsOf(operation.op).code, 13) + operation.lane;
    case "shuffle":
      return 17;
    case "select":
      return 19;
    case "load":
      return Math.imul(operation.offset, 23) + factsOf(operation.op).code;
    case "call":
      return 29;
    default:
      return operation satisfies never;
  }
}

function same(known: Value, type: WasmType, args: readonly Value[], operation: Operation): boolean {
  if (known.type !== type || known.args.length !== args.length) return false;
  for (let index = 0; index < args.length; index++) if (known.args[index] !== args[index]) return false;
  const other = known.operation;
  switch (operation.kind) {
    case "constant":
      return other.kind === "constant" && Object.is(other.value, operation.value);
    case "vector":
      return other.kind === "vector" && equal(other.words, operation.words);
    case "local":
      return other.kind === "local" && other.index === operation.index;
    case "variable":
      return (
        other.kind === "variable" && other.index === operation.index && other.version === operation.version
      );
    case "operation":
      return other.kind === "operation" && other.op === operation.op && other.lane === operation.lane;
    case "shuffle":
      return other.kind === "shuffle" && equal(other.lanes, operation.lanes);
    case "select":
      return other.kind === "select";
    case "load":
      return (
        other.kind === "load" &&
        other.op === operation.op &&
        other.offset === operation.offset &&
        other.buffer === operation.buffer &&
        other.version === operation.version
      );
    case "call":
      return other.kind === "call" && other.helper === operation.helper;
    default:
      return operation satisfies never;
  }
}

const equal = (a: readonly number[], b: readonly number[]): boolean =>
  a.every((number, index) => number === b[index]);

/** From now on, what `name` (a variable, or `@buffer`) held before is no longer known. */
export function renew(at: Flow, name: string, within: Region = at.region): void {
  at.versions.set(name, { id: at.nextId++, region: within });
}

export function assign(at: Flow, local: number, assigned: Value): void {
  at.region.items.push({ kind: "set", local, value: assigned, epochs: at.epochs });
  advance(at, 1, 0);
}

export function store(
  at: Flow,
  op: MemoryInstruction,
  buffer: string,
  address: Value,
  offset: number,
  stored: Value,
): void {
  at.region.items.push({ kind: "store", op, offset, address, value: stored, epochs: at.epochs });
  advance(at, 0, 1);
  renew(at, `@${buffer}`);
}
