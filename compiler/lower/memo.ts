// Clusters are lowered once: a model repeats its layers, and entries repeat each other.
// In: a cluster and the memory of its nodes. Out: the kernels of it, or those of a cluster that was lowered before and is the
// same but for the buffers it binds. Deliberately absent: lowering.

import type { Node, RouteNode } from "../graph.ts";
import { keyOfSize } from "../graph-axis.ts";
import type { ReadonlyNodeMap } from "../graph-map.ts";
import type { Cluster, Fusion } from "../fuse.ts";
import type { LoweredBuffer } from "../lowered.ts";
import type { MadeKernel } from "./context.ts";
import type { Memory } from "./emitter.ts";
import { partOf } from "./parts.ts";
import { signatureOf } from "./signature.ts";

/** Kernels by the signature of their cluster; their buffers are numbered as the signature numbers memories. */
export type ClusterMemo = Map<
  string,
  readonly { readonly made: MadeKernel; readonly buffers: readonly (number | LoweredBuffer)[] }[]
>;

export function once(
  memo: ClusterMemo,
  fusion: Fusion,
  memories: ReadonlyNodeMap<Memory>,
  cluster: Cluster,
  lower: () => readonly MadeKernel[],
): readonly MadeKernel[] {
  const { key, buffers } = signatureOfCluster(fusion, memories, cluster);
  const before = memo.get(key);
  if (before === undefined) {
    const made = lower();
    const numbers = new Map(buffers.map((buffer, i) => [buffer, i]));
    const numbered = (buffer: LoweredBuffer): number | LoweredBuffer => numbers.get(buffer) ?? buffer;
    memo.set(
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
  return before.map(({ made, buffers: bound }) => ({ ...made, buffers: bound.map(bind) }));
}

/** All that lowering a cluster looks at. */
function signatureOfCluster(
  fusion: Fusion,
  memories: ReadonlyNodeMap<Memory>,
  cluster: Cluster,
): { readonly key: string; readonly buffers: readonly LoweredBuffer[] } {
  const buffers: LoweredBuffer[] = [];
  const numbers = new Map<string, number>();
  const memoryText = (node: Node): string | undefined => {
    const memory = memories.get(node);
    if (memory === undefined) return undefined;
    let number = numbers.get(memory.key);
    if (number === undefined) {
      numbers.set(memory.key, (number = buffers.length));
      buffers.push(memory.buffer);
    }
    const offset = memory.offset === undefined ? "" : keyOfSize(memory.offset);
    return `$${number} ${memory.type} ${keyOfSize(memory.length)}+${offset}`;
  };
  const partsOf = (route: RouteNode): string =>
    (["offsets", "source", "group", "slot"] as const)
      .map((part) => memoryText(partOf(route, part)) ?? "")
      .join("|");
  const outputs = new Set(cluster.outputs);
  const { key } = signatureOf(cluster.members, fusion.texts, {
    // A constant is written out where it is read, also when it has memory.
    leaf: (node) => (node.op === "const" ? undefined : memoryText(node)),
    inner: (node) => {
      const shared = (fusion.uses.get(node) ?? 1) > 1 ? "*" : "";
      if (node.op === "route") return `${shared}${partsOf(node)}`;
      return outputs.has(node) ? `${shared}>${memoryText(node) ?? ""}` : shared;
    },
    route: partsOf,
  });
  return { key: `${cluster.kind} ${cluster.rank} ${key}`, buffers };
}
