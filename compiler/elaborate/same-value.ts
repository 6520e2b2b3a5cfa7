// Whether two values are the same for whoever is given them: statics by what they say, inputs by their types alone.
// In: two of them. Out: true only where nothing that is made of one could differ from what is made of the other.

import { sameSize } from "../graph-axis.ts";
import type { Instance, Pieces, Pool, Tensor, Value, VisibleAxis } from "./value.ts";

const sameAxes = (a: readonly VisibleAxis[], b: readonly VisibleAxis[]): boolean =>
  a.length === b.length &&
  a.every((axis, i) => {
    const other = b[i]!;
    return (
      axis.name === other.name &&
      axis.valid === other.valid &&
      samePieces(axis.pieces, other.pieces) &&
      sameSize(axis.size, other.size)
    );
  });

const samePieces = (a: Pieces | undefined, b: Pieces | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.length === b.length &&
    a.every(({ modality, size }, i) => modality === b[i]!.modality && sameSize(size, b[i]!.size)));

const sameType = (a: Tensor, b: Tensor): boolean =>
  a.element === b.element &&
  a.constant === b.constant &&
  a.hidden.length === b.hidden.length &&
  a.hidden.every((axis, i) => axis === b.hidden[i]) &&
  sameAxes(a.axes, b.axes);

/** Tensors of the same types, and where two of one list have the same node, so have those of the other. */
export const sameInputs = (a: readonly Tensor[], b: readonly Tensor[]): boolean =>
  a.length === b.length &&
  a.every(
    (tensor, i) =>
      sameType(tensor, b[i]!) &&
      a.findIndex(({ node }) => node === tensor.node) === b.findIndex(({ node }) => node === b[i]!.node),
  );

/** The same definition with the same statics, written in the same place. */
export function sameInstance(a: Instance, b: Instance): boolean {
  if (a === b) return true;
  if (a.definition !== b.definition || a.module !== b.module || a.statics.size !== b.statics.size)
    return false;
  if (a.span !== b.span || a.base !== b.base || a.path !== b.path) return false;
  for (const [name, value] of a.statics) {
    const other = b.statics.get(name);
    if (other === undefined || !sameStatic(value, other)) return false;
  }
  return true;
}

const samePool = (a: Pool, b: Pool): boolean =>
  a.path === b.path &&
  a.segments.length === b.segments.length &&
  a.nulls.length === b.nulls.length &&
  a.segments.every((segment, i) => {
    const other = b.segments[i]!;
    return (
      segment.modality === other.modality &&
      segment.span === other.span &&
      sameStatic(segment.count, other.count) &&
      sameInstance(segment.instance, other.instance) &&
      (segment.weight === other.weight ||
        (segment.weight !== undefined &&
          other.weight !== undefined &&
          sameStatic(segment.weight, other.weight)))
    );
  }) &&
  a.nulls.every(({ kind, count, span }, i) => {
    const other = b.nulls[i]!;
    return kind === other.kind && span === other.span && sameStatic(count, other.count);
  });

/** Of statics; false of what could only be compared as nodes. */
function sameStatic(a: Value, b: Value): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case "number":
      return (
        b.kind === "number" &&
        a.name === b.name &&
        samePieces(a.pieces, b.pieces) &&
        a.poly !== undefined &&
        b.poly !== undefined &&
        sameSize(a.poly, b.poly)
      );
    case "truth":
    case "text":
      return b.kind === a.kind && a.value === b.value;
    case "null":
      return b.kind === "null" && a.which === b.which;
    case "definition":
      return (
        b.kind === "definition" && a.definition === b.definition && a.module === b.module && a.base === b.base
      );
    case "instance":
      return b.kind === "instance" && sameInstance(a, b);
    case "pool":
      return b.kind === "pool" && samePool(a, b);
    case "list":
      return (
        b.kind === "list" &&
        a.items.length === b.items.length &&
        a.items.every((item, i) => sameStatic(item, b.items[i]!))
      );
    case "tensor":
    case "index":
    case "gates":
    case "modality":
    case "unknown":
    case "broken":
      return false;
    default:
      return a satisfies never;
  }
}
