// Application: an instance and its inputs. The ranks in the signature say what is lifted (lift.ts), the sizes what statics are
// (bind-sizes.ts). While checking, the signature alone says what comes back; while building, the body is run.

import type { Definition, Span } from "../../grammar/syntax.ts";
import { constant, named } from "../../runtime/size.ts";
import { unionHidden } from "./align.ts";
import { bindSizes, nameStatic } from "./bind-sizes.ts";
import { runBody } from "./body.ts";
import {
  type ApplyHints,
  checking,
  type Elaboration,
  type Frame,
  frameOf,
  join,
  nextName,
  placeOf,
  report,
} from "./elaboration.ts";
import { allGiven, bindDefaults, type Inputs, readInputs } from "./inputs.ts";
import { hide, lift, unhide, unhideGates } from "./lift.ts";
import { ofSize, symbol } from "./number.ts";
import { pickWidth } from "./pick-width.ts";
import { repeatedNames } from "./repeated.ts";
import { openScope, type Scope } from "./scope.ts";
import {
  broken,
  type Gates,
  type Hidden,
  type Instance,
  type NumberValue,
  tensor,
  type Tensor,
  type Value,
  type VisibleAxis,
} from "./value.ts";

export const nothing: ReadonlySet<string> = new Set();

/** Where the parameters of an application are: the next of its name in the body that is being run, unless something says so. */
export function pathOf(of: Elaboration, instance: Instance, hints: ApplyHints = {}): string {
  const told = hints.path ?? instance.path;
  if (told !== undefined) return told;
  const { path } = frameOf(of);
  if (instance.definition.kind === "function") return path;
  const base = hints.base ?? instance.base;
  return join(path, hints.exact === true ? base : nextName(of, base));
}

/** The frame that the body runs in. */
function frameFor(of: Elaboration, instance: Instance, span: Span, hints: ApplyHints): Frame {
  const { definition, module } = instance;
  const groups = [...frameOf(of).groups, ...(hints.groups ?? [])];
  return {
    definition,
    module,
    path: pathOf(of, instance, hints),
    call: placeOf(of, span, `\`${definition.name.text}\` is used here`),
    lead: [],
    groups,
    repeated: checking(of) ? nothing : repeatedNames(definition),
    counters: new Map(),
    stored: new Map(),
  };
}

/** How often a definition may stand inside itself before it is taken to be endless. */
const deepest = 40;

/** Applies an instance to its inputs. */
export function apply(
  of: Elaboration,
  instance: Instance,
  inputs: Inputs,
  span: Span,
  hints: ApplyHints = {},
): Value {
  const { definition } = instance;
  if (definition.kind === "model")
    return report(of, "M0205", span, "a model cannot be part of a definition", {
      label: `\`${definition.name.text}\` is a model`,
      help: "make a layer of what both need",
    });
  if (!allGiven(of, definition, inputs, span)) return broken;
  if (of.frames.filter((each) => each.definition === definition).length >= (checking(of) ? 1 : deepest)) {
    if (checking(of) && definition.result !== undefined) {
      // A definition that contains itself is found when it is built; its signature is enough here.
    } else
      return report(of, "M0104", span, `\`${definition.name.text}\` contains itself`, {
        label: "here again",
        help: "write a `repeat`, or pass the inner definition as a static",
      });
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
  of.watch?.applied(frameOf(of).module.path, span, instance, scope.names, frame.path);
  const hidden = read.map((value, i): Tensor | Gates | undefined => {
    const { type } = definition.inputs[i]!;
    if (value === undefined) return undefined;
    if (value.kind === "gates")
      return {
        ...value,
        picks: hide(value.picks, 1, lifted),
        weight: hide(value.weight, 1, lifted),
        chosen: hide(value.chosen, 1, lifted),
      };
    const inner = hide(value, type.axes.length, lifted);
    return {
      ...inner,
      axes: inner.axes.map((axis, j) => {
        const declared = type.axes[j];
        const { name: _, of: _stood, ...rest } = axis;
        return declared?.node === "name" ? { ...rest, name: declared.text } : rest;
      }),
    };
  });
  definition.inputs.forEach(({ name }, i) => {
    if (hidden[i] !== undefined) scope.names.set(name.text, hidden[i]);
  });
  const lead = unionHidden(
    hidden
      .flatMap((value) => (value === undefined ? [] : value.kind === "gates" ? value.picks : value))
      .concat(lifted.length > 0 ? [tensor("number", lifted, [], undefined)] : []),
  ).filter(({ kind }) => kind !== "group");
  const inside: Frame = {
    ...frame,
    lead,
    ...(definition.kind === "router" ? { router: routerFrame(definition, scope, hints) } : {}),
    ...(definition.kind === "moe" ? { pool: { shared: [], segments: [], nulls: [], unread: [] } } : {}),
  };
  of.frames.push(inside);
  let result: Value;
  try {
    if (checking(of) && definition.result !== undefined) result = declaredResult(of, definition, scope, lead);
    else {
      bindDefaults(of, definition, hidden, scope);
      result = runBody(of, definition, scope);
    }
  } finally {
    of.frames.pop();
  }
  if (result.kind === "gates") return unhideGates(of, result, lifted);
  if (result.kind !== "tensor") return result;
  const named: Tensor = {
    ...result,
    axes: result.axes.map((axis, i) => renameAxis(axis, definition, i, scope)),
  };
  return unhide(
    of,
    named,
    lifted,
    lifted.map(({ name }) => name),
  );
}

/** The caller's name for an axis that the signature names. */
function renameAxis(axis: VisibleAxis, definition: Definition, at: number, scope: Scope): VisibleAxis {
  const declared = definition.result?.axes[at];
  const { name: _, of: _stood, ...rest } = axis;
  if (declared?.node !== "name") return rest;
  const bound = scope.names.get(declared.text);
  if (bound?.kind !== "number" || bound.name === undefined) return rest;
  return { ...rest, name: bound.name, ...(bound.of === undefined ? {} : { of: bound.of }) };
}

function routerFrame(definition: Definition, scope: Scope, hints: ApplyHints): NonNullable<Frame["router"]> {
  const name = definition.result?.axes[0];
  const bound = name?.node === "name" ? scope.names.get(name.text) : undefined;
  const count: NumberValue = hints.count ?? (bound?.kind === "number" ? bound : symbol("N"));
  return {
    count,
    axisName: name?.node === "name" ? name.text : "N",
    nulls: hints.nulls ?? ofSize(constant(0)),
    ...(hints.open === undefined ? {} : { open: hints.open }),
  };
}

/** What the signature says comes back. */
function declaredResult(
  of: Elaboration,
  definition: Definition,
  scope: Scope,
  lead: readonly Hidden[],
): Value {
  const { result } = definition;
  if (result === undefined) throw new Error("internal: no declared result");
  const axes = of.parts.axesOf(of, result, scope);
  if (axes === undefined) return broken;
  if (result.element !== "gates") return tensor(result.element, lead, axes, undefined);
  const count = axes[0]?.size ?? named("N");
  const picks = tensor("int", lead, [{ size: pickWidth(of, definition, scope, count) }], undefined);
  return {
    kind: "gates",
    picks,
    weight: { ...picks, element: "number" },
    chosen: tensor("number", lead, [{ size: count }], undefined),
    load: tensor("number", [], [{ size: count }], undefined),
    count,
  };
}
