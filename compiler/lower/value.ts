// Values: the kernel expression of one element of a graph node, or of four along the vector variable.
// In: a node and an affine coordinate for each of its axes. Out: an expression; whatever has no memory of its own (maps,
// views, constants, gathers, random numbers) is computed in place, from nodes that have memory or are bound to locals.
// Deliberately absent: loops and stores, and the choice of what has memory (fuse.ts).

import type { MapNode, Node, TakeNode, ViewNode } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import type { Size } from "../../runtime/size.ts";
import { known, sizeKey } from "../../runtime/size.ts";
import type { Affine, Atom } from "./affine.ts";
import {
  fixed,
  laneOf,
  levelOf,
  levelOfAll,
  multipleOf,
  number,
  ofAtom,
  read,
  shift,
  stepOf,
  subtract,
  varies,
} from "./affine.ts";
import type { At } from "./layout.ts";
import { flatIndex } from "./layout.ts";
import { addressOf, viewed, type Address, type Padding } from "./address.ts";
import { canonical, dispatched, inputBuffer, partOf } from "./parts.ts";
import type { KernelEmitter, Memory } from "./emitter.ts";
import type { Sources } from "./sources.ts";
import type { Lanes } from "./expr.ts";
import { isVector, laneType, readAs, storedAs } from "../kernel-type.ts";
import {
  binary,
  cast,
  extract,
  integer,
  isAtomic,
  literal,
  lowerOf,
  select,
  sizeExpr,
  splat,
  upperOf,
} from "./expr.ts";
import { emitMap, worksOnLanes } from "./map-functions.ts";

type Bound = (at: At, lanes: Lanes) => Expr;

export class Values {
  readonly emitter: KernelEmitter;
  private readonly sources: Sources;
  private readonly bindings = new Map<Node, Bound>();

  constructor(emitter: KernelEmitter, sources: Sources) {
    this.emitter = emitter;
    this.sources = sources;
  }

  /** From now on, until unbound, a node's elements are what `get` returns. */
  bind(node: Node, get: Bound): void {
    this.bindings.set(node, get);
  }

  unbind(node: Node): void {
    this.bindings.delete(node);
  }

  memoryOf(node: Node): Memory {
    const memory = this.sources.memoryOf(canonical(node));
    if (memory === undefined) throw new Error(`internal: ${describe(node)} has no memory`);
    return memory;
  }

  value(given: Node, at: At, lanes: Lanes): Expr {
    const node = canonical(given);
    if (node.op === "const") return literal(laneType(node.dtype), node.value, lanes);
    const bound = this.bindings.get(node);
    if (bound !== undefined) {
      this.sources.trace?.bound?.(node, at);
      return bound(at, lanes);
    }
    if (node.op === "view" && this.sources.memoryOf(node) === undefined) return this.view(node, at, lanes);
    const key = `${node.id}|${lanes}|${at.map((a) => a.key).join(",")}`;
    const before = this.emitter.recall(key);
    if (before !== undefined) return before;
    const level = levelOfAll(at);
    let value =
      lanes === 4 && !at.some(varies) ? splat(this.value(node, at, 1)) : this.compute(node, at, lanes);
    if (!isAtomic(value) && (level < this.emitter.depth || this.sources.usesOf(node) > 1)) {
      value = this.emitter.name(value, level);
      this.emitter.remember(key, level, value);
    }
    return value;
  }

  /** Whether an element is read where it is asked for, behind views, and not computed. */
  isRead(given: Node): boolean {
    let node = canonical(given);
    while (!this.bindings.has(node) && this.sources.memoryOf(node) === undefined) {
      if (node.op !== "view" || node.view.kind === "pad") return false;
      node = canonical(node.input);
    }
    return true;
  }

  /** Where an element lies that is read behind views and gathers; undefined where it is computed. */
  address(node: Node, at: At): Address | undefined {
    return addressOf(this.sources.memoryOf, node, at);
  }

  /** An index as an i32 expression. */
  index(a: Affine): Expr {
    return this.emitter.index(a, this.atom);
  }

  store(memory: Memory, at: Affine, value: Expr): void {
    const flat = memory.offset === undefined ? at : shift(at, memory.offset);
    const stored =
      value.type === "bool" ? cast("i32", value) : value.type === "boolx4" ? cast("i32x4", value) : value;
    if (!isVector(stored.type) || stepOf(flat) === 1) {
      this.emitter.store(memory, this.index(flat), stored);
      return;
    }
    // lanes that are not neighbours in memory
    const named = this.emitter.let(stored);
    for (const lane of [0, 1, 2, 3] as const)
      this.emitter.store(memory, this.index(laneOf(flat, lane)), extract(named, lane));
  }

