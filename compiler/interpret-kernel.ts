// Runs a kernel, slowly: its specification. In: buffers by name, sizes. Out: the buffers, changed in place. Checks what
// the targets take on trust: bounds of every access, scratch read before it was written, elements that two invocations write
// or that one writes and another reads, barriers that not all invocations of a workgroup reach, copies that nobody waited for.
// Of variants it runs the one for all devices.
// Both operands of a selection are evaluated, as on the targets. Buffers of half width are given as f32, too, and must hold numbers
// of their type.

import { threefry, uniform } from "../runtime/random.ts";
import { evaluate, type Sizes } from "../runtime/size.ts";
import { isHalf } from "./half.ts";
import { Copies } from "./interpret-copies.ts";
import { isMatrix, type MatrixStmt } from "./interpret-matrix.ts";
import {
  arrive,
  beginCopy,
  checkFour,
  nothingLeft,
  read,
  write,
  type Invocation,
  type Memory,
  type Value,
} from "./interpret-memory.ts";
import { Accesses, Order } from "./interpret-order.ts";
import { applyBinary, applyCast, applyUnary, multiplyAdd } from "./interpret-scalar.ts";
import { Signals } from "./interpret-signals.ts";
import { runTogether, type Meeting } from "./interpret-workgroup.ts";
import type { Expr, Kernel, Stmt } from "./kernel.ts";
import { isVector, readAs, scalarOf } from "./kernel-type.ts";
import { someStatement } from "./kernel-walk.ts";
import { forDevice } from "./variant.ts";

export function runKernel(
  given: Kernel,
  buffers: ReadonlyMap<string, Float32Array | Int32Array>,
  sizes: Sizes,
): void {
  const kernel = forDevice(given, false);
  const shared = new Map<string, Memory>();
  for (const { name, type, access, length } of kernel.buffers) {
    const data = buffers.get(name);
    const wanted = evaluate(length, sizes);
    if (data === undefined) throw new Error(`internal: kernel ${kernel.name}: no buffer ${name} was given`);
    if (data instanceof Float32Array !== (readAs(type) === "f32"))
      throw new Error(`internal: kernel ${kernel.name}: ${name} is of ${type}`);
    if (data.length < wanted)
      throw new Error(
        `internal: kernel ${kernel.name}: ${name} has ${data.length} elements, ${wanted} are wanted`,
      );
    const marks = access === "read" ? 0 : wanted;
    shared.set(name, {
      name,
      data: data.subarray(0, wanted),
      writers: new Int32Array(marks),
      readers: new Int32Array(marks),
      scratch: false,
      defined: new Uint8Array(0),
      coming: new Uint8Array(0),
      held: new Int32Array(0),
      inFours: false,
      ...(isHalf(type) ? { half: type } : {}),
    });
  }
  const grid = evaluate(kernel.grid, sizes);
  for (let workgroup = 0; workgroup < grid; workgroup++) runWorkgroup(kernel, shared, sizes, workgroup);
}

function runWorkgroup(
  kernel: Kernel,
  shared: ReadonlyMap<string, Memory>,
  sizes: Sizes,
  workgroup: number,
): void {
  const memory = new Map(shared);
  const order = meetsInParts(kernel) ? new Order(kernel.workgroup, signalsOf(kernel)) : undefined;
  const signals = order === undefined ? undefined : new Signals(kernel, order);
  const scratch = kernel.scratch.map(({ name, type, length, rows }): Memory => {
    const data =
      type === "i32" ? new Int32Array(length).fill(-0x5a5a5a5a) : new Float32Array(length).fill(NaN);
    const marks = kernel.workgroup > 1 && order === undefined ? length : 0;
    const accesses = order === undefined ? {} : { accesses: new Accesses() };
    const [writers, readers] = [new Int32Array(marks), new Int32Array(marks)];
    const defined = new Uint8Array(length);
    const [coming, inFours] = [new Uint8Array(length), rows !== undefined];
    const half = isHalf(type) ? { half: type } : {};
    const held = new Int32Array(length);
    const states = { defined, coming, held, inFours, ...half, ...accesses };
    return { name, data, writers, readers, scratch: true, ...states };
  });
  for (const one of scratch) memory.set(one.name, one);
  const invocations = Array.from({ length: kernel.workgroup }, (_, number): Invocation => {
    const own = { locals: new Map<string, Value>(), copies: new Copies() };
    const ordered = order === undefined ? {} : { toucher: () => order.invocation(number), signals: signals! };
    return { kernel, memory, sizes, workgroup, number, ...own, ...ordered };
  });
  if (kernel.workgroup === 1) {
    execute(invocations[0]!, kernel.body);
    nothingLeft(invocations);
    return;
  }
  const runs = invocations.map((invocation) => phases(invocation, kernel.body));
  runTogether({ kernel, workgroup, invocations, runs, scratch, order, signals });
}

