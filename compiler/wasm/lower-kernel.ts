// The statements of a kernel as one flow: a loop over workgroups around the kernel's body. Small loops with known bounds are
// unrolled; innermost loops get moving pointers. In: a kernel. Out: a flow with the parameters that the module promises.

import { known } from "../../runtime/size.ts";
import { bytesOf, isHalf } from "../half.ts";
import { withPlainCopies } from "../plain-copy.ts";
import type { Expr, Kernel, Stmt } from "../kernel.ts";
import {
  advance,
  assign,
  declare,
  flow,
  region,
  renew,
  store,
  type Flow,
  type Move,
  type Value,
} from "./flow.ts";
import { constantOf, i32, localValue, operation } from "./values.ts";
import type { WasmType } from "./instructions.ts";
import { lowerAddress, lowerExpr, lowerWhole, type Memory, type Name, type Scope } from "./lower-expr.ts";
import { isNonNegative, materialise, number, ofValue, type Polynomial } from "./polynomial.ts";

/** Scratch arrays lie one after another, each on a multiple of 16 bytes. */
const aligned = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/** Bytes of scratch that one thread needs to run the kernel. */
export const scratchBytes = (kernel: Pick<Kernel, "scratch">): number =>
  kernel.scratch.reduce((sum, { type, length }) => sum + aligned(bytesOf(type) * length), 0);

/** first, end, scratch address, buffer addresses, sizes. */
export const parametersOf = (kernel: Kernel): readonly WasmType[] =>
  Array<WasmType>(3 + kernel.buffers.length + kernel.sizes.length).fill("i32");

export function lowerKernel(given: Kernel): Flow {
  const kernel = withPlainCopies(given);
  if (kernel.workgroup !== 1)
    throw new Error(`internal: kernel ${kernel.name} has workgroups of ${kernel.workgroup}; wasm runs 1`);
  const half = [...kernel.buffers, ...kernel.scratch].find(({ type }) => isHalf(type));
  if (half !== undefined)
    throw new Error(`internal: kernel ${kernel.name}: ${half.name} is ${half.type}, which wasm has not`);
  const at = flow(parametersOf(kernel));
  const parameter = (index: number): Value => localValue(at, "i32", index, at.root, true);
  const memory = new Map<string, Memory>();
  kernel.buffers.forEach(({ name, access }, index) => {
    memory.set(name, { base: parameter(3 + index), offset: 0, changing: access !== "read" });
  });
  let offset = 0;
  for (const { name, length } of kernel.scratch) {
    memory.set(name, { base: parameter(2), offset, changing: true });
    offset += aligned(4 * length);
  }
  const sizes = new Map(
    kernel.sizes.map((name, index) => [name, parameter(3 + kernel.buffers.length + index)]),
  );
  const names = new Map<string, Name>();
  const innermost = !kernel.body.some(keepsLoop);
  loop(at, ofValue(parameter(0)), ofValue(parameter(1)), 1, kernel.body, names, innermost, (workgroup) =>
    lowerBody({ flow: at, kernel, memory, sizes, names, workgroup }, kernel.body),
  );
  return at;
}

function lowerBody(scope: Scope, statements: readonly Stmt[]): void {
  for (const statement of statements) lowerStatement(scope, statement);
}

function lowerStatement(scope: Scope, statement: Stmt): void {
  const at = scope.flow;
  switch (statement.op) {
    case "let":
      if (statement.value.type === "i32")
        scope.names.set(statement.name, { kind: "whole", value: lowerWhole(scope, statement.value) });
      else scope.names.set(statement.name, { kind: "value", value: lowerExpr(scope, statement.value) });
      return;
    case "var": {
      const value = lowerExpr(scope, statement.value);
      const index = declare(at, value.type);
      assign(at, index, value);
      scope.names.set(statement.name, { kind: "variable", index });
      return renew(at, statement.name);
    }
    case "set": {
      const name = scope.names.get(statement.name);
      if (name?.kind !== "variable")
        throw new Error(`internal: kernel ${scope.kernel.name} sets ${statement.name}, which is no variable`);
      assign(at, name.index, lowerExpr(scope, statement.value));
      return renew(at, statement.name);
    }
    case "store": {
      const value = lowerExpr(scope, statement.value);
      const { address, offset } = lowerAddress(scope, statement.buffer, statement.index);
      const op = value.type === "v128" ? "v128.store" : value.type === "f32" ? "f32.store" : "i32.store";
      return store(at, op, statement.buffer, address, offset, value);
    }
    case "for":
      return lowerFor(scope, statement);
    case "if":
      return lowerIf(scope, statement.condition, statement.then, statement.otherwise);
    case "reduce":
      throw new Error("internal: a workgroup of one thread reduces nothing");
    case "copy":
    case "group":
    case "wait":
      throw new Error("internal: copies are plain here");
    case "bulk":
    case "arrive":
    case "await":
    case "registers":
    case "fragment":
    case "multiply":
    case "spill":
    case "product":
    case "settle":
    case "variant":
      throw new Error("internal: no matrix statements here: a thread of a CPU has no warp");
    case "barrier":
    case "comment":
      return;
    default:
      return statement satisfies never;
  }
}

function lowerIf(scope: Scope, test: Expr, then: readonly Stmt[], otherwise: readonly Stmt[]): void {
  const at = scope.flow;
  const condition = lowerExpr(scope, test);
  const decided = constantOf(condition);
  if (decided !== undefined) return lowerBody(scope, decided !== 0 ? then : otherwise);
  const outside = at.region;
  const before = new Map(at.versions);
  const branches = [then, otherwise].map((statements) => {
    at.versions.clear();
    for (const [name, version] of before) at.versions.set(name, version);
    at.region = region(outside, true);
    lowerBody(scope, statements);
    return at.region;
  });
  at.region = outside;
  outside.items.push({
    kind: "if",
    condition,
    then: branches[0]!,
    otherwise: branches[1]!,
    epochs: at.epochs,
  });
  advance(at, 1, 1);
  for (const name of new Set([...changed(then), ...changed(otherwise)])) renew(at, name);
}

