// Application: an instance and its inputs. The ranks in the signature say what is lifted (lift.ts), the sizes what statics are
// (bind-sizes.ts). While checking, the signature alone says what comes back; while building, the body is run.

import type { Definition, Span } from "../../grammar/syntax.ts";
import { constant, named } from "../../runtime/size.ts";
import { toTensor, unionHidden } from "./align.ts";
import { reportNotNumber } from "./arithmetic.ts";
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
import { signature } from "./instance.ts";
import { hide, lift, unhide, unhideGates } from "./lift.ts";
import { ofSize, symbol } from "./number.ts";
import { repeatedNames } from "./repeated.ts";
import { openScope, type Scope } from "./scope.ts";
import {
  broken,
  describe,
  type Gates,
  type Hidden,
  type Instance,
  isBroken,
  type NumberValue,
  tensor,
  type Tensor,
  type Value,
  type VisibleAxis,
} from "./value.ts";

function reportArity(of: Elaboration, definition: Definition, given: number, span: Span): Value {
  const wants = definition.inputs.length;
  return report(
    of,
    "M0204",
    span,
    `\`${definition.name.text}\` takes ${wants === 1 ? "one input" : wants === 0 ? "no inputs" : `${wants} inputs`}, not ${given}`,
    {
      label: `${given === 1 ? "one is" : `${given} are`} given`,
      help: `its signature is \`${signature(definition)}\``,
    },
  );
}

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

/** Inputs as tensors of the declared element types, or gates. */
function readInputs(
  of: Elaboration,
  definition: Definition,
  inputs: readonly Value[],
  span: Span,
): readonly (Tensor | Gates)[] | undefined {
  const read: (Tensor | Gates)[] = [];
  for (const [i, value] of inputs.entries()) {
    const { type, name } = definition.inputs[i]!;
    if (isBroken(value)) return undefined;
    if (type.element === "gates") {
      if (value.kind !== "gates") {
        report(
          of,
          "M0207",
          span,
          `\`${name.text}\` of \`${definition.name.text}\` is gates, not ${describe(value)}`,
          { label: `this is ${describe(value)}`, help: "give what a router returns" },
        );
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
      report(
        of,
        "M0405",
        span,
        `\`${name.text}\` of \`${definition.name.text}\` is ${elementName(type.element)}, not ${elementName(given.element)}`,
        {
          label: elementName(given.element),
          help:
            given.element === "bool"
              ? "write `if x then 1 else 0`"
              : `give ${elementName(type.element)}, or declare \`${name.text}: ${given.element === "number" ? "" : `${given.element} `}[...]\``,
        },
      );
      return undefined;
    }
    read.push(type.element === "number" && given.element === "int" ? castToNumber(of, given) : given);
  }
  return read;
}
const elementName = (element: "number" | "int" | "bool"): string =>
  ({ number: "numbers", int: "integers", bool: "truth values" })[element];
const castToNumber = (of: Elaboration, value: Tensor): Tensor =>
  tensor(
    "number",
    value.hidden,
    value.axes,
    value.node === undefined || of.builder === undefined ? undefined : of.builder.cast(value.node, "f32"),
  );

/** How often a definition may stand inside itself before it is taken to be endless. */
const deepest = 40;

/** Applies an instance to its inputs. */
export function apply(
  of: Elaboration,
  instance: Instance,
  inputs: readonly Value[],
  span: Span,
  hints: ApplyHints = {},
): Value {
  const { definition } = instance;
  if (definition.kind === "model")
    return report(of, "M0205", span, "a model cannot be part of a definition", {
      label: `\`${definition.name.text}\` is a model`,
      help: "make a layer of what both need",
    });
  if (inputs.length !== definition.inputs.length) return reportArity(of, definition, inputs.length, span);
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
  const hidden = read.map((value, i): Tensor | Gates => {
    const { type } = definition.inputs[i]!;
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
        const { name: _, ...rest } = axis;
        return declared?.node === "name" ? { ...rest, name: declared.text } : rest;
      }),
    };
  });
  definition.inputs.forEach(({ name }, i) => scope.names.set(name.text, hidden[i]!));
  const lead = unionHidden(
    hidden
      .map((value) => (value.kind === "gates" ? value.picks : value))
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
    result =
      checking(of) && definition.result !== undefined
        ? declaredResult(of, definition, scope, lead)
        : runBody(of, definition, scope);
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
  const { name: _, ...rest } = axis;
  if (declared?.node !== "name") return rest;
  const bound = scope.names.get(declared.text);
  return bound?.kind === "number" && bound.name !== undefined ? { ...rest, name: bound.name } : rest;
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
