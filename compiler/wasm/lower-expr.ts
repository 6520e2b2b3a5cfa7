// Kernel expressions as values of a flow. In: an expression and the names in scope. Out: a value; whole numbers as
// polynomials, so that index arithmetic is simplified and shared whatever its spelling.
// Unrolled loops bind their counter to a number, so comparisons and selections of known numbers are decided here.

import { known, type Factor, type Size } from "../../runtime/size.ts";
import type { BinaryFn, Expr, Kernel, ValueType } from "../kernel.ts";
import { isVector, scalarOf } from "../kernel-type.ts";
import type { Flow, Value } from "./flow.ts";
import { callValue, constantOf, f32, i32, lane, load, operation, shuffle, v128, variable } from "./values.ts";
import { cast, lowerBinary, lowerUnary } from "./operators.ts";
import { addressOf, type Address } from "./address.ts";
import { choose, either, f32x4, firstLane, floatWord, i32x4, multiplyAdd } from "./math.ts";
import { materialise, number, ofValue, plus, scale, times, type Polynomial } from "./polynomial.ts";

export type Name =
  | { readonly kind: "whole"; readonly value: Polynomial }
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "variable"; readonly index: number };

export interface Memory {
  readonly base: Value;
  /** In bytes, from the base. */
  readonly offset: number;
  /** Something in the kernel stores to it. */
  readonly changing: boolean;
}

export interface Scope {
  readonly flow: Flow;
  readonly kernel: Kernel;
  readonly memory: ReadonlyMap<string, Memory>;
  readonly sizes: ReadonlyMap<string, Value>;
  readonly names: Map<string, Name>;
  readonly workgroup: Value;
}

export function lowerExpr(scope: Scope, expr: Expr): Value {
  if (expr.type === "i32") return materialise(scope.flow, lowerWhole(scope, expr));
  return lowerOther(scope, expr);
}

/** An i32 expression as a polynomial. */
export function lowerWhole(scope: Scope, expr: Expr): Polynomial {
  const at = scope.flow;
  switch (expr.op) {
    case "literal":
      return number(expr.value);
    case "size":
      return lowerSize(scope, expr.size);
    case "workgroup":
      return ofValue(scope.workgroup);
    case "invocation":
      return number(0);
    case "local": {
      const name = scope.names.get(expr.name);
      if (name?.kind === "whole") return name.value;
      break;
    }
    case "unary":
      if (expr.fn === "neg" && expr.a.type === "i32") return scale(lowerWhole(scope, expr.a), -1);
      break;
    case "binary": {
      if (expr.a.type !== "i32") break;
      const a = lowerWhole(scope, expr.a);
      const b = lowerWhole(scope, expr.b);
      const whole = wholeBinary(at, expr.fn, a, b);
      return whole ?? ofValue(lowerBinary(at, expr.fn, "i32", materialise(at, a), materialise(at, b)));
    }
    default:
      break;
  }
  return ofValue(lowerOther(scope, expr));
}

function wholeBinary(at: Flow, fn: BinaryFn, a: Polynomial, b: Polynomial): Polynomial | undefined {
  if (fn === "add") return plus(a, b);
  if (fn === "sub") return plus(a, scale(b, -1));
  if (fn === "mul") return times(at, a, b);
  if (b.terms.length > 0) return undefined;
  if (fn === "shl") return scale(a, 1 << b.constant);
  if (fn === "div" && b.constant === 1) return a;
  if (fn === "mod" && b.constant === 1) return number(0);
  if (a.terms.length > 0 || b.constant <= 0) return undefined;
  if (fn === "div") return number(Math.trunc(a.constant / b.constant));
  return fn === "mod" ? number(a.constant % b.constant) : undefined;
}

export function lowerSize(scope: Scope, size: Size): Polynomial {
  const at = scope.flow;
  const constant = known(size);
  if (constant !== undefined) return number(constant);
  let sum = number(0);
  for (const { coefficient, factors } of size) {
    let term = number(coefficient);
    for (const factor of factors) term = times(at, term, lowerFactor(scope, factor));
    sum = plus(sum, term);
  }
  return sum;
}

