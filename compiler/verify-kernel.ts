// Verify a kernel: throws `internal:` with the offending piece when a pass made something that the printers and the
// interpreter must not see. Expressions by verify-expression.ts, names declared once and set in scope, access of buffers, at most
// eight buffers, sizes declared; in every way of the kernel. Does not check bounds or races: those are the interpreter's.

import { bytesOf, isHalf } from "./half.ts";
import type { ElementType, Kernel, Stmt, ValueType } from "./kernel.ts";
import { isHeldBy } from "./kernel-type.ts";
import { printExpr } from "./print-kernel.ts";
import {
  check,
  checkIs,
  checkSize,
  fail,
  type Checker,
  type Declared,
  type Scope,
} from "./verify-expression.ts";

import { forDevice } from "./variant.ts";
import { checkBulk, verifyMapsAndSignals } from "./verify-bulk.ts";

/** What WebGPU guarantees. */
const mostBuffers = 8;

export function verifyKernel(kernel: Kernel): void {
  verifyWay(kernel, false);
  if (kernel.warpgroups !== undefined) verifyWay(forDevice(kernel, true), true);
}

function verifyWay(kernel: Kernel, inVariant: boolean): void {
  if (kernel.buffers.length > mostBuffers)
    fail(kernel, `${kernel.buffers.length} buffers, at most ${mostBuffers}`);
  if (!Number.isInteger(kernel.workgroup) || kernel.workgroup < 1)
    fail(kernel, `workgroup of ${kernel.workgroup}`);
  const memory = new Map<string, { type: ElementType; reads: boolean; writes: boolean }>();
  const declared = new Set<string>();
  const scratch = new Set(kernel.scratch.map(({ name }) => name));
  const checker: Checker = {
    kernel,
    sizes: new Set(kernel.sizes),
    memory,
    scratch,
    declared,
    inVariant,
  };
  if (checker.sizes.size !== kernel.sizes.length) fail(kernel, "a size is listed twice");
  for (const { name, type, access, length } of kernel.buffers) {
    if (memory.has(name)) fail(kernel, `${name} is declared twice`);
    memory.set(name, { type, reads: access !== "write", writes: access !== "read" });
    checkSize(checker, length);
  }
  for (const [at, { name, type, length, rows }] of kernel.scratch.entries()) {
    if (memory.has(name)) fail(kernel, `${name} is declared twice`);
    if (!Number.isInteger(length) || length < 0) fail(kernel, `scratch ${name} has length ${length}`);
    if (rows !== undefined) checkRows(kernel, at);
    memory.set(name, { type, reads: true, writes: true });
  }
  checkSize(checker, kernel.grid);
  verifyMapsAndSignals(checker);
  checkBody(checker, kernel.body, new Map());
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
        if (!isHeldBy(memory.type, type))
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
      case "copy":
        checkCopy(checker, scope, statement);
        break;
      case "wait":
        if (!Number.isInteger(statement.open) || statement.open < 0)
          fail(kernel, `${statement.open} groups may be open`);
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
      case "product":
        checkProduct(checker, scope, statement);
        break;
      case "settle":
        inVariant(checker, "settle");
        break;
      case "bulk":
      case "arrive":
      case "await":
      case "registers":
        checkBulk(checker, scope, statement);
        break;
      case "variant":
        if (checker.inVariant) fail(kernel, "a variant inside a variant");
        checkBody({ ...checker, inVariant: true }, statement.warpgroups, scope);
        checkBody(checker, statement.otherwise, scope);
        break;
      case "group":
      case "barrier":
      case "comment":
        break;
      default:
        statement satisfies never;
    }
}

function inVariant({ kernel, inVariant: inside }: Checker, what: string): void {
  if (!inside) fail(kernel, `${what} outside of a variant for warpgroups`);
}

function checkProduct(
  checker: Checker,
  scope: Scope,
  { sums, left, right }: Extract<Stmt, { op: "product" }>,
): void {
  const { kernel } = checker;
  inVariant(checker, "a product");
  if (kernel.workgroup % 128 !== 0)
    fail(kernel, `a product wants whole warpgroups, not workgroups of ${kernel.workgroup}`);
  if (sums.length === 0 || sums.length > 16) fail(kernel, `a product of ${16 * sums.length} columns`);
  for (const name of sums)
    if (scope.get(name)?.type !== "sums") fail(kernel, `${name} is added to and is no sums`);
  const held = [left, right].map(({ scratch, index }) => {
    checkIs(checker, scope, index, "i32");
    const found = kernel.scratch.find(({ name }) => name === scratch);
    if (found?.rows === undefined || !isHalf(found.type))
      return fail(kernel, `a product reads ${scratch}, which is no half scratch with rows`);
    return found;
  });
  if (held[0]!.type !== held[1]!.type) fail(kernel, `${left.scratch} and ${right.scratch} are of two types`);
  for (const [i, { contiguous, panel, scratch }] of [left, right].entries()) {
    const wide = contiguous === "other" && [64, 16 * sums.length][i]! > held[i]!.rows! / 2;
    if (wide !== (panel !== undefined))
      fail(kernel, `the tile of ${scratch} has panels and needs none, or the other way`);
  }
}

/** Array number `at` has an order of its own: where it begins in shared memory matters. */
function checkRows(kernel: Kernel, at: number): void {
  const { name, type, length } = kernel.scratch[at]!;
  if ((bytesOf(type) * length) % 1024 !== 0) fail(kernel, `scratch ${name} is no multiple of 1 KiB`);
  if (at > 0 && kernel.scratch[at - 1]!.rows === undefined)
    fail(kernel, `scratch ${name} has rows and comes after scratch without`);
}

function checkCopy(checker: Checker, scope: Scope, statement: Extract<Stmt, { op: "copy" }>): void {
  const { kernel, memory } = checker;
  const { scratch, buffer } = statement;
  checkIs(checker, scope, statement.index, "i32");
  checkIs(checker, scope, statement.from, "i32");
  checkIs(checker, scope, statement.there, "bool");
  if (!checker.scratch.has(scratch)) fail(kernel, `${scratch} is copied to and is no scratch`);
  const from = memory.get(buffer);
  if (from === undefined || from.writes)
    fail(kernel, `${buffer} is copied from and is no buffer that is only read`);
  if (from.type !== memory.get(scratch)!.type)
    fail(kernel, `${buffer} of ${from.type} is copied to ${scratch} of ${memory.get(scratch)!.type}`);
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
