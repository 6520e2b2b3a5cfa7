// Contraction clusters: a contraction, or siblings that share the left operand, with prologues and an epilogue.
// In: a cluster whose first members are contractions. Out: one kernel, by the schedule: this file only says which value is
// at (m, k) and (k, n), and what happens to a finished sum. Deliberately absent: tiles and loops (schedule/contract.ts).

import type { ContractNode, Node, Shape } from "../graph.ts";
import { isHalf } from "../half.ts";
import type { Expr, Stmt } from "../kernel.ts";
import type { Size } from "../../runtime/size.ts";
import { known, named } from "../../runtime/size.ts";
import type { Cluster } from "../fuse.ts";
import { contractBody } from "../schedule/contract.ts";
import { gpuContractBody } from "../schedule/gpu-contract.ts";
import type {
  ContractAxis,
  ContractOperand,
  ContractPlace,
  ContractSpec,
  Ragged,
} from "../schedule/contract-spec.ts";
import type { Affine, Atom } from "./affine.ts";
import { number, scale, variable } from "./affine.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel, elementOf, titleOf } from "./context.ts";
import { copiedOperand } from "./contract-copy.ts";
import { coordinates, listOf, raggedAxis, type About, type List } from "./contract-place.ts";
import { axisOfLabel, contractRoles } from "./contract-roles.ts";
import type { Lanes } from "./expr.ts";
import { literal, local, sizeExpr } from "./expr.ts";
import { laneValue } from "./lane-value.ts";
import { storeAll } from "./map.ts";
import { elementsOf, sizeOf } from "./space.ts";
import { partOf } from "./parts.ts";
import { firstName, perPart } from "./stacks.ts";
import type { Parallel } from "../target.ts";

export function lowerContract(context: LowerContext, cluster: Cluster): void {
  const contracts = cluster.members.filter((node): node is ContractNode => node.op === "contract");
  const first = contracts[0]!;
  const roles = contractRoles(first)!;
  const kernel = new ClusterKernel(context, cluster);
  const shapeOf = (labels: readonly string[]): Shape => labels.map((label) => axisOfLabel(first, label));
  const shapes = { m: shapeOf(roles.m), n: shapeOf(roles.n), k: shapeOf(roles.k) };
  const about: About = { context, cluster, kernel, roles, shapes, first };
  const spec: ContractSpec = {
    batch: roles.batch.map((label) => axisOfLabel(first, label).size),
    m: sizeOf(shapes.m),
    n: sizeOf(shapes.n),
    k: sizeOf(shapes.k),
    ...(roles.ragged === undefined ? {} : { ragged: raggedOf(about) }),
    a: operand(about, first, "left"),
    b: contracts.map((node) => operand(about, node, "right")),
    epilogue: (place, m, into) => epilogue(about, contracts, place, m, into),
    fresh: kernel.emitter.fresh,
    ...(isHalf(first.a.dtype) ? { half: first.a.dtype } : {}),
  };
  const parallel = parallelOf(context, contracts);
  const { scratch, grid, body, multiplyAdds, workgroup, warpgroups } =
    parallel === undefined ? { ...contractBody(spec), workgroup: 1 } : gpuContractBody(spec, parallel);
  kernel.emitter.workgroup = workgroup;
  kernel.emitter.addScratch(scratch);
  for (const statement of body) kernel.emitter.push(statement);
  if (warpgroups !== undefined) kernel.emitter.warpgroups = warpgroups;
  kernel.finish(titleOf(cluster), grid, perPart(multiplyAdds, context.window));
}

/** What a workgroup has; matrix units only for operands of their type. */
function parallelOf({ target }: LowerContext, contracts: readonly ContractNode[]): Parallel | undefined {
  const { parallel } = target;
  if (parallel?.matrix === undefined || contracts.every(({ a }) => a.dtype === parallel.matrix!.type))
    return parallel;
  const { matrix: _, ...rest } = parallel;
  return rest;
}

function raggedOf({ context, kernel, roles, first }: About): Ragged {
  const { kind, row, group } = roles.ragged!;
  const { window } = context;
  const axis = axisOfLabel(first, row);
  if (axis.kind !== "ragged") throw new Error("internal: the row label is not ragged");
  const route = axis.by;
  const offsets = partOf(route, "offsets");
  return {
    kind,
    groups: group === undefined ? 1 : route.groups,
    ...(window === undefined
      ? {}
      : { window: { first: sizeExpr(named(firstName)), groups: window.part.length } }),
    offset: (at, into) =>
      kernel.emitter.within([listOf(into)], 1, () => {
        const index = kernel.emitter.given(at);
        return kernel.values.value(
          offsets,
          [group === undefined ? scale(index, number(route.groups)) : index],
          1,
        );
      }),
  };
}

