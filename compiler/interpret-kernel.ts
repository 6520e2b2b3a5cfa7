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
import { isMatrix, noFragments, runMatrix, type Fragments, type MatrixStmt } from "./interpret-matrix.ts";
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
import { applyBinary, applyCast, applyUnary } from "./interpret-scalar.ts";
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
  const scratch = kernel.scratch.map(({ name, type, length, rows }): Memory => {
    const data =
      type === "i32" ? new Int32Array(length).fill(-0x5a5a5a5a) : new Float32Array(length).fill(NaN);
    const marks = kernel.workgroup > 1 ? length : 0;
    const [writers, readers] = [new Int32Array(marks), new Int32Array(marks)];
    const defined = new Uint8Array(length);
    const [coming, inFours] = [new Uint8Array(length), rows !== undefined];
    const half = isHalf(type) ? { half: type } : {};
    const held = new Int32Array(length);
    return { name, data, writers, readers, scratch: true, defined, coming, held, inFours, ...half };
  });
  for (const one of scratch) memory.set(one.name, one);
  const invocations = Array.from({ length: kernel.workgroup }, (_, number): Invocation => {
    return { kernel, memory, sizes, workgroup, number, locals: new Map(), copies: new Copies() };
  });
  if (kernel.workgroup === 1) {
    execute(invocations[0]!, kernel.body);
    nothingLeft(invocations);
    return;
  }
  const runs = invocations.map((invocation) => phases(invocation, kernel.body));
  const warps = Array.from({ length: Math.ceil(runs.length / warpSize) }, (_, warp) => ({
    runs: runs.slice(warpSize * warp, warpSize * (warp + 1)),
    first: invocations[warpSize * warp]!,
    fragments: noFragments(),
    holding: [],
  }));
  let together = 0;
  for (;;) {
    const reached = warps.flatMap((warp) => advance(warp, together));
    const meeting = reached[0]?.at;
    if (reached.some((other) => other?.at !== meeting))
      throw new Error(
        `internal: kernel ${kernel.name}: not all invocations of workgroup ${workgroup} reach the same barrier`,
      );
    if (meeting === undefined) return nothingLeft(invocations);
    if (meeting.op === "reduce")
      together = reduceTogether(
        meeting,
        reached.map((each) => each!.value),
      );
    for (const { writers, readers } of scratch) {
      writers.fill(0);
      readers.fill(0);
    }
  }
}

const warpSize = 32;
/** In the marks of scratch, from here on warps, where no invocation is. */
const byAll = 1 << 20;

interface Warp {
  readonly runs: readonly Generator<Meeting, undefined, number>[];
  readonly first: Invocation;
  readonly fragments: Fragments;
  /** Elements that its products read. */
  readonly holding: (readonly [Memory, number])[];
}

/** Runs a warp to where its workgroup meets, or to the end, through the matrix statements on the way. */
function advance({ runs, first, fragments, holding }: Warp, together: number): (Meeting | undefined)[] {
  for (let told = together; ; told = 0) {
    const reached = runs.map((run) => run.next(told).value);
    if (!reached.some((each) => each !== undefined && isMatrix(each.at))) return reached;
    const { at, value: index, other = 0 } = reached[0] ?? {};
    if (reached.some((each) => each?.at !== at || each?.value !== index || (each?.other ?? 0) !== other))
      throw new Error(
        `internal: kernel ${first.kernel.name}: not all invocations of the warp from ${first.number} of workgroup ${first.workgroup} reach the same matrix statement with the same index`,
      );
    runMatrix(first.kernel, first.number / warpSize, at as MatrixStmt, [index!, other], fragments, {
      // By all of the warp: even an invocation of it may not have written there since the last barrier, or write before the next.
      read: (scratch, place) => read({ ...first, number: byAll + first.number }, scratch, place),
      write: (scratch, place, stored) =>
        write({ ...first, number: byAll + first.number }, scratch, place, stored),
      hold: (scratch, place) => {
        const memory = first.memory.get(scratch)!;
        memory.held[place]!++;
        holding.push([memory, place]);
      },
      release: () => {
        for (const [memory, place] of holding.splice(0)) memory.held[place]!--;
      },
    });
  }
}

type ReduceStmt = Extract<Stmt, { readonly op: "reduce" }>;

/** Halves until one value is left. */
function reduceTogether({ fn, value: { type } }: ReduceStmt, values: readonly number[]): number {
  let left = values;
  while (left.length > 1) {
    const half = Math.ceil(left.length / 2);
    left = Array.from({ length: half }, (_, i) =>
      i + half < left.length ? applyBinary(fn, scalarOf(type), left[i]!, left[i + half]!) : left[i]!,
    );
  }
  return left[0]!;
}

/** Where an invocation waits for the others, and what it brings. */
interface Meeting {
  readonly at: Stmt;
  readonly value: number;
  /** A second index. */
  readonly other?: number;
}

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
  statement.op === "barrier" || isMatrix(statement) || statement.op === "reduce";

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
      case "fragment":
      case "multiply":
      case "spill":
      case "product":
      case "settle":
        throw new Error(`internal: kernel ${run.kernel.name}: a matrix statement without a warp`);
      case "variant":
        throw new Error(`internal: kernel ${run.kernel.name}: a variant that nobody has chosen`);
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
    case "fma":
      return spread(
        (a, b, c) => Math.fround(a * b + c),
        value(run, expr.a),
        value(run, expr.b),
        value(run, expr.c),
      );
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
