// Routing to very many groups: every pick is ranked by counting the picks before it, all against all, and every group finds
// its first row by bisection. Costs the square of the picks, but nothing for each group: for the words of a vocabulary.
// In: a route node. Out: two kernels. Deliberately absent: few groups (route-together.ts).

import { add as addSizes, ceilDivide, known } from "../../runtime/size.ts";
import { fixed, number, shift } from "./affine.ts";
import { ClusterKernel, temporary } from "./context.ts";
import type { Memory } from "./emitter.ts";
import { binary, integer, invocation, lowerOf, select, sizeExpr, workgroup } from "./expr.ts";
import { partOf } from "./parts.ts";
import { fill, groupAt, loadInteger, put, type Routing } from "./route-picks.ts";
import { overElements } from "./space.ts";
import { formWorkgroup } from "./team.ts";

/** Every pick against every other; one more, of the group after the last, counts all. */
export function routeByRank(routing: Routing): void {
  const { context, cluster, node, size, picks } = routing;
  const kernel = new ClusterKernel(context, cluster);
  const { emitter, values } = kernel;
  formWorkgroup(kernel, size);
  const groups = partOf(node, "group");
  const offsets = context.memories.get(partOf(node, "offsets"))!;
  const sorted = context.memories.get(groups) ?? temporary(`${node.origin.path} group`, "i32", node.bound);
  const staged = emitter.scratch("i32", size);
  const first = emitter.let(binary("mul", workgroup, integer(size)), "f");
  const position = emitter.let(binary("add", first, invocation));
  const own = groupAt(kernel, routing, position, node.groups);
  const row = emitter.var(integer(0));
  emitter.for({ to: sizeExpr(picks), step: size, bound: picks, hint: "t" }, (tile) => {
    const start = values.index(tile);
    put(
      kernel,
      staged,
      invocation,
      groupAt(kernel, routing, emitter.let(binary("add", start, invocation)), node.groups),
    );
    emitter.push({ op: "barrier" });
    emitter.for({ to: integer(size), hint: "q" }, (index) => {
      const other = emitter.let(loadInteger(staged, values.index(index)), "g");
      const earlier = binary("lt", binary("add", start, values.index(index)), position);
      const tie = binary(
        "and",
        binary("eq", other, own),
        binary("and", earlier, binary("lt", own, integer(node.groups))),
      );
      const before = binary("or", binary("lt", other, own), tie);
      row.set(binary("add", row.get, select(before, integer(1), integer(0))));
    });
    emitter.push({ op: "barrier" });
  });
  emitter.if(binary("lt", position, sizeExpr(picks)), () => {
    const pick = emitter.renamed(position, { bound: picks });
    emitter.if(
      binary("lt", own, integer(node.groups)),
      () => {
        const at = emitter.renamed(row.get, { bound: node.bound });
        fill(kernel, routing, "source", at, values.index(pick));
        values.store(sorted, at, own);
        fill(kernel, routing, "slot", pick, values.index(at));
      },
      () => fill(kernel, routing, "slot", pick, integer(-1)),
    );
  });
  emitter.if(binary("eq", position, sizeExpr(picks)), () =>
    values.store(offsets, fixed(number(node.groups)), row.get),
  );
  kernel.finish("route", ceilDivide(addSizes(picks, number(1)), number(size)));
  findStarts(routing, sorted, offsets);
}

/** The first row of each group, by bisection of the rows' groups. */
function findStarts({ context, cluster, node, size }: Routing, sorted: Memory, offsets: Memory): void {
  const kernel = new ClusterKernel(context, cluster);
  const { emitter, values } = kernel;
  const axis = { kind: "dense", size: number(node.groups) } as const;
  const most = known(node.bound);
  const steps = most === undefined ? 31 : Math.ceil(Math.log2(most + 1)) + 1;
  const last = sizeExpr(shift(fixed(node.bound), number(-1)).offset);
  const grid = overElements(kernel, [axis], { workgroup: size }, ([group]) => {
    const low = emitter.var(integer(0));
    const high = emitter.var(emitter.load(offsets, integer(node.groups)));
    emitter.for({ to: integer(steps) }, () => {
      const open = emitter.let(binary("lt", low.get, high.get));
      const middle = emitter.let(binary("div", binary("add", low.get, high.get), integer(2)));
      const found = emitter.load(sorted, lowerOf(middle, last));
      const below = emitter.let(binary("and", open, binary("lt", found, values.index(group!))));
      high.set(select(binary("or", below, binary("eq", low.get, high.get)), high.get, middle));
      low.set(select(below, binary("add", middle, integer(1)), low.get));
    });
    values.store(offsets, group!, low.get);
  });
  kernel.finish("route starts", grid);
}
