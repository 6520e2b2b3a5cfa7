// The functions and casts of the Kernel IR on values of a flow: which instruction, or which few. In: operands as values, the
// type of the operands. Out: a value. Where SIMD has no instruction, lane by lane; elementary functions are in math.ts.

import type { BinaryFn, UnaryFn, ValueType } from "../kernel.ts";
import { isVector } from "../kernel-type.ts";
import type { Flow, Value } from "./flow.ts";
import { callValue, constantOf, division, f32, i32, lane, operation } from "./values.ts";
import type { Instruction } from "./instructions.ts";
import { either, extreme, f32x4, firstLane, i32x4, mathOf, type MathFn } from "./math.ts";

/** Functions that are called; the others are written in place. */
const called: ReadonlySet<UnaryFn> = new Set<UnaryFn>(["log", "sin", "cos", "erf"]);

/** Scalar math goes through lane 0 of the vector code. */
function math(at: Flow, fn: UnaryFn & MathFn, type: ValueType, a: Value): Value {
  const wide = isVector(type) ? a : operation(at, "f32x4.splat", a);
  const result = called.has(fn) ? callValue(at, fn, "v128", wide) : mathOf(at, fn, wide);
  return isVector(type) ? result : firstLane(at, result);
}

export function lowerUnary(at: Flow, fn: UnaryFn, type: ValueType, a: Value): Value {
  const x4 = isVector(type);
  const isFloat = type === "f32" || type === "f32x4";
  const float = (scalar: Instruction, wide: Instruction): Value => operation(at, x4 ? wide : scalar, a);
  switch (fn) {
    case "exp":
    case "log":
    case "tanh":
    case "sin":
    case "cos":
    case "erf":
      return math(at, fn, type, a);
    case "neg":
      if (isFloat) return float("f32.neg", "f32x4.neg");
      return x4 ? operation(at, "i32x4.neg", a) : operation(at, "i32.sub", i32(at, 0), a);
    case "abs":
      if (isFloat) return float("f32.abs", "f32x4.abs");
      if (x4) return operation(at, "i32x4.abs", a);
      return either(at, operation(at, "i32.sub", i32(at, 0), a), a, operation(at, "i32.lt_s", a, i32(at, 0)));
    case "sqrt":
      return float("f32.sqrt", "f32x4.sqrt");
    case "floor":
      return float("f32.floor", "f32x4.floor");
    case "ceil":
      return float("f32.ceil", "f32x4.ceil");
    case "round":
      return float("f32.nearest", "f32x4.nearest");
    case "not":
      return x4 ? operation(at, "v128.not", a) : operation(at, "i32.eqz", a);
    case "isnan":
      return operation(at, x4 ? "f32x4.ne" : "f32.ne", a, a);
    case "order": {
      // Negative floats have a sign and a size, integers a complement: all bits but the first turn over.
      const [shift, clear, turn] = x4
        ? (["i32x4.shr_s", "i32x4.shr_u", "v128.xor"] as const)
        : (["i32.shr_s", "i32.shr_u", "i32.xor"] as const);
      const bits = x4 ? a : operation(at, "i32.reinterpret_f32", a);
      return operation(
        at,
        turn,
        bits,
        operation(at, clear, operation(at, shift, bits, i32(at, 31)), i32(at, 1)),
      );
    }
    case "sign":
      return sign(at, type, a);
    case "bf16":
    case "f16":
      throw new Error(`internal: no ${fn} here: a thread of a CPU has numbers of 32 bits only`);
    default:
      return fn satisfies never;
  }
}

/** (a > 0) - (a < 0): NaN gives 0. */
function sign(at: Flow, type: ValueType, a: Value): Value {
  const parts = {
    f32: ["f32.lt", "f32.convert_i32_s", f32] as const,
    i32: ["i32.lt_s", undefined, i32] as const,
    f32x4: ["f32x4.lt", "f32x4.convert_i32x4_s", f32x4] as const,
    i32x4: ["i32x4.lt_s", undefined, i32x4] as const,
  };
  if (type === "bool" || type === "boolx4" || type === "f16" || type === "f16x4")
    throw new Error(`internal: sign of ${type}`);
  const [less, convert, zero] = parts[type];
  const [positive, negative] = [operation(at, less, zero(at, 0), a), operation(at, less, a, zero(at, 0))];
  // masks count as -1
  const difference = isVector(type)
    ? operation(at, "i32x4.sub", negative, positive)
    : operation(at, "i32.sub", positive, negative);
  return convert === undefined ? difference : operation(at, convert, difference);
}

/** Functions with one instruction for each type of operands; a CPU has none for f16. */
const direct: Readonly<
  Record<Exclude<ValueType, "f16" | "f16x4">, Readonly<Partial<Record<BinaryFn, Instruction>>>>
> = {
  f32: {
    ...{ add: "f32.add", sub: "f32.sub", mul: "f32.mul", div: "f32.div" },
    ...{ lt: "f32.lt", le: "f32.le", eq: "f32.eq", ne: "f32.ne" },
  },
  f32x4: {
    ...{ add: "f32x4.add", sub: "f32x4.sub", mul: "f32x4.mul", div: "f32x4.div" },
    ...{ lt: "f32x4.lt", le: "f32x4.le", eq: "f32x4.eq", ne: "f32x4.ne" },
  },
  i32: {
    ...{ add: "i32.add", sub: "i32.sub", mul: "i32.mul", shl: "i32.shl", shr: "i32.shr_s" },
    ...{ lt: "i32.lt_s", le: "i32.le_s", eq: "i32.eq", ne: "i32.ne" },
    ...{ and: "i32.and", or: "i32.or", xor: "i32.xor" },
  },
  i32x4: {
    ...{ add: "i32x4.add", sub: "i32x4.sub", mul: "i32x4.mul", min: "i32x4.min_s", max: "i32x4.max_s" },
    ...{ lt: "i32x4.lt_s", le: "i32x4.le_s", eq: "i32x4.eq", ne: "i32x4.ne" },
    ...{ and: "v128.and", or: "v128.or", xor: "v128.xor" },
  },
  bool: { eq: "i32.eq", ne: "i32.ne", and: "i32.and", or: "i32.or", xor: "i32.xor" },
  boolx4: { eq: "i32x4.eq", ne: "i32x4.ne", and: "v128.and", or: "v128.or", xor: "v128.xor" },
};

