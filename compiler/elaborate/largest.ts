// `largest(x, k over T)`: which elements are the k largest along axes, as truth values. In: a tensor of numbers, how many, the names after
// `over`. Out: a tensor of the same shape. The choice of a router, for formulas: no gradient, equals by their order, -inf and NaN never.

import { minimum } from "../../runtime/size.ts";
import { build, checking, report, type Elaboration } from "./elaboration.ts";
import { arity, numbersOf, type Call } from "./call.ts";
import { asSize, notBelowNone, roundSize } from "./number.ts";
import { along, alongLast, prepare } from "./reduce.ts";
import { noteMixing } from "./sequence-notes.ts";
import { broken, describe, isBroken, tensor, type Value } from "./value.ts";

export function largest(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 2)) return broken;
  const value = numbersOf(of, call, 0);
  if (value === undefined) return broken;
  const count = call.given[1]!;
  if (isBroken(count.value)) return broken;
  const rounded =
    count.value.kind === "number" ? asSize(roundSize(count.value, "ceil"), checking(of)) : undefined;
  if (rounded === undefined || rounded.kind === "negative" || rounded.kind === "not whole")
    return report(of, "M0303", count.argument.span, "`largest` needs to know how many", {
      label: rounded === undefined ? `this is ${describe(count.value)}` : `this is ${rounded.text}`,
      help: "write a number or a size: `largest(x, 2 over D)`",
    });
  const over = along(of, call.scope, call.span, "largest", value, call.over);
  if (over === undefined) return broken;
  const { wide, axes } = prepare(of, value, over);
  if (wide.hidden.some(({ kind }) => kind === "rows"))
    return report(of, "M0407", call.span, "`largest` cannot choose inside a routed expert", {
      label: "rows of a routing",
      help: "choose before routing and give it to the pool: `pool(x, chosen)`",
    });
  for (const axis of [...over.hidden, ...over.visible.map((i) => wide.axes[i]!)])
    noteMixing(of, axis.size, "takes `largest` over the positions of the text");
  const node = build(of, [wide], (builder, node) => {
    if (rounded.kind !== "size") throw new Error("internal: a count that is not known");
    return alongLast(builder, builder.stop(node), axes, (flat) =>
      builder.choose(flat, minimum(notBelowNone(rounded.size), flat.shape.at(-1)!.size), "mask"),
    );
  });
  return tensor("bool", wide.hidden, wide.axes, node);
}
