// Check: every definition of a module on its own, with symbolic statics, before any number is known; then its models and their
// recipes. In: a resolved Model. Out: diagnostics, many in one run, at most one for each cause.

import { error, type Diagnostic } from "../../grammar/diagnostic.ts";
import type {
  Definition,
  Expression,
  Name,
  Span,
  Statement,
  TrainDeclaration,
} from "../../grammar/syntax.ts";
import { named } from "../../runtime/size.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { runBody } from "../elaborate/body.ts";
import { report, type Elaboration, type Frame, type Watch } from "../elaborate/elaboration.ts";
import { startElaboration } from "../elaborate/elaborator.ts";
import { modelFrame } from "../elaborate/model.ts";
import { evaluateArguments, withStatics } from "../elaborate/instance.ts";
import { ofSize, symbol } from "../elaborate/number.ts";
import { phasesOf } from "../elaborate/phases.ts";
import { readTraining } from "../elaborate/training.ts";
import { openScope, type Scope } from "../elaborate/scope.ts";
import { tensor, truth, type Value, type VisibleAxis } from "../elaborate/value.ts";
import { definitionsOf, type LoadedModule, type Model } from "../model.ts";
import { checkDefaults } from "./defaults.ts";
import { checkStructure } from "./structure.ts";
import { usedAs } from "./used-as.ts";

/** A static as it is while nobody has given it. */
function symbolicStatic(
  of: Elaboration,
  definition: Definition,
  name: string,
  value: Expression | undefined,
  scope: Scope,
): Value {
  const fallback = value === undefined ? undefined : of.parts.evaluate(of, value, scope);
  if (fallback === undefined || fallback.kind === "broken") {
    const use = usedAs(definition, name);
    if (fallback !== undefined) return { kind: "unknown" };
    return use === "definition" ? { kind: "unknown" } : use === "truth" ? truth(undefined) : symbol(name);
  }
  if (fallback.kind === "truth") return truth(undefined);
  if (fallback.kind !== "number") return fallback;
  const fraction =
    fallback.poly !== undefined && fallback.poly.some(({ coefficient }) => !Number.isInteger(coefficient));
  return fraction ? { kind: "number", name } : symbol(name);
}

/** One definition with symbolic statics and its inputs as declared. */
function checkDefinition(
  definition: Definition,
  module: LoadedModule,
  diagnostics: Diagnostic[],
  watch?: Watch,
): void {
  const of = startElaboration({ mode: "training", diagnostics, watch });
  const frame: Frame = modelFrame(definition, module, []);
  const scope = openScope();
  of.frames.push(frame);
  const seen = bindSymbols(of, definition, scope);
  for (const { type } of definition.inputs)
    for (const axis of type.axes)
      if (axis.node === "name" && !scope.names.has(axis.text) && module.names.get(axis.text)?.kind !== "dim")
        scope.names.set(axis.text, symbol(axis.text));
  for (const { name, type } of definition.inputs) {
    if (seen.has(name.text))
      report(of, "M0102", name.span, `\`${name.text}\` is declared twice`, {
        label: "again here",
        help: "rename one of them",
      });
    seen.add(name.text);
    const axes = of.parts.axesOf(of, type, scope);
    scope.names.set(name.text, axes === undefined ? { kind: "broken" } : inputOf(type.element, axes));
  }
  of.frames.pop();
  const count = definition.result?.element === "gates" ? definition.result.axes[0] : undefined;
  if (count?.node === "name" && !scope.names.has(count.text)) scope.names.set(count.text, symbol(count.text));
  const bound = count?.node === "name" ? scope.names.get(count.text) : undefined;
  const inside: Frame = {
    ...frame,
    ...(definition.kind === "router"
      ? {
          router: {
            count: bound?.kind === "number" ? bound : ofSize(named("N")),
            nulls: ofSize(named("nulls")),
            axisName: count?.node === "name" ? count.text : "N",
          },
        }
      : {}),
    ...(definition.kind === "moe" ? { pool: { shared: [], segments: [], nulls: [], unread: [] } } : {}),
  };
  of.frames.push(inside);
  checkDefaults(of, definition, scope);
  runBody(of, definition, scope);
}

function inputOf(
  element: Definition["inputs"][number]["type"]["element"],
  axes: readonly VisibleAxis[],
): Value {
  if (element !== "gates") return tensor(element, [], axes, undefined);
  const count = axes[0]?.size ?? named("N");
  const picks = tensor("int", [], [{ size: named("K") }], undefined);
  return {
    kind: "gates",
    picks,
    weight: { ...picks, element: "number" },
    chosen: tensor("number", [], axes, undefined),
    load: tensor("number", [], axes, undefined),
    count,
  };
}