  private readonly atom = (atom: Atom): Expr => {
    if (atom.kind === "variable") return { op: "local", type: "i32", name: atom.name };
    const before = this.emitter.recall(atom.key);
    if (before !== undefined) return before;
    let value: Expr;
    if (atom.kind === "quotient") {
      this.sources.trace?.index?.(atom.of);
      value = binary("div", this.index(atom.of), sizeExpr(atom.by));
    } else {
      value = this.value(atom.node, atom.at, 1);
      if (atom.limit !== undefined)
        value = upperOf(integer(0), lowerOf(value, binary("sub", sizeExpr(atom.limit), integer(1))));
    }
    value = this.emitter.name(value, atom.level, "x");
    this.emitter.remember(atom.key, atom.level, value);
    return value;
  };

  private compute(node: Node, at: At, lanes: Lanes): Expr {
    const memory = this.sources.memoryOf(node);
    if (memory !== undefined) return this.load(node, memory, at, lanes);
    switch (node.op) {
      case "const":
        return literal(laneType(node.dtype), node.value, lanes);
      case "size":
        return lanes === 4 ? splat(sizeExpr(node.size)) : sizeExpr(node.size);
      case "index":
        return this.position(at[0]!, lanes);
      case "map":
        return this.map(node, at, lanes);
      case "view":
        return this.view(node, at, lanes);
      case "dispatch":
        return this.value(node.input, dispatched(node, at), lanes);
      case "combine":
        if (node.per === "pick") {
          const slot = partOf(node.route, "slot");
          const row = read(slot, at.slice(0, 2), node.route.bound);
          return this.guarded(
            at,
            lanes,
            () => binary("le", integer(0), this.value(slot, at.slice(0, 2), 1)),
            at.slice(0, 2).some(varies),
            () => this.value(node.input, [row, ...at.slice(2)], lanes),
            node,
          );
        }
        break;
      case "take":
        return this.take(node, at, lanes);
      case "random":
        if (lanes === 4) return this.byLane(node, at);
        return this.random(node.stream, flatIndex(node.shape, at));
      case "input":
      case "tensor":
      case "reduce":
      case "scan":
      case "contract":
      case "choose":
      case "route":
      case "part":
        break;
      default:
        return node satisfies never;
    }
    throw new Error(`internal: ${describe(node)} is read inside a kernel but has no memory`);
  }

  private load(node: Node, memory: Memory, at: At, lanes: Lanes): Expr {
    const flat = flatIndex(node.shape, at);
    this.sources.trace?.load?.(node, at, flat);
    const from = memory.offset === undefined ? flat : shift(flat, memory.offset);
    const value = this.loadAt(
      from,
      lanes,
      (index, width) => this.emitter.load(memory, index, width),
      readAs(memory.type),
    );
    return node.dtype === "bool" ? binary("ne", value, literal("i32", 0, lanes)) : value;
  }

  /** One element, four neighbours, one in all lanes, or four apart: whatever the step of the index says. */
  loadAt(flat: Affine, lanes: Lanes, load: (index: Expr, lanes: Lanes) => Expr, type: "f32" | "i32"): Expr {
    if (lanes === 1) return load(this.index(flat), 1);
    const step = stepOf(flat);
    if (step === 1) return load(this.index(flat), 4);
    if (step === 0) return splat(load(this.index(flat), 1));
    const lane = (i: number): Expr => load(this.index(laneOf(flat, i)), 1);
    return { op: "vector", type: `${type}x4`, lanes: [lane(0), lane(1), lane(2), lane(3)] };
  }

  /** Four scalar evaluations as one vector. */
  private byLane(node: Node, at: At): Expr {
    const lane = (i: number): Expr => {
      const value = this.value(
        node,
        at.map((a) => laneOf(a, i)),
        1,
      );
      return node.dtype === "bool" ? cast("i32", value) : value;
    };
    const type = `${readAs(storedAs(node.dtype))}x4` as const;
    const value: Expr = { op: "vector", type, lanes: [lane(0), lane(1), lane(2), lane(3)] };
    return node.dtype === "bool" ? binary("ne", value, literal("i32", 0, 4)) : value;
  }

  private position(at: Affine, lanes: Lanes): Expr {
    this.sources.trace?.index?.(at);
    if (lanes === 1) return this.index(at);
    const step = stepOf(at);
    if (step === undefined) {
      const lane = (i: number): Expr => this.index(laneOf(at, i));
      return { op: "vector", type: "i32x4", lanes: [lane(0), lane(1), lane(2), lane(3)] };
    }
    const first = splat(this.index(at));
    if (step === 0) return first;
    return binary("add", first, {
      op: "vector",
      type: "i32x4",
      lanes: [integer(0), integer(step), integer(2 * step), integer(3 * step)],
    });
  }

