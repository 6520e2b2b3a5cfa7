// `a @ b`: contracts the last visible axis of a with the first of b. Hidden axes are shared: a product of rows of a routing
// with matrices of which each expert has its own is one ragged contraction.

import type { Span } from "../../grammar/syntax.ts";
import { castTo, expandTo, toTensor, unionHidden } from "./align.ts";
import { reportNotNumber } from "./arithmetic.ts";
import { build, report, type Elaboration } from "./elaboration.ts";
import { sameSizes, showShape, showSize } from "./number.ts";
import { broken, isBroken, tensor, type Hidden, type Tensor, type Value } from "./value.ts";
import { noteMixing } from "./sequence-notes.ts";

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Entries of picks that are not there count as zero. */
function maskInvalid(of: Elaboration, value: Tensor, axis: number): Tensor {
  const valid = value.axes[axis]?.valid;
  if (valid === undefined) return value;
  if (axis !== value.axes.length - 1) return value;
  const hidden = unionHidden([value, valid]);
  const wide = expandTo(of, value, hidden, value.axes);
  const mask = expandTo(of, valid, hidden, value.axes);
  return tensor(
    "number",
    hidden,
    value.axes,
    build(of, [mask, wide], (builder, is, node) => builder.select(is, node, 0)),
  );
}

export function contract(of: Elaboration, span: Span, a: Value, b: Value): Value {
  if (isBroken(a) || isBroken(b)) return broken;
  const [x, y] = [toTensor(of, a), toTensor(of, b)];
  if (x === undefined || y === undefined) return reportNotNumber(of, span, x === undefined ? a : b, "`@`");
  const last = x.axes.at(-1);
  const first = y.axes[0];
  if (last === undefined || first === undefined)
    return report(of, "M0302", span, "`@` needs an axis on both sides", {
      label: `${showShape(x.axes)} @ ${showShape(y.axes)}`,
      help: "use `*` for numbers",
    });
  if (x.element === "bool" || y.element === "bool")
    return report(of, "M0401", span, "`@` takes numbers, not truth values", {
      label: "one side is a truth value",
      help: "write `if x then 1 else 0`",
    });
  if (!sameSizes(last.size, first.size))
    return report(
      of,
      "M0301",
      span,
      `\`@\` contracts \`${showSize(last.size)}\` with \`${showSize(first.size)}\``,
      {
        label: `${showShape(x.axes)} @ ${showShape(y.axes)}`,
        help: "make the last axis of the left side the first of the right",
      },
    );
  noteMixing(of, last.size, "sums over the positions of the text by `@`");
  const left = maskInvalid(of, castTo(of, x, "number"), x.axes.length - 1);
  const right = castTo(of, y, "number");
  const hidden = unionHidden([left, right]);
  const axes = [...x.axes.slice(0, -1), ...y.axes.slice(1)];
  const node = build(of, [left, right], (builder, l, r) => {
    const names = new Map<Hidden | string, string>();
    const letter = (key: Hidden | string): string => {
      const before = names.get(key);
      if (before !== undefined) return before;
      const next = letters[names.size];
      if (next === undefined) throw new Error("internal: a contraction of more than 52 axes");
      names.set(key, next);
      return next;
    };
    const rank = { left: x.axes.length, right: y.axes.length };
    const labelsOf = (value: Tensor, side: "left" | "right"): string =>
      value.hidden.map(letter).join("") +
      value.axes
        .map((_, i) =>
          letter(
            (side === "left" && i === rank.left - 1) || (side === "right" && i === 0) ? "sum" : `${side}${i}`,
          ),
        )
        .join("");
    const labels = { a: labelsOf(left, "left"), b: labelsOf(right, "right") };
    const visible = [
      ...x.axes.slice(0, -1).map((_, i) => letter(`left${i}`)),
      ...y.axes.slice(1).map((_, i) => letter(`right${i + 1}`)),
    ];
    const out = hidden.map(letter).join("") + visible.join("");
    const group = [...left.hidden, ...right.hidden].find(
      (axis) => axis.kind === "group" && !hidden.includes(axis),
    );
    const ragged = group === undefined ? undefined : { row: letter(group.rows!), group: letter(group) };
    return builder.contract(l, r, `${labels.a},${labels.b}->${out}`, ragged);
  });
  return tensor("number", hidden, axes, node);
}
