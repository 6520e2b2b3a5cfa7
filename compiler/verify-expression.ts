// Verify the expressions of a kernel: the type of every one, names read in scope, access of buffers. In: an expression, what is declared
// around it. Out: nothing, or an error `internal:` with the offending piece. Statements are verify-kernel.ts's.

import { namesOf, type Size } from "../runtime/size.ts";
import type {
  BinaryFn,
  ElementType,
  Expr,
  Fragment,
  HalfType,
  Kernel,
  UnaryFn,
  ValueType,
} from "./kernel.ts";
import { roundHalf } from "./half.ts";
import { isHeldBy, isVector, scalarOf, typeOfUnary } from "./kernel-type.ts";
import { printExpr } from "./print-kernel.ts";

export interface Checker {
  readonly kernel: Kernel;
  readonly sizes: ReadonlySet<string>;
  readonly memory: ReadonlyMap<
    string,
    { readonly type: ElementType; readonly reads: boolean; readonly writes: boolean }
  >;
  readonly scratch: ReadonlySet<string>;
  /** Where warpgroups multiply. */
  readonly inVariant: boolean;
  /** Every name declared so far, in scope or not. */
  readonly declared: Set<string>;
}

/** What a name stands for: a value, or a fragment. */
export interface Declared {
  readonly type: ValueType | Fragment["of"];
  readonly variable: boolean;
  /** Of operands of matrix units, what their scratch holds. */
  readonly half?: HalfType;
}
export type Scope = ReadonlyMap<string, Declared>;

export function fail(kernel: Kernel, message: string): never {
  throw new Error(`internal: kernel ${kernel.name}: ${message}`);
}

export function checkSize({ kernel, sizes }: Checker, size: Size): void {
  for (const name of namesOf(size)) if (!sizes.has(name)) fail(kernel, `the size ${name} is not declared`);
}

export function checkIs(checker: Checker, scope: Scope, expr: Expr, type: ValueType): void {
  check(checker, scope, expr);
  if (expr.type !== type) fail(checker.kernel, `${printExpr(expr)} is ${expr.type}, wanted ${type}`);
}

const lanes = (type: ValueType): 1 | 4 => (isVector(type) ? 4 : 1);
const floats: readonly ValueType[] = ["f32", "f32x4"];
const halves: readonly ValueType[] = ["f16", "f16x4"];
const wholes: readonly ValueType[] = ["i32", "i32x4"];
const numbers: readonly ValueType[] = [...floats, ...wholes];
const added: readonly ValueType[] = [...numbers, ...halves];
const bools: readonly ValueType[] = ["bool", "boolx4"];

const unaryTypes: Record<UnaryFn, readonly ValueType[]> = {
  neg: added,
  abs: added,
  sign: numbers,
  exp: floats,
  log: floats,
  sqrt: floats,
  tanh: floats,
  sin: floats,
  cos: floats,
  erf: floats,
  floor: floats,
  ceil: floats,
  round: floats,
  isnan: floats,
  order: floats,
  bf16: floats,
  f16: floats,
  not: bools,
};

const binaryTypes: Record<BinaryFn, readonly ValueType[]> = {
  add: added,
  sub: added,
  mul: added,
  div: numbers,
  mod: wholes,
  min: numbers,
  max: numbers,
  pow: floats,
  lt: numbers,
  le: numbers,
  eq: [...numbers, ...bools],
  ne: [...numbers, ...bools],
  and: [...wholes, ...bools],
  or: [...wholes, ...bools],
  xor: wholes,
  shl: wholes,
  shr: wholes,
};

const comparisons: ReadonlySet<BinaryFn> = new Set<BinaryFn>(["lt", "le", "eq", "ne"]);
const boolOf = (type: ValueType): ValueType => (lanes(type) === 4 ? "boolx4" : "bool");

const casts: ReadonlySet<string> = new Set([
  "f32>i32",
  "i32>f32",
  "f32>f16",
  "f16>f32",
  "bool>f32",
  "bool>i32",
]);

export function check(checker: Checker, scope: Scope, expr: Expr): void {
  const { kernel } = checker;
  const wrong = (why: string): never => fail(kernel, `${printExpr(expr)} of type ${expr.type}: ${why}`);
  const is = (inner: Expr, type: ValueType): void => checkIs(checker, scope, inner, type);
  switch (expr.op) {
    case "literal":
      if (expr.type === "f16") {
        if (!Object.is(roundHalf("f16", expr.value), expr.value)) wrong("no number of f16");
      } else if (expr.type !== "f32" && !Number.isInteger(expr.value)) wrong("a whole number is wanted");
      return;
    case "size":
      return checkSize(checker, expr.size);
    case "local": {
      const known = scope.get(expr.name);
      if (known === undefined) return wrong("read outside its scope");
      if (known.type !== expr.type) wrong(`declared as ${known.type}`);
      return;
    }
    case "workgroup":
    case "invocation":
      return;
    case "load": {
      is(expr.index, "i32");
      const memory = checker.memory.get(expr.buffer);
      if (memory === undefined) return wrong(`there is no buffer ${expr.buffer}`);
      if (!memory.reads) wrong(`${expr.buffer} is only written`);
      if (!isHeldBy(memory.type, expr.type)) wrong(`${expr.buffer} is of ${memory.type}`);
      return;
    }
    case "unary":
      check(checker, scope, expr.a);
      if (!unaryTypes[expr.fn].includes(expr.a.type)) wrong(`no ${expr.fn} of ${expr.a.type}`);
      if (expr.type !== typeOfUnary(expr.fn, expr.a.type)) wrong(`the operand is ${expr.a.type}`);
      return;
    case "binary":
      check(checker, scope, expr.a);
      is(expr.b, expr.a.type);
      if (!binaryTypes[expr.fn].includes(expr.a.type)) wrong(`no ${expr.fn} of ${expr.a.type}`);
      if (expr.type !== (comparisons.has(expr.fn) ? boolOf(expr.a.type) : expr.a.type))
        wrong(`the operands are ${expr.a.type}`);
      return;
    case "fma":
      for (const inner of [expr.a, expr.b, expr.c]) is(inner, expr.type);
      return;
    case "select":
      check(checker, scope, expr.condition);
      is(expr.a, expr.type);
      is(expr.b, expr.type);
      if (expr.condition.type !== "bool" && expr.condition.type !== boolOf(expr.type))
        wrong(`the condition is ${expr.condition.type}`);
      return;
    case "splat":
      return is(expr.a, expr.type.slice(0, -2) as ValueType);
    case "vector":
      for (const inner of expr.lanes) is(inner, scalarOf(expr.type));
      return;
    case "extract":
      return is(expr.a, `${expr.type}x4`);
    case "cast": {
      check(checker, scope, expr.a);
      const from = scalarOf(expr.a.type);
      if (lanes(expr.a.type) !== lanes(expr.type)) wrong(`from ${expr.a.type}`);
      if (from !== scalarOf(expr.type) && !casts.has(`${from}>${scalarOf(expr.type)}`))
        wrong(`from ${expr.a.type}`);
      return;
    }
    case "random":
      for (const inner of [expr.key0, expr.key1, expr.counter]) is(inner, "i32");
      return;
    default:
      return expr satisfies never;
  }
}
