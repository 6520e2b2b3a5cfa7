// Constructors of values: constants, operations, loads, reads of variables, each with what it allows the placement to do.
// In: operands. Out: a value of the flow, found or placed (flow.ts). No simplification but the order of commuting operands.

import { readsMemory, readsVariables, value, type Flow, type Region, type Value } from "./flow.ts";
import {
  instructions,
  memoryInstructions,
  type Instruction,
  type MemoryInstruction,
  type WasmType,
} from "./instructions.ts";

export const i32 = (at: Flow, number: number): Value =>
  value(
    at,
    `i32 ${number | 0}`,
    "i32",
    [],
    { kind: "constant", value: number | 0 },
    {
      speculative: true,
      nonNegative: (number | 0) >= 0,
    },
  );

export const f32 = (at: Flow, number: number): Value =>
  value(
    at,
    `f32 ${Object.is(number, -0) ? "-0" : number}`,
    "f32",
    [],
    { kind: "constant", value: number },
    { speculative: true },
  );

export const v128 = (at: Flow, bytes: readonly number[]): Value =>
  value(at, `v128 ${bytes.join()}`, "v128", [], { kind: "vector", bytes }, { speculative: true });

/** A local of `region`, declared now; the caller sees to it that it is set before and not while the region runs. */
export function localValue(
  at: Flow,
  type: WasmType,
  index: number,
  within: Region,
  nonNegative: boolean,
): Value {
  return value(
    at,
    `local ${index}`,
    type,
    [],
    { kind: "local", index },
    { speculative: true, within, nonNegative },
  );
}

const cheap = /^i32\.(add|sub|mul|shl|shr_u|shr_s|and|or|xor|eqz|eq|ne|lt_s|le_s|gt_s)$/;
const commutative = /^(i32|f32|i32x4|f32x4|v128)\.(add|mul|and|or|xor|eq|ne)$/;

export function operation(at: Flow, op: Instruction, ...given: readonly Value[]): Value {
  const args =
    commutative.test(op) && given[0]!.id > given[1]!.id && given[1]!.kind !== "constant"
      ? [given[1]!, given[0]!]
      : given;
  return value(
    at,
    `${op} ${args.map(({ id }) => id).join()}`,
    instructions[op][1],
    args,
    { kind: "operation", op, lane: 0 },
    {
      speculative: cheap.test(op),
      nonNegative:
        op === "i32.and" ? args.some((arg) => arg.nonNegative) : op === "i32.shr_u" && args[0]!.nonNegative,
    },
  );
}

/** Quotient or remainder of non-negative numbers; `safe` says that the divisor cannot be zero, wherever it runs. */
export const division = (at: Flow, op: "i32.div_u" | "i32.rem_u", a: Value, b: Value, safe: boolean): Value =>
  value(
    at,
    `${op} ${a.id},${b.id}`,
    "i32",
    [a, b],
    { kind: "operation", op, lane: 0 },
    {
      speculative: safe,
      nonNegative: true,
    },
  );

export const lane = (at: Flow, op: Instruction, index: number, ...args: readonly Value[]): Value =>
  value(
    at,
    `${op} ${index} ${args.map(({ id }) => id).join()}`,
    instructions[op][1],
    args,
    { kind: "operation", op, lane: index },
    {
      speculative: false,
    },
  );

export const shuffle = (at: Flow, a: Value, b: Value, lanes: readonly number[]): Value =>
  value(
    at,
    `shuffle ${lanes.join()} ${a.id},${b.id}`,
    "v128",
    [a, b],
    { kind: "shuffle", lanes },
    { speculative: false },
  );

export const selectValue = (at: Flow, a: Value, b: Value, condition: Value): Value =>
  value(
    at,
    `select ${a.id},${b.id},${condition.id}`,
    a.type,
    [a, b, condition],
    { kind: "select" },
    { speculative: false },
  );

export function callValue(at: Flow, helper: string, type: WasmType, ...args: readonly Value[]): Value {
  at.helpers.add(helper);
  return value(
    at,
    `call ${helper} ${args.map(({ id }) => id).join()}`,
    type,
    args,
    { kind: "call", helper },
    { speculative: false },
  );
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
  return value(
    at,
    key,
    memoryInstructions[op][1],
    [address],
    { kind: "load", op, offset, buffer },
    {
      speculative: false,
      reads: changing ? readsMemory : 0,
      ...(version === undefined ? {} : { within: version.region }),
    },
  );
}

export function variable(at: Flow, name: string, index: number): Value {
  const version = at.versions.get(name);
  if (version === undefined) throw new Error(`internal: the variable ${name} is read before it is set`);
  return value(
    at,
    `variable ${index} ${version.id}`,
    at.locals[index]!,
    [],
    { kind: "variable", index },
    {
      speculative: true,
      reads: readsVariables,
      within: version.region,
    },
  );
}
