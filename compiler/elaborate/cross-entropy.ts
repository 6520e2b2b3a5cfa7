// `cross_entropy(logits, ids)`. In: the call. Out: one number, or a mistake reported.

import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { expandTo, toTensor, unionAxes, unionHidden } from "./align.ts";
import { reportMisfit } from "./arithmetic.ts";
import { arity, numbersOf, type Call } from "./call.ts";
import { build, type Elaboration, report } from "./elaboration.ts";
import { showShape } from "./number.ts";
import { reduceAlong } from "./reduce.ts";
import { broken, describe, isBroken, tensor, type Tensor, type Value } from "./value.ts";

/** The mean of logsumexp(z) - z at the id, over the ids that are there: one below 0 is padding and counts for nothing. Without
 * any, 0. */
export function crossEntropy(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 2)) return broken;
  const logits = numbersOf(of, call, 0);
  const given = call.given[1]!.value;
  if (logits === undefined || isBroken(given)) return broken;
  const ids = toTensor(of, given, "int");
  if (ids?.element !== "int")
    return report(
      of,
      "M0403",
      call.given[1]!.argument.span,
      "`cross_entropy` compares logits with integers",
      {
        label: `this is ${describe(given)}`,
        help: "give the right classes as integers: `cross_entropy(logits, text.next)`",
      },
    );
  if (logits.axes.length !== ids.axes.length + 1)
    return report(of, "M0301", call.span, "`cross_entropy` takes logits with one axis more than the ids", {
      label: `logits ${showShape(logits.axes)}, ids ${showShape(ids.axes)}`,
      help: "the last axis of the logits is the classes",
    });
  const outer: Tensor = { ...logits, axes: logits.axes.slice(0, -1) };
  const merged = unionAxes([outer, ids]);
  if ("left" in merged) return reportMisfit(of, call.span, merged, [outer, ids], "logits and ids");
  const hidden = unionHidden([logits, ids]);
  const at = expandTo(of, ids, hidden, merged);
  const everything = { hidden, visible: merged.map((_, i) => i) };
  const there = build(of, [at], (builder, id) => builder.cast(isThere(builder, id), "f32"));
  const count = reduceAlong(of, "sum", tensor("number", hidden, merged, there), everything);
  // A weight for each id, not a division of the sum: the scale of every gradient is known before the logits are read.
  const weights = build(of, [at, count], (builder, id, found) =>
    builder.select(isThere(builder, id), builder.div(1, builder.map("max", found, 1)), 0),
  );
  const weight = tensor("number", hidden, merged, weights);
  const highest = logits.axes.length - 1;
  const log = reduceAlong(of, "logsumexp", logits, { hidden: [], visible: [highest] });
  const [wide, total] = [expandTo(of, logits, hidden, logits.axes), expandTo(of, log, hidden, merged)];
  const each = build(of, [weight, wide, total, at], (builder, part, z, sum, id) =>
    builder.mul(part, builder.sub(sum, builder.take(z, id, id.shape.length))),
  );
  return reduceAlong(of, "sum", tensor("number", hidden, merged, each), everything);
}

const isThere = (builder: GraphBuilder, ids: Node): Node =>
  builder.map("le", builder.constant(0, "i32"), ids);
