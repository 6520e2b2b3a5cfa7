// Application: an instance and its inputs. The ranks in the signature say what is lifted: axes of an input in front of its
// declared ones become hidden while the body runs, and are visible again on the result.
// Statics that nobody gave are taken from the inputs' sizes, then from their defaults. While checking, the signature alone
// says what comes back; while building, the body is run.

import type { Definition, Span } from "../../grammar/syntax.ts";
import { constant, named } from "../../runtime/size.ts";
import { expandTo, toTensor, unionHidden } from "./align.ts";
import { reportNotNumber } from "./arithmetic.ts";
import { checking, frameOf, hiddenAxis, join, nextName, placeOf, report, type ApplyHints, type Elaboration, type Frame } from "./elaboration.ts";
import { signature } from "./instance.ts";
import { asSize, ofSize, sameSizes, showShape, showSize, symbol } from "./number.ts";
import { repeatedNames } from "./repeated.ts";
import { openScope, type Scope } from "./scope.ts";
import { runBody } from "./body.ts";
import { broken, describe, isBroken, tensor, type Gates, type Hidden, type Instance, type NumberValue, type Tensor, type Value, type VisibleAxis } from "./value.ts";

function reportArity(of: Elaboration, definition: Definition, given: number, span: Span): Value {
  const wants = definition.inputs.length;
  return report(of, "M0204", span, `\`${definition.name.text}\` takes ${wants === 1 ? "one input" : wants === 0 ? "no inputs" : `${wants} inputs`}, not ${given}`, {
    label: `${given === 1 ? "one is" : `${given} are`} given`,
    help: `its signature is \`${signature(definition)}\``,
  });
}

/** The axes of a value in front of the declared ones become hidden. */
function hide(value: Tensor, rank: number, lifted: readonly Hidden[]): Tensor {
  const extra = value.axes.length - rank;
  if (extra <= 0) return value;
  return tensor(value.element, [...value.hidden, ...lifted.slice(lifted.length - extra)], value.axes.slice(extra), value.node);
}

/** Hidden axes become visible again, in front; a value that does not vary along them is repeated. */
export function unhide(of: Elaboration, value: Tensor, lifted: readonly Hidden[], names: readonly (string | undefined)[] = []): Tensor {
  if (lifted.length === 0) return value;
  const hidden = unionHidden([value, { hidden: lifted }]);
  const wide = expandTo(of, value, hidden, value.axes);
  const shown: VisibleAxis[] = lifted.map((axis, i) => ({
    size: axis.size,
    ...(names[i] === undefined ? {} : { name: names[i] }),
    ...(axis.pieces === undefined ? {} : { pieces: axis.pieces }),
  }));
  return tensor(value.element, hidden.filter((axis) => !lifted.includes(axis)), [...shown, ...wide.axes], wide.node);
}

const unhideGates = (of: Elaboration, gates: Gates, lifted: readonly Hidden[]): Gates =>
  lifted.length === 0
    ? gates
    : { ...gates, picks: unhide(of, gates.picks, lifted), weight: unhide(of, gates.weight, lifted), chosen: unhide(of, gates.chosen, lifted) };

/** Lines up the axes that inputs have in front of the declared ones, and makes hidden axes of them. */
function lift(of: Elaboration, definition: Definition, inputs: readonly (Tensor | Gates)[], span: Span): readonly Hidden[] | undefined {
  let longest: readonly VisibleAxis[] = [];
  for (const [i, value] of inputs.entries()) {
    const declared = definition.inputs[i]!;
    const rank = declared.type.element === "gates" ? 1 : declared.type.axes.length;
    const axes = value.kind === "gates" ? value.picks.axes : value.axes;
    if (axes.length < rank) {
      report(of, "M0302", span, `\`${definition.name.text}\` takes \`${declared.name.text}: [${declared.type.axes.map(axisText).join(", ")}]\``, {
        label: `this is ${showShape(axes)}`,
        help: "give an input with at least as many axes",
      });
      return undefined;
    }
    const extra = axes.slice(0, axes.length - rank);
    const [long, short] = extra.length > longest.length ? [extra, longest] : [longest, extra];
    const misfit = short.findIndex((axis, j) => !sameSizes(axis.size, long[long.length - short.length + j]!.size));
    if (misfit >= 0) {
      report(of, "M0301", span, `the inputs of \`${definition.name.text}\` are lifted over different axes`, {
        label: `\`${showSize(short[misfit]!.size)}\` and \`${showSize(long[long.length - short.length + misfit]!.size)}\``,
        help: "give inputs with the same axes in front, or without them",
      });
      return undefined;
    }
    longest = long;
  }
  return longest.map((axis) => hiddenAxis(of, "lead", axis.size, axis.name ?? showSize(axis.size), axis.pieces === undefined ? {} : { pieces: axis.pieces }));
}
const axisText = (axis: Definition["inputs"][number]["type"]["axes"][number]): string => (axis.node === "name" ? axis.text : "...");

