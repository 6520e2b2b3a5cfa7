// Stream clusters: sums over one side of a tile that is made block by block and never stored.
// In: a cluster whose members are the sinks of a stream and maps of their results. Out: one kernel, by the schedule: this
// file says what the operands of the tile's contractions are, what a row's score, terms and weights are, and what happens to
// finished sums. Deliberately absent: blocks and loops (schedule/stream.ts), what is streamed at all (stream-plan.ts).

import type { ContractNode, Node, Shape } from "../graph.ts";
import type { Expr, Stmt } from "../kernel.ts";
import type { Cluster } from "../fuse.ts";
import { homeOf } from "../fuse-maker.ts";
import type { Stream } from "../stream-plan.ts";
import type { Size } from "../../runtime/size.ts";
import { reducedLabels, sizeOfLabel } from "../stream-region.ts";
import type { Region, Sink } from "../stream-region.ts";
import type { ContractOperand } from "../schedule/contract-spec.ts";
import type {
  StreamBound,
  StreamCell,
  StreamPlace,
  StreamSpec,
  StreamSum,
  StreamTerms,
  StreamTile,
} from "../schedule/stream-spec.ts";
import { streamBody } from "../schedule/stream.ts";
import { streamTeamBody } from "../schedule/stream-team.ts";
import type { Affine } from "./affine.ts";
import { variable } from "./affine.ts";
import { movingOf, operand, prepare } from "./contract.ts";
import { listOf, type About } from "./contract-place.ts";
import type { ContractRoles } from "./contract-roles.ts";
import { axisOfLabel } from "./contract-roles.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel, titleOf } from "./context.ts";
import { binary, literal, sizeExpr, splat } from "./expr.ts";
import type { Lanes } from "./expr.ts";
import { laneValue } from "./lane-value.ts";
import { flatIndex } from "./layout.ts";
import { storeAll } from "./map.ts";
import { sizeOf, split } from "./space.ts";
import { boundsOf } from "./stream-bounds.ts";
import type { FoundBound } from "./stream-bounds.ts";

export function lowerStream(context: LowerContext, cluster: Cluster): void {
  const stream = cluster.stream!;
  const kernel = new ClusterKernel(context, cluster);
  const about: StreamAbout = { context, cluster, kernel, stream, order: batchOrder(stream) };
  const { region, own, summed } = stream;
  const sums = stream.sinks.filter(({ node }) => node.op === "contract");
  const rows = stream.sinks.filter(({ node }) => node.op === "reduce" && node !== stream.online?.max);
  const needed = stream.tiles;
  const size = (axis: number): Size => region.sizes[axis]!;
  const spec: StreamSpec = {
    batch: batchAxes(stream).map(size),
    extra: summed.slice(1).map(size),
    own: size(own),
    stream: size(summed[0]!),
    tiles: needed.map((tile) => tileOf(about, tile)),
    sums: sums.map((sink) => sumOf(about, sink)),
    rows: rows.map(({ node }) => (node.op === "reduce" && node.fn === "max" ? "max" : "sum")),
    max: stream.online?.max !== undefined,
    bounds: boundsOf(stream).map((bound) => boundAt(kernel, bound)),
    score: (place, m, into) => openScore(about, needed, place, m, into),
    terms: (place, m, max, into) => openTerms(about, needed, { sums, rows }, place, m, max, into),
    finish: (place, m, max, totals, into) =>
      openFinish(about, { sums, rows }, { place, m, max, totals }, into),
    fresh: kernel.emitter.fresh,
  };
  const { parallel } = context.target;
  const { scratch, grid, body, multiplyAdds, workgroup } =
    parallel === undefined ? { ...streamBody(spec), workgroup: 1 } : streamTeamBody(spec, parallel);
  kernel.emitter.workgroup = workgroup;
  kernel.emitter.addScratch(scratch);
  for (const statement of body) kernel.emitter.push(statement);
  kernel.finish(`stream ${titleOf(cluster)}`, grid, multiplyAdds);
}

