// Names: what a name stands for, from the inside out: bindings, what a router knows, the modes and the clock, the module's
// own and imported declarations. In: a name. Out: a value, or an error with what may have been meant.

import type { DimDeclaration, Span } from "../../grammar/syntax.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import type { LoadedModule } from "../model.ts";
import { checking, frameOf, report, type Elaboration } from "./elaboration.ts";
import { builtinNames } from "./functions.ts";
import { number } from "./number.ts";
import { isReduction, reductions } from "./reduce.ts";
import { routerName, routerNames } from "./router.ts";
import { clockName, isSchedule, scheduleNames } from "./schedules.ts";
import { lookUp, namesInSight, openScope, type Scope } from "./scope.ts";
import { broken, truth, type Value } from "./value.ts";

const evaluatingDims = new WeakMap<Elaboration, Set<DimDeclaration>>();
/** Circles that have been reported, by where they were: once is enough for all who stand in one. */
const circles = new WeakMap<Elaboration["diagnostics"], Set<DimDeclaration>>();

/** A `dim` of a module, in that module's own names. */
function moduleDim(of: Elaboration, declaration: DimDeclaration, module: LoadedModule): Value {
  const open = evaluatingDims.get(of) ?? new Set();
  evaluatingDims.set(of, open);
  const reported = circles.get(of.diagnostics) ?? new Set();
  circles.set(of.diagnostics, reported);
  if (reported.has(declaration)) return broken;
  if (open.has(declaration)) open.forEach((each) => reported.add(each));
  if (open.has(declaration))
    return report(of, "M0104", declaration.name.span, `\`${declaration.name.text}\` is defined by itself`, {
      label: "in a circle",
      help: "give it a value that does not need itself",
    });
  open.add(declaration);
  const { router: _, pool: __, ...frame } = frameOf(of);
  of.frames.push({ ...frame, module, lead: [], counters: new Map(), stored: new Map() });
  try {
    const value = of.parts.evaluate(of, declaration.value, openScope());
    return value.kind === "number" ? { ...value, name: declaration.name.text } : value;
  } finally {
    of.frames.pop();
    open.delete(declaration);
  }
}

/** Everything that could be meant where a name is not found. */
export function namesInReach(of: Elaboration, scope: Scope): readonly string[] {
  const { module, router } = frameOf(of);
  return [
    ...namesInSight(scope),
    ...module.names.keys(),
    ...(router === undefined ? [] : routerNames),
    ...builtinNames,
    ...reductions,
    ...scheduleNames,
    "training",
    "inference",
    "true",
    "false",
    "step",
    "steps",
    "progress",
    "inf",
    "pi",
  ];
}

export const isBuiltin = (name: string): boolean =>
  builtinNames.includes(name) ||
  isReduction(name) ||
  isSchedule(name) ||
  name === "dispatch" ||
  name === "combine";

/** What the top level of the module says. */
export function moduleName(of: Elaboration, text: string): Value | undefined {
  const { module } = frameOf(of);
  const entity = module.names.get(text);
  if (entity === undefined) return module.missing.has(text) ? broken : undefined;
  if (entity.kind === "dim") return moduleDim(of, entity.declaration, entity.module);
  return {
    kind: "definition",
    definition: entity.definition,
    module: entity.module,
    base: text.toLowerCase(),
  };
}

/** The value of a name; undefined when it stands for nothing. */
export function meaningOf(of: Elaboration, text: string, scope: Scope): Value | undefined {
  const bound = lookUp(scope, text);
  if (bound !== undefined) {
    if (of.afterStep) {
      const stored = frameOf(of).stored.get(text);
      const updated =
        stored === undefined || bound !== stored.tensor ? undefined : of.collected.updates.get(stored.path);
      if (updated !== undefined) return updated;
    }
    return bound.kind === "number" && bound.poly !== undefined ? { ...bound, name: text } : bound;
  }
  const known = routerName(of, text);
  if (known !== undefined) return known;
  switch (text) {
    case "training":
    case "inference":
      of.modal = true;
      return truth(checking(of) ? undefined : (of.mode === "training") === (text === "training"));
    case "true":
    case "false":
      return truth(text === "true");
    case "inf":
      return number(Infinity);
    case "pi":
      return number(Math.PI);
    default:
  }
  const declared = moduleName(of, text);
  if (declared !== undefined) return declared;
  if (text === "zero" || text === "copy" || text === "constant") return { kind: "null", which: text };
  return clockName(of, text);
}

export function readName(of: Elaboration, text: string, span: Span, scope: Scope): Value {
  const value = meaningOf(of, text, scope);
  if (value !== undefined) {
    of.watch?.named(frameOf(of).module.path, span, value);
    return value;
  }
  const { router } = frameOf(of);
  if (router !== undefined && (text === "load" || text === "chosen"))
    return router.failed === true
      ? broken
      : report(of, "M0507", span, `\`${text}\` stands before \`choose\``, {
          label: "nothing has been chosen yet",
          help: "move it below `choose`",
        });
  if (isBuiltin(text))
    return report(of, "M0101", span, `\`${text}\` is a function`, {
      label: "not applied",
      help: `write \`${text}(...)\``,
    });
  return report(of, "M0101", span, `there is no \`${text}\` here`, {
    label: "not found",
    help: didYouMean(text, namesInReach(of, scope), "bind it, declare it, or import it"),
  });
}
