// Parameters and states: `param w: [D, H] = normal(0.02)`, `state bias: [N] = 0`. In: a statement and where it stands. Out: a
// tensor that is read under its path, and its declaration for the program: shape in numbers, initial values.
// In a routed expert every parameter has one more axis in front: one entry for each expert.

import type { Expression, Span, Statement } from "../../grammar/syntax.ts";
import type { Init } from "../../runtime/program.ts";
import { known } from "../../runtime/size.ts";
import { shapeOf } from "./align.ts";
import { checking, frameOf, join, nextName, report, type Elaboration } from "./elaboration.ts";
import { showShape, showSize, valueOf } from "./number.ts";
import { bind, lookUp, type Scope } from "./scope.ts";
import { noteHeld } from "./sent.ts";
import { describe, isBroken, tensor, type Element, type Tensor, type VisibleAxis } from "./value.ts";

interface Declaration {
  readonly name: string;
  readonly path: string;
  readonly role: "parameter" | "state";
  readonly element: Element;
  readonly axes: readonly VisibleAxis[];
  readonly init: Init;
  readonly span: Span;
  readonly doc?: string;
  /** Not one for each expert, although declared among experts. */
  readonly shared?: boolean;
}

/** Registers a stored tensor, once for each path, and reads it. */
export function declareTensor(
  of: Elaboration,
  { name, path, role, element, axes, init, span, doc, shared }: Declaration,
): Tensor | undefined {
  const groups = shared === true ? [] : frameOf(of).groups;
  noteHeld(of.collected, groups, path);
  if (of.builder === undefined) return tensor(element, groups, axes, undefined);
  const shape: number[] = [];
  for (const { size } of [...groups, ...axes]) {
    const value = known(size);
    if (value === undefined) {
      report(of, "M0309", span, `the size of \`${name}\` must be known when the model is compiled`, {
        label: `\`${showSize(size)}\` is known only when it runs`,
        help: "give it sizes that are statics or `dim`s",
      });
      return undefined;
    }
    shape.push(value);
  }
  const before = of.collected.tensors.get(path);
  if (before === undefined)
    of.collected.tensors.set(path, {
      name: path,
      role,
      type: element === "number" ? "f32" : "i32",
      shape,
      init,
      ...(doc === undefined ? {} : { doc }),
    });
  else if (before.shape.join() !== shape.join()) {
    report(of, "M0310", span, `\`${name}\` is shared by applications that need different sizes`, {
      label: `[${before.shape.join(", ")}] before, [${shape.join(", ")}] here`,
      help: "bind one instance for each size",
    });
    return undefined;
  }
  return tensor(
    element,
    groups,
    axes,
    of.builder.tensor(path, shapeOf(groups, axes), element === "number" ? "f32" : "i32"),
  );
}

const initialisers: Readonly<Record<string, readonly string[]>> = {
  normal: ["deviation"],
  uniform: ["low", "high"],
  orthogonal: ["gain"],
  identity: [],
  copy: ["of"],
};

/** Without an initialiser: deviation 1 / sqrt(first axis) for two or more axes, zeros for one. */
function defaultInit(axes: readonly VisibleAxis[]): Init {
  const first = axes[0] === undefined ? undefined : known(axes[0].size);
  return axes.length >= 2 && first !== undefined
    ? { kind: "normal", deviation: 1 / Math.sqrt(Math.max(1, first)) }
    : { kind: "constant", value: 0 };
}

function numberIn(of: Elaboration, expression: Expression, scope: Scope, what: string): number | undefined {
  const value = of.parts.evaluate(of, expression, scope);
  if (isBroken(value)) return checking(of) ? 0 : undefined;
  const found = value.kind === "number" ? valueOf(value) : undefined;
  if (found === undefined && checking(of) && (value.kind === "number" || value.kind === "tensor")) {
    if (value.kind === "number") return 0;
  }
  if (found === undefined) {
    report(
      of,
      "M0209",
      expression.span,
      `${what} must be a number that is known when the model is compiled`,
      { label: `this is ${describe(value)}`, help: "write a number or a static" },
    );
    return undefined;
  }
  return found;
}