/** What a bound is offset by is computed once, at the start of the kernel. */
function boundAt(
  { values, emitter }: ClusterKernel,
  { own, stream, offset, reads }: FoundBound,
): StreamBound {
  let sum = sizeExpr(offset);
  for (const { node, factor } of reads)
    sum = binary("add", sum, binary("mul", values.value(node, [], 1), literal("i32", factor)));
  return { own, stream, offset: reads.length === 0 ? sum : emitter.let(sum) };
}

interface StreamAbout {
  readonly context: LowerContext;
  readonly cluster: Cluster;
  readonly kernel: ClusterKernel;
  readonly stream: Stream;
  /** Tile axes in the order of a place: those of the batch, then the extra ones. */
  readonly order: readonly number[];
}

/** Every tile axis but the two of the walk and those that are summed with it, as far as the sinks have them. */
function batchAxes({ region, own, summed, sinks }: Stream): number[] {
  const axes = new Set<number>();
  for (const { tile } of sinks) for (const axis of region.axes.get(tile)!) axes.add(axis);
  return [...axes].filter((axis) => axis !== own && !summed.includes(axis)).sort((a, b) => a - b);
}

const batchOrder = (stream: Stream): number[] => [...batchAxes(stream), ...stream.summed.slice(1)];

const shapeOf = (node: ContractNode, labels: readonly string[]): Shape =>
  labels.map((label) => axisOfLabel(node, label));

/** An operand of a contraction as schedules read it, at places of the stream. */
function operandAt(
  { context, cluster, kernel, order }: StreamAbout,
  node: ContractNode,
  side: "left" | "right",
  roles: ContractRoles,
  axisOf: (label: string) => number,
): (place: StreamPlace) => ContractOperand {
  const shapes = { m: shapeOf(node, roles.m), n: shapeOf(node, roles.n), k: shapeOf(node, roles.k) };
  const about: About = { context, cluster, kernel, roles, shapes, first: node };
  const whole = operand(about, node, side);
  const places = roles.batch.map((label) => order.indexOf(axisOf(label)));
  return (place) => ({
    ...whole,
    open: (_, fixed, into) =>
      whole.open({ batch: places.map((at) => place.batch[at] ?? literal("i32", 0)) }, fixed, into),
  });
}

function tileOf(about: StreamAbout, node: ContractNode): StreamTile {
  const { region, own, summed } = about.stream;
  const axes = region.axes.get(node)!;
  const axisOf = (label: string): number => axes[node.labels.out.indexOf(label)]!;
  const label = (axis: number): string => node.labels.out[axes.indexOf(axis)]!;
  const [m, n] = [label(own), label(summed[0]!)];
  const k = reducedLabels(node);
  const roles: ContractRoles = {
    left: node.labels.a.includes(m) ? "a" : "b",
    batch: [...node.labels.out].filter((each) => each !== m && each !== n),
    m: [m],
    n: [n],
    k,
  };
  return {
    left: operandAt(about, node, "left", roles, axisOf),
    right: operandAt(about, node, "right", roles, axisOf),
    depth: sizeOf(shapeOf(node, k)),
  };
}

interface SumRoles {
  /** Labels of the tile's operand, and of the result that the other operand brings. */
  readonly mine: string;
  readonly n: readonly string[];
}

function rolesOfSum({ tile }: Sink, node: ContractNode): SumRoles {
  const mine = node.a === tile ? node.labels.a : node.labels.b;
  return { mine, n: [...node.labels.out].filter((label) => !mine.includes(label)) };
}

function sumOf(about: StreamAbout, sink: Sink): StreamSum {
  const node = sink.node as ContractNode;
  const { region, summed } = about.stream;
  const axes = region.axes.get(sink.tile)!;
  const { mine, n } = rolesOfSum(sink, node);
  const axisOf = (label: string): number => axes[mine.indexOf(label)]!;
  const label = (axis: number): string => mine[axes.indexOf(axis)]!;
  const [m, k] = [label(sink.own), label(summed[0]!)];
  const roles: ContractRoles = {
    left: node.a === sink.tile ? "a" : "b",
    batch: [...mine].filter((each) => each !== m && each !== k),
    m: [m],
    n,
    k: [k],
  };
  return {
    right: operandAt(about, node, "right", roles, axisOf),
    width: sizeOf(n.map((each) => ({ kind: "dense", size: sizeOfLabel(node, each) }))),
  };
}