function lowerFactor(scope: Scope, factor: Factor): Polynomial {
  const at = scope.flow;
  if (typeof factor === "string") {
    const value = scope.sizes.get(factor);
    if (value === undefined)
      throw new Error(`internal: kernel ${scope.kernel.name} reads the size ${factor} without declaring it`);
    return ofValue(value);
  }
  const a = materialise(at, lowerSize(scope, factor.of));
  const b = materialise(at, lowerSize(scope, factor.by));
  if (factor.fn === "min") return ofValue(either(at, a, b, operation(at, "i32.lt_s", a, b)));
  if (factor.fn === "max") return ofValue(either(at, b, a, operation(at, "i32.lt_s", a, b)));
  // divisors are positive; wasm truncates, so the quotient is corrected by the sign of the remainder
  const divisor = operation(at, "i32.add", b, operation(at, "i32.eqz", b));
  const truncated = operation(at, "i32.div_s", a, divisor);
  const remainder = operation(at, "i32.sub", a, operation(at, "i32.mul", truncated, divisor));
  const zero = i32(at, 0);
  return factor.fn === "ceil"
    ? ofValue(operation(at, "i32.add", truncated, operation(at, "i32.lt_s", zero, remainder)))
    : ofValue(operation(at, "i32.sub", truncated, operation(at, "i32.lt_s", remainder, zero)));
}

function lowerOther(scope: Scope, expr: Expr): Value {
  const at = scope.flow;
  const lower = (inner: Expr): Value => lowerExpr(scope, inner);
  if (scalarOf(expr.type) === "f16")
    throw new Error(`internal: kernel ${scope.kernel.name} computes in f16, which wasm has not`);
  switch (expr.op) {
    case "literal":
      return expr.type === "f32" ? f32(at, expr.value) : i32(at, expr.value);
    case "size":
    case "workgroup":
    case "invocation":
      return materialise(at, lowerWhole(scope, expr));
    case "local": {
      const name = scope.names.get(expr.name);
      if (name === undefined)
        throw new Error(`internal: kernel ${scope.kernel.name} reads ${expr.name} outside its scope`);
      if (name.kind === "variable") return variable(at, expr.name, name.index);
      return name.kind === "value" ? name.value : materialise(at, name.value);
    }
    case "load": {
      const { changing } = memoryOf(scope, expr.buffer);
      const { address, offset } = lowerAddress(scope, expr.buffer, expr.index);
      const op = isVector(expr.type) ? "v128.load" : expr.type === "f32" ? "f32.load" : "i32.load";
      return load(at, op, expr.buffer, changing, address, offset);
    }
    case "unary":
      return lowerUnary(at, expr.fn, expr.a.type, lower(expr.a));
    case "binary":
      return lowerBinary(at, expr.fn, expr.a.type, lower(expr.a), lower(expr.b));
    case "fma": {
      const [a, b, c] = [lower(expr.a), lower(expr.b), lower(expr.c)];
      if (expr.type === "f32x4") return multiplyAdd(at, a, b, c);
      // rounds as the vector code does, so that a scalar tail agrees with its vector body
      const [x, y, z] = [a, b, c].map((value) => splat(scope, "f32x4", value));
      return firstLane(at, multiplyAdd(at, x!, y!, z!));
    }
    case "select": {
      const condition = lower(expr.condition);
      const known = constantOf(condition);
      if (known !== undefined) return lower(known !== 0 ? expr.a : expr.b);
      const [a, b] = [lower(expr.a), lower(expr.b)];
      return isVector(expr.condition.type) ? choose(at, a, b, condition) : either(at, a, b, condition);
    }
    case "splat":
      return splat(scope, expr.type, lower(expr.a));
    case "vector":
      return sameLane(scope, expr.lanes) ?? vector(scope, expr.type, expr.lanes.map(lower));
    case "extract":
      return lane(
        at,
        expr.type === "f32" ? "f32x4.extract_lane" : "i32x4.extract_lane",
        expr.lane,
        lower(expr.a),
      );
    case "cast":
      return cast(at, expr.a.type, expr.type, lower(expr.a));
    case "random": {
      const stream = i32(at, expr.stream);
      const bits = callValue(
        at,
        "threefry",
        "i32",
        lower(expr.key0),
        lower(expr.key1),
        lower(expr.counter),
        stream,
      );
      if (expr.type === "i32") return bits;
      const top = operation(at, "f32.convert_i32_s", operation(at, "i32.shr_u", bits, i32(at, 8)));
      return operation(at, "f32.mul", top, f32(at, 2 ** -24));
    }
    default:
      return expr satisfies never;
  }
}

