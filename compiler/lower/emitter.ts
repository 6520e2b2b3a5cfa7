// KernelEmitter: a kernel being written. Holds its buffers, names, the stack of open blocks, and what has been computed.
// In: calls of the lowering of one cluster. Out: a Kernel with canonical names, and the buffers it binds in order.
// A value is written into the outermost block in which its coordinates are known, so that what does not depend on an
// inner loop is computed outside of it. Deliberately absent: the meaning of graph nodes (value.ts).

import type { ElementType, Expr, Kernel, KernelBuffer, KernelWay, Scratch, Stmt } from "../kernel.ts";
import { readAs } from "../kernel-type.ts";
import type { LoweredBuffer } from "../lowered.ts";
import type { Size } from "../../runtime/size.ts";
import { known, namesOf } from "../../runtime/size.ts";
import type { Affine, Atom } from "./affine.ts";
import { fixed, number, variable } from "./affine.ts";
import type { Lanes } from "./expr.ts";
import { binary, integer, invocation, isAtomic, local, sizeExpr } from "./expr.ts";
import { namesInBody } from "./sizes-read.ts";

/** Memory that a kernel reads or writes; the key says which. */
export interface Memory {
  readonly key: string;
  readonly type: ElementType;
  readonly length: Size;
  readonly buffer: LoweredBuffer;
  /** Where it starts, in elements, when several nodes share one buffer. */
  readonly offset?: Size;
}

interface Binding {
  readonly memory: Memory;
  readonly name: string;
  read: boolean;
  written: boolean;
}

interface Block {
  readonly statements: Stmt[];
  readonly computed: Map<string, Expr>;
}

export class KernelEmitter {
  private readonly bindings = new Map<string, Binding>();
  private readonly scratches: Scratch[] = [];
  /** Invocations of a workgroup. */
  workgroup = 1;
  /** What devices whose warpgroups multiply do in the place of all this. */
  warpgroups: KernelWay | undefined;
  /** Whether loops take four neighbours at a time. Where neighbours are neighbouring invocations they do not. */
  vectors = true;
  private laneName: string | undefined;
  private readonly counters = new Map<string, number>();
  private blocks: Block[] = [{ statements: [], computed: new Map() }];
  /** Blocks below this depth are closed to hoisting: a schedule holds them. */
  private closed = 0;

  /** Depth of the innermost block. */
  get depth(): number {
    return this.blocks.length - 1;
  }

  readonly fresh = (hint: string): string => {
    const count = this.counters.get(hint) ?? 0;
    this.counters.set(hint, count + 1);
    return `${hint}${count}`;
  };

  push(statement: Stmt): void {
    this.blocks.at(-1)!.statements.push(statement);
  }

