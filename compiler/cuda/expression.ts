// Kernel expressions as CUDA C++. In: an expression and the state of the kernel that is being printed. Out: text with the
// tightness of its outermost operator, so that parentheses stand only where C++ or a reader wants them.
// Values of four are float4, int4 and bool4; each operation on them is a function of its own, which applies the scalar operation
// to the four lanes, so that there is one meaning. Arithmetic is meant as written: no contraction (-fmad=false), no fast-math.
// Values of f16 are floats that are rounded after each operation, which is exact for sums and products (f32 has more than twice the digits)
// and may be off by a tie for a fused one; where f16 is to be fast there are matrix units.
// Deliberately absent: statements, and everything outside of the kernel.

import type { Size } from "../../runtime/size.ts";
import { elementIn, type Memories } from "../c-like/memories.ts";
import type { Names } from "../c-like/names.ts";
import { infix } from "../c-like/operators.ts";
import { printSize } from "../c-like/size.ts";
import { negatable, shortestF32, unary, within, type Text as TextOf } from "../c-like/text.ts";
import type { BinaryFn, ElementType, Expr, Kernel, ScalarType, UnaryFn, ValueType } from "../kernel.ts";
import { isVector, scalarOf } from "../kernel-type.ts";
import { bytesOf, isHalf } from "../half.ts";
import { divisorOf } from "./alignment.ts";
import type { FunctionName } from "./functions.ts";

/** What is shared by all kernels of one text. */
export interface Unit {
  readonly functions: Set<FunctionName>;
  /** Texts of functions of four lanes, by what they do. */
  readonly wide: Map<string, string>;
}

/** What printing a kernel has found so far. */
export interface Printer extends Unit {
  readonly kernel: Kernel;
  readonly memories: Memories;
  readonly names: Names;
  /** Powers of two that divide locals. */
  readonly divisors: Map<string, number>;
}

/** How tightly the outermost operator binds; `mixed` wants parentheses everywhere. */
type Level = "product" | "sum" | "relation" | "both" | "either" | "mixed";
type Text = TextOf<Level>;

const mixed = (text: string): Text => ({ text, level: "mixed" });

const scalarNames: Record<ScalarType, string> = { f32: "float", i32: "int", bool: "bool", f16: "float" };
export function typeName(unit: Unit, type: ValueType): string {
  if (type === "boolx4") unit.functions.add("bool4");
  return `${scalarNames[scalarOf(type)]}${isVector(type) ? "4" : ""}`;
}

export const expression = (printer: Printer, expr: Expr): string => print(printer, expr).text;
/** As an operand of anything. */
export const operand = (printer: Printer, expr: Expr): string => within(print(printer, expr));

export function use(unit: Unit, name: FunctionName): FunctionName {
  unit.functions.add(name);
  return name;
}

function literal(type: ScalarType, value: number): Text {
  if (type === "bool") return unary(value !== 0 ? "true" : "false");
  if (type === "i32") return unary(value === -2147483648 ? "(-2147483647 - 1)" : String(value | 0));
  const rounded = Math.fround(value);
  if (Number.isNaN(rounded)) return unary("__int_as_float(0x7fffffff)");
  if (!Number.isFinite(rounded)) return unary(`${rounded < 0 ? "-" : ""}__int_as_float(0x7f800000)`);
  return unary(floatText(rounded));
}

const floatText = (value: number): string =>
  value < 0 || Object.is(value, -0) ? `-${shortestF32(-value)}f` : `${shortestF32(value)}f`;

const sizeText = (printer: Printer, size: Size): Text =>
  printSize(
    {
      integer: (value) => literal("i32", value).text,
      symbol: (name) => printer.names.ofSize(name),
      rounded: (up) => use(printer, up ? "ceil_of" : "floor_of"),
    },
    size,
  );

