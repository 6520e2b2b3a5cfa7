// Kernel expressions as WGSL. In: an expression and the state of the shader that is being printed. Out: text with the
// tightness of its outermost operator, so that parentheses stand only where WGSL wants them.
// Operations on literals are carried out here, with the meaning of the specification: WGSL refuses constants that overflow.
// WGSL rounds a sum, a difference or a product of f16 to the nearest; its `fma` may round once or twice, and it may take numbers of
// f16 below 2^-14 for zero wherever they come or go.
// Deliberately absent: statements, and everything outside of the entry function.

import type { Size } from "../../runtime/size.ts";
import { elementIn, type Memories } from "../c-like/memories.ts";
import type { Names } from "../c-like/names.ts";
import { infix } from "../c-like/operators.ts";
import { isRounded, type Rounded } from "../c-like/rounded.ts";
import { printSize } from "../c-like/size.ts";
import { negatable, shortestF32, unary, within, type Text as TextOf } from "../c-like/text.ts";
import { applyBinary, applyCast, applyUnary } from "../interpret-scalar.ts";
import { isHalf } from "../half.ts";
import type { BinaryFn, ElementType, Expr, Kernel, ScalarType, UnaryFn, ValueType } from "../kernel.ts";
import { isVector, scalarOf } from "../kernel-type.ts";
import { functionName, type FunctionName, type Width } from "./functions.ts";

/** What printing has found so far that the shader needs outside of its entry function. */
export interface Shader {
  readonly kernel: Kernel;
  readonly memories: Memories;
  readonly names: Names;
  /** What is f16 already. */
  readonly rounded: Rounded;
  readonly functions: Map<string, readonly [FunctionName, Width]>;
  /** Buffers and scratch that are read and written four elements at a time. */
  readonly loads4: Set<string>;
  readonly stores4: Set<string>;
  /** Memory of f16 whose values are not widened when four are read. */
  readonly halfLoads4: Set<string>;
  /** Sizes divided by rounding up, down; `random`; infinity or NaN spelled out; numbers of f16. */
  readonly needs: Set<"ceil_of" | "floor_of" | "threefry" | "extremes" | "f16">;
}

/** What a buffer or scratch holds. */
export const elementOf = ({ memories }: Pick<Shader, "memories">, name: string): ElementType =>
  elementIn(memories, name);

/** How tightly the outermost operator binds. WGSL wants operands of shifts and bit operations to be unary. */
type Level = "product" | "sum" | "shift" | "relation" | "bits";
type Text = TextOf<Level>;

export function typeName({ needs }: Pick<Shader, "needs">, type: ValueType): string {
  if (scalarOf(type) === "f16") needs.add("f16");
  return isVector(type) ? `vec4<${scalarOf(type)}>` : type;
}
const widthOf = (type: ValueType): Width => (isVector(type) ? "vec4f" : "f32");

export const expression = (shader: Shader, expr: Expr): string => print(shader, expr).text;
/** As an operand of anything. */
export const operand = (shader: Shader, expr: Expr): string => within(print(shader, expr));

export function use(shader: Shader, name: FunctionName, type: ValueType): string {
  const width = widthOf(type);
  const shown = functionName(name, width);
  shader.functions.set(shown, [name, width]);
  return shown;
}

/** A literal as WGSL spells it; infinity and NaN come with the launch. */
function literal(shader: Shader, type: ScalarType, value: number): Text {
  if (type === "bool") return unary(value !== 0 ? "true" : "false");
  if (type === "i32") return unary(value < 0 ? `i32(${value | 0})` : String(value | 0));
  if (type === "f16") return unary(`f16(${literal(shader, "f32", value).text})`);
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded)) {
    shader.needs.add("extremes");
    if (Number.isNaN(rounded)) return unary("launch.nan");
    return unary(rounded > 0 ? "launch.infinity" : "(-launch.infinity)");
  }
  return unary(floatText(rounded));
}

/** The shortest decimal that rounds to the same f32. */
export function floatText(value: number): string {
  return value < 0 || Object.is(value, -0) ? `f32(-${floatText(-value)})` : shortestF32(value);
}

/** The value of a literal, whatever it is wrapped in. */
const literalOf = (expr: Expr): number | undefined => (expr.op === "literal" ? expr.value : undefined);