export function lowerBinary(at: Flow, fn: BinaryFn, type: ValueType, a: Value, b: Value): Value {
  if (type === "i32") {
    const x = constantOf(a);
    const y = constantOf(b);
    const decided = x === undefined || y === undefined ? undefined : compare(fn, x, y);
    if (decided !== undefined) return i32(at, Number(decided));
  }
  if (type === "f16" || type === "f16x4") throw new Error(`internal: ${fn} of ${type} has no instruction`);
  const op = direct[type][fn];
  if (op !== undefined) return operation(at, op, a, b);
  switch (fn) {
    case "div":
    case "mod":
      return type === "i32" ? quotient(at, fn, a, b) : byLane(at, a, b, (x, y) => quotient(at, fn, x, y));
    case "min":
    case "max":
      if (type !== "i32") return lowerExtreme(at, fn, type, a, b);
      return either(
        at,
        a,
        b,
        fn === "min" ? operation(at, "i32.lt_s", a, b) : operation(at, "i32.lt_s", b, a),
      );
    case "pow": {
      const [x, y] = isVector(type)
        ? [a, b]
        : [operation(at, "f32x4.splat", a), operation(at, "f32x4.splat", b)];
      const result = callValue(at, "pow", "v128", x, y);
      return isVector(type) ? result : firstLane(at, result);
    }
    case "shl":
    case "shr": {
      const one = fn === "shl" ? "i32.shl" : "i32.shr_s";
      return byLane(at, a, b, (x, y) => operation(at, one, x, y));
    }
    default:
      throw new Error(`internal: ${fn} of ${type} has no instruction`);
  }
}

function compare(fn: BinaryFn, a: number, b: number): boolean | undefined {
  if (fn === "lt") return a < b;
  if (fn === "le") return a <= b;
  if (fn === "eq") return a === b;
  return fn === "ne" ? a !== b : undefined;
}

const isNumber = (value: Value): boolean => !Number.isNaN(constantOf(value) ?? NaN);

function lowerExtreme(at: Flow, fn: "min" | "max", type: ValueType, a: Value, b: Value): Value {
  if (type === "f32x4") {
    // a vector literal is four numbers: kernels do not write NaN literals
    const constants = { a: a.operation.kind === "vector", b: b.operation.kind === "vector" };
    return extreme(at, fn, a, b, constants);
  }
  if (isNumber(a) && !isNumber(b)) return lowerExtreme(at, fn, type, b, a);
  // b where b is smaller or a is NaN; written so that one comparison is enough when b is a number
  const keeps = operation(at, "f32.le", fn === "min" ? a : b, fn === "min" ? b : a);
  const keepsA = isNumber(b) ? keeps : operation(at, "i32.or", keeps, operation(at, "f32.ne", b, b));
  return either(at, a, b, keepsA);
}

/** Where SIMD has no instruction: lane by lane. */
function byLane(at: Flow, a: Value, b: Value, apply: (x: Value, y: Value) => Value): Value {
  const get = (value: Value, index: number): Value => lane(at, "i32x4.extract_lane", index, value);
  let result = operation(at, "i32x4.splat", apply(get(a, 0), get(b, 0)));
  for (let index = 1; index < 4; index++)
    result = lane(at, "i32x4.replace_lane", index, result, apply(get(a, index), get(b, index)));
  return result;
}

export function cast(at: Flow, from: ValueType, to: ValueType, a: Value): Value {
  if (from === to) return a;
  switch (`${from}>${to}`) {
    case "f32>i32":
      return operation(at, "i32.trunc_sat_f32_s", a);
    case "f32x4>i32x4":
      return operation(at, "i32x4.trunc_sat_f32x4_s", a);
    case "i32>f32":
    case "bool>f32":
      return operation(at, "f32.convert_i32_s", a);
    case "i32x4>f32x4":
      return operation(at, "f32x4.convert_i32x4_s", a);
    case "bool>i32":
      return a;
    case "boolx4>i32x4":
      return operation(at, "v128.and", a, i32x4(at, 1));
    case "boolx4>f32x4":
      return operation(at, "v128.and", a, f32x4(at, 1));
    default:
      throw new Error(`internal: no cast from ${from} to ${to}`);
  }
}

function quotient(at: Flow, fn: "div" | "mod", a: Value, b: Value): Value {
  const divisor = constantOf(b);
  if (divisor !== undefined && divisor > 0 && (divisor & (divisor - 1)) === 0)
    return fn === "div"
      ? operation(at, "i32.shr_u", a, i32(at, 31 - Math.clz32(divisor)))
      : operation(at, "i32.and", a, i32(at, divisor - 1));
  const op = fn === "div" ? "i32.div_u" : "i32.rem_u";
  if (divisor !== undefined) return division(at, op, a, b, divisor !== 0);
  // divisors known at launch are made safe once, so that the division may move out of loops that never run
  if (b.region !== at.root) return division(at, op, a, b, false);
  return division(at, op, a, operation(at, "i32.add", b, operation(at, "i32.eqz", b)), true);
}