function print(printer: Printer, expr: Expr): Text {
  const text = (inner: Expr): string => expression(printer, inner);
  const lanes = (
    name: string,
    result: ValueType,
    of: (...parts: Text[]) => Text,
    ...args: readonly Expr[]
  ): Text =>
    unary(
      `${wide(
        printer,
        name,
        result,
        args.map(({ type }) => type),
        of,
      )}(${args.map(text).join(", ")})`,
    );
  const apply = (name: string, of: (...parts: Text[]) => Text, ...args: readonly Expr[]): Text =>
    isVector(expr.type) ? lanes(name, expr.type, of, ...args) : of(...args.map((arg) => print(printer, arg)));
  switch (expr.op) {
    case "literal":
      return literal(expr.type, expr.value);
    case "size":
      return sizeText(printer, expr.size);
    case "local":
      return unary(printer.names.of(expr.name));
    case "workgroup":
    case "invocation":
      return unary(expr.op);
    case "load": {
      const name = printer.names.ofMemory(expr.buffer);
      const half = isHalf(elementOf(printer, expr.buffer));
      if (half) use(printer, isVector(expr.type) ? "half4" : "half");
      if (!isVector(expr.type)) {
        const element = `${name}[${indexed(printer, expr.buffer, expr.index).text}]`;
        return unary(half ? `to_float(${element})` : element);
      }
      const load = inFours(printer, expr.buffer, expr.index) ? "load4" : "gather4";
      return unary(`${use(printer, load)}(${placed(printer, expr.buffer, expr.index)})`);
    }
    case "unary":
      return apply(expr.fn, (a) => printUnary(printer, expr.fn, scalarOf(expr.a.type), a!), expr.a);
    case "binary":
      return apply(
        roundedName(expr.fn, expr.type),
        (a, b) => rounded(printer, expr.type, printBinary(printer, expr.fn, scalarOf(expr.a.type), a!, b!)),
        expr.a,
        expr.b,
      );
    case "fma":
      return apply(
        roundedName("fma", expr.type),
        (a, b, c) => rounded(printer, expr.type, unary(`fmaf(${a!.text}, ${b!.text}, ${c!.text})`)),
        expr.a,
        expr.b,
        expr.c,
      );
    case "select":
      return apply(
        "select",
        (condition, a, b) =>
          mixed(
            `${within(condition!, "relation")} ? ${within(a!, "product", "sum")} : ${within(b!, "product", "sum")}`,
          ),
        expr.condition,
        expr.a,
        expr.b,
      );
    case "splat":
      return unary(`${wide(printer, "all", expr.type, [expr.a.type], (a) => a!)}(${text(expr.a)})`);
    case "vector":
      return unary(`make_${typeName(printer, expr.type)}(${expr.lanes.map(text).join(", ")})`);
    case "extract":
      return unary(`${operand(printer, expr.a)}.${"xyzw"[expr.lane]!}`);
    case "cast":
      if (expr.type === expr.a.type || scalarOf(expr.a.type) === "f16") return print(printer, expr.a);
      return apply(
        `to_${scalarOf(expr.type)}`,
        (a) => printCast(printer, scalarOf(expr.a.type), scalarOf(expr.type), a!),
        expr.a,
      );
    case "random": {
      const args = [...[expr.key0, expr.key1, expr.counter].map(text), literal("i32", expr.stream).text];
      return unary(`${use(printer, expr.type === "i32" ? "threefry" : "uniform")}(${args.join(", ")})`);
    }
    default:
      return expr satisfies never;
  }
}

/** Results of f16, which every operation rounds. */
function rounded(unit: Unit, type: ValueType, text: Text): Text {
  if (scalarOf(type) !== "f16") return text;
  use(unit, "half");
  return unary(`to_float(to_f16(${text.text}))`);
}

/** Functions of four floats that round and that do not are two. */
const roundedName = (name: string, type: ValueType): string => (type === "f16x4" ? `${name}_f16_` : name);

/** What a buffer or scratch holds. */
export const elementOf = ({ memories }: Printer, name: string): ElementType => elementIn(memories, name);

/** For rows of so many bytes: scratch whose order in memory is its own. */
export const rowsOf = ({ memories }: Printer, name: string): number | undefined => memories.get(name)?.rows;

/** Where an element lies in its memory, counted in elements. */
export function indexed(printer: Printer, buffer: string, index: Expr): Text {
  const at = print(printer, index);
  const rows = rowsOf(printer, buffer);
  if (rows === undefined) return at;
  return unary(`${use(printer, "swizzled")}<${rows}, ${bytesOf(elementOf(printer, buffer))}>(${at.text})`);
}

/** Whether the four elements from there on begin at a multiple of four, as those of rows must. */
export function inFours(printer: Printer, buffer: string, index: Expr): boolean {
  if (divisorOf(index, printer.divisors) % 4 === 0) return true;
  if (rowsOf(printer, buffer) === undefined) return false;
  throw new Error(`internal: kernel ${printer.kernel.name}: four elements of ${buffer} begin anywhere`);
}

/** The address of an element. */
export function placed(printer: Printer, buffer: string, index: Expr): string {
  const at = indexed(printer, buffer, index);
  return `${printer.names.ofMemory(buffer)} + ${within(at, "product", "sum")}`;
}

