// Operands of a contraction that are arrays of fixed steps in memory, so that copies can bring whole boxes of them. In: the operand, its
// axes. Out: steps and extents by axis of the iteration space; undefined for what is gathered, and where rows of another group would
// be multiplied: the rows of a group that are summed end where the next group's begin.

import type { Node } from "../graph.ts";
import { copiedTogether } from "../half.ts";
import type { ContractAxis, OperandTensor } from "../schedule/contract-spec.ts";
import { evaluate, known, namesOf, type Size } from "../../runtime/size.ts";
import { variable } from "./affine.ts";
import { coordinates, raggedAxis, type About } from "./contract-place.ts";
import { axisOfLabel } from "./contract-roles.ts";
import { local } from "./expr.ts";
import { sizeOf } from "./space.ts";

export interface OperandAxes {
  readonly labels: string;
  readonly contiguous: ContractAxis;
  /** The other one. */
  readonly other: ContractAxis;
}

type MappedAxis = OperandTensor["axes"][number];

export function operandTensor(
  about: About,
  input: Node,
  { labels, contiguous, other }: OperandAxes,
): OperandTensor | undefined {
  const { kernel, roles, shapes, first } = about;
  if (raggedAxis(roles) === "k") return undefined;
  const extents = { [contiguous]: sizeOf(shapes[contiguous]), [other]: sizeOf(shapes[other]) };
  const names = new Map<string, Pick<MappedAxis, "along" | "extent">>([
    ["at", { along: contiguous, extent: extents[contiguous]! }],
    ["at_other", { along: other, extent: extents[other]! }],
    ...roles.batch.map((label, i) => {
      return [`at_${i}`, { along: i, extent: axisOfLabel(first, label).size }] as const;
    }),
  ]);
  const group = roles.ragged?.group;
  if (group !== undefined) names.set("at_group", { along: "group", extent: axisOfLabel(first, group).size });

  const given = (name: string) => local(name, "i32");
  const trial = coordinates(about, {
    batch: roles.batch.map((_, i) => given(`at_${i}`)),
    group: given("at_group"),
  });
  trial.set(contiguous, variable("at", 0, { bound: extents[contiguous] }));
  trial.set(other, variable("at_other", 0, { bound: extents[other] }));
  const address = kernel.values.address(input, trial.of(labels));
  if (address === undefined) return undefined;
  const { memory, flat } = address;
  const piece = copiedTogether(memory.type);
  const inPieces = (size: Size): boolean =>
    size.every(({ coefficient }) => coefficient > 0 && coefficient % piece === 0);
  const axes = flat.terms.map(({ atom, coefficient }): MappedAxis | undefined => {
    if (atom.kind !== "variable" || atom.clamped !== undefined) return undefined;
    const axis = names.get(atom.name);
    const steps = atom.name === "at" ? known(coefficient) === 1 : inPieces(coefficient);
    return axis === undefined || !steps ? undefined : { ...axis, stride: coefficient };
  });
  const there = (along: ContractAxis): boolean => axes.some((axis) => axis?.along === along);
  if (!there(contiguous) || !there(other) || axes.length > mostAxes || !inPieces(flat.offset))
    return undefined;
  if (axes.some((axis) => axis === undefined)) return undefined;
  return {
    buffer: () => kernel.emitter.reads(memory),
    offset: flat.offset,
    axes: (axes as MappedAxis[]).toSorted((a, b) => sample(a.stride) - sample(b.stride)),
  };
}

/** What a descriptor of a tensor may have. */
const mostAxes = 5;

/** Steps of one array divide each other, so that any sizes put them in order. */
const sample = (size: Size): number =>
  evaluate(size, Object.fromEntries([...namesOf(size)].map((name) => [name, 1024])));
