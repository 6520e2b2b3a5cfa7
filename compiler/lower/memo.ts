// Clusters are lowered once: a model repeats its layers, and entries repeat each other.
// In: a cluster and the memory of its nodes. Out: the kernels of it, or those of a cluster that was lowered before and is the
// same but for the buffers it binds. Deliberately absent: lowering.

import type { Node, RouteNode } from "../graph.ts";
import { keyOfSize } from "../graph-axis.ts";
import type { ReadonlyNodeMap } from "../graph-map.ts";
import type { Cluster, Fusion } from "../fuse.ts";
import type { Known } from "../known.ts";
import type { LoweredBuffer } from "../lowered.ts";
import type { MadeKernel } from "./context.ts";
import type { Memory } from "./emitter.ts";
import type { Target } from "../target.ts";
import { partOf } from "./parts.ts";

/** A kernel of a cluster; its buffers are numbered as the signature of the cluster numbers memories. */
export interface NumberedKernel {
  readonly made: MadeKernel;
  readonly buffers: readonly (number | LoweredBuffer)[];
}

export function once(
  { kernels }: Known,
  fusion: Fusion,
  memories: ReadonlyNodeMap<Memory>,
  cluster: Cluster,
  { parallel }: Target,
  lower: () => readonly MadeKernel[],
): readonly MadeKernel[] {
  const { key: looked, buffers } = signatureOf(fusion, memories, cluster);
  // All else of the target is the same for all that is known.
  const key = parallel?.halfSums === undefined ? looked : `${looked} in f16`;
  const before = kernels.get(key);
  if (before === undefined) {
    const made = lower();
    const numbered = (buffer: LoweredBuffer): number | LoweredBuffer => {
      const number = buffers.indexOf(buffer);
      return number < 0 ? buffer : number;
    };
    kernels.set(
      key,
      made.map((each) => ({ made: each, buffers: each.buffers.map(numbered) })),
    );
    return made;
  }
  // Temporaries between the kernels of one cluster are its own.
  const own = new Map<LoweredBuffer, LoweredBuffer>();
  const bind = (buffer: number | LoweredBuffer): LoweredBuffer => {
    if (typeof buffer === "number") return buffers[buffer]!;
    if (buffer.kind !== "temporary") return buffer;
    const copy = own.get(buffer) ?? { ...buffer };
    own.set(buffer, copy);
    return copy;
  };
  return before.map(({ made: { kernel, title }, buffers: bound }) => ({
    kernel,
    title,
    buffers: bound.map(bind),
  }));
}

const parts = ["offsets", "source", "group", "slot"] as const;

/** All that lowering a cluster looks at: the terms of its members, and where they and their leaves lie. */
function signatureOf(
  { terms, uses }: Fusion,
  memories: ReadonlyNodeMap<Memory>,
  { kind, rank, members, outputs }: Cluster,
): { readonly key: string; readonly buffers: readonly LoweredBuffer[] } {
  const buffers: LoweredBuffer[] = [];
  const memoryText = (node: Node): string => {
    const memory = memories.get(node);
    if (memory === undefined) return "";
    const { buffer, type, length, offset } = memory;
    let number = buffers.indexOf(buffer);
    if (number < 0) number = buffers.push(buffer) - 1;
    return `$${number} ${type} ${keyOfSize(length)}${offset === undefined ? "" : `+${keyOfSize(offset)}`}`;
  };
  const partsOf = (route: RouteNode): string =>
    parts.map((part) => memoryText(partOf(route, part))).join("|");
  const seen: Node[] = [...members];
  let key = `${kind} ${rank}`;
  for (const node of members) {
    const { number, leaves } = terms.of(node);
    key += `;${number}`;
    for (const leaf of leaves) {
      let place = seen.indexOf(leaf);
      if (place >= 0) key += ` ${place}`;
      else {
        place = seen.push(leaf) - 1;
        key += ` ${place} ${leaf.op === "route" ? partsOf(leaf) : memoryText(leaf)}`;
      }
    }
    if ((uses.get(node) ?? 1) > 1) key += "*";
    if (node.op === "route") key += partsOf(node);
    else if (outputs.includes(node)) key += `>${memoryText(node)}`;
  }
  return { key, buffers };
}
