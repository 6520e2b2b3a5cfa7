// Row clusters: what can be done one row at a time. Reductions over trailing axes, selections, scans, and maps between them.
// In: a cluster and the number of axes that make a row. Out: one kernel; a workgroup owns some rows, or one row, or each of
// its invocations has one (row-plan.ts). Scalars of a row are locals; arrays of a row that are read again are in scratch,
// or in the memory of a result that comes later.
// Deliberately absent: sums over everything in two stages (total.ts), reductions over leading axes (column.ts).

import type { Node, Shape } from "../graph.ts";
import type { Size } from "../../runtime/size.ts";
import { isWideChoice } from "../fuse-kinds.ts";
import type { Cluster } from "../fuse.ts";
import { axisName, identity } from "../fuse-trace.ts";
import type { Affine } from "./affine.ts";
import { accumulate, combineOf, initialOf } from "./accumulate.ts";
import { lowerChoose } from "./choose.ts";
import { laneType } from "../kernel-type.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel, elementOf, temporary, titleOf } from "./context.ts";
import { bindKept, keepValue } from "./keep.ts";
import type { Keep } from "./keep.ts";
import { binary, literal, sizeExpr } from "./expr.ts";
import { isReduction, reductionOf } from "./reduction.ts";
import type { Reduction } from "./reduction.ts";
import { scanRow } from "./scan.ts";
import { planRows } from "./row-plan.ts";
import { elementsOf, joinable, overElements, overInner, overRows, rowsForTask, sizeOf } from "./space.ts";
import { unwindowed, windowed } from "./stacks.ts";
import { byOne, knownElements } from "./team.ts";
import { partialSums } from "./total.ts";
import type { At } from "./layout.ts";
import { flatIndex } from "./layout.ts";

export function lowerRow(context: LowerContext, cluster: Cluster): void {
  const { rank, members } = cluster;
  const partials = rank === 0 ? partialSums(context, cluster) : new Map();
  const kernel = new ClusterKernel(context, cluster);
  const window = rank === 0 ? undefined : context.window;
  const rows = windowed(members[0]!.shape.slice(0, rank), window);
  const walked = members.map((node) => innerShape(node, rank));
  const inner = walked.reduce((most, shape) => Math.max(most, elementsOf(shape)), 1);
  if (kernel.parallel !== undefined) storeScores(context, cluster, kernel);
  const isKnown = walked.every((shape) => knownElements(shape) !== undefined);
  const keeps = planRows({ context, cluster, kernel }, inner, isKnown);
  const grid = walkRows(kernel, rows, rowsForTask(inner, members.length), (at) => {
    const row = unwindowed(at, window);
    for (const node of members) {
      const partial = partials.get(node);
      if (partial !== undefined) partial(kernel);
      else stage(context, kernel, cluster, node, row, keeps.get(node)!);
      if (cluster.outputs.includes(node) && node.shape.length === rank)
        byOne(kernel, () =>
          kernel.values.store(
            kernel.memoryOf(node),
            flatIndex(node.shape, row),
            kernel.values.value(node, row, 1),
          ),
        );
    }
    for (const node of members) kernel.values.unbind(node);
  });
  kernel.finish(titleOf(cluster), grid);
}

function walkRows(kernel: ClusterKernel, rows: Shape, rowsPerTask: number, body: (row: At) => void): Size {
  if (kernel.team === "workgroup") return overRows(kernel, rows, 1, body);
  if (kernel.parallel === undefined) return overRows(kernel, rows, rowsPerTask, body);
  return overElements(kernel, rows, { workgroup: kernel.emitter.workgroup }, body);
}

/** What is walked to compute a member of a row. */
const innerShape = (node: Node, rank: number): Shape =>
  isReduction(node)
    ? reductionOf(node).inner
    : (node.op === "choose" ? node.score.shape : node.shape).slice(rank);

function stage(
  context: LowerContext,
  kernel: ClusterKernel,
  cluster: Cluster,
  node: Node,
  row: At,
  keep: Keep,
): void {
  const isOutput = cluster.outputs.includes(node);
  if (isReduction(node)) {
    if (node.shape.length === cluster.rank) reduceRow(context, kernel, cluster, reductionOf(node), row);
    else reduceToArray(kernel, reductionOf(node), row, { isOutput, keep });
    return;
  }
  if (node.op === "choose") {
    lowerChoose(kernel, node, row, { isOutput, keep });
    return;
  }
  if (node.op === "scan") {
    scanRow(kernel, node, row, { isOutput, keep });
    return;
  }
  if (node.shape.length === cluster.rank || (!isOutput && (keep.kind === "none" || keep.kind === "again")))
    return;
  const inner = node.shape.slice(cluster.rank);
  const joined = joinedInner(context, cluster, inner, (trial) =>
    trial.values.value(node, [...identity(node.shape)], 1),
  );
  overInner(kernel, inner, joined, (at, lanes) => {
    const value = kernel.values.value(node, [...row, ...at], lanes);
    if (isOutput && keep.kind === "scratch") {
      const named = kernel.emitter.let(value);
      kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, [...row, ...at]), named);
      keepValue(kernel, node, keep, row, at, named);
    } else if (isOutput)
      kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, [...row, ...at]), value);
    else keepValue(kernel, node, keep, row, at, value);
  });
  bindKept(kernel, node, { keep, isOutput }, row);
}

