// `dispatch(x, gates)` and `combine(y, gates)`, written out: rows from tokens, and tokens from rows, each row times its weight.
// In: a tensor and gates. Between the two, a value has one row for each pick, as inside a routed expert.

import { constant, known, product } from "../../runtime/size.ts";
import { expandTo, hiddenShape, toTensor, unionHidden } from "./align.ts";
import { reportNotNumber } from "./arithmetic.ts";
import { build, report, type Elaboration } from "./elaboration.ts";
import type { Call } from "./call.ts";
import { sameSizes, showShape } from "./number.ts";
import {
  broken,
  describe,
  isBroken,
  tensor,
  type Gates,
  type Hidden,
  type Tensor,
  type Value,
} from "./value.ts";

/** Rows of gates: the same axis for every dispatch by the same gates. */
const rowsOf = new WeakMap<object, Hidden>();

function read(
  of: Elaboration,
  { name, span, given }: Call,
): { readonly value: Tensor; readonly gates: Gates } | undefined {
  const [value, gates] = given.map((each) => each.value);
  if (value === undefined || gates === undefined || given.length !== 2) {
    report(of, "M0204", span, `\`${name}\` takes a tensor and gates`, {
      label: `${given.length} given`,
      help: `write \`${name}(x, g)\``,
    });
    return undefined;
  }
  if (isBroken(value) || isBroken(gates)) return undefined;
  if (gates.kind !== "gates") {
    report(of, "M0207", given[1]!.argument.span, `\`${name}\` takes gates, not ${describe(gates)}`, {
      label: `this is ${describe(gates)}`,
      help: "give what a router returns",
    });
    return undefined;
  }
  const found = toTensor(of, value);
  if (found === undefined) {
    reportNotNumber(of, given[0]!.argument.span, value, `\`${name}\``);
    return undefined;
  }
  return { value: found, gates };
}

function rows(of: Elaboration, gates: Gates, tokens: ReturnType<typeof product>): Hidden {
  const before = rowsOf.get(gates.picks);
  if (before !== undefined) return before;
  const route =
    of.builder === undefined || gates.picks.node === undefined
      ? undefined
      : of.builder.route(
          of.builder.reshape(gates.picks.node, [tokens, gates.picks.axes.at(-1)!.size]),
          known(gates.count)!,
          gates.bound,
        );
  const axis: Hidden = {
    kind: "rows",
    order: -1,
    size: route?.bound ?? constant(1),
    name: "rows",
    ...(route === undefined ? {} : { route }),
  };
  rowsOf.set(gates.picks, axis);
  return axis;
}

export function dispatchTokens(of: Elaboration, call: Call): Value {
  const both = read(of, call);
  if (both === undefined) return broken;
  const { value, gates } = both;
  const front = gates.picks.axes.slice(0, -1);
  if (
    front.length > value.axes.length ||
    !front.every((axis, i) => sameSizes(axis.size, value.axes[i]!.size))
  )
    return report(of, "M0513", call.span, "the gates are for other tokens", {
      label: `gates for ${showShape(front)}, the tensor is ${showShape(value.axes)}`,
      help: "dispatch what the router read",
    });
  const tokens = product([...gates.picks.hidden, ...front].map(({ size }) => size));
  const axis = rows(of, gates, tokens);
  const hidden = unionHidden([value, gates.picks]);
  const wide = expandTo(of, value, hidden, value.axes);
  if (hidden.length !== gates.picks.hidden.length)
    return report(of, "M0513", call.span, "the gates are for other tokens", {
      label: "the tensor varies along more axes",
      help: "dispatch what the router read",
    });
  const node = build(of, [wide], (builder, from) =>
    builder.dispatch(
      builder.reshape(from, [tokens, ...from.shape.slice(hidden.length + front.length)]),
      axis.route!,
    ),
  );
  return tensor(value.element, [axis], value.axes.slice(front.length), node);
}

export function combineRows(of: Elaboration, call: Call): Value {
  const both = read(of, call);
  if (both === undefined) return broken;
  const { value, gates } = both;
  const axis = rowsOf.get(gates.picks);
  if (axis === undefined || !value.hidden.includes(axis) || value.hidden.length !== 1)
    return report(of, "M0513", call.span, "`combine` takes rows that `dispatch` made with the same gates", {
      label: "not rows of these gates",
      help: "write `combine(f(dispatch(x, g)), g)`",
    });
  const front = gates.picks.axes.slice(0, -1);
  const tokens = product([...gates.picks.hidden, ...front].map(({ size }) => size));
  const node = build(of, [value], (builder, from) => {
    const weight = builder.reshape(gates.weight.node!, [tokens, gates.weight.axes.at(-1)!.size]);
    const share = builder.dispatch(weight, axis.route!, "pick");
    const sum = builder.combine(
      builder.mul(builder.cast(from, "f32"), builder.broadcastTo(share, from.shape, [0])),
      axis.route!,
    );
    return builder.reshape(sum, [
      ...hiddenShape(gates.picks.hidden),
      ...front.map(({ size }) => size),
      ...sum.shape.slice(1),
    ]);
  });
  return tensor("number", gates.picks.hidden, [...front, ...value.axes], node);
}
