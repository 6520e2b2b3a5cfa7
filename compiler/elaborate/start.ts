// `start from "runs/teacher" { "*.experts.*" = copy("*.ffn.*") }`: where tensors get their first values. In: the setting. Out: rules
// with patterns of names; compiler/start-tensors.ts applies them to the names of a model, runtime/start.ts to files.

import type { Argument, Expression, Name, Setting } from "../../grammar/syntax.ts";
import type { StartValue } from "../../runtime/program.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { stars } from "../pattern.ts";
import { frameOf, report, type Elaboration } from "./elaboration.ts";
import { valueOf } from "./number.ts";
import { openScope } from "./scope.ts";
import { describe, isBroken } from "./value.ts";

/** A rule as it is written: names with `*` in them. */
export interface StartRule {
  readonly target: string;
  readonly value: StartValue;
  readonly text: string;
  /** `grow.moe:12` */
  readonly place: string;
}

export interface StartPlan {
  /** Runs and files as written, phases by their names; none: the phase before. */
  readonly sources: readonly (string | { readonly phase: string })[];
  readonly rules: readonly StartRule[];
}

type StartSetting = Extract<Setting, { setting: "start" }>;

const functions = ["copy", "slice", "take", "transpose", "concat", "stack", "mean"] as const;
const forms: Readonly<Record<(typeof functions)[number], string>> = {
  copy: 'copy("ffn.*", noise = 0.01)',
  slice: 'slice("ffn.*", 0, 512, axis = 1)',
  take: 'take("*.experts.*", [0, 3, 5])` or `take("*.experts.*", largest("*.used", 3))',
  transpose: 'transpose("*.weight")',
  concat: 'concat(a("*"), b("*"), axis = 0)',
  stack: 'stack(a("*"), b("*"))',
  mean: 'mean(a("*"), b("*"), weights = [0.3, 0.7])',
};

/** What no rule names is taken by its own name. */
export const sameNames: StartRule = {
  target: "*",
  value: { kind: "tensor", source: 0, name: "*" },
  text: '"*" = "*"',
  place: "",
};

/** `earlier`: names of the phases before; where there are some, it starts from the last without sources. */
export function startOf(
  of: Elaboration,
  setting: StartSetting,
  earlier: readonly string[],
): StartPlan | undefined {
  const { sources, rules, span } = setting;
  const wrong = (
    at: { readonly span: Expression["span"] },
    message: string,
    label: string,
    help: string,
  ): undefined => void report(of, "M0615", at.span, message, { label, help });
  if (sources.length === 0 && earlier.length === 0)
    return wrong(
      { span: { start: span.start, end: span.start + "start".length } },
      "`start` says from where",
      "no phase comes before this",
      'name a run or a file: `start from "runs/base" { ... }`',
    );
  const paths: StartPlan["sources"][number][] = [];
  for (const [i, { path, span: at }] of sources.entries()) {
    const phase = path.node === "name" && earlier.includes(path.text) ? path.text : undefined;
    if (path.node !== "string" && phase === undefined)
      return wrong(
        { span: path.span },
        earlier.length === 0 || path.node !== "name"
          ? "a run or a file is written in quotes"
          : `no phase before this one is called \`${path.text}\``,
        path.node === "name" && earlier.length > 0 ? "not known" : "not a text",
        path.node === "name" && earlier.length > 0
          ? didYouMean(
              path.text,
              earlier,
              `before it there is ${earlier.map((each) => `\`${each}\``).join(", ")}`,
            )
          : 'write `start from "runs/base"`',
      );
    const name = sourceName(sources[i]!);
    if (sources.length > 1 && name === undefined)
      return wrong(
        { span: at },
        "of several sources each has a name",
        "no name",
        'write `start from a = "runs/a", b = "runs/b" { "*" = a("*") }`',
      );
    if (name !== undefined && (isFunction(name.text) || name.text === "fresh"))
      return wrong(name, `a source cannot be called \`${name.text}\``, "means something else", "rename it");
    if (name !== undefined && sources.slice(0, i).some((other) => sourceName(other)?.text === name.text))
      return wrong(name, `two sources are called \`${name.text}\``, "again here", "rename one of them");
    paths.push(phase !== undefined ? { phase } : (path as Extract<Expression, { node: "string" }>).value);
  }
  if (sources.length > 1 && rules.length === 0)
    return wrong(
      sources[1]!,
      "of several sources none is taken without a rule",
      "which of them?",
      `say it: \`{ "*" = ${sourceName(sources[0]!)!.text}("*") }\``,
    );
  const read: StartRule[] = [];
  for (const rule of rules) {
    const target = rule.target.node === "string" ? rule.target.value : "*";
    const value =
      rule.value.node === "name" && rule.value.text === "fresh"
        ? ({ kind: "fresh" } as const)
        : valueFrom(of, rule.value, setting, stars(target));
    if (value === undefined) continue;
    const { module } = frameOf(of);
    read.push({
      target,
      value,
      text: module.text.slice(rule.span.start, rule.span.end),
      place: `${module.path}:${module.text.slice(0, rule.span.start).split("\n").length}`,
    });
  }
  // A phase goes on with all that it does not speak of; from a file only what is named is taken.
  return { sources: paths, rules: sources.length === 0 || rules.length === 0 ? [...read, sameNames] : read };
}

