// Terms: nodes that are computed in the same way have one number, whatever they are computed from; everything that a kernel would
// show makes another.

import { describe, expect, test } from "vitest";
import { NodeSet } from "../compiler/graph-map.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Node } from "../compiler/graph.ts";
import { nodesOf } from "../compiler/graph-walk.ts";
import { usersIn } from "../compiler/fuse-users.ts";
import { Terms, type Term, type TermNumbers } from "../compiler/lower/terms.ts";
import { named } from "../runtime/size.ts";

const T = named("T");

/** The terms of some nodes, which have memory, as others have that are named. */
function termsOf(
  roots: readonly Node[],
  others: readonly Node[] = [],
  numbers: TermNumbers = new Map(),
): readonly Term[] {
  const nodes = nodesOf(roots);
  const stored = new NodeSet(nodes);
  for (const node of [...roots, ...others]) stored.add(node);
  const terms = new Terms(nodes, stored, usersIn(nodes, new Set(roots)).uses, numbers);
  return roots.map((root) => terms.of(root));
}

/** A gated product with a residual, over the tensors of layer `i`. */
function layer(b: GraphBuilder, x: Node, i: number): Node {
  const gain = b.tensor(`gain.${i}`, [8]);
  return b.add(x, b.mul(b.silu(x), b.broadcastTo(gain, x.shape, [1])));
}

test("equal layers have equal terms, and leaves of their own", () => {
  const b = new GraphBuilder();
  const x = b.input("x", "f32", [T, 8]);
  const first = layer(b, x, 0);
  const second = layer(b, first, 1);
  const [one, other] = termsOf([first, second]);
  expect(one!.number).toBe(other!.number);
  expect(one!.leaves).toEqual([x, b.tensor("gain.0", [8])]);
  expect(other!.leaves).toEqual([first, b.tensor("gain.1", [8])]);
});

test("numbers hold from graph to graph", () => {
  const numbers: TermNumbers = new Map();
  const of = (name: string): Term => {
    const b = new GraphBuilder();
    return termsOf([layer(b, b.input(name, "f32", [T, 8]), 3)], [], numbers)[0]!;
  };
  expect(of("x").number).toBe(of("another").number);
});

describe("other terms", () => {
  type Pair = (b: GraphBuilder, x: Node, y: Node) => readonly [Node, Node];
  test.each<readonly [string, Pair]>([
    ["another function", (b, x) => [b.map("exp", x), b.map("log", x)]],
    ["a leaf twice, and two leaves", (b, x, y) => [b.mul(x, b.map("exp", x)), b.mul(x, b.map("exp", y))]],
    ["leaves the other way round", (b, x, y) => [b.sub(b.mul(x, y), x), b.sub(b.mul(x, y), y)]],
    ["another size", (b, x) => [b.map("exp", x), b.map("exp", b.input("short", "f32", [T, 4]))]],
    ["another constant", (b, x) => [b.mul(x, 2), b.mul(x, 3)]],
    ["zeros of two signs", (b, x) => [b.map("max", x, b.constant(0)), b.map("max", x, b.constant(-0))]],
    ["another axis", (b, x) => [b.sum(b.map("exp", x), [0]), b.sum(b.map("exp", x), [1])]],
  ])("%s", (_, pair) => {
    const b = new GraphBuilder();
    const [x, y] = ["x", "y"].map((name) => b.input(name, "f32", [T, 8])) as [Node, Node];
    const [one, other] = termsOf(pair(b, x, y));
    expect(one!.number).not.toBe(other!.number);
  });

  test("where a value in between has memory", () => {
    const b = new GraphBuilder();
    const inner = b.map("exp", b.input("x", "f32", [T, 8]));
    const root = b.mul(inner, 2);
    const numbers: TermNumbers = new Map();
    const [whole] = termsOf([root], [], numbers);
    const [cut] = termsOf([root], [inner], numbers);
    expect(cut!.number).not.toBe(whole!.number);
    expect(cut!.leaves).toEqual([inner]);
  });

  test("where a value in between is used again: it has a name in its kernel", () => {
    const b = new GraphBuilder();
    const inner = b.map("exp", b.input("x", "f32", [T, 8]));
    const root = b.mul(inner, 2);
    const numbers: TermNumbers = new Map();
    const [alone] = termsOf([root], [], numbers);
    const [shared] = termsOf([root, b.mul(inner, 3)], [], numbers);
    expect(shared!.number).not.toBe(alone!.number);
  });
});

test("rows of a routing: its leaf is the routing, and two routings are told apart", () => {
  const b = new GraphBuilder();
  const x = b.input("x", "f32", [T, 8]);
  const routing = (name: string) => b.route(b.input(name, "i32", [T, 2]), 4);
  const [one, other] = [routing("a"), routing("b")];
  const rows = (route: typeof one): Node => b.map("exp", b.dispatch(x, route));
  const [first, second] = termsOf([rows(one), rows(other)], [one, other]);
  expect(first!.number).toBe(second!.number);
  expect(first!.leaves).toEqual([x, one]);
  expect(second!.leaves).toEqual([x, other]);
});