function readCopy(
  of: Elaboration,
  call: Extract<Expression, { node: "call" }>,
  scope: Scope,
): Init | undefined {
  const [source, ...options] = call.arguments;
  const named = source?.value.node === "name" ? source.value.text : undefined;
  const path = named === undefined ? undefined : frameOf(of).stored.get(named)?.path;
  if (source === undefined || path === undefined) {
    const exists = named !== undefined && lookUp(scope, named) !== undefined;
    report(
      of,
      "M0210",
      source?.span ?? call.span,
      "`copy` takes a parameter of this definition that stands above",
      {
        label: exists ? "this is no parameter" : "not declared above",
        help: "name a `param` or a `state` above this one",
      },
    );
    return undefined;
  }
  let init: Init = { kind: "copy", from: path };
  for (const { name, value } of options) {
    const number = numberIn(of, value, scope, "an option of `copy`");
    if (number === undefined) return undefined;
    if (name?.text === "noise") init = { ...init, noise: number };
    else if (name?.text === "keep") init = { ...init, keep: number };
    else {
      report(of, "M0210", value.span, "`copy` knows `noise` and `keep`", {
        label: name === undefined ? "without a name" : `\`${name.text}\``,
        help: "write `copy(other, noise = 0.01)` or `copy(other, keep = 0.5)`",
      });
      return undefined;
    }
  }
  return init;
}

function readInit(
  of: Elaboration,
  expression: Expression,
  axes: readonly VisibleAxis[],
  scope: Scope,
): Init | undefined {
  const call = expression.node === "group" ? expression.inner : expression;
  if (call.node === "call" && call.callee.node === "name" && initialisers[call.callee.text] !== undefined) {
    const name = call.callee.text;
    if (name === "copy") return readCopy(of, call, scope);
    const known = initialisers[name]!;
    const numbers: number[] = [];
    for (const argument of call.arguments) {
      const number = numberIn(of, argument.value, scope, `an argument of \`${name}\``);
      if (number === undefined) return undefined;
      numbers.push(number);
    }
    const optional = name === "orthogonal" ? 1 : 0;
    if (numbers.length > known.length || numbers.length < known.length - optional) {
      report(
        of,
        "M0210",
        call.span,
        `\`${name}\` takes ${known.length === 0 ? "nothing" : known.join(" and ")}`,
        { label: `${numbers.length} given`, help: `write \`${name}(${known.join(", ")})\`` },
      );
      return undefined;
    }
    const [first = 1, second = 1] = numbers;
    if ((name === "orthogonal" || name === "identity") && axes.length < 2) {
      report(of, "M0210", call.span, `\`${name}\` is for matrices`, {
        label: `this has the axes ${showShape(axes)}`,
        help: "use `normal(0.02)` or a number",
      });
      return undefined;
    }
    switch (name) {
      case "normal":
        return { kind: "normal", deviation: first };
      case "uniform":
        return { kind: "uniform", low: first, high: second };
      case "orthogonal":
        return { kind: "orthogonal", gain: first };
      default:
        return { kind: "identity" };
    }
  }
  if (expression.node === "list") {
    const values: number[] = [];
    for (const item of expression.items) {
      const value = numberIn(of, item, scope, "an initial value");
      if (value === undefined) return undefined;
      values.push(value);
    }
    const size = axes.length === 1 ? known(axes[0]!.size) : undefined;
    if (axes.length !== 1 || (size !== undefined && size !== values.length)) {
      report(of, "M0210", expression.span, `${values.length} initial values do not fit ${showShape(axes)}`, {
        label: `${values.length} values`,
        help: "give one value for each entry of a vector",
      });
      return undefined;
    }
    return { kind: "values", values };
  }
  const value = numberIn(of, expression, scope, "an initial value");
  return value === undefined ? undefined : { kind: "constant", value };
}

/** `param` and `state` statements. */
export function declare(
  of: Elaboration,
  statement: Extract<Statement, { node: "param" | "state" }>,
  scope: Scope,
): void {
  const frame = frameOf(of);
  const { name, type } = statement;
  if (
    type.element === "gates" ||
    type.element === "bool" ||
    (type.element === "int" && statement.node === "param")
  ) {
    report(of, "M0406", type.span, `a ${statement.node} holds numbers`, {
      label: `not ${type.element === "gates" ? "gates" : type.element === "bool" ? "truth values" : "integers"}`,
      help: "write `[D, H]`",
    });
    bind(scope, name.text, { kind: "broken" });
    return;
  }
  const axes = of.parts.axesOf(of, type, scope);
  const path = join(frame.path, nextName(of, name.text));
  const init =
    axes === undefined
      ? undefined
      : statement.init === undefined
        ? statement.node === "state"
          ? ({ kind: "constant", value: 0 } as const)
          : defaultInit(axes)
        : readInit(of, statement.init, axes, scope);
  const declared =
    axes === undefined
      ? undefined
      : declareTensor(of, {
          name: name.text,
          path,
          role: statement.node === "param" ? "parameter" : "state",
          element: type.element,
          axes,
          init: init ?? { kind: "constant", value: 0 },
          span: statement.span,
          ...(statement.doc === undefined ? {} : { doc: statement.doc }),
        });
  bind(scope, name.text, declared ?? { kind: "broken" });
  if (declared !== undefined)
    frame.stored.set(name.text, {
      path,
      role: statement.node === "param" ? "parameter" : "state",
      tensor: declared,
    });
}
