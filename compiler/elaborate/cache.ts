// What decoding keeps of the tokens before: a cache for each sequence that is read elsewhere than at its own positions, so that one
// token costs one token's work. A cache is a state `cache.<path>`, written back by the entry. In: the new positions of a sequence.
// Out: all positions so far, or those at a distance. Decoding only: a whole sequence needs no cache.

import { constant, known, type Size } from "../../runtime/size.ts";
import type { Node } from "../graph.ts";
import { shapeOf } from "./align.ts";
import { build, frameOf, join, type Elaboration } from "./elaboration.ts";
import { noteUndecodable } from "./sequence-notes.ts";
import { tensor, type Tensor, type VisibleAxis } from "./value.ts";

/** Where the caches of an application are. */
export const cachePath = (owner: string): string => `cache.${owner}`;

/** The cache with the new positions written into it: [hidden.., context, rest..] from [hidden.., positions, rest..]. */
export function cached(of: Elaboration, value: Tensor): Tensor | undefined {
  const { builder, decode } = of;
  if (builder === undefined || decode === undefined || value.node === undefined)
    throw new Error("internal: no decoding");
  // One cache for one sequence, however often it is read.
  const before = of.collected.caches.get(value.node);
  if (before !== undefined) return before;
  const { path: owner } = frameOf(of);
  // A layer that is bound and applied twice has one set of parameters, and a cache for each application.
  let index = 0;
  const pathAt = (i: number): string => cachePath(join(owner, String(i)));
  while (of.collected.tensors.has(pathAt(index))) index++;
  const path = pathAt(index);
  const axes: readonly VisibleAxis[] = [
    { size: constant(decode.context), name: "context" },
    ...value.axes.slice(1),
  ];
  const sizes = [...value.hidden, ...axes].map(({ size }) => known(size));
  if (value.hidden.some(({ kind }) => kind !== "lead") || sizes.includes(undefined)) {
    noteUndecodable(of, "the size of what is kept of earlier positions is not known");
    return undefined;
  }
  const dtype = value.element === "number" ? "f32" : "i32";
  of.collected.tensors.set(path, {
    name: path,
    role: "state",
    type: dtype,
    shape: sizes as number[],
    init: { kind: "constant", value: 0 },
  });
  const shape = shapeOf(value.hidden, axes);
  const old = builder.tensor(path, shape, dtype);
  const h = value.hidden.length;
  const node = build(of, [value], (b, fresh) => {
    const position = b.input("$position", "i32");
    const place = b.sub(b.index(constant(decode.context)), position);
    const ids = b.broadcastTo(place, shape.slice(0, h + 1), [h]);
    // Tensors hold numbers: truth values are 0 and 1 there.
    const arrived = b.take(value.element === "bool" ? b.cast(fresh, "i32") : fresh, ids, h);
    const length = b.size(value.axes[0]!.size);
    const inside = b.map("and", b.map("le", b.constant(0, "i32"), place), b.map("lt", place, length));
    return b.select(b.broadcastTo(inside, shape, [h]), arrived, old);
  });
  const stored = tensor(value.element === "bool" ? "int" : value.element, value.hidden, axes, node);
  of.collected.updates.set(path, stored);
  const seen =
    value.element !== "bool"
      ? stored
      : tensor(
          "bool",
          value.hidden,
          axes,
          build(of, [stored], (b, bits) => b.map("ne", bits, b.constant(0, "i32"))),
        );
  of.collected.caches.set(value.node, seen);
  return seen;
}

/** Earlier positions: y[.., t, ..] = value[.., t + by, ..] along one axis of its node, or with a width y[.., t, a, ..] =
 * value[.., t + a + by, ..]. Before the start of the text there is 0. Undefined: noted as in the way of decoding. */
export function earlier(
  of: Elaboration,
  value: Tensor,
  axis: number,
  by: number,
  width?: Size,
): Node | undefined {
  const h = value.hidden.length;
  const sequence = axis < h ? value.hidden[axis]! : value.axes[axis - h]!;
  const others = value.hidden.filter((each) => each !== sequence);
  const rest = value.axes.filter((each) => each !== sequence);
  const all = [...value.hidden, ...value.axes];
  // The sequence in front of what is visible, where the cache wants it.
  const order = [...others, sequence, ...rest].map((each) => all.indexOf(each));
  const moved = build(of, [value], (builder, from) => builder.permute(from, order));
  const memory = cached(of, tensor(value.element, others, [{ size: sequence.size }, ...rest], moved));
  if (memory === undefined) return undefined;
  return build(of, [memory], (builder, from) => {
    const front = others.length;
    const start = builder.add(builder.input("$position", "i32"), builder.constant(by, "i32"));
    const first = builder.add(builder.index(sequence.size), start);
    const shape = shapeOf(others, [
      { size: sequence.size },
      ...(width === undefined ? [] : [{ size: width }]),
    ]);
    const places = builder.broadcastTo(first, shape, [front]);
    const ids =
      width === undefined
        ? places
        : builder.add(places, builder.broadcastTo(builder.index(width), shape, [front + 1]));
    const taken = builder.take(from, ids, front);
    // [others.., t, (a,) rest..], and back to where the axis was.
    const extra = width === undefined ? 0 : 1;
    const back = all.flatMap((_, i) => {
      const at = order.indexOf(i);
      if (at === front && extra > 0) return [front, front + 1];
      return at > front ? [at + extra] : [at];
    });
    return builder.permute(taken, back);
  });
}