/** Coordinates of tile axes at a place; m is given, j is set for each cell. */
function coordinatesAt(
  { kernel, stream, order }: StreamAbout,
  place: StreamPlace,
  m: Expr,
): {
  readonly setColumn: (j: Affine) => void;
  readonly of: (node: Node) => Affine[];
  readonly axis: (axis: number) => Affine;
} {
  const { region, own, summed } = stream;
  const known = new Map<number, Affine>();
  for (const [i, axis] of order.entries()) {
    const at = place.batch[i];
    if (at !== undefined) known.set(axis, kernel.emitter.given(at, { bound: region.sizes[axis]! }));
  }
  known.set(own, kernel.emitter.given(m, { bound: region.sizes[own]! }));
  const axis = (each: number): Affine => known.get(each)!;
  return {
    setColumn: (j) => void known.set(summed[0]!, j),
    of: (node) => region.axes.get(node)!.map(axis),
    axis,
  };
}

/** Tiles are read from the block at hand. */
function bindTiles(
  { kernel }: StreamAbout,
  tiles: readonly ContractNode[],
  cell: StreamCell,
  at: (node: Node) => Affine[],
): void {
  for (const [i, tile] of tiles.entries())
    kernel.values.bind(tile, (wanted, lanes) => laneValue(tile, at(tile), cell.tile(i))(wanted, lanes));
}

const asLanes = (value: Expr, lanes: Lanes): Expr => (lanes === 4 ? splat(value) : value);

/** Runs `evaluate` for a cell with what does not depend on the column computed before, in `into`. */
function openRow<T>(
  about: StreamAbout,
  tiles: readonly ContractNode[],
  place: StreamPlace,
  m: Expr,
  into: Stmt[],
  evaluate: (at: (node: Node) => Affine[], lanes: Lanes, score: Expr | undefined) => T,
): (cell: StreamCell, score: Expr | undefined, into: Stmt[]) => T {
  const { kernel, stream } = about;
  const bound = stream.region.sizes[stream.summed[0]!]!;
  const outer = listOf(into);
  const at = kernel.emitter.within([outer], 1, () => coordinatesAt(about, place, m));
  const run = (cell: StreamCell, score: Expr | undefined, column: Affine): T => {
    at.setColumn(column);
    bindTiles(about, tiles, cell, at.of);
    return evaluate(at.of, cell.lanes, score);
  };
  const none = (lanes: Lanes): Expr => literal("f32", 0, lanes);
  prepare(
    kernel,
    outer,
    bound,
    (column, lanes) =>
      void run({ at: literal("i32", 0), lanes, tile: () => none(lanes) }, none(lanes), column),
    false,
  );
  return (cell, score, inner) =>
    kernel.emitter.within([outer, listOf(inner)], 1, () =>
      run(cell, score, movingOf(kernel, cell.at, cell.lanes, bound, false)),
    );
}

function openScore(
  about: StreamAbout,
  tiles: readonly ContractNode[],
  place: StreamPlace,
  m: Expr,
  into: Stmt[],
): (cell: StreamCell, into: Stmt[]) => Expr {
  const { input } = about.stream.online!.max!;
  const { values } = about.kernel;
  values.unbind(input);
  const read = openRow(about, tiles, place, m, into, (at, lanes) => values.value(input, at(input), lanes));
  return (cell, inner) => {
    values.unbind(input);
    return read(cell, undefined, inner);
  };
}

interface Sinks {
  readonly sums: readonly Sink[];
  readonly rows: readonly Sink[];
}

function openTerms(
  about: StreamAbout,
  tiles: readonly ContractNode[],
  { sums, rows }: Sinks,
  place: StreamPlace,
  m: Expr,
  max: Expr | undefined,
  into: Stmt[],
): (cell: StreamCell, score: Expr | undefined, into: Stmt[]) => StreamTerms {
  const { values } = about.kernel;
  const { online } = about.stream;
  return openRow(about, tiles, place, m, into, (at, lanes, score): StreamTerms => {
    if (online?.max !== undefined) {
      values.bind(online.max, (_, width) => asLanes(max!, width));
      if (!tiles.some((tile) => tile === online.max!.input)) values.bind(online.max.input, () => score!);
    }
    // a factor of the row waits for the end
    for (const { node, tile } of online?.factors ?? [])
      values.bind(node, (where, width) => values.value(tile, where, width));
    const of = (sink: Sink): Expr => values.value(sink.tile, at(sink.tile), lanes);
    const found = { rows: rows.map(of), weights: sums.map(of) };
    for (const { node } of online?.factors ?? []) values.unbind(node);
    return found;
  });
}

