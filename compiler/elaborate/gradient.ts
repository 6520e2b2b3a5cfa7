// `gradient(value, x)`: how a value changes with a tensor that it was made of, as a tensor of x's shape. In: both. Out: the gradient of the
// value summed over everything, made of the same operations as the rest, so that it may be differentiated once more.

import { differentiate } from "../differentiate.ts";
import { build, lookInside, report, type Elaboration } from "./elaboration.ts";
import { toTensor } from "./align.ts";
import { reportNotNumber } from "./arithmetic.ts";
import { arity, numbersOf, type Call } from "./call.ts";
import { reduceAlong } from "./reduce.ts";
import { broken, isBroken, tensor, type Value } from "./value.ts";

export function gradient(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 2)) return broken;
  const value = numbersOf(of, call, 0);
  const given = call.given[1]!.value;
  if (value === undefined || isBroken(given)) return broken;
  const x = toTensor(of, given);
  if (x === undefined) return reportNotNumber(of, call.span, given, "`gradient`");
  const inExpert = [...value.hidden, ...x.hidden].some(({ kind }) => kind === "rows");
  if (inExpert || x.element !== "number")
    return report(of, "M0407", call.span, "this has no `gradient`", {
      label: inExpert ? "rows of a routing" : `the second is ${x.element}`,
      help: inExpert
        ? "ask for it outside of experts"
        : "ask how a number changes with numbers: `gradient(loss, x)`",
    });
  lookInside(of);
  const everything = { hidden: value.hidden, visible: value.axes.map((_, i) => i) };
  const total =
    value.hidden.length + value.axes.length === 0 ? value : reduceAlong(of, "sum", value, everything);
  return tensor(
    "number",
    x.hidden,
    x.axes,
    build(of, [total, x], (builder, loss, by) => differentiate(builder, loss, [by]).get(by)!),
  );
}