const signalsOf = ({ signals = [] }: Kernel): number => signals.reduce((all, { count }) => all + count, 0);

/** Whether invocations wait for some others, and not only for all. */
const meetsInParts = (kernel: Kernel): boolean =>
  signalsOf(kernel) > 0 ||
  someStatement(kernel.body, (each) => each.op === "barrier" && each.of !== undefined);

/** Runs to the end, stopping wherever the workgroup meets, and is told there what the values of all come to. */
function* phases(run: Invocation, statements: readonly Stmt[]): Generator<Meeting, undefined, number> {
  for (const statement of statements) {
    if (!hasBarrier(statement)) execute(run, [statement]);
    else if (statement.op === "barrier") yield { at: statement, value: 0 };
    else if (statement.op === "reduce")
      run.locals.set(statement.name, yield { at: statement, value: whole(run, statement.value) });
    else if (statement.op === "product")
      yield {
        at: statement,
        value: whole(run, statement.left.index),
        other: whole(run, statement.right.index),
      };
    else if (statement.op === "await")
      yield { at: statement, value: whole(run, statement.which), other: whole(run, statement.phase) };
    else if (isMatrix(statement)) yield { at: statement, value: indexOf(run, statement) };
    else if (statement.op === "if")
      yield* phases(run, whole(run, statement.condition) !== 0 ? statement.then : statement.otherwise);
    else if (statement.op === "for") {
      const to = whole(run, statement.to);
      for (let at = whole(run, statement.from); at < to; at += statement.step) {
        run.locals.set(statement.name, at);
        yield* phases(run, statement.body);
      }
    }
  }
  return undefined;
}

function indexOf(run: Invocation, statement: MatrixStmt): number {
  if (statement.op === "spill") return whole(run, statement.index);
  return statement.op === "fragment" && statement.is.of !== "sums" ? whole(run, statement.is.index) : 0;
}

const hasBarrier = (statement: Stmt): boolean => someStatement([statement], meets);

const meets = (statement: Stmt): boolean =>
  ["barrier", "reduce", "await"].includes(statement.op) || isMatrix(statement);

