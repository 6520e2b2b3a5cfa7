// Sums over everything, in two stages: a fixed number of workgroups make partial results, one workgroup joins them.
// In: a row cluster without rows. Out: a kernel for each large reduction of it, and how the cluster's kernel reads the
// partial results. The number of parts is fixed, so that the order of additions never depends on the machine.
// Of a stack in parts, each part has partial results of its own.
// Deliberately absent: small reductions, which the cluster's kernel does itself.

import type { Node } from "../graph.ts";
import { ceilDivide, multiply, named } from "../../runtime/size.ts";
import type { Cluster } from "../fuse.ts";
import type { Parallel } from "../target.ts";
import { axisName, identity } from "../fuse-trace.ts";
import type { Affine } from "./affine.ts";
import { number } from "./affine.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel, elementOf, temporary } from "./context.ts";
import type { Lanes } from "./expr.ts";
import type { Memory } from "./emitter.ts";
import { binary, integer, invocation, literal, lowerOf, sizeExpr, splat } from "./expr.ts";
import { workgroup as workgroupNumber } from "./expr.ts";
import { isReduction, reductionOf } from "./reduction.ts";
import type { Reduction } from "./reduction.ts";
import { accumulate } from "./accumulate.ts";
import { elementsOf, extentOf, guardRows, joinable, overInner, sizeOf, split } from "./space.ts";
import { partName, unwindowed, windowed, type Window } from "./stacks.ts";
import { byOne, formWorkgroup } from "./team.ts";

const partsOfThreads = 64;
/** Elements below which one workgroup sums alone. */
const mostAlone = 16384;

export function partialSums(
  context: LowerContext,
  cluster: Cluster,
): ReadonlyMap<Node, (kernel: ClusterKernel) => void> {
  const partials = new Map<Node, (kernel: ClusterKernel) => void>();
  const members = new Set(cluster.members);
  for (const node of cluster.members) {
    if (!isReduction(node)) continue;
    const reduction = reductionOf(node);
    const independent = context.fusion.reads.get(node)!.every((read) => !members.has(read.node));
    const alone = elementsOf(reduction.inner) > mostAlone || context.window?.members.has(node) === true;
    if (alone && independent) partials.set(node, partial(context, cluster, reduction));
  }
  return partials;
}

function partial(
  context: LowerContext,
  cluster: Cluster,
  reduction: Reduction,
): (kernel: ClusterKernel) => void {
  const { node, fn } = reduction;
  const type = elementOf(node);
  const { parallel } = context.target;
  const window = context.window?.members.has(node) === true ? context.window : undefined;
  const parts = parallel === undefined ? partsOfThreads : partsOf(parallel) * (window?.part.count ?? 1);
  const memory = temporary(`${node.origin.path} parts`, type, number(parts));
  const alone: Cluster = { ...cluster, members: [node], outputs: [] };
  if (parallel === undefined) sumInChunks(context, alone, reduction, memory);
  else sumByWorkgroups(context, alone, reduction, memory, { ...parallel, window });
  return (main) => {
    const total = accumulate(main, fn, type, (add) =>
      overInner(main, [{ kind: "dense", size: number(parts) }], 1, ([index], lanes) =>
        add(main.emitter.load(memory, main.values.index(index!), lanes), lanes),
      ),
    );
    main.values.bind(node, (_, lanes) => (lanes === 4 ? splat(total) : total));
  };
}

/** As many workgroups as a workgroup has invocations: one of these is left for each when they are joined. */
const partsOf = (parallel: Parallel): number => parallel.workgroup;

/** Workgroup by workgroup all along, so that neighbours are read by neighbours. */
function sumByWorkgroups(
  context: LowerContext,
  alone: Cluster,
  { node, fn, inner, value }: Reduction,
  memory: Memory,
  parallel: Parallel & { readonly window: Window | undefined },
): void {
  const { workgroup, window } = parallel;
  const parts = partsOf(parallel);
  const walked = windowed(inner, window);
  const kernel = new ClusterKernel(context, alone);
  const { emitter, values } = kernel;
  formWorkgroup(kernel, workgroup);
  const others = sizeOf(walked.slice(1));
  const to = emitter.let(binary("mul", extentOf(kernel, walked[0]!), sizeExpr(others)), "n");
  const first = emitter.let(binary("mul", workgroupNumber, integer(workgroup)), "f");
  const from = binary("add", first, invocation);
  const step = workgroup * parts;
  const sum = accumulate(kernel, fn, elementOf(node), (add) =>
    emitter.for({ from, to, step, bound: sizeOf(walked) }, (flat) =>
      guardRows(kernel, walked, flat, 1, (at) => add(value(values, [], unwindowed(at, window), 1), 1)),
    ),
  );
  const before = window === undefined ? integer(0) : sizeExpr(multiply(named(partName), number(parts)));
  byOne(kernel, () => emitter.store(memory, binary("add", workgroupNumber, before), sum));
  kernel.finish(`${fn} parts`, number(parts));
}

/** Every workgroup one run of elements. */
function sumInChunks(context: LowerContext, alone: Cluster, reduction: Reduction, memory: Memory): void {
  const { node, fn, inner } = reduction;
  const type = elementOf(node);
  const parts = partsOfThreads;
  const indices: Affine[] = [];
  const trial = new ClusterKernel(context, alone, {
    load: (_, __, flat) => indices.push(flat),
    index: (index) => indices.push(index),
  });
  reduction.value(trial.values, [], identity(inner, "r"), 1);
  const names = inner.map((_, axis) => axisName(axis).replace("i", "r"));
  const joined = joinable(inner, names, indices);
  const kernel = new ClusterKernel(context, alone);
  const { emitter, values } = kernel;
  const sum = accumulate(kernel, fn, type, (add) => {
    const outer = inner.slice(0, inner.length - joined);
    const last = inner.slice(inner.length - joined);
    const walked = outer.length > 0 ? outer : last;
    const others = sizeOf(walked.slice(1));
    const end = binary("mul", extentOf(kernel, walked[0]!), sizeExpr(others));
    const chunk =
      outer.length > 0
        ? ceilDivide(sizeOf(outer), number(parts))
        : multiply(ceilDivide(sizeOf(last), number(4 * parts)), number(4));
    const from = emitter.let(
      lowerOf(binary("mul", { op: "workgroup", type: "i32" }, sizeExpr(chunk)), roundedUp(end)),
      "f",
    );
    const to = emitter.let(binary("max", from, lowerOf(binary("add", from, sizeExpr(chunk)), end)), "e");
    if (outer.length === 0)
      emitter.lanesFrom(
        from,
        to,
        sizeOf(last),
        (flat, lanes: Lanes) => add(reduction.value(values, [], split(last, flat), lanes), lanes),
        true,
      );
    else
      emitter.for({ from, to, bound: sizeOf(outer) }, (flat) => {
        const at = split(outer, flat);
        overInner(kernel, last, joined, (rest, lanes) =>
          add(reduction.value(values, [], [...at, ...rest], lanes), lanes),
        );
      });
  });
  emitter.store(memory, { op: "workgroup", type: "i32" }, sum);
  kernel.finish(`${fn} parts`, number(parts));
}

/** The end rounded up to a multiple of 4: a workgroup that starts there has nothing to do. */
const roundedUp = (end: ReturnType<typeof sizeExpr>): ReturnType<typeof sizeExpr> =>
  binary("mul", binary("div", binary("add", end, literal("i32", 3)), literal("i32", 4)), literal("i32", 4));