/** The sizes of the inputs' types: names are bound, everything else is compared. */
function bindSizes(of: Elaboration, instance: Instance, inputs: readonly (Tensor | Gates)[], frame: Frame, scope: Scope, span: Span, hints: ApplyHints): boolean {
  const { definition, module } = instance;
  const later: { readonly expression: (typeof definition.inputs)[number]["type"]["axes"][number]; readonly axis: VisibleAxis; readonly input: string }[] = [];
  const disagree = (input: string, wanted: string, axis: VisibleAxis): boolean => {
    const declared = definition.inputs.find((each) => each.name.text === input)!;
    report(of, "M0301", span, `\`${input}\` of \`${definition.name.text}\` has \`${showSize(axis.size)}\` where \`${wanted}\` is declared`, {
      label: `\`${showSize(axis.size)}\` here`,
      related: [{ module: module.path, span: declared.type.span, label: `\`${wanted}\` is declared here` }],
      help: "give an input of the declared size, or another static",
    });
    return false;
  };
  const visible = inputs.map((value, i): readonly VisibleAxis[] => {
    const { type } = definition.inputs[i]!;
    if (value.kind === "gates") return [{ size: value.count }];
    return value.axes.slice(value.axes.length - type.axes.length);
  });
  for (const [i, axes] of visible.entries()) {
    const { type, name: input } = definition.inputs[i]!;
    for (const [j, expression] of type.axes.entries()) {
      const axis = axes[j];
      if (axis === undefined) continue;
      const declaredDim = expression.node === "name" && !definition.statics.some(({ name }) => name.text === expression.text) && module.names.get(expression.text)?.kind === "dim";
      if (expression.node !== "name" || declaredDim) {
        later.push({ expression, axis, input: input.text });
        continue;
      }
      const before = scope.names.get(expression.text);
      if (before === undefined) {
        scope.names.set(expression.text, { ...ofSize(axis.size, axis.name), ...(axis.pieces === undefined ? {} : { pieces: axis.pieces }) });
        continue;
      }
      if (isBroken(before) || before.kind !== "number" || before.poly === undefined) continue;
      if (!sameSizes(before.poly, axis.size)) return disagree(input.text, expression.text === showSize(before.poly) ? expression.text : `${expression.text} = ${showSize(before.poly)}`, axis);
    }
  }
  if (hints.count !== undefined && definition.result?.element === "gates") {
    const [count] = definition.result.axes;
    if (count?.node === "name" && !scope.names.has(count.text)) scope.names.set(count.text, hints.count);
  }
  of.frames.push(frame);
  try {
    for (const { name, value } of definition.statics) {
      if (scope.names.has(name.text)) continue;
      if (value === undefined) {
        of.frames.pop();
        const asked = report(of, "M0206", span, `\`${name.text}\` of \`${definition.name.text}\` is not given`, {
          label: "nothing here says what it is",
          related: [{ module: module.path, span: name.span, label: "declared here, without a default" }],
          help: definition.result?.element === "gates" && name.text === "N" ? `give it: \`{ N = 8 }\`, or use the router in a pool` : `give it: \`${definition.name.text} { ${name.text} = ... }\``,
        });
        of.frames.push(frame);
        return asked.kind !== "broken";
      }
      scope.names.set(name.text, nameStatic(of.parts.evaluate(of, value, scope), frame.path, name.text));
    }
    for (const { expression, axis, input } of later) {
      const wanted = of.parts.evaluate(of, expression, scope);
      if (isBroken(wanted)) continue;
      const size = wanted.kind === "number" ? asSize(wanted, checking(of)) : undefined;
      if (size?.kind === "unknown") continue;
      if (size?.kind !== "size" || !sameSizes(size.size, axis.size)) {
        of.frames.pop();
        const text = size?.kind === "size" ? showSize(size.size) : describe(wanted);
        disagree(input, text, axis);
        of.frames.push(frame);
        return false;
      }
    }
  } finally {
    of.frames.pop();
  }
  return true;
}