/** A model and its recipe. */
function checkModelDefinition(
  definition: Definition,
  module: LoadedModule,
  diagnostics: Diagnostic[],
  watch?: Watch,
): void {
  const of = startElaboration({ mode: "training", diagnostics, watch });
  of.frames.push(modelFrame(definition, module, []));
  const scope = openScope();
  bindSymbols(of, definition, scope);
  const before = diagnostics.length;
  const last = of.parts.run(of, definition.body, scope);
  if (last === undefined && !scope.names.has("logits") && diagnostics.length === before)
    report(of, "M0604", definition.name.span, `the model \`${definition.name.text}\` has no output`, {
      label: "neither `logits` nor a last expression",
      help: "bind `logits = ...`",
    });
  for (const train of module.trains)
    for (const phase of phasesOf(train))
      if (phase.model.text === definition.name.text) {
        withStatics(
          of,
          { kind: "definition", definition, module, base: "" },
          evaluateArguments(of, phase.statics, openScope()),
          phase.model.span,
        );
        readTraining(of, phase);
      }
}

/** Statics as they are while nobody has given them. */
function bindSymbols(of: Elaboration, definition: Definition, scope: Scope): Set<string> {
  const seen = new Set<string>();
  for (const { name, value } of definition.statics) {
    if (seen.has(name.text))
      report(of, "M0102", name.span, `the static \`${name.text}\` is declared twice`, {
        label: "again here",
        help: "rename one of them",
      });
    seen.add(name.text);
    scope.names.set(name.text, symbolicStatic(of, definition, name.text, value, scope));
  }
  return seen;
}

/** `train` blocks and their phases must name models of this module; each model has one recipe, each phase a name of its own. */
function checkTrains(module: LoadedModule, diagnostics: Diagnostic[]): void {
  const models = definitionsOf(module)
    .filter(({ kind }) => kind === "model")
    .map(({ name }) => name.text);
  const tell = (code: string, span: Span, message: string, label: string, help: string): void =>
    void diagnostics.push(error(code, message, module.path, span, label, help));
  const known = ({ text, span }: Name): boolean => {
    if (models.includes(text)) return true;
    const list = models.map((name) => `\`${name}\``).join(", ");
    const otherwise = models.length === 0 ? "write a `model` first" : `the file has ${list}`;
    tell(
      "M0605",
      span,
      `there is no model \`${text}\``,
      "no such model in this file",
      didYouMean(text, models, otherwise),
    );
    return false;
  };
  const seen = new Set<string>();
  for (const train of module.trains) {
    const { model } = train;
    if (known(model) && seen.has(model.text))
      tell("M0610", model.span, `\`${model.text}\` has two recipes`, "a second `train` block", "keep one");
    seen.add(model.text);
    // As folders of a run, which not every disk tells apart by their case.
    const names = new Map<string, string>();
    const of = (settings: TrainDeclaration["settings"], inside: boolean): void => {
      for (const setting of settings) {
        if (setting.setting === "model") known(setting.name);
        if (setting.setting !== "phase") continue;
        const { name } = setting;
        const folder = name.text.toLowerCase();
        const other = names.get(folder);
        if (inside)
          tell(
            "M0616",
            name.span,
            "a phase holds no phases",
            "a phase inside of another",
            "write it below the other",
          );
        else if (other !== undefined)
          tell(
            "M0616",
            name.span,
            other === name.text
              ? `there are two phases \`${name.text}\``
              : `the phases \`${other}\` and \`${name.text}\` differ only in their case`,
            "again here",
            "rename one of them",
          );
        names.set(folder, name.text);
        of(setting.settings, true);
      }
    };
    of(train.settings, false);
  }
}

function checkDims(module: LoadedModule, diagnostics: Diagnostic[]): void {
  for (const declaration of module.syntax.declarations) {
    if (declaration.node !== "dim") continue;
    const of = startElaboration({ mode: "training", diagnostics });
    const statement: Statement = {
      node: "result",
      value: { node: "name", text: declaration.name.text, span: declaration.name.span },
      span: declaration.span,
    };
    const definition: Definition = {
      node: "definition",
      kind: "function",
      name: declaration.name,
      statics: [],
      inputs: [],
      body: [statement],
      span: declaration.span,
    };
    of.frames.push(modelFrame(definition, module, []));
    const value = of.parts.evaluate(of, statement.value, openScope());
    if (value.kind !== "number" && value.kind !== "truth" && value.kind !== "broken")
      report(
        of,
        "M0213",
        declaration.value.span,
        "a `dim` is a number that is known when the model is compiled",
        { label: "not a number", help: "write a number, or an expression of other `dim`s" },
      );
  }
}

/** Everything that can be said of a program before numbers are known, beside what parsing and resolving have found. */
export function checkModel(model: Model, watch?: Watch): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  for (const module of model.modules.values()) {
    checkDims(module, diagnostics);
    for (const definition of definitionsOf(module)) {
      if (!checkStructure(definition, module, diagnostics)) continue;
      if (definition.kind === "model") checkModelDefinition(definition, module, diagnostics, watch);
      else checkDefinition(definition, module, diagnostics, watch);
    }
    checkTrains(module, diagnostics);
  }
  return diagnostics;
}