function memoryOf(scope: Scope, buffer: string): Memory {
  const memory = scope.memory.get(buffer);
  if (memory === undefined) throw new Error(`internal: kernel ${scope.kernel.name} has no buffer ${buffer}`);
  return memory;
}

export function lowerAddress(scope: Scope, buffer: string, index: Expr): Address {
  const { base, offset } = memoryOf(scope, buffer);
  return addressOf(scope.flow, base, plus(scale(lowerWhole(scope, index), 4), number(offset)));
}

function splat(scope: Scope, type: ValueType, a: Value): Value {
  const at = scope.flow;
  if (type === "boolx4") return operation(at, "i32x4.splat", operation(at, "i32.sub", i32(at, 0), a));
  const read = a.operation;
  if (read.kind === "constant") return type === "f32x4" ? f32x4(at, read.value) : i32x4(at, read.value);
  // one instruction reads and spreads; at another version of the buffer it would read another number
  if (read.kind === "load" && (a.reads === 0 || a.epochs.memory === at.epochs.memory))
    return load(at, "v128.load32_splat", read.buffer, a.reads !== 0, a.args[0]!, read.offset);
  return operation(at, type === "f32x4" ? "f32x4.splat" : "i32x4.splat", a);
}

/** Bytes of whole 32-bit lanes; 4 to 7 are the second operand's. */
const bytesOf = (...lanes: readonly number[]): number[] =>
  lanes.flatMap((index) => [0, 1, 2, 3].map((byte) => 4 * index + byte));
const interleaved = [bytesOf(0, 4, 1, 5), bytesOf(2, 6, 3, 7)] as const;
const halves = [bytesOf(0, 1, 4, 5), bytesOf(2, 3, 6, 7)] as const;

/** One lane of each of four vectors, as in a transposition: the pairs on the way are shared with its other lanes. */
function sameLane(scope: Scope, lanes: readonly Expr[]): Value | undefined {
  const [first] = lanes;
  if (first?.op !== "extract") return undefined;
  const vectors: Expr[] = [];
  for (const each of lanes) {
    if (each.op !== "extract" || each.lane !== first.lane) return undefined;
    vectors.push(each.a);
  }
  const at = scope.flow;
  const [a, b, c, d] = vectors.map((each) => lowerExpr(scope, each)) as [Value, Value, Value, Value];
  const pairs = interleaved[first.lane >> 1]!;
  return shuffle(at, shuffle(at, a, b, pairs), shuffle(at, c, d, pairs), halves[first.lane & 1]!);
}

function vector(scope: Scope, type: ValueType, lanes: readonly Value[]): Value {
  const at = scope.flow;
  const numbers = lanes.map(constantOf);
  if (numbers.every((value) => value !== undefined))
    return v128(
      at,
      numbers.map((value) => (type === "f32x4" ? floatWord(value) : value | 0)),
    );
  const replace = type === "f32x4" ? "f32x4.replace_lane" : "i32x4.replace_lane";
  const [first, ...rest] = lanes;
  let result = splat(scope, type, first!);
  rest.forEach((value, before) => {
    if (value !== first) result = lane(at, replace, before + 1, result, value);
  });
  return result;
}
