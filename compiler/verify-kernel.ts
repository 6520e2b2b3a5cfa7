// Verify a kernel: throws `internal:` with the offending piece when a pass made something that the printers and the
// interpreter must not see. Types of every expression, names declared once and read in scope, access of buffers, at most
// eight buffers, sizes declared. Does not check bounds or races: those are the interpreter's.

import { namesOf, type Size } from "../runtime/size.ts";
import { isHalf } from "./half.ts";
import type {
  BinaryFn,
  ElementType,
  Expr,
  Fragment,
  HalfType,
  Kernel,
  Stmt,
  UnaryFn,
  ValueType,
} from "./kernel.ts";
import { isVector, scalarOf } from "./kernel-type.ts";
import { printExpr } from "./print-kernel.ts";

/** What WebGPU guarantees. */
const mostBuffers = 8;

interface Checker {
  readonly kernel: Kernel;
  readonly sizes: ReadonlySet<string>;
  readonly memory: ReadonlyMap<
    string,
    { readonly type: ElementType | HalfType; readonly reads: boolean; readonly writes: boolean }
  >;
  readonly scratch: ReadonlySet<string>;
  /** Every name declared so far, in scope or not. */
  readonly declared: Set<string>;
}

/** What a name stands for: a value, or a fragment. */
interface Declared {
  readonly type: ValueType | Fragment["of"];
  readonly variable: boolean;
  /** Of operands of matrix units, what their scratch holds. */
  readonly half?: HalfType;
}
type Scope = ReadonlyMap<string, Declared>;

/** What lanes see of memory: halves are read and written as f32. */
const seen = (type: ElementType | HalfType): ElementType => (isHalf(type) ? "f32" : type);

function fail(kernel: Kernel, message: string): never {
  throw new Error(`internal: kernel ${kernel.name}: ${message}`);
}

export function verifyKernel(kernel: Kernel): void {
  if (kernel.buffers.length > mostBuffers)
    fail(kernel, `${kernel.buffers.length} buffers, at most ${mostBuffers}`);
  if (!Number.isInteger(kernel.workgroup) || kernel.workgroup < 1)
    fail(kernel, `workgroup of ${kernel.workgroup}`);
  const memory = new Map<string, { type: ElementType | HalfType; reads: boolean; writes: boolean }>();
  const declared = new Set<string>();
  const scratch = new Set(kernel.scratch.map(({ name }) => name));
  const checker: Checker = { kernel, sizes: new Set(kernel.sizes), memory, scratch, declared };
  if (checker.sizes.size !== kernel.sizes.length) fail(kernel, "a size is listed twice");
  for (const { name, type, access, length } of kernel.buffers) {
    if (memory.has(name)) fail(kernel, `${name} is declared twice`);
    memory.set(name, { type, reads: access !== "write", writes: access !== "read" });
    checkSize(checker, length);
  }
  for (const { name, type, length } of kernel.scratch) {
    if (memory.has(name)) fail(kernel, `${name} is declared twice`);
    if (!Number.isInteger(length) || length < 0) fail(kernel, `scratch ${name} has length ${length}`);
    memory.set(name, { type, reads: true, writes: true });
  }
  checkSize(checker, kernel.grid);
  checkBody(checker, kernel.body, new Map());
}

function checkSize({ kernel, sizes }: Checker, size: Size): void {
  for (const name of namesOf(size)) if (!sizes.has(name)) fail(kernel, `the size ${name} is not declared`);
}

