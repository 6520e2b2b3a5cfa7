// Statements: each does one thing to the names in sight or to what is collected. In: Syntax. Out: the value of the last
// expression. A statement that ends with `in training` or `in inference` exists in that mode only.

import type { Statement } from "../../grammar/syntax.ts";
import type { Origin } from "../graph.ts";
import { binary, reportNotNumber, type ElementWise } from "./arithmetic.ts";
import { castTo, expandTo, toTensor, unionAxes } from "./align.ts";
import { checking, frameOf, join, nextName, report, writtenAt, type Elaboration } from "./elaboration.ts";
import { evaluateIndexed } from "./expression.ts";
import { binderScope, showIndices } from "./indices.ts";
import { limit } from "./capacity.ts";
import { declareModality } from "./modality.ts";
import { nullExperts, routedExperts, routerStatement, sharedExperts } from "./moe.ts";
import { number, sameSizes, showShape, valueOf } from "./number.ts";
import { meanOfAll } from "./reduce.ts";
import { choose, weigh } from "./router.ts";
import { bind, carryOver, lookUp, lookUpWithin, openScope, type Scope } from "./scope.ts";
import { declare } from "./tensors.ts";
import { asTensor, broken, describe, isBroken, type Value } from "./value.ts";

/** Turns of `repeat` that are looked at while checking; more would say nothing new. */
const turnsChecked = 3;

/** Statements that one model may run: a thousand layers of a hundred statements. */
export const mostWork = 100_000;

/** Whether two values may stand for each other where branches meet. */
function merge(a: Value | undefined, b: Value | undefined): Value {
  if (a === b && a !== undefined) return a;
  const [x, y] = [a && asTensor(a), b && asTensor(b)];
  if (
    x !== undefined &&
    y !== undefined &&
    x.element === y.element &&
    x.axes.length === y.axes.length &&
    x.axes.every((axis, i) => sameSizes(axis.size, y.axes[i]!.size))
  )
    return x;
  if (a?.kind === "number" && b?.kind === "number" && valueOf(a) === valueOf(b)) return a;
  return { kind: "unknown" };
}

function branch(
  of: Elaboration,
  statement: Extract<Statement, { node: "if" }>,
  scope: Scope,
): Value | undefined {
  const condition = of.parts.evaluate(of, statement.condition, scope);
  if (condition.kind === "truth" && condition.value !== undefined)
    return of.parts.run(of, condition.value ? statement.then : statement.otherwise, scope);
  if (!isBroken(condition) && condition.kind !== "truth") {
    report(
      of,
      "M0211",
      statement.condition.span,
      "the condition of an `if` statement must be known when the model is compiled",
      {
        label: `this is ${describe(condition)}`,
        help: "choose element by element with `if ... then ... else ...`",
      },
    );
    return broken;
  }
  if (!checking(of)) return broken;
  // Not known while checking: both are looked at, and what differs afterwards is not known either.
  const [then, otherwise] = [openScope(scope), openScope(scope)];
  const results = [of.parts.run(of, statement.then, then), of.parts.run(of, statement.otherwise, otherwise)];
  for (const name of new Set([...then.names.keys(), ...otherwise.names.keys()]))
    bind(
      scope,
      name,
      merge(then.names.get(name) ?? lookUp(scope, name), otherwise.names.get(name) ?? lookUp(scope, name)),
    );
  return results[0] === undefined && results[1] === undefined ? undefined : merge(results[0], results[1]);
}

function repeat(of: Elaboration, statement: Extract<Statement, { node: "repeat" }>, scope: Scope): void {
  const value = of.parts.evaluate(of, statement.count, scope);
  if (isBroken(value)) return;
  const count = value.kind === "number" ? valueOf(value) : undefined;
  if (
    value.kind !== "number" ||
    (count === undefined && !checking(of)) ||
    (count !== undefined && (!Number.isInteger(count) || count < 0))
  ) {
    report(
      of,
      "M0212",
      statement.count.span,
      "`repeat` counts with a whole number that is known when the model is compiled",
      {
        label:
          count === undefined
            ? `this is ${value.kind === "number" ? "not known yet" : describe(value)}`
            : `this is ${count}`,
        help: "write a number, or a static that is one",
      },
    );
    return;
  }
  const turns = checking(of) ? Math.min(count ?? 1, turnsChecked) : count!;
  if (turns > 10000) {
    report(of, "M0212", statement.count.span, "`repeat` makes more than 10000 copies", {
      label: `${turns} turns`,
      help: "repeat less often",
    });
    return;
  }
  for (let turn = 0; turn < turns; turn++) {
    const inside = openScope(scope);
    if (statement.index !== undefined)
      bind(inside, statement.index.text, checking(of) ? { kind: "number" } : number(turn));
    of.parts.run(of, statement.body, inside);
    inside.names.delete(statement.index?.text ?? "");
    carryOver(inside, scope);
  }
}

