// Constructors of values: constants, operations, loads, reads of variables, each with what it allows the placement to do.
// In: operands. Out: a value of the flow, found or placed (flow.ts). No simplification but the order of commuting operands.

import { readsMemory, readsVariables, value, type Flow, type Region, type Value } from "./flow.ts";
import { factsOf, type Instruction, type MemoryInstruction, type WasmType } from "./instructions.ts";

const none: readonly Value[] = [];
const anywhere = { speculative: true };
const anywhereNonNegative = { speculative: true, nonNegative: true };
const here = { speculative: false };
const hereNonNegative = { speculative: false, nonNegative: true };

export const i32 = (at: Flow, number: number): Value =>
  value(
    at,
    "i32",
    none,
    { kind: "constant", value: number | 0 },
    (number | 0) >= 0 ? anywhereNonNegative : anywhere,
  );

export const f32 = (at: Flow, number: number): Value =>
  value(at, "f32", none, { kind: "constant", value: number }, anywhere);

/** Four 32-bit words, the lowest lane first. */
export const v128 = (at: Flow, words: readonly number[]): Value =>
  value(at, "v128", none, { kind: "vector", words }, anywhere);

/** The number of a constant. */
export const constantOf = ({ operation }: Value): number | undefined =>
  operation.kind === "constant" ? operation.value : undefined;

/** A local of `region`, declared now; the caller sees to it that it is set before and not while the region runs. */
export const localValue = (
  at: Flow,
  type: WasmType,
  index: number,
  within: Region,
  nonNegative: boolean,
): Value => value(at, type, none, { kind: "local", index }, { speculative: true, within, nonNegative });

export function operation(at: Flow, op: Instruction, ...given: readonly Value[]): Value {
  const { type, cheap, commutative } = factsOf(op);
  const swap = commutative && given[0]!.id > given[1]!.id && given[1]!.operation.kind !== "constant";
  const args = swap ? [given[1]!, given[0]!] : given;
  const nonNegative =
    op === "i32.and"
      ? args[0]!.nonNegative || args[1]!.nonNegative
      : op === "i32.shr_u" && args[0]!.nonNegative;
  return value(
    at,
    type,
    args,
    { kind: "operation", op, lane: 0 },
    cheap ? (nonNegative ? anywhereNonNegative : anywhere) : nonNegative ? hereNonNegative : here,
  );
}

/** Quotient or remainder of non-negative numbers; `safe` says that the divisor cannot be zero, wherever it runs. */
export const division = (at: Flow, op: "i32.div_u" | "i32.rem_u", a: Value, b: Value, safe: boolean): Value =>
  value(at, "i32", [a, b], { kind: "operation", op, lane: 0 }, safe ? anywhereNonNegative : hereNonNegative);

export const lane = (at: Flow, op: Instruction, index: number, ...args: readonly Value[]): Value =>
  value(at, factsOf(op).type, args, { kind: "operation", op, lane: index }, here);

export const shuffle = (at: Flow, a: Value, b: Value, lanes: readonly number[]): Value =>
  value(at, "v128", [a, b], { kind: "shuffle", lanes }, here);

export const selectValue = (at: Flow, a: Value, b: Value, condition: Value): Value =>
  value(at, a.type, [a, b, condition], { kind: "select" }, here);

export const callValue = (at: Flow, helper: string, type: WasmType, ...args: readonly Value[]): Value =>
  value(at, type, args, { kind: "call", helper }, here);

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
  return value(
    at,
    factsOf(op).type,
    [address],
    { kind: "load", op, offset, buffer, version: version?.id ?? 0 },
    { speculative: false, reads: changing ? readsMemory : 0, within: version?.region },
  );
}

export function variable(at: Flow, name: string, index: number): Value {
  const version = at.versions.get(name);
  if (version === undefined) throw new Error(`internal: the variable ${name} is read before it is set`);
  return value(
    at,
    at.locals[index]!,
    none,
    { kind: "variable", index, version: version.id },
    { speculative: true, reads: readsVariables, within: version.region },
  );
}