export function operand(about: About, node: ContractNode, side: "left" | "right"): ContractOperand {
  const { kernel, roles, shapes } = about;
  const isA = (roles.left === "a") === (side === "left");
  const [input, labels] = isA ? [node.a, node.labels.a] : [node.b, node.labels.b];
  const own: ContractAxis = side === "left" ? "m" : "n";
  const contiguous = contiguousAxis(about, input, labels, own);
  const other: ContractAxis = contiguous === "k" ? own : "k";
  const ragged = raggedAxis(roles);
  const sizes = { m: sizeOf(shapes.m), n: sizeOf(shapes.n), k: sizeOf(shapes.k) };
  const copied = copiedOperand(about, input, { labels, contiguous, other });
  return {
    contiguous,
    plain: isPlain(about, input),
    ...(copied === undefined ? {} : { copied }),
    open: (place, fixedAt, into) => {
      const outer = listOf(into);
      const at = kernel.emitter.within([outer], 1, () => {
        const coordinate = coordinates(about, place);
        coordinate.set(other, kernel.emitter.given(fixedAt, { bound: sizes[other] }));
        return coordinate;
      });
      const evaluate = (moving: Affine, lanes: Lanes): Expr => {
        at.set(contiguous, moving);
        return kernel.values.value(input, at.of(labels), lanes);
      };
      prepare(kernel, outer, sizes[contiguous], evaluate, contiguous === ragged);
      return (moving, lanes, inner) =>
        kernel.emitter.within([outer, listOf(inner)], 1, () =>
          evaluate(movingOf(kernel, moving, lanes, sizes[contiguous], contiguous === ragged), lanes),
        );
    },
  };
}

export function movingOf(
  kernel: ClusterKernel,
  moving: Expr,
  lanes: Lanes,
  bound: Size,
  ragged: boolean,
): Affine {
  if (lanes === 1) return kernel.emitter.given(moving, { bound });
  return kernel.emitter.given(moving, { bound, vector: true, multiple: ragged ? 1 : 4 });
}

/** A trial evaluation whose innermost statements are dropped: what does not depend on the moving axis is computed before. */
export function prepare(
  kernel: ClusterKernel,
  outer: List,
  bound: Size,
  evaluate: (moving: Affine, lanes: Lanes) => void,
  ragged: boolean,
): void {
  for (const lanes of kernel.emitter.vectors ? ([1, 4] as const) : ([1] as const))
    kernel.emitter.within([outer, listOf([])], 2, () => {
      const name = kernel.emitter.fresh("x");
      const multiple = lanes === 4 && !ragged ? 4 : 1;
      evaluate(variable(name, 1, { bound, vector: lanes === 4, multiple }), lanes);
    });
}

/** The axis along which the larger reads of an operand step by one. */
function contiguousAxis(about: About, input: Node, labels: string, own: "m" | "n"): ContractAxis {
  const { context, cluster, roles, first } = about;
  const weights = { k: 0, [own]: 0 } as Record<ContractAxis, number>;
  const step = (flat: Affine, axis: ContractAxis): boolean => {
    const name = `at_${roles[axis].at(-1) ?? ""}`;
    return flat.terms.some(({ atom, coefficient }) => isStep(atom, name) && known(coefficient) === 1);
  };
  const trial = new ClusterKernel(context, cluster, {
    load: (node, _, flat) => {
      for (const axis of ["k", own] as const) if (step(flat, axis)) weights[axis] += elementsOf(node.shape);
    },
  });
  const at = [...labels].map((label) =>
    label === roles.ragged?.group
      ? variable("at_group", 0)
      : variable(`at_${label}`, 0, { bound: axisOfLabel(first, label).size }),
  );
  trial.values.value(input, at, 1);
  return weights.k >= weights[own] && weights.k > 0 ? "k" : weights[own] > 0 ? own : "k";
}

/** Whether an atom grows by one with a variable, maybe up to an edge. */
const isStep = (atom: Atom, name: string): boolean =>
  atom.key === name ||
  (atom.kind === "variable" &&
    atom.clamped?.terms.some((term) => isStep(term.atom, name) && known(term.coefficient) === 1) === true);

/** Whether a read is one load, behind views and gathers. */
function isPlain({ context }: About, input: Node): boolean {
  let node = input;
  for (;;) {
    if (context.memories.has(node)) return elementOf(node) === "f32";
    if (node.op === "view" && node.view.kind !== "pad") node = node.input;
    else if (node.op === "dispatch") node = node.input;
    else return false;
  }
}

/** The element-wise members after the sums, and the stores. */
function epilogue(
  about: About,
  contracts: readonly ContractNode[],
  place: ContractPlace,
  m: Expr,
  into: Stmt[],
): (n: Expr, lanes: Lanes, sums: readonly Expr[], inner: Stmt[]) => void {
  const { kernel, cluster, shapes, first } = about;
  const outer = listOf(into);
  const sizes = { m: sizeOf(shapes.m), n: sizeOf(shapes.n) };
  const at = kernel.emitter.within([outer], 1, () => {
    const coordinate = coordinates(about, place);
    coordinate.set("m", kernel.emitter.given(m, { bound: sizes.m }));
    return coordinate;
  });
  const write = (n: Affine, lanes: Lanes, sums: readonly Expr[]): void => {
    at.set("n", n);
    const where = at.of(first.labels.out);
    for (const [i, node] of contracts.entries()) kernel.values.bind(node, laneValue(node, where, sums[i]!));
    storeAll(kernel, cluster.outputs, where, lanes);
  };
  const none = (lanes: Lanes): Expr[] =>
    contracts.map(() => (lanes === 4 ? literal("f32", 0, 4) : local("none", "f32")));
  prepare(kernel, outer, sizes.n, (n, lanes) => write(n, lanes, none(lanes)), false);
  return (n, lanes, sums, inner) =>
    kernel.emitter.within([outer, listOf(inner)], 1, () => {
      const named = sums.map((sum) => kernel.emitter.let(sum));
      write(movingOf(kernel, n, lanes, sizes.n, false), lanes, named);
    });
}