type For = Extract<Stmt, { op: "for" }>;

function lowerFor(scope: Scope, statement: For): void {
  const { name, step, body } = statement;
  const from = lowerWhole(scope, statement.from);
  const to = lowerWhole(scope, statement.to);
  const trips = tripCount(from, to, step);
  if (trips !== undefined && unrolls(trips, body)) {
    for (let trip = 0; trip < trips; trip++) {
      scope.names.set(name, { kind: "whole", value: number(from.constant + trip * step) });
      lowerBody(scope, body);
    }
    return;
  }
  loop(scope.flow, from, to, step, body, scope.names, !body.some(keepsLoop), (counter) => {
    scope.names.set(name, { kind: "whole", value: ofValue(counter) });
    lowerBody(scope, body);
  });
}

/** for (counter = from; counter < to; counter += step), tested at the bottom, entered only when it runs at all. */
function loop(
  at: Flow,
  from: Polynomial,
  to: Polynomial,
  step: number,
  statements: readonly Stmt[],
  names: ReadonlyMap<string, Name>,
  innermost: boolean,
  body: (counter: Value) => void,
): void {
  const surroundings = at.region;
  const trips = tripCount(from, to, step);
  if (trips === 0) return;
  const start = materialise(at, from);
  const limit = materialise(at, to);
  const outside = trips === undefined ? region(surroundings, true) : surroundings;
  at.region = outside;
  const local = declare(at, "i32");
  assign(at, local, start);
  const moves: Move[] = [{ local, by: i32(at, step) }];
  const inside = region(outside, false);
  const counter = localValue(at, "i32", local, inside, isNonNegative(from));
  if (innermost) inside.loop = { counter, from: start, step, outside, moves, pointers: [] };
  const renewed = [...changed(statements)].filter((name) => name.startsWith("@") || names.has(name));
  for (const name of renewed) renew(at, name, inside);
  at.region = inside;
  body(counter);
  at.region = outside;
  outside.items.push({ kind: "loop", body: inside, moves, limit, epochs: at.epochs });
  at.region = surroundings;
  if (outside !== surroundings) {
    const condition = operation(at, "i32.lt_s", start, limit);
    surroundings.items.push({
      kind: "if",
      condition,
      then: outside,
      otherwise: undefined,
      epochs: at.epochs,
    });
  }
  advance(at, 1, 1);
  for (const name of renewed) renew(at, name);
}

function tripCount(from: Polynomial, to: Polynomial, step: number): number | undefined {
  if (from.terms.length > 0 || to.terms.length > 0) return undefined;
  return Math.max(0, Math.ceil((to.constant - from.constant) / step));
}

const mostTrips = 16;
const mostUnrolled = 160;

/** Whether a loop with so many rounds is written out. */
const unrolls = (trips: number, body: readonly Stmt[]): boolean =>
  trips <= 1 || (trips <= mostTrips && trips * weight(body) <= mostUnrolled);

/** Statements that are left when loops with known bounds are written out; those that put a vector together count for each
 * lane: transpositions gain nothing by it, and their shuffles are the longest instructions there are. */
function weight(statements: readonly Stmt[]): number {
  const known = weights.get(statements);
  if (known !== undefined) return known;
  let sum = 0;
  for (const statement of statements) {
    if (statement.op === "for")
      sum += (literalTrips(statement) ?? mostUnrolled) * (weight(statement.body) + 1);
    else if (statement.op === "if") sum += weight(statement.then) + weight(statement.otherwise) + 1;
    else if (statement.op !== "comment" && statement.op !== "barrier") sum += gathers(statement) ? 5 : 1;
  }
  weights.set(statements, sum);
  return sum;
}

const gathers = (statement: Stmt): boolean => statement.op === "store" && statement.value.op === "vector";

/** Kernels do not change, and loops that are written out meet the same statements again and again. */
const weights = new WeakMap<readonly Stmt[], number>();
const effects = new WeakMap<readonly Stmt[], ReadonlySet<string>>();

function literalTrips({ from, to, step }: For): number | undefined {
  const low = literal(from);
  const high = literal(to);
  return low === undefined || high === undefined ? undefined : Math.max(0, Math.ceil((high - low) / step));
}

function literal(expr: Expr): number | undefined {
  if (expr.op === "literal") return expr.value;
  return expr.op === "size" ? known(expr.size) : undefined;
}

/** Whether a loop is left when the statement has been lowered: what surrounds it is not innermost. */
function keepsLoop(statement: Stmt): boolean {
  if (statement.op === "if") return statement.then.some(keepsLoop) || statement.otherwise.some(keepsLoop);
  if (statement.op !== "for") return false;
  const trips = literalTrips(statement);
  return trips === undefined || !unrolls(trips, statement.body) || statement.body.some(keepsLoop);
}

/** Variables set and buffers (`@name`) stored to. */
function changed(statements: readonly Stmt[]): ReadonlySet<string> {
  const known = effects.get(statements);
  if (known !== undefined) return known;
  const names = new Set<string>();
  const all = (inner: readonly Stmt[]): void => changed(inner).forEach((name) => names.add(name));
  for (const statement of statements) {
    if (statement.op === "set") names.add(statement.name);
    if (statement.op === "store") names.add(`@${statement.buffer}`);
    if (statement.op === "for") all(statement.body);
    if (statement.op === "if") (all(statement.then), all(statement.otherwise));
  }
  effects.set(statements, names);
  return names;
}