/** A function of the four lanes, from what it does to one; scalar arguments are the same for all. Returns its name. */
function wide(
  unit: Unit,
  name: string,
  result: ValueType,
  types: readonly ValueType[],
  of: (...parts: Text[]) => Text,
): string {
  const shown = `${name}4`;
  const key = `${shown} ${types.map((type) => typeName(unit, type)).join()} ${typeName(unit, result)}`;
  if (!unit.wide.has(key)) {
    const letters = ["a", "b", "c"].slice(0, types.length);
    const type = typeName(unit, result);
    const parameters = types.map((each, at) => `${typeName(unit, each)} ${letters[at]!}`).join(", ");
    const four = ["x", "y", "z", "w"].map(
      (lane) =>
        of(...types.map((each, at) => unary(isVector(each) ? `${letters[at]!}.${lane}` : letters[at]!))).text,
    );
    const values = `${four.join(", ")}`;
    const made = type === "bool4" ? `{${values}}` : `make_${type}(${values})`;
    unit.wide.set(key, `__device__ __forceinline__ ${type} ${shown}(${parameters}) {\n  return ${made};\n}`);
  }
  return shown;
}

const called: Partial<Record<UnaryFn, string>> = {
  exp: "expf",
  log: "logf",
  sqrt: "sqrtf",
  tanh: "tanhf",
  sin: "sinf",
  cos: "cosf",
  erf: "erff",
  floor: "floorf",
  ceil: "ceilf",
  round: "rintf",
};

function printUnary(unit: Unit, fn: UnaryFn, type: ScalarType, a: Text): Text {
  if (fn === "neg") return unary(`-${negatable(within(a))}`);
  if (fn === "not") return unary(`!${within(a)}`);
  if (fn === "abs") return unary(`${type === "f32" ? "fabsf" : "abs"}(${a.text})`);
  if (fn === "sign") return unary(`${use(unit, "sign_of")}(${a.text})`);
  if (fn === "isnan") return unary(`${use(unit, "is_nan")}(${a.text})`);
  if (fn === "order") return unary(`${use(unit, "order_of")}(${a.text})`);
  if (isHalf(fn)) {
    use(unit, "half");
    return unary(`to_float(to_${fn}(${a.text}))`);
  }
  return unary(`${called[fn]!}(${a.text})`);
}

function printBinary(unit: Unit, fn: BinaryFn, type: ScalarType, a: Text, b: Text): Text {
  switch (fn) {
    case "pow":
      return unary(`${use(unit, "pow_of")}(${a.text}, ${b.text})`);
    case "min":
    case "max":
      return unary(`${type === "f32" ? `f${fn}f` : fn}(${a.text}, ${b.text})`);
    case "add":
      return { text: `${within(a, "product", "sum")} + ${within(b, "product")}`, level: "sum" };
    case "sub":
      return { text: `${within(a, "product", "sum")} - ${negatable(within(b, "product"))}`, level: "sum" };
    case "mul":
    case "div":
    case "mod":
      if (type === "i32" && fn !== "mul" && /^\d+$/.test(b.text)) {
        const power = Math.log2(Number(b.text));
        // Division is for numbers that are not negative, so that bits do.
        if (Number.isInteger(power))
          return fn === "div"
            ? power === 0
              ? a
              : mixed(`${within(a)} >> ${power}`)
            : mixed(`${within(a)} & ${Number(b.text) - 1}`);
      }
      return { text: `${within(a, "product")} ${infix[fn]!} ${within(b)}`, level: "product" };
    case "lt":
    case "le":
    case "eq":
    case "ne":
      return {
        text: `${within(a, "product", "sum")} ${infix[fn]!} ${within(b, "product", "sum")}`,
        level: "relation",
      };
    case "and":
    case "or":
      if (type === "bool") {
        const level = fn === "and" ? "both" : "either";
        return {
          text: `${within(a, "relation", level)} ${fn === "and" ? "&&" : "||"} ${within(b, "relation")}`,
          level,
        };
      }
      return mixed(`${within(a)} ${infix[fn]!} ${within(b)}`);
    case "xor":
      return mixed(`${within(a)} ^ ${within(b)}`);
    case "shl":
    case "shr": {
      const by = /^\d+$/.test(b.text) ? String(Number(b.text) & 31) : `(${within(b)} & 31)`;
      return mixed(`${within(a)} ${infix[fn]!} ${by}`);
    }
    default:
      return fn satisfies never;
  }
}

function printCast(unit: Unit, from: ScalarType, to: ScalarType, a: Text): Text {
  if (from === to) return a;
  if (to === "f16") return rounded(unit, to, a);
  if (from === "f32") return unary(`${use(unit, "truncate")}(${a.text})`);
  return unary(`(${scalarNames[to]})${within(a)}`);
}