const nothing: ReadonlySet<string> = new Set();

/** The frame that the body runs in. */
function frameFor(of: Elaboration, instance: Instance, span: Span, hints: ApplyHints): Frame {
  const { definition, module } = instance;
  const parent = frameOf(of);
  const groups = [...parent.groups, ...(hints.groups ?? [])];
  const path =
    hints.path ??
    instance.path ??
    (definition.kind === "function" ? parent.path : join(parent.path, hints.exact === true ? (hints.base ?? instance.base) : nextName(of, hints.base ?? instance.base)));
  return {
    definition,
    module,
    path,
    call: placeOf(of, span, `\`${definition.name.text}\` is used here`),
    lead: [],
    groups,
    repeated: checking(of) ? nothing : repeatedNames(definition),
    counters: new Map(),
    stored: new Map(),
  };
}

/** Inputs as tensors of the declared element types, or gates. */
function readInputs(of: Elaboration, definition: Definition, inputs: readonly Value[], span: Span): readonly (Tensor | Gates)[] | undefined {
  const read: (Tensor | Gates)[] = [];
  for (const [i, value] of inputs.entries()) {
    const { type, name } = definition.inputs[i]!;
    if (isBroken(value)) return undefined;
    if (type.element === "gates") {
      if (value.kind !== "gates") {
        report(of, "M0207", span, `\`${name.text}\` of \`${definition.name.text}\` is gates, not ${describe(value)}`, { label: `this is ${describe(value)}`, help: "give what a router returns" });
        return undefined;
      }
      read.push(value);
      continue;
    }
    const given = toTensor(of, value, type.element);
    if (given === undefined) {
      reportNotNumber(of, span, value, `\`${definition.name.text}\``);
      return undefined;
    }
    const fits = given.element === type.element || (type.element === "number" && given.element === "int");
    if (!fits) {
      report(of, "M0405", span, `\`${name.text}\` of \`${definition.name.text}\` is ${elementName(type.element)}, not ${elementName(given.element)}`, {
        label: elementName(given.element),
        help: given.element === "bool" ? "write `if x then 1 else 0`" : `give ${elementName(type.element)}, or declare \`${name.text}: ${given.element === "number" ? "" : `${given.element} `}[...]\``,
      });
      return undefined;
    }
    read.push(type.element === "number" && given.element === "int" ? castToNumber(of, given) : given);
  }
  return read;
}
const elementName = (element: "number" | "int" | "bool"): string => ({ number: "numbers", int: "integers", bool: "truth values" })[element];
const castToNumber = (of: Elaboration, value: Tensor): Tensor =>
  tensor("number", value.hidden, value.axes, value.node === undefined || of.builder === undefined ? undefined : of.builder.cast(value.node, "f32"));

/** How often a definition may stand inside itself before it is taken to be endless. */
const deepest = 40;

