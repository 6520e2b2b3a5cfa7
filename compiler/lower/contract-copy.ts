// Operands of a contraction that can be copied to scratch as they lie in memory, sixteen bytes at a time. In: the operand and its axes.
// Out: what the schedule asks for the places of pieces; undefined where something is computed on the way, or pieces begin anywhere.

import type { Node } from "../graph.ts";
import { copiedTogether } from "../half.ts";
import type { Expr } from "../kernel.ts";
import type { ContractOperand, ContractPlace } from "../schedule/contract-spec.ts";
import { inPieces } from "./address.ts";
import { variable, type Affine } from "./affine.ts";
import { operandTensor, type OperandAxes } from "./contract-tensor.ts";
import { coordinates, listOf, raggedAxis, type About } from "./contract-place.ts";
import { local } from "./expr.ts";
import { sizeOf } from "./space.ts";

export function copiedOperand(
  about: About,
  input: Node,
  { labels, contiguous, other }: OperandAxes,
): ContractOperand["copied"] {
  const { kernel, roles, shapes, context } = about;
  // Only matrix units want operands as they are.
  if (context.target.parallel?.matrix === undefined || raggedAxis(roles) === contiguous) return undefined;
  const { emitter, values } = kernel;
  const bound = sizeOf(shapes[contiguous]);
  const otherBound = sizeOf(shapes[other]);

  const given = (name: string): Expr => local(name, "i32");
  const place: ContractPlace = {
    batch: roles.batch.map((_, i) => given(`at_${i}`)),
    group: given("at_group"),
  };
  const trial = coordinates(about, place);
  trial.set(other, variable("at_other", 0, { bound: otherBound }));
  trial.set(contiguous, variable("at", 0, { bound }));
  const memory = values.address(input, trial.of(labels))?.memory;
  if (memory === undefined) return undefined;
  const multiple = copiedTogether(memory.type);
  const pieces = { bound, multiple, vector: true };
  trial.set(contiguous, variable("at", 0, pieces));
  const there = inPieces(values.address(input, trial.of(labels))!, "at", multiple);
  if (!there || !bound.every(({ coefficient }) => coefficient % multiple === 0)) return undefined;

  const tensor = operandTensor(about, input, { labels, contiguous, other });
  return {
    type: memory.type,
    ...(tensor === undefined ? {} : { tensor }),
    open: (at, fixed, into) => {
      const outer = listOf(into);
      const coordinate = emitter.within([outer], 1, () => {
        const made = coordinates(about, at);
        made.set(other, emitter.given(fixed, { bound: otherBound }));
        return made;
      });
      const index = (moving: Affine): Expr => {
        coordinate.set(contiguous, moving);
        return values.index(values.address(input, coordinate.of(labels))!.flat);
      };
      // What does not depend on the moving axis is computed before.
      emitter.within([outer, listOf([])], 2, () => index(variable(emitter.fresh("x"), 1, pieces)));
      return (moving, inner) => ({
        buffer: emitter.reads(memory),
        index: emitter.within([outer, listOf(inner)], 1, () => index(emitter.given(moving, pieces))),
      });
    },
  };
}