export const sizeText = (shader: Shader, size: Size): string => sizeOf(shader, size).text;

const sizeOf = (shader: Shader, size: Size): Text =>
  printSize(
    {
      integer: (value) => literal(shader, "i32", value).text,
      symbol: (name) => `launch.${shader.names.ofSize(name)}`,
      rounded: (up) => {
        const name = up ? "ceil_of" : "floor_of";
        shader.needs.add(name);
        return name;
      },
    },
    size,
  );

function print(shader: Shader, expr: Expr): Text {
  const text = (inner: Expr): string => expression(shader, inner);
  const bare = (inner: Expr): string => operand(shader, inner);
  const call = (name: string, ...args: readonly Expr[]): Text =>
    unary(`${name}(${args.map(text).join(", ")})`);
  switch (expr.op) {
    case "literal":
      return literal(shader, expr.type, expr.value);
    case "size":
      return sizeOf(shader, expr.size);
    case "local":
      return unary(shader.names.of(expr.name));
    case "workgroup":
    case "invocation":
      return unary(expr.op);
    case "load": {
      const name = shader.names.ofMemory(expr.buffer);
      const widened = isHalf(elementOf(shader, expr.buffer)) && scalarOf(expr.type) === "f32";
      if (!isVector(expr.type))
        return unary(widened ? `f32(${name}[${text(expr.index)}])` : `${name}[${text(expr.index)}]`);
      const half = expr.type === "f16x4";
      (half ? shader.halfLoads4 : shader.loads4).add(expr.buffer);
      return unary(`${half ? "half4" : "load4"}_${name}(${text(expr.index)})`);
    }
    case "unary":
      return printUnary(shader, expr.fn, expr.a);
    case "binary":
      return printBinary(shader, expr.fn, expr.a, expr.b);
    case "fma":
      return call("fma", expr.a, expr.b, expr.c);
    case "select":
      return call("select", expr.b, expr.a, expr.condition);
    case "splat":
      return call(typeName(shader, expr.type), expr.a);
    case "vector":
      return call(typeName(shader, expr.type), ...expr.lanes);
    case "extract":
      return unary(`${bare(expr.a)}.${"xyzw"[expr.lane]!}`);
    case "cast":
      return printCast(shader, expr.type, expr.a);
    case "random": {
      shader.needs.add("threefry");
      const stream = literal(shader, "i32", expr.stream).text;
      const bits = `threefry(${[expr.key0, expr.key1, expr.counter].map(text).join(", ")}, ${stream})`;
      return expr.type === "i32"
        ? unary(`bitcast<i32>(${bits})`)
        : { text: `f32(${bits} >> 8u) * ${floatText(2 ** -24)}`, level: "product" };
    }
    default:
      return expr satisfies never;
  }
}

/** Functions of one argument that are not WGSL's own, or not as the kernel IR has them. */
const ownFunctions: Partial<Record<UnaryFn, FunctionName>> = {
  exp: "exp_of",
  log: "log_of",
  tanh: "tanh_of",
  sin: "sin_of",
  cos: "cos_of",
  erf: "erf_of",
  isnan: "is_nan",
  order: "order_of",
  bf16: "round_bf16",
  f16: "round_f16",
};

function printUnary(shader: Shader, fn: UnaryFn, a: Expr): Text {
  const type = scalarOf(a.type);
  const value = literalOf(a);
  if (value !== undefined && fn !== "not" && fn !== "isnan" && fn !== "order")
    return literal(shader, type, applyUnary(fn, type, value));
  const own = fn === "sign" && type === "f32" ? "sign_of" : ownFunctions[fn];
  if (own !== undefined) return unary(`${use(shader, own, a.type)}(${expression(shader, a)})`);
  if (fn === "neg") return unary(`-${negatable(operand(shader, a))}`);
  if (fn === "not") return unary(`!${operand(shader, a)}`);
  return unary(`${fn}(${expression(shader, a)})`);
}

const levels: Partial<Record<BinaryFn, Level>> = {
  add: "sum",
  sub: "sum",
  mul: "product",
  div: "product",
  mod: "product",
  lt: "relation",
  le: "relation",
  eq: "relation",
  ne: "relation",
  and: "bits",
  or: "bits",
  xor: "bits",
};