/** As rules call it: a phase by its own name, when it is given none. */
function sourceName({ name, path }: StartSetting["sources"][number]): Name | undefined {
  return name ?? (path.node === "name" ? { text: path.text, span: path.span } : undefined);
}

/** `stars`: of the target; what they stand for fills those of the source. */
function valueFrom(
  of: Elaboration,
  expression: Expression,
  setting: StartSetting,
  most: number,
): StartValue | undefined {
  const wrong = (at: Expression, message: string, label: string, help: string): undefined =>
    void report(of, "M0615", at.span, message, { label, help });
  const pattern = (text: Extract<Expression, { node: "string" }>, source: number): StartValue | undefined =>
    stars(text.value) <= most
      ? { kind: "tensor", source, name: text.value }
      : wrong(
          text,
          `nothing says what every \`*\` of "${text.value}" stands for`,
          `${stars(text.value)} here, ${most} on the left`,
          "a `*` stands for what it stands for on the left: write as many there",
        );
  const names = setting.sources.flatMap((source) => sourceName(source)?.text ?? []);
  if (expression.node === "string") {
    if (setting.sources.length <= 1) return pattern(expression, 0);
    return wrong(
      expression,
      "this does not say which source it is of",
      "of which?",
      `write \`${names[0]}("${expression.value}")\``,
    );
  }
  const called =
    expression.node === "call" && expression.callee.node === "name" ? expression.callee.text : undefined;
  if (expression.node !== "call" || called === undefined || (!names.includes(called) && !isFunction(called)))
    return wrong(
      expression,
      "this does not say where values come from",
      "not a name in quotes, nor made of some",
      didYouMean(called ?? "", [...functions, ...names], 'write `"*.ffn.*"`, `copy("*.ffn.*")` or `fresh`'),
    );
  const given = expression.arguments;
  if (!isFunction(called)) {
    const [only] = given;
    return only?.value.node === "string" && given.length === 1 && only.name === undefined
      ? pattern(only.value, names.indexOf(called))
      : wrong(
          expression,
          `\`${called}\` is a source`,
          "no pattern of names",
          `write \`${called}("*.ffn.*")\``,
        );
  }
  const form = `write it like \`${forms[called]}\``;
  const allowed = {
    copy: ["noise", "keep", "times"],
    slice: ["axis"],
    take: ["axis"],
    transpose: [],
    concat: ["axis"],
    stack: [],
    mean: ["weights"],
  }[called] as readonly string[];
  const strange = given.find(({ name }) => name !== undefined && !allowed.includes(name.text));
  if (strange !== undefined)
    return wrong(
      expression,
      `\`${called}\` has no option \`${strange.name!.text}\``,
      "not one of its options",
      form,
    );
  const twice = given.find(
    ({ name }, i) => name !== undefined && given.slice(0, i).some((other) => other.name?.text === name.text),
  );
  if (twice !== undefined)
    return void report(of, "M0615", twice.span, `\`${twice.name!.text}\` is said twice`, {
      label: "again here",
      help: "keep one",
    });
  const option = (name: string, least: number): number | undefined =>
    number(
      of,
      given.find((each) => each.name?.text === name),
      least,
      name !== "noise" && name !== "keep",
      name === "keep" ? 1 : Infinity,
    );
  const numbersOf = (
    list: Expression,
    least: number,
    whole: boolean,
  ): readonly (number | undefined)[] | undefined =>
    list.node !== "list" || list.items.length === 0
      ? wrong(list, `\`${called}\` takes a list of ${whole ? "positions" : "numbers"}`, "not a list", form)
      : list.items.map((value) => number(of, { value, span: value.span }, least, whole));
  const places = given.filter(({ name }) => name === undefined);
  const inner = (argument: Argument): StartValue | undefined => valueFrom(of, argument.value, setting, most);
  const axis = option("axis", 0) ?? 0;
  if (called === "concat" || called === "stack" || called === "mean") {
    if (places.length < 2) return wrong(expression, `\`${called}\` takes several`, "one alone", form);
    const parts = places.map(inner);
    if (parts.some((part) => part === undefined)) return undefined;
    const all = parts as readonly StartValue[];
    if (called === "concat") return { kind: "concat", of: all, axis };
    const weighed = given.find(({ name }) => name?.text === "weights");
    if (weighed === undefined) return { kind: called, of: all };
    const weights = numbersOf(weighed.value, -Infinity, false);
    if (weights === undefined || weights.includes(undefined)) return undefined;
    if (weights.length === all.length && weights.reduce((sum, weight) => sum! + weight!)! !== 0)
      return { kind: "mean", of: all, weights: weights as readonly number[] };
    return weights.length === all.length
      ? wrong(weighed.value, "the weights of a mean are divided by their sum", "their sum is 0", "change one")
      : wrong(
          weighed.value,
          "a mean has one weight for each of its parts",
          `${weights.length} for ${all.length}`,
          form,
        );
  }
  const wanted = { copy: 1, slice: 3, take: 2, transpose: 1 }[called];
  if (places.length !== wanted)
    return wrong(
      expression,
      `\`${called}\` takes ${wanted === 1 ? "one thing" : `${wanted} things`}`,
      `${places.length} here`,
      form,
    );
  const from = inner(places[0]!);
  if (from === undefined) return undefined;
  if (called === "transpose") return { kind: "transpose", of: from };
  if (called === "copy") {
    const [noise, keep, times] = [option("noise", 0), option("keep", 0), option("times", 1)];
    return {
      kind: "copy",
      of: from,
      ...(noise === undefined ? {} : { noise }),
      ...(keep === undefined ? {} : { keep }),
      ...(times === undefined ? {} : { times }),
    };
  }
  if (called === "slice") {
    const [start, size] = [number(of, places[1], 0, true), number(of, places[2], 1, true)];
    return start === undefined || size === undefined
      ? undefined
      : { kind: "slice", of: from, axis, start, size };
  }
  const chosen = places[1]!.value;
  if (chosen.node === "call" && chosen.callee.node === "name" && chosen.callee.text === "largest") {
    const [by, many, ...more] = chosen.arguments;
    if (by === undefined || many === undefined || more.length > 0 || by.name !== undefined)
      return wrong(chosen, "`largest` takes a tensor and how many", `${chosen.arguments.length} here`, form);
    const [largest, count] = [inner(by), number(of, many, 1, true)];
    return largest === undefined || count === undefined
      ? undefined
      : { kind: "take", of: from, axis, positions: { largest, count } };
  }
  const positions = numbersOf(chosen, 0, true);
  return positions === undefined || positions.includes(undefined)
    ? undefined
    : { kind: "take", of: from, axis, positions: positions as readonly number[] };
}

const isFunction = (name: string): name is (typeof functions)[number] =>
  (functions as readonly string[]).includes(name);

function number(
  of: Elaboration,
  argument: Argument | undefined,
  least: number,
  whole: boolean,
  most = Infinity,
): number | undefined {
  if (argument === undefined) return undefined;
  const value = of.parts.evaluate(of, argument.value, openScope());
  if (isBroken(value)) return undefined;
  const found = value.kind === "number" ? valueOf(value) : undefined;
  const fits = found !== undefined && Number.isFinite(found) && found >= least && found <= most;
  if (fits && (!whole || Number.isInteger(found))) return found;
  const range =
    most < Infinity ? ` from ${least} to ${most}` : least > -Infinity ? ` of at least ${least}` : "";
  report(of, "M0615", argument.value.span, `this must be a ${whole ? "whole " : ""}number${range}`, {
    label: found === undefined ? `this is ${describe(value)}` : `this is ${found}`,
    help: "change the number",
  });
  return undefined;
}