/** `x = ...`, `score[h, t] = ...`, `x += ...`, and new values of states in `after step`. */
function binding(of: Elaboration, statement: Extract<Statement, { node: "bind" }>, scope: Scope): void {
  const { name, indices, operator, span } = statement;
  let value: Value;
  if (indices !== undefined) {
    const binders = binderScope(of, indices, scope);
    if (binders === undefined) return bind(scope, name.text, broken);
    const right = evaluateIndexed(of, statement.value, binders.scope);
    const found = isBroken(right) ? undefined : toTensor(of, right);
    if (found === undefined && !isBroken(right))
      reportNotNumber(of, statement.value.span, right, "a binding by indices");
    value = found === undefined ? broken : showIndices(of, span, found, binders.indices);
  } else value = of.parts.evaluate(of, statement.value, scope);
  if (operator !== "=") {
    const before = of.parts.evaluate(of, { node: "name", text: name.text, span: name.span }, scope);
    value = binary(of, span, operator[0] as ElementWise, before, value);
  }
  if (of.afterStep) return assign(of, statement, value, scope);
  if ((value.kind === "instance" || value.kind === "pool") && value.path === undefined)
    value = { ...value, path: join(frameOf(of).path, nextName(of, name.text)) };
  if (value.kind === "definition") value = { ...value, base: name.text.toLowerCase() };
  bind(scope, name.text, value);
}

/** A state's value after the step. */
function assign(
  of: Elaboration,
  statement: Extract<Statement, { node: "bind" }>,
  value: Value,
  scope: Scope,
): void {
  const { name } = statement;
  const stored = frameOf(of).stored.get(name.text);
  if (stored === undefined || lookUp(scope, name.text) !== stored.tensor) {
    // A local name is a step on the way; what was bound before stays what it is.
    const own = lookUpWithin(scope, of.afterScope, name.text);
    if (statement.operator !== "=" && own === undefined && !isBroken(value))
      report(of, "M0601", name.span, `\`${name.text}\` is no state, so \`after step\` changes nothing`, {
        label: "bound anew in every step",
        help: `declare it: \`state ${name.text}: [N] = 0\``,
      });
    bind(scope, name.text, value);
    return;
  }
  if (stored.role !== "state") {
    report(of, "M0601", name.span, `\`${name.text}\` is a parameter`, {
      label: "trained by the optimiser, not by a rule",
      help: `declare it as \`state ${name.text}\``,
    });
    return;
  }
  if (isBroken(value)) return;
  const found = toTensor(of, value, stored.tensor.element);
  if (found === undefined || found.element === "bool") {
    reportNotNumber(of, statement.value.span, value, "a state");
    return;
  }
  const axes = unionAxes([stored.tensor, found]);
  if ("left" in axes || axes.length !== stored.tensor.axes.length) {
    report(
      of,
      "M0301",
      statement.span,
      `\`${name.text}\` is ${showShape(stored.tensor.axes)} and its new value is not`,
      { label: showShape(found.axes), help: "reduce the new value to the state's shape" },
    );
    return;
  }
  const wide = expandTo(of, castTo(of, found, stored.tensor.element), found.hidden, stored.tensor.axes);
  if (found.hidden.length > stored.tensor.hidden.length) {
    report(of, "M0602", statement.span, `\`${name.text}\` has one value, and this has one for each token`, {
      label: "not reduced over tokens",
      help: "reduce it: `mean(... over tokens)`",
    });
    return;
  }
  of.collected.updates.set(stored.path, expandTo(of, wide, stored.tensor.hidden, stored.tensor.axes));
}

function after(of: Elaboration, body: readonly Statement[], scope: Scope): void {
  if (of.mode !== "training" && !checking(of)) return;
  if (of.decode !== undefined) return;
  of.afterStep = true;
  of.afterScope = openScope(scope);
  try {
    of.parts.run(of, body, of.afterScope);
  } finally {
    of.afterStep = false;
    of.afterScope = undefined;
  }
}

/** What is reported under a name already: losses of one name add up, metrics of one name are averaged, but never both. */
function takenBy(of: Elaboration, node: "loss" | "metric", name: string): string | undefined {
  if (["loss", "rate", "norm", "logits"].includes(name)) return "the report itself";
  const others = node === "loss" ? of.collected.metrics : of.collected.losses;
  return others.some((each) => each.name === name) ? (node === "loss" ? "a metric" : "a loss") : undefined;
}