interface Finished {
  readonly place: StreamPlace;
  readonly m: Expr;
  readonly max: Expr | undefined;
  readonly totals: readonly Expr[];
}

function openFinish(
  about: StreamAbout,
  { sums, rows }: Sinks,
  { place, m, max, totals }: Finished,
  into: Stmt[],
): ReturnType<StreamSpec["finish"]> {
  const { kernel, stream, cluster, context } = about;
  const { values, emitter } = kernel;
  const { online, region } = stream;
  const bindRow = (node: Node, value: Expr): void => values.bind(node, (_, lanes) => asLanes(value, lanes));
  const bindAll = (): void => {
    if (online?.max !== undefined) bindRow(online.max, max!);
    for (const [i, { node }] of rows.entries()) bindRow(node, totals[i]!);
  };
  const outer = listOf(into);
  const at = emitter.within([outer], 1, () => coordinatesAt(about, place, m));
  const store = (list: Stmt[]): void =>
    emitter.within([outer, listOf(list)], 1, () => {
      bindAll();
      for (const { node, tile, own } of stream.sinks) {
        if (node.op !== "reduce" || !cluster.outputs.includes(node)) continue;
        const axes = region.axes.get(tile)!.filter((axis) => axis === own || !stream.summed.includes(axis));
        const where = axes.map(at.axis);
        values.store(kernel.memoryOf(node), flatIndex(node.shape, where), values.value(node, where, 1));
      }
    });
  /** The product of the row's factors of one sum. */
  const factorsOf = (sink: Sink): { readonly by: "mul" | "div"; readonly value: Expr }[] =>
    emitter.within([outer], 1, () => {
      bindAll();
      at.setColumn(variable("none", 0));
      return (online?.factors ?? [])
        .filter(({ node }) => isBelow(sink.tile, node, region))
        .map(({ node, factor }) => ({
          by: node.fn === "div" ? "div" : "mul",
          value: emitter.let(values.value(factor, at.of(node), 1)),
        }));
    });
  const factors = sums.map(factorsOf);
  const write = (i: number, n: Expr, lanes: Lanes, value: Expr, inner: Stmt[]): void =>
    emitter.within([outer, listOf(inner)], 1, () => {
      const sink = sums[i]!;
      const node = sink.node as ContractNode;
      const { mine, n: labels } = rolesOfSum(sink, node);
      const shape = shapeOf(node, labels);
      const moving = split(shape, movingOf(kernel, n, lanes, sizeOf(shape), false));
      const axes = region.axes.get(sink.tile)!;
      const where = [...node.labels.out].map((label) =>
        labels.includes(label) ? moving[labels.indexOf(label)]! : at.axis(axes[mine.indexOf(label)]!),
      );
      let result = value;
      for (const { by, value: factor } of factors[i]!)
        result = { op: "binary", type: value.type, fn: by, a: result, b: asLanes(factor, lanes) };
      const named = emitter.let(result);
      values.bind(node, laneValue(node, where, named));
      const outputs = cluster.outputs.filter((each) => homeOf(cluster, each, context.fusion.reads) === node);
      storeAll(kernel, outputs, where, lanes);
      values.unbind(node);
    });
  return { store, write };
}

/** Whether a node of the region is part of a tile's expression. */
function isBelow(tile: Node, wanted: Node, region: Region): boolean {
  const seen = new Set<Node>();
  const stack = [tile];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node === wanted) return true;
    if (seen.has(node) || !region.axes.has(node)) continue;
    seen.add(node);
    if (node.op === "map") stack.push(...node.inputs);
    else if (node.op === "view") stack.push(node.input);
  }
  return false;
}