  private map(node: MapNode, at: At, lanes: Lanes): Expr {
    if (lanes === 4 && !worksOnLanes(node)) return this.byLane(node, at);
    return emitMap(
      node,
      node.inputs.map((input) => this.value(input, at, lanes)),
      // where the result is known: it may be hoisted out of the innermost block
      (value) => this.emitter.name(value, levelOfAll(at)),
    );
  }

  private view(node: ViewNode, at: At, lanes: Lanes): Expr {
    const { view, input } = node;
    if (view.kind === "pad") return this.padded(node, view, at, lanes);
    return this.value(input, viewed(node, view, at), lanes);
  }

  private padded(node: ViewNode, view: Padding, at: At, lanes: Lanes): Expr {
    const { input } = node;
    const extent = input.shape[view.axis]!.size;
    const moved = subtract(at[view.axis]!, fixed(view.before));
    const whole = known(extent) !== undefined && known(extent)! % 4 === 0;
    const together = whole && stepOf(moved) === 1 && multipleOf(moved) % 4 === 0;
    if (lanes === 4 && varies(moved) && !together) return this.byLane(node, at);
    const vector = lanes === 4 && together;
    this.sources.trace?.index?.(moved);
    // the clamped index is a value of its own, so that reads beyond the input stay inside
    return this.guarded(
      at,
      lanes,
      () =>
        binary(
          "and",
          binary("le", integer(0), this.index(moved)),
          binary("lt", this.index(moved), sizeExpr(extent)),
        ),
      false,
      () => {
        const clamped = upperOf(
          integer(0),
          lowerOf(this.index(moved), binary("sub", sizeExpr(extent), integer(vector ? 4 : 1))),
        );
        const inside = this.clamped(moved, clamped, extent, vector);
        return this.value(
          input,
          at.map((a, axis) => (axis === view.axis ? inside : a)),
          lanes,
        );
      },
      node,
    );
  }

  private clamped(a: Affine, value: Expr, bound: Size, vector: boolean): Affine {
    const key = `clamp(${a.key};${sizeKey(bound)}${vector ? ";4" : ""})`;
    const before = this.emitter.recall(key);
    const named = before ?? this.emitter.name(value, levelOf(a), "x");
    this.emitter.remember(key, levelOf(a), named);
    if (named.op !== "local") return fixed(number(named.op === "literal" ? named.value : 0));
    return ofAtom({
      kind: "variable",
      key: named.name,
      name: named.name,
      level: levelOf(a),
      multiple: vector ? 4 : 1,
      bound,
      vector,
      clamped: a,
    });
  }

  /** `inside` where the condition holds, else 0; `inside` is computed anyway and must stay in bounds. */
  private guarded(
    at: At,
    lanes: Lanes,
    condition: () => Expr,
    conditionVaries: boolean,
    inside: () => Expr,
    node: Node,
  ): Expr {
    if (lanes === 4 && conditionVaries) return this.byLane(node, at);
    const test = condition();
    const value = inside();
    const vector = isVector(value.type);
    const zero: Expr = literal(laneType(node.dtype), 0, vector ? 4 : 1);
    return select(vector ? splat(test) : test, value, zero);
  }

  private take(node: TakeNode, at: At, lanes: Lanes): Expr {
    const { ids, table, batch } = node;
    const idsAt = at.slice(0, ids.shape.length);
    const count = table.shape[batch]!.size;
    const id = read(ids, idsAt, count);
    return this.guarded(
      at,
      lanes,
      () => {
        const raw = this.value(ids, idsAt, 1);
        return binary("and", binary("le", integer(0), raw), binary("lt", raw, sizeExpr(count)));
      },
      idsAt.some(varies),
      () => this.value(table, [...idsAt.slice(0, batch), id, ...at.slice(ids.shape.length)], lanes),
      node,
    );
  }

  private random(stream: number, counter: Affine): Expr {
    this.sources.trace?.index?.(counter);
    const scalar = (name: string): Expr => {
      const memory: Memory = {
        key: `input:${name}`,
        type: "i32",
        length: number(1),
        buffer: inputBuffer(name),
      };
      const before = this.emitter.recall(memory.key);
      if (before !== undefined) return before;
      const value = this.emitter.name(this.emitter.load(memory, integer(0)), 0);
      this.emitter.remember(memory.key, 0, value);
      return value;
    };
    return {
      op: "random",
      type: "f32",
      key0: scalar("$seed"),
      key1: scalar("$draw"),
      counter: this.index(counter),
      stream,
    };
  }
}

export const describe = (node: Node): string => `%${node.id} ${node.op} of ${node.origin.path}`;