/** `loss` and `metric`: one number, the mean over what remains. */
function measure(
  of: Elaboration,
  statement: Extract<Statement, { node: "loss" | "metric" }>,
  scope: Scope,
): void {
  if (of.decode !== undefined) return;
  const { routers } = of.collected;
  const before = routers.length;
  const value = of.parts.evaluate(of, statement.value, scope);
  if (isBroken(value)) return;
  if (value.kind === "gates" && statement.node === "metric") {
    routers.splice(
      before,
      Infinity,
      ...routers.slice(before).map((each) => ({ ...each, measured: true as const })),
    );
    return;
  }
  let found = toTensor(of, value);
  if (found === undefined) {
    reportNotNumber(of, statement.value.span, value, `\`${statement.node}\``);
    return;
  }
  if (found.element === "bool") {
    if (statement.node === "loss") {
      report(of, "M0401", statement.value.span, "a loss is a number, not a truth value", {
        label: "a truth value has no gradient",
        help: "write `if x then 1 else 0`, or make it a metric",
      });
      return;
    }
    found = castTo(of, found, "number");
  }
  const { node } = meanOfAll(of, found);
  const { path } = frameOf(of);
  const name = statement.name?.text;
  const taken = name === undefined ? undefined : takenBy(of, statement.node, name);
  if (taken !== undefined) {
    report(of, "M0613", statement.name!.span, `the name \`${name}\` is taken by ${taken}`, {
      label: "would be reported twice",
      help: "choose another name",
    });
    return;
  }
  if (statement.node === "loss")
    of.collected.losses.push({
      path,
      ...(name === undefined ? {} : { name }),
      ...(node === undefined ? {} : { node }),
    });
  else
    of.collected.metrics.push({
      path,
      name: statement.name.text,
      ...(node === undefined ? {} : { node }),
      ...(statement.doc === undefined ? {} : { doc: statement.doc }),
    });
}

function runOne(of: Elaboration, statement: Statement, scope: Scope): Value | undefined {
  switch (statement.node) {
    case "dim": {
      const value = of.parts.evaluate(of, statement.value, scope);
      const fits = isBroken(value) || value.kind === "number" || value.kind === "truth";
      if (!fits)
        report(
          of,
          "M0213",
          statement.value.span,
          "a `dim` is a number that is known when the model is compiled",
          {
            label: `this is ${describe(value)}`,
            help: `write \`${statement.name.text} = ...\` without \`dim\``,
          },
        );
      bind(scope, statement.name.text, fits ? value : broken);
      return undefined;
    }
    case "param":
    case "state":
      return void declare(of, statement, scope);
    case "modality":
      return void declareModality(of, statement, scope);
    case "bind":
      return void binding(of, statement, scope);
    case "choose":
      return void choose(of, statement, scope);
    case "weight":
      return void weigh(of, statement, scope);
    case "capacity":
      return void limit(of, statement, scope);
    case "loss":
    case "metric":
      return void measure(of, statement, scope);
    case "after":
      return void after(of, statement.body, scope);
    case "repeat":
      return void repeat(of, statement, scope);
    case "if":
      return branch(of, statement, scope);
    case "shared":
      return void sharedExperts(of, statement, scope);
    case "routed":
      return void routedExperts(of, statement, scope);
    case "null":
      return void nullExperts(of, statement, scope);
    case "router":
      return void routerStatement(of, statement, scope);
    case "result":
      return of.parts.evaluate(of, statement.value, scope);
    default:
      return statement satisfies never;
  }
}

/** Runs statements in order; the value of the last expression, if any. */
export function run(of: Elaboration, statements: readonly Statement[], scope: Scope): Value | undefined {
  let result: Value | undefined;
  for (const statement of statements) {
    if (statement.mode !== undefined) of.modal = true;
    if (statement.mode !== undefined && statement.mode !== of.mode && !checking(of)) continue;
    if (++of.work > mostWork) {
      if (of.work === mostWork + 1)
        report(of, "M0218", statement.span, "the model has too many parts", {
          label: `more than ${mostWork} statements by here`,
          help: "repeat less often",
        });
      return broken;
    }
    const { path, module } = frameOf(of);
    const { span, module: written } = writtenAt(of, statement.span);
    const origin: Origin = { path, span, module: written };
    const value =
      of.builder === undefined
        ? runOne(of, statement, scope)
        : of.builder.at(origin, () => runOne(of, statement, scope));
    if (value !== undefined) result = value;
    if (of.watch !== undefined && "name" in statement && statement.name !== undefined) {
      const bound = lookUp(scope, statement.name.text);
      if (bound !== undefined) of.watch.named(module.path, statement.name.span, bound);
    }
  }
  return result;
}