function joinedInner(
  context: LowerContext,
  cluster: Cluster,
  inner: Node["shape"],
  run: (trial: ClusterKernel) => void,
  prefix?: string,
): number {
  const indices: Affine[] = [];
  const trial = new ClusterKernel(context, cluster, {
    load: (_, __, flat) => indices.push(flat),
    index: (index) => indices.push(index),
  });
  // members are read in the layout of their shapes, from wherever they are kept
  for (const member of cluster.members)
    trial.values.bind(member, (at, lanes) => {
      indices.push(flatIndex(member.shape, at));
      return literal(laneType(member.dtype), 0, lanes);
    });
  unbindComputed(trial, cluster, run);
  const names = inner.map((_, axis) =>
    prefix === undefined ? axisName(axis + cluster.rank) : `${prefix}${axis}`,
  );
  return joinable(inner, names, indices);
}

/** In a trial the member under way, and those that are computed where they are read, are not bound. */
function unbindComputed(trial: ClusterKernel, cluster: Cluster, run: (trial: ClusterKernel) => void): void {
  for (const member of cluster.members) if (member.op === "map") trial.values.unbind(member);
  run(trial);
}

function reduceRow(
  context: LowerContext,
  kernel: ClusterKernel,
  cluster: Cluster,
  reduction: Reduction,
  row: At,
): void {
  const { node, fn, inner } = reduction;
  const joined = joinedInner(
    context,
    cluster,
    inner,
    (trial) => reduction.value(trial.values, identity(node.shape), identity(inner, "r"), 1),
    "r",
  );
  const result = accumulate(kernel, fn, node.dtype === "i32" ? "i32" : "f32", (add) =>
    overInner(kernel, inner, joined, (at, lanes) =>
      add(reduction.value(kernel.values, row, at, lanes), lanes),
    ),
  );
  kernel.values.bind(node, (_, lanes) =>
    lanes === 4 ? { op: "splat", type: `${result.type}x4` as "f32x4", a: result } : result,
  );
}

/** A reduction within the row that leaves an array: four neighbours of its last axis are reduced together. */
function reduceToArray(
  kernel: ClusterKernel,
  reduction: Reduction,
  row: At,
  to: { readonly isOutput: boolean; readonly keep: Keep },
): void {
  const { node, fn, inner } = reduction;
  const { emitter, values } = kernel;
  const array = node.shape.slice(row.length);
  overInner(kernel, array, 1, (at, lanes) => {
    const sum = emitter.var(initialOf(fn, elementOf(node), lanes));
    const nest = (axis: number, reduced: At): void => {
      const each = inner[axis];
      if (each === undefined) {
        const value = reduction.value(values, [...row, ...at], reduced, lanes);
        sum.set(binary(combineOf(fn), sum.get, value));
      } else
        emitter.for({ to: sizeExpr(each.size), bound: each.size, hint: "r" }, (index) =>
          nest(axis + 1, [...reduced, index]),
        );
    };
    nest(0, []);
    if (to.isOutput) values.store(kernel.memoryOf(node), flatIndex(node.shape, [...row, ...at]), sum.get);
    keepValue(kernel, node, to.keep, row, at, sum.get);
  });
  bindKept(kernel, node, to, row);
}

/** Selections among many scores read each of them many times: scores that have no memory get some. */
function storeScores(context: LowerContext, cluster: Cluster, main: ClusterKernel): void {
  const parallel = main.parallel!;
  for (const node of cluster.members) {
    if (node.op !== "choose" || !isWideChoice(node, parallel)) continue;
    const { score } = node;
    if (main.values.isRead(score)) continue;
    const kernel = new ClusterKernel(context, { ...cluster, members: [node], outputs: [] });
    const memory = temporary(`${node.origin.path} scores`, "f32", sizeOf(score.shape));
    const grid = overElements(kernel, score.shape, { workgroup: parallel.workgroup }, (at) =>
      kernel.values.store(memory, flatIndex(score.shape, at), kernel.values.value(score, at, 1)),
    );
    kernel.finish("scores", grid);
    main.values.bind(score, (at, lanes) =>
      main.emitter.load(memory, main.values.index(flatIndex(score.shape, at)), lanes),
    );
  }
}
