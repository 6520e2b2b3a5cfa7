// What the lowering of every kind of cluster sees: where stored nodes are, and how a kernel of an entry is opened and closed.
// In: the memories chosen by lower.ts. Out: dispatches. Deliberately absent: the kernels' bodies.

import type { Node, RouteNode } from "../graph.ts";
import type { ReadonlyNodeMap } from "../graph-map.ts";
import type { Cluster, Fusion } from "../fuse.ts";
import type { ElementType, Expr, Kernel } from "../kernel.ts";
import { readAs, storedAs } from "../kernel-type.ts";
import type { LoweredBuffer } from "../lowered.ts";
import type { Parallel, Target } from "../target.ts";
import type { Size } from "../../runtime/size.ts";
import { fixed, number, times } from "./affine.ts";
import { KernelEmitter } from "./emitter.ts";
import type { Memory } from "./emitter.ts";
import type { Trace } from "./sources.ts";
import { inputBuffer, partOf } from "./parts.ts";
import { Values } from "./value.ts";
import { tensorMemory, type Stacks, type Window } from "./stacks.ts";

export interface LowerContext {
  readonly fusion: Fusion;
  /** Memory of every stored node, and of the parts of routings. */
  readonly memories: ReadonlyNodeMap<Memory>;
  readonly made: MadeKernel[];
  readonly target: Target;
  /** Tensors that lie in parts. */
  readonly stacks: Stacks;
  /** Of the cluster that is being lowered. */
  readonly window?: Window;
}

/** A kernel of a cluster, what it does in a few words, and what it binds. */
export interface MadeKernel {
  readonly kernel: Kernel;
  readonly buffers: readonly LoweredBuffer[];
  readonly title: string;
}

/** How the values of a node lie in memory. */
export const storedType = ({ dtype }: Node): ElementType => storedAs(dtype);
/** How lanes see them there. */
export const elementOf = (node: Node): "f32" | "i32" => readAs(storedType(node));

let temporaries = 0;
export function temporary(label: string, type: ElementType, length: Size): Memory {
  const buffer: LoweredBuffer = { kind: "temporary", label, type, length };
  return { key: `temporary:${temporaries++}`, type, length, buffer };
}

export function sourceMemory(node: Node, stacks: Stacks): Memory | undefined {
  if (node.op !== "input" && node.op !== "tensor") return undefined;
  if (node.op === "tensor") {
    const whole = { type: storedType(node), buffer: tensorBuffer(node.name) };
    return tensorMemory(node.name, node, whole, stacks);
  }
  const length = node.shape.reduce((size, axis) => times(size, axis.size), number(1));
  return { key: `input:${node.name}`, type: storedType(node), length, buffer: inputBuffer(node.name) };
}

const tensors = new Map<string, LoweredBuffer>();
/** One object per tensor name: buffers are compared by identity. */
export function tensorBuffer(name: string): LoweredBuffer {
  let buffer = tensors.get(name);
  if (buffer === undefined) tensors.set(name, (buffer = { kind: "tensor", name }));
  return buffer;
}

/** Who works on what a kernel does at a time (a row, a column): one invocation alone, or all of a workgroup together. */
export type Team = "invocation" | "workgroup";

/** A kernel being written for a cluster. `hidden` nodes have no memory (yet) while it is written. */
export class ClusterKernel {
  readonly emitter = new KernelEmitter();
  readonly values: Values;
  team: Team = "invocation";
  /** What the target has to offer, where neighbours are neighbouring invocations. */
  readonly parallel: Parallel | undefined;
  private readonly context: LowerContext;
  private readonly cluster: Cluster;
  private readonly hidden: Set<Node>;

  constructor(context: LowerContext, cluster: Cluster, trace?: Trace) {
    this.context = context;
    this.cluster = cluster;
    this.hidden = new Set(cluster.members);
    this.parallel = context.target.parallel;
    this.emitter.vectors = this.parallel === undefined;
    this.values = new Values(this.emitter, {
      memoryOf: (node) => (this.hidden.has(node) ? undefined : context.memories.get(node)),
      usesOf: (node) => context.fusion.uses.get(node) ?? 1,
      ...(trace === undefined ? {} : { trace }),
    });
  }

  /** From now on the node is read from its memory. */
  reveal(node: Node): void {
    this.hidden.delete(node);
  }

  memoryOf(node: Node): Memory {
    const memory = this.context.memories.get(node);
    if (memory === undefined) throw new Error(`internal: %${node.id} ${node.op} has no memory to write`);
    return memory;
  }

  /** Rows of a routing that are really there. */
  rowCount(route: RouteNode): Expr {
    return this.values.value(partOf(route, "offsets"), [fixed(number(route.groups))], 1);
  }

  finish(what: string, grid: Size, multiplyAdds?: Size): void {
    const first = this.cluster.members[0]!;
    const { kernel, buffers } = this.emitter.finish({
      name: kernelName(first.origin.path, what),
      grid,
      ...(multiplyAdds === undefined ? {} : { multiplyAdds }),
    });
    this.context.made.push({ kernel, buffers, title: what });
  }
}

/** Kernels of different layers have equal names, so that equal kernels are shared: paths lose their numbers. */
export function kernelName(path: string, what: string): string {
  const parts = [...path.split("."), what].filter((part) => part !== "" && !/^\d+$/.test(part));
  return parts
    .join("_")
    .replaceAll(/[^A-Za-z0-9_]+/g, "_")
    .slice(0, 64);
}

/** What a cluster does, in a few words. */
export function titleOf(cluster: Cluster): string {
  const counts = new Map<string, number>();
  for (const member of cluster.members) {
    const title = member.op === "map" ? member.fn : member.op === "reduce" ? member.fn : member.op;
    counts.set(title, (counts.get(title) ?? 0) + 1);
  }
  const titles = [...counts].map(([title, count]) => (count === 1 ? title : `${title} x${count}`));
  return titles.slice(0, 6).join(", ");
}