  /** What a key stands for, when some open block has computed it. */
  recall(key: string): Expr | undefined {
    for (let depth = this.depth; depth >= 0; depth--) {
      const found = this.blocks[depth]!.computed.get(key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  remember(key: string, level: number, value: Expr): void {
    this.blocks[Math.min(this.depth, Math.max(level, this.closed))]!.computed.set(key, value);
  }

  /** Names a value in the outermost block where it is known. */
  name(value: Expr, level: number, hint = "v"): Expr {
    if (isAtomic(value)) return value;
    const name = this.fresh(hint);
    const block = this.blocks[Math.min(this.depth, Math.max(level, this.closed))]!;
    block.statements.push({ op: "let", name, value });
    return local(name, value.type);
  }

  /** Names a value in the innermost block. */
  let(value: Expr, hint = "v"): Expr {
    return this.name(value, this.depth, hint);
  }

  /** A local that changes, declared in the innermost block. */
  var(value: Expr, hint = "a"): { readonly get: Expr; readonly set: (value: Expr) => void } {
    const name = this.fresh(hint);
    this.push({ op: "var", name, value });
    return { get: local(name, value.type), set: (next) => this.push({ op: "set", name, value: next }) };
  }

  /** Runs `fill` with a new innermost block and returns its statements. */
  block(fill: () => void, statements: Stmt[] = []): Stmt[] {
    this.blocks.push({ statements, computed: new Map() });
    fill();
    this.blocks.pop();
    return statements;
  }

  /** Runs `fill` on statement lists that someone else holds, outermost first; only the last `open` of them take hoisted values. */
  within<T>(
    lists: readonly { readonly statements: Stmt[]; readonly computed: Map<string, Expr> }[],
    open: number,
    fill: () => T,
  ): T {
    const { blocks, closed } = this;
    this.blocks = [...lists];
    this.closed = lists.length - open;
    const result = fill();
    this.blocks = blocks;
    this.closed = closed;
    return result;
  }

  if(condition: Expr, then: () => void, otherwise?: () => void): void {
    const statement: Stmt = {
      op: "if",
      condition,
      then: this.block(then),
      otherwise: otherwise === undefined ? [] : this.block(otherwise),
    };
    this.push(statement);
  }

  for(
    range: {
      readonly from?: Expr;
      readonly to: Expr;
      readonly step?: number;
      readonly multiple?: number;
      readonly bound?: Size | undefined;
      readonly vector?: boolean;
      readonly hint?: string;
    },
    body: (index: Affine) => void,
  ): void {
    const name = this.fresh(range.hint ?? "i");
    const statements = this.block(() =>
      body(
        variable(name, this.depth, {
          multiple: range.multiple ?? 1,
          bound: range.bound,
          vector: range.vector ?? false,
        }),
      ),
    );
    this.push({
      op: "for",
      name,
      from: range.from ?? integer(0),
      to: range.to,
      step: range.step ?? 1,
      body: statements,
    });
  }

  /** All of 0 .. extent - 1: four at a time, then one at a time where the extent may not be a multiple of 4. Without
   * vectors, one at a time. */
  lanes(extent: Size, body: (index: Affine, lanes: Lanes) => void): void {
    const value = known(extent);
    if (value !== undefined && value < 4) {
      for (let i = 0; i < value; i++) body(fixed(number(i)), 1);
      return;
    }
    if (!this.vectors) {
      this.for({ to: sizeExpr(extent), bound: extent }, (index) => body(index, 1));
      return;
    }
    const whole = extent.every(({ coefficient }) => coefficient % 4 === 0);
    const end: Expr = whole
      ? sizeExpr(extent)
      : value !== undefined
        ? integer(value - (value % 4))
        : this.let(binary("sub", sizeExpr(extent), binary("mod", sizeExpr(extent), integer(4))), "e");
    this.for({ to: end, step: 4, multiple: 4, bound: extent, vector: true }, (index) => body(index, 4));
    if (whole || (value !== undefined && value % 4 === 0)) return;
    if (value !== undefined && value % 4 === 1) body(fixed(number(value - 1)), 1);
    else this.for({ from: end, to: sizeExpr(extent), bound: extent }, (index) => body(index, 1));
  }

  /** From `first` (a multiple of 4) to `end`, four at a time and then one at a time. With `anyEnd` the end may be no
   * multiple of 4 even where the bound is one. */
  lanesFrom(
    first: Expr,
    end: Expr,
    bound: Size,
    body: (index: Affine, lanes: Lanes) => void,
    anyEnd = false,
  ): void {
    if (!this.vectors) {
      this.for({ from: first, to: end, bound }, (index) => body(index, 1));
      return;
    }
    const stop = this.let(
      binary("add", first, binary("mul", binary("div", binary("sub", end, first), integer(4)), integer(4))),
      "e",
    );
    this.for({ from: first, to: stop, step: 4, multiple: 4, bound, vector: true }, (index) => body(index, 4));
    if (!anyEnd && bound.every(({ coefficient }) => coefficient % 4 === 0)) return;
    this.for({ from: stop, to: end, bound }, (index) => body(index, 1));
  }

  /** The invocation's number, as an index. */
  lane(): Affine {
    if (this.laneName === undefined) {
      this.laneName = this.fresh("x");
      this.blocks[0]!.statements.push({ op: "let", name: this.laneName, value: invocation });
    }
    return variable(this.laneName, 0, { bound: number(this.workgroup) });
  }

  scratch(type: ElementType, length: number): string {
    const name = this.fresh("s");
    this.scratches.push({ name, type, length });
    return name;
  }

  addScratch(scratch: readonly Scratch[]): void {
    this.scratches.push(...scratch);
  }

  private binding(memory: Memory): Binding {
    let binding = this.bindings.get(memory.key);
    if (binding === undefined) {
      binding = { memory, name: `p${this.bindings.size}`, read: false, written: false };
      this.bindings.set(memory.key, binding);
    }
    return binding;
  }

  /** The name of a memory that the kernel reads. */
  reads(memory: Memory): string {
    const binding = this.binding(memory);
    binding.read = true;
    return binding.name;
  }

  load(memory: Memory, index: Expr, lanes: Lanes = 1): Expr {
    const type = readAs(memory.type);
    return { op: "load", type: lanes === 4 ? `${type}x4` : type, buffer: this.reads(memory), index };
  }

  store(memory: Memory, index: Expr, value: Expr): void {
    const binding = this.binding(memory);
    binding.written = true;
    this.push({ op: "store", buffer: binding.name, index, value });
  }

  /** An affine index as an expression; atoms are computed where they are first known. */
  index(a: Affine, atomValue: (atom: Atom) => Expr): Expr {
    let sum: Expr | undefined;
    const negative: Expr[] = [];
    for (const { atom, coefficient } of a.terms) {
      const value = atomValue(atom);
      const count = known(coefficient);
      if (count !== undefined && count < 0) {
        negative.push(binary("mul", value, integer(-count)));
        continue;
      }
      const part = binary("mul", value, sizeExpr(coefficient));
      sum = sum === undefined ? part : binary("add", sum, part);
    }
    const offset = sizeExpr(a.offset);
    sum = sum === undefined ? offset : binary("add", sum, offset);
    for (const part of negative) sum = binary("sub", sum, part);
    return sum;
  }

  /** The locals of an expression as an affine variable of the innermost block. */
  given(
    value: Expr,
    about: { readonly multiple?: number; readonly bound?: Size; readonly vector?: boolean } = {},
  ): Affine {
    if (value.op === "literal" && about.vector !== true) return fixed(number(value.value));
    if (value.op === "size" && about.vector !== true) return fixed(value.size);
    if (value.op === "local") return variable(value.name, this.depth, about);
    const name = this.fresh("x");
    this.push({ op: "let", name, value });
    return variable(name, this.depth, about);
  }

  /** The same, by a new name in the innermost block: what depends on it is not computed outside. */
  renamed(value: Expr, about: { readonly bound?: Size } = {}): Affine {
    const name = this.fresh("x");
    this.push({ op: "let", name, value });
    return variable(name, this.depth, about);
  }

  finish(about: { readonly name: string; readonly grid: Size; readonly multiplyAdds?: Size }): {
    readonly kernel: Kernel;
    readonly buffers: readonly LoweredBuffer[];
  } {
    const buffers: KernelBuffer[] = [];
    const names = new Set<string>();
    for (const { memory, name, read, written } of this.bindings.values()) {
      buffers.push({
        name,
        type: memory.type,
        access: written ? (read ? "update" : "write") : "read",
        length: memory.length,
      });
      namesOf(memory.length, names);
    }
    const body = this.blocks[0]!.statements;
    namesInBody(body, names);
    const way = this.warpgroups;
    if (way !== undefined) namesInBody(way.body, names);
    for (const { offset, axes } of way?.maps ?? [])
      for (const size of [offset, ...axes.flatMap(({ extent, stride }) => [extent, stride])])
        namesOf(size, names);
    return {
      kernel: {
        name: about.name,
        buffers,
        sizes: [...names].sort(),
        grid: about.grid,
        workgroup: this.workgroup,
        scratch: this.scratches,
        body,
        ...(way === undefined ? {} : { warpgroups: way }),
        ...(about.multiplyAdds === undefined ? {} : { multiplyAdds: about.multiplyAdds }),
      },
      buffers: [...this.bindings.values()].map(({ memory }) => memory.buffer),
    };
  }
}