function printBinary(shader: Shader, fn: BinaryFn, a: Expr, b: Expr): Text {
  const type = scalarOf(a.type);
  const [x, y] = [literalOf(a), literalOf(b)];
  const relation = fn === "lt" || fn === "le" || fn === "eq" || fn === "ne";
  if (x !== undefined && y !== undefined)
    return literal(shader, relation ? "bool" : type, applyBinary(fn, type, x, y));
  if (fn === "pow")
    return unary(`${use(shader, "pow_of", a.type)}(${expression(shader, a)}, ${expression(shader, b)})`);
  if (fn === "min" || fn === "max") {
    const name = type === "i32" ? fn : use(shader, fn === "min" ? "smaller" : "larger", a.type);
    return unary(`${name}(${expression(shader, a)}, ${expression(shader, b)})`);
  }
  if (fn === "shl" || fn === "shr") return shift(shader, fn, a, b);
  const power = y === undefined || y <= 0 ? NaN : Math.log2(y);
  // Division is for numbers that are not negative, so that bits do.
  if (fn === "div" && type === "i32" && Number.isInteger(power))
    return { text: `${operand(shader, a)} >> ${power}u`, level: "shift" };
  if (fn === "mod" && type === "i32" && Number.isInteger(power))
    return { text: `${operand(shader, a)} & ${y! - 1}`, level: "bits" };
  // WGSL's own `!=` is false for NaN on some devices.
  if (fn === "ne" && type === "f32")
    return unary(`!(${print(shader, { op: "binary", type: "bool", fn: "eq", a, b }).text})`);
  // a + -1 is easier to read as a - 1.
  if (fn === "add" && type === "i32" && y !== undefined && y < 0 && y > -(2 ** 31) && b.op === "literal")
    return printBinary(shader, "sub", a, { ...b, value: -y });
  const [sign, level] = [infix[fn]!, levels[fn]!];
  const [left, right] = [print(shader, a), print(shader, b)];
  const text = ((): string => {
    switch (level) {
      case "sum":
        return `${within(left, "product", "sum")} ${sign} ${within(right, "product")}`;
      case "product":
        return `${within(left, "product")} ${sign} ${within(right)}`;
      case "relation":
        return `${within(left, "product", "sum")} ${sign} ${within(right, "product", "sum")}`;
      default: {
        // A chain of the same operator needs no parentheses.
        const chain = a.op === "binary" && a.fn === fn && left.level === "bits";
        return `${chain ? left.text : within(left)} ${sign} ${within(right)}`;
      }
    }
  })();
  return { text, level };
}

function shift(shader: Shader, fn: "shl" | "shr", a: Expr, b: Expr): Text {
  const by = literalOf(b);
  const amount =
    by !== undefined && !isVector(b.type)
      ? `${by & 31}u`
      : `(${isVector(b.type) ? "vec4<u32>" : "u32"}(${expression(shader, b)}) & ${isVector(b.type) ? "vec4<u32>(31u)" : "31u"})`;
  return { text: `${operand(shader, a)} ${infix[fn]!} ${amount}`, level: "shift" };
}

function printCast(shader: Shader, to: ValueType, a: Expr): Text {
  const [from, lane] = [scalarOf(a.type), scalarOf(to)];
  const value = literalOf(a);
  if (value !== undefined && !isVector(to)) return literal(shader, lane, applyCast(from, lane, value));
  if (from === lane) return print(shader, a);
  if (from === "f32" && lane === "i32")
    return unary(`${use(shader, "truncate", a.type)}(${expression(shader, a)})`);
  if (lane === "f16") return unary(toF16(shader, a));
  return unary(`${typeName(shader, to)}(${expression(shader, a)})`);
}

/** Rounded as the kernel IR has it and then converted, which changes nothing any more: WGSL lets a conversion round either way. */
export function toF16(shader: Shader, value: Expr): string {
  const text = expression(shader, value);
  if (scalarOf(value.type) === "f16") return text;
  const near = isRounded(shader.rounded, value) ? text : `${use(shader, "round_f16", value.type)}(${text})`;
  return `${typeName(shader, isVector(value.type) ? "f16x4" : "f16")}(${near})`;
}