function execute(run: Invocation, statements: readonly Stmt[]): void {
  for (const statement of statements)
    switch (statement.op) {
      case "let":
      case "var":
      case "set":
      case "reduce": // of one invocation
        run.locals.set(statement.name, value(run, statement.value));
        break;
      case "store": {
        const stored = value(run, statement.value);
        const at = whole(run, statement.index);
        if (typeof stored === "number") write(run, statement.buffer, at, stored);
        else {
          checkFour(run, statement.buffer, at);
          stored.forEach((number, lane) => write(run, statement.buffer, at + lane, number));
        }
        break;
      }
      case "copy":
        beginCopy(run, statement, {
          at: whole(run, statement.index),
          from: whole(run, statement.from),
          there: whole(run, statement.there) !== 0,
        });
        break;
      case "group":
        run.copies.group();
        break;
      case "wait":
        arrive(run, statement.open);
        break;
      case "bulk": {
        const from = statement.at.map((each) => whole(run, each));
        const at = { index: whole(run, statement.index), from, which: whole(run, statement.which) };
        run.signals!.bring(run, statement, at);
        break;
      }
      case "arrive":
        run.signals!.arrive(run, statement.signal, whole(run, statement.which), statement.bytes);
        break;
      case "for": {
        const to = whole(run, statement.to);
        for (let at = whole(run, statement.from); at < to; at += statement.step) {
          run.locals.set(statement.name, at);
          execute(run, statement.body);
        }
        break;
      }
      case "if":
        execute(run, whole(run, statement.condition) !== 0 ? statement.then : statement.otherwise);
        break;
      case "await":
        throw new Error(`internal: kernel ${run.kernel.name}: one invocation waits for a phase`);
      case "fragment":
      case "multiply":
      case "spill":
      case "product":
      case "settle":
        throw new Error(`internal: kernel ${run.kernel.name}: a matrix statement without a warp`);
      case "variant":
        throw new Error(`internal: kernel ${run.kernel.name}: a variant that nobody has chosen`);
      case "registers":
      case "barrier":
      case "comment":
        break;
      default:
        statement satisfies never;
    }
}

const whole = (run: Invocation, expr: Expr): number => value(run, expr) as number;
const lane = (from: Value, index: number): number => (typeof from === "number" ? from : from[index]!);

/** Applies a scalar function to scalars, or lane by lane. */
function spread(apply: (...args: number[]) => number, ...args: readonly Value[]): Value {
  if (args.every((arg) => typeof arg === "number")) return apply(...(args as readonly number[]));
  return [0, 1, 2, 3].map((index) => apply(...args.map((arg) => lane(arg, index))));
}

function value(run: Invocation, expr: Expr): Value {
  switch (expr.op) {
    case "literal":
      return expr.type === "f32" ? Math.fround(expr.value) : expr.value;
    case "size":
      return evaluate(expr.size, run.sizes) | 0;
    case "local": {
      const found = run.locals.get(expr.name);
      if (found === undefined)
        throw new Error(`internal: kernel ${run.kernel.name}: ${expr.name} has no value`);
      return found;
    }
    case "workgroup":
      return run.workgroup;
    case "invocation":
      return run.number;
    case "load": {
      const at = whole(run, expr.index);
      if (!isVector(expr.type)) return read(run, expr.buffer, at);
      checkFour(run, expr.buffer, at);
      return [0, 1, 2, 3].map((index) => read(run, expr.buffer, at + index));
    }
    case "unary": {
      const type = scalarOf(expr.a.type);
      return spread((x) => applyUnary(expr.fn, type, x), value(run, expr.a));
    }
    case "binary": {
      const type = scalarOf(expr.a.type);
      return spread((a, b) => applyBinary(expr.fn, type, a, b), value(run, expr.a), value(run, expr.b));
    }
    case "fma": {
      const type = scalarOf(expr.type) as "f32" | "f16";
      return spread(
        (a, b, c) => multiplyAdd(type, a, b, c),
        value(run, expr.a),
        value(run, expr.b),
        value(run, expr.c),
      );
    }
    case "select":
      return spread(
        (test, a, b) => (test !== 0 ? a : b),
        value(run, expr.condition),
        value(run, expr.a),
        value(run, expr.b),
      );
    case "splat": {
      const a = whole(run, expr.a);
      return [a, a, a, a];
    }
    case "vector":
      return expr.lanes.map((inner) => whole(run, inner));
    case "extract":
      return lane(value(run, expr.a), expr.lane);
    case "cast": {
      const [from, to] = [scalarOf(expr.a.type), scalarOf(expr.type)];
      return spread((x) => applyCast(from, to, x), value(run, expr.a));
    }
    case "random": {
      const [bits] = threefry(
        whole(run, expr.key0),
        whole(run, expr.key1),
        whole(run, expr.counter),
        expr.stream,
      );
      return expr.type === "i32" ? bits | 0 : uniform(bits);
    }
    default:
      return expr satisfies never;
  }
}