function checkBody(checker: Checker, statements: readonly Stmt[], outer: Scope): void {
  const scope = new Map(outer);
  const declare = (name: string, type: ValueType, variable: boolean): void => {
    if (checker.declared.has(name)) fail(checker.kernel, `${name} is declared twice`);
    checker.declared.add(name);
    scope.set(name, { type, variable });
  };
  const { kernel } = checker;
  for (const statement of statements)
    switch (statement.op) {
      case "let":
      case "var":
        check(checker, scope, statement.value);
        declare(statement.name, statement.value.type, statement.op === "var");
        break;
      case "set": {
        check(checker, scope, statement.value);
        const known = scope.get(statement.name);
        if (known === undefined || !known.variable)
          fail(kernel, `${statement.name} is set and is no variable in scope`);
        if (known.type !== statement.value.type)
          fail(
            kernel,
            `${statement.name} is ${known.type} and is set to ${statement.value.type} ${printExpr(statement.value)}`,
          );
        break;
      }
      case "store": {
        check(checker, scope, statement.value);
        checkIs(checker, scope, statement.index, "i32");
        const memory = checker.memory.get(statement.buffer);
        if (memory === undefined) fail(kernel, `there is no buffer ${statement.buffer}`);
        if (!memory.writes) fail(kernel, `${statement.buffer} is stored to and only read`);
        const { type } = statement.value;
        if (type !== seen(memory.type) && type !== `${seen(memory.type)}x4`)
          fail(
            kernel,
            `${type} ${printExpr(statement.value)} is stored to ${statement.buffer} of ${memory.type}`,
          );
        break;
      }
      case "for": {
        checkIs(checker, scope, statement.from, "i32");
        checkIs(checker, scope, statement.to, "i32");
        if (!Number.isInteger(statement.step) || statement.step <= 0)
          fail(kernel, `the loop ${statement.name} steps by ${statement.step}`);
        if (checker.declared.has(statement.name)) fail(kernel, `${statement.name} is declared twice`);
        checker.declared.add(statement.name);
        checkBody(
          checker,
          statement.body,
          new Map([...scope, [statement.name, { type: "i32", variable: false }]]),
        );
        break;
      }
      case "if":
        checkIs(checker, scope, statement.condition, "bool");
        checkBody(checker, statement.then, scope);
        checkBody(checker, statement.otherwise, scope);
        break;
      case "reduce":
        check(checker, scope, statement.value);
        if (statement.value.type !== "f32" && statement.value.type !== "i32")
          fail(kernel, `${statement.name} reduces ${statement.value.type}`);
        declare(statement.name, statement.value.type, false);
        break;
      case "fragment":
        if (checker.declared.has(statement.name)) fail(kernel, `${statement.name} is declared twice`);
        checker.declared.add(statement.name);
        scope.set(statement.name, checkFragment(checker, scope, statement));
        break;
      case "multiply": {
        const [sums, left, right] = [statement.sums, statement.left, statement.right].map((name) =>
          scope.get(name),
        );
        if (sums?.type !== "sums" || left?.type !== "left" || right?.type !== "right")
          fail(
            kernel,
            `${statement.sums} += ${statement.left} * ${statement.right} names no fragments in scope`,
          );
        if (left.half !== right.half)
          fail(kernel, `${statement.left} is ${left.half}, ${statement.right} is ${right.half}`);
        break;
      }
      case "spill":
        if (scope.get(statement.sums)?.type !== "sums")
          fail(kernel, `${statement.sums} is spilled and is no sums`);
        checkIs(checker, scope, statement.index, "i32");
        if (!checker.scratch.has(statement.scratch) || checker.memory.get(statement.scratch)!.type !== "f32")
          fail(kernel, `${statement.sums} is spilled to ${statement.scratch}, which is no scratch of f32`);
        if (statement.stride < 16 || statement.stride % 2 !== 0)
          fail(kernel, `${statement.sums} is spilled by ${statement.stride}`);
        break;
      case "barrier":
      case "comment":
        break;
      default:
        statement satisfies never;
    }
}

function checkFragment(
  checker: Checker,
  scope: Scope,
  { name, is }: Extract<Stmt, { op: "fragment" }>,
): Declared {
  const { kernel } = checker;
  if (kernel.workgroup % 32 !== 0)
    fail(kernel, `${name} wants whole warps, not workgroups of ${kernel.workgroup}`);
  if (is.of === "sums") return { type: is.of, variable: true };
  checkIs(checker, scope, is.index, "i32");
  const type = checker.scratch.has(is.scratch) ? checker.memory.get(is.scratch)!.type : undefined;
  if (type === undefined || !isHalf(type))
    return fail(kernel, `${name} is of ${is.scratch}, which is no half scratch`);
  if (is.stride < 16 || is.stride % 8 !== 0) fail(kernel, `${name} has rows ${is.stride} apart`);
  return { type: is.of, variable: false, half: type };
}

function checkIs(checker: Checker, scope: Scope, expr: Expr, type: ValueType): void {
  check(checker, scope, expr);
  if (expr.type !== type) fail(checker.kernel, `${printExpr(expr)} is ${expr.type}, wanted ${type}`);
}

const lanes = (type: ValueType): 1 | 4 => (isVector(type) ? 4 : 1);
const floats: readonly ValueType[] = ["f32", "f32x4"];
const wholes: readonly ValueType[] = ["i32", "i32x4"];
const numbers: readonly ValueType[] = [...floats, ...wholes];
const bools: readonly ValueType[] = ["bool", "boolx4"];

const unaryTypes: Record<UnaryFn, readonly ValueType[]> = {
  neg: numbers,
  abs: numbers,
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
  not: bools,
};

const binaryTypes: Record<BinaryFn, readonly ValueType[]> = {
  add: numbers,
  sub: numbers,
  mul: numbers,
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

const casts: ReadonlySet<string> = new Set(["f32>i32", "i32>f32", "bool>f32", "bool>i32"]);

function check(checker: Checker, scope: Scope, expr: Expr): void {
  const { kernel } = checker;
  const wrong = (why: string): never => fail(kernel, `${printExpr(expr)} of type ${expr.type}: ${why}`);
  const is = (inner: Expr, type: ValueType): void => checkIs(checker, scope, inner, type);
  switch (expr.op) {
    case "literal":
      if (expr.type !== "f32" && !Number.isInteger(expr.value)) wrong("a whole number is wanted");
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
      if (expr.type !== seen(memory.type) && expr.type !== `${seen(memory.type)}x4`)
        wrong(`${expr.buffer} is of ${memory.type}`);
      return;
    }
    case "unary":
      check(checker, scope, expr.a);
      if (!unaryTypes[expr.fn].includes(expr.a.type)) wrong(`no ${expr.fn} of ${expr.a.type}`);
      if (expr.type !== (expr.fn === "isnan" ? boolOf(expr.a.type) : expr.a.type))
        wrong(`the operand is ${expr.a.type}`);
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
      for (const inner of expr.lanes) is(inner, expr.type === "f32x4" ? "f32" : "i32");
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