/** Applies an instance to its inputs. */
export function apply(of: Elaboration, instance: Instance, inputs: readonly Value[], span: Span, hints: ApplyHints = {}): Value {
  const { definition } = instance;
  if (definition.kind === "model")
    return report(of, "M0205", span, "a model cannot be part of a definition", { label: `\`${definition.name.text}\` is a model`, help: "make a layer of what both need" });
  if (inputs.length !== definition.inputs.length) return reportArity(of, definition, inputs.length, span);
  if (of.frames.filter((each) => each.definition === definition).length >= (checking(of) ? 1 : deepest)) {
    if (checking(of) && definition.result !== undefined) {
      // A definition that contains itself is found when it is built; its signature is enough here.
    } else
      return report(of, "M0104", span, `\`${definition.name.text}\` contains itself`, { label: "here again", help: "write a `repeat`, or pass the inner definition as a static" });
  }
  // Deep inside, after an error: nothing new would be said, and what calls itself twice would never end.
  if (of.frames.length > deepest && of.diagnostics.length > 0) return broken;
  const read = readInputs(of, definition, inputs, span);
  if (read === undefined) return broken;
  const lifted = lift(of, definition, read, span);
  if (lifted === undefined) return broken;
  const frame = frameFor(of, instance, span, hints);
  const scope = openScope();
  for (const [name, value] of instance.statics) scope.names.set(name, nameStatic(value, frame.path, name));
  if (!bindSizes(of, instance, read, frame, scope, span, hints)) return broken;
  const hidden = read.map((value, i): Tensor | Gates => {
    const { type } = definition.inputs[i]!;
    if (value.kind === "gates")
      return { ...value, picks: hide(value.picks, 1, lifted), weight: hide(value.weight, 1, lifted), chosen: hide(value.chosen, 1, lifted) };
    const inner = hide(value, type.axes.length, lifted);
    return {
      ...inner,
      axes: inner.axes.map((axis, j) => {
        const declared = type.axes[j];
        const { name: _, ...rest } = axis;
        return declared?.node === "name" ? { ...rest, name: declared.text } : rest;
      }),
    };
  });
  definition.inputs.forEach(({ name }, i) => scope.names.set(name.text, hidden[i]!));
  const lead = unionHidden(hidden.map((value) => (value.kind === "gates" ? value.picks : value)).concat(lifted.length > 0 ? [tensor("number", lifted, [], undefined)] : [])).filter(
    ({ kind }) => kind !== "group",
  );
  const inside: Frame = {
    ...frame,
    lead,
    ...(definition.kind === "router" ? { router: routerFrame(definition, scope, hints) } : {}),
    ...(definition.kind === "moe" ? { pool: { shared: [], segments: [], nulls: [] } } : {}),
  };
  of.frames.push(inside);
  let result: Value;
  try {
    result = checking(of) && definition.result !== undefined ? declaredResult(of, definition, scope, lead) : runBody(of, definition, scope);
  } finally {
    of.frames.pop();
  }
  if (result.kind === "gates") return unhideGates(of, result, lifted);
  if (result.kind !== "tensor") return result;
  const named: Tensor = { ...result, axes: result.axes.map((axis, i) => renameAxis(axis, definition, i, scope)) };
  return unhide(of, named, lifted, lifted.map(({ name }) => name));
}

/** An instance that is given as a static belongs to who got it: one set of parameters, under the static's name. */
const nameStatic = (value: Value, path: string, name: string): Value =>
  value.kind === "instance" || value.kind === "pool"
    ? value.path === undefined
      ? { ...value, path: join(path, name.toLowerCase()) }
      : value
    : value.kind === "definition"
      ? { ...value, base: name.toLowerCase() }
      : value;

/** The caller's name for an axis that the signature names. */
function renameAxis(axis: VisibleAxis, definition: Definition, at: number, scope: Scope): VisibleAxis {
  const declared = definition.result?.axes[at];
  const { name: _, ...rest } = axis;
  if (declared?.node !== "name") return rest;
  const bound = scope.names.get(declared.text);
  return bound?.kind === "number" && bound.name !== undefined ? { ...rest, name: bound.name } : rest;
}

function routerFrame(definition: Definition, scope: Scope, hints: ApplyHints): NonNullable<Frame["router"]> {
  const name = definition.result?.axes[0];
  const bound = name?.node === "name" ? scope.names.get(name.text) : undefined;
  const count: NumberValue = hints.count ?? (bound?.kind === "number" ? bound : symbol("N"));
  return { count, axisName: name?.node === "name" ? name.text : "N", nulls: hints.nulls ?? ofSize(constant(0)), ...(hints.open === undefined ? {} : { open: hints.open }) };
}

/** What the signature says comes back. */
function declaredResult(of: Elaboration, definition: Definition, scope: Scope, lead: readonly Hidden[]): Value {
  const { result } = definition;
  if (result === undefined) throw new Error("internal: no declared result");
  const axes = of.parts.axesOf(of, result, scope);
  if (axes === undefined) return broken;
  if (result.element !== "gates") return tensor(result.element, lead, axes, undefined);
  const count = axes[0]?.size ?? named("N");
  const picks = tensor("int", lead, [{ size: named("K") }], undefined);
  return {
    kind: "gates",
    picks,
    weight: { ...picks, element: "number" },
    chosen: tensor("number", lead, [{ size: count }], undefined),
    load: tensor("number", [], [{ size: count }], undefined),
    count,
  };
}

