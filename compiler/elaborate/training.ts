// The `train` block: the recipe with every default filled in. In: settings. Out: runtime/program.ts `Training`, and the
// optimiser with its options as scalars of the step. The optimiser itself is in compiler/build.

import type { Expression, Setting, Span, TrainDeclaration } from "../../grammar/syntax.ts";
import type { DataSource, Training } from "../../runtime/program.ts";
import { optimizerDefaults, type OptimizerName } from "../build/optimizer.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { matchesPattern } from "../pattern.ts";
import type { Node, Origin } from "../graph.ts";
import { castTo, toTensor } from "./align.ts";
import { sourceOf, textOf } from "./data-source.ts";
import type { Phase } from "./phases.ts";
import { sameNames, startOf, type StartPlan } from "./start.ts";
import { checking, frameOf, report, type Elaboration } from "./elaboration.ts";
import { valueOf } from "./number.ts";
import { openScope } from "./scope.ts";
import { describe, isBroken } from "./value.ts";

export interface TrainingPlan {
  readonly training: Training;
  /** Where the optimiser stands, or else the recipe. */
  readonly origin: Origin;
  readonly optimizer: { readonly name: OptimizerName; readonly options: Readonly<Record<string, Node>> };
  /** Norm of the gradient that is kept; none: no clipping. */
  readonly clip?: number;
  /** Patterns of names of parameters that are not trained. */
  readonly freeze: readonly string[];
  readonly start?: StartPlan;
  /** Factors on the learning rate, by patterns of names; the last that matches counts. */
  readonly rates: readonly { readonly pattern: string; readonly factor: number }[];
}

interface NumberRule {
  readonly what: string;
  readonly whole?: boolean;
  readonly least: number;
  readonly most?: number;
}

function numberOf(
  of: Elaboration,
  expression: Expression,
  { what, whole = false, least, most = Infinity }: NumberRule,
): number | undefined {
  const value = of.parts.evaluate(of, expression, openScope());
  if (isBroken(value)) return undefined;
  const found = value.kind === "number" ? valueOf(value) : undefined;
  if (found !== undefined && found >= least && found <= most && (!whole || Number.isInteger(found)))
    return found;
  report(
    of,
    "M0606",
    expression.span,
    `${what} must be ${whole ? "a whole number" : "a number"} ${most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`}`,
    {
      label: found === undefined ? `this is ${describe(value)}` : `this is ${found}`,
      help: "change the number",
    },
  );
  return undefined;
}

function optimizerOf(
  of: Elaboration,
  setting: Extract<Setting, { setting: "optimizer" }>,
): (TrainingPlan["optimizer"] & { readonly text: string }) | undefined {
  const { name, options, span } = setting;
  if (!Object.hasOwn(optimizerDefaults, name.text)) {
    const known = Object.keys(optimizerDefaults);
    report(of, "M0609", name.span, `there is no optimiser \`${name.text}\``, {
      label: "not known",
      help: didYouMean(name.text, known, `write one of ${known.join(", ")}`),
    });
    return undefined;
  }
  const optimizer = name.text as OptimizerName;
  const defaults = optimizerDefaults[optimizer];
  const nodes: Record<string, Node> = {};
  const shown: string[] = [];
  for (const { name: option, value } of options) {
    const key = option?.text ?? "rate";
    if (!Object.hasOwn(defaults, key)) {
      report(of, "M0103", option?.span ?? value.span, `\`${optimizer}\` has no option \`${key}\``, {
        label: "not one of its options",
        help: didYouMean(key, Object.keys(defaults), `it has ${Object.keys(defaults).join(", ")}`),
      });
      continue;
    }
    const found = of.parts.evaluate(of, value, openScope());
    if (isBroken(found)) continue;
    if (found.kind === "truth" && found.value !== undefined) {
      if (of.builder !== undefined) nodes[key] = of.builder.constant(found.value ? 1 : 0);
      shown.push(`${key} = ${String(found.value)}`);
      continue;
    }
    const number = toTensor(of, found);
    if (number === undefined || number.axes.length > 0 || number.element === "bool") {
      report(of, "M0606", value.span, `\`${key}\` must be a number or a schedule`, {
        label: `this is ${describe(found)}`,
        help: "write a number, or `cosine(3e-3, warmup = 100)`",
      });
      continue;
    }
    const node = castTo(of, number, "number").node;
    if (node !== undefined) nodes[key] = node;
    const known = found.kind === "number" ? valueOf(found) : undefined;
    shown.push(`${key} = ${known ?? textFrom(value)}`);
  }
  if (options.every(({ name: option }) => (option?.text ?? "rate") !== "rate"))
    report(of, "M0606", span, `\`${optimizer}\` needs a learning rate`, {
      label: "no `rate`",
      help: `write \`optimizer ${optimizer} { rate = 1e-3 }\``,
    });
  return { name: optimizer, options: nodes, text: `${optimizer} { ${shown.join(", ")} }` };
}

/** A schedule, as one would write it. */
function textFrom(expression: Expression): string {
  switch (expression.node) {
    case "number":
      return String(expression.value);
    case "name":
      return expression.text;
    case "call":
      return `${textFrom(expression.callee)}(${expression.arguments.map(({ name, value }) => `${name === undefined ? "" : `${name.text} = `}${textFrom(value)}`).join(", ")})`;
    case "binary":
      return `${textFrom(expression.left)} ${expression.operator} ${textFrom(expression.right)}`;
    case "group":
      return `(${textFrom(expression.inner)})`;
    case "unary":
      return `${expression.operator}${textFrom(expression.operand)}`;
    default:
      return "...";
  }
}

/** Reads a phase of a `train` block; what is missing has the default of the reference. */
export function readTraining(of: Elaboration, { name, train, earlier }: Phase): TrainingPlan {
  const data: DataSource[] = [];
  const freeze: string[] = [];
  const rates: { pattern: string; factor: number }[] = [];
  const plain = { steps: 1000, accumulate: 1, seed: 1, clip: 0 };
  let batch = 8;
  let length: number | undefined;
  let evaluateEvery = 100;
  let holdOut = 0.05;
  let checkpointEvery: number | undefined;
  let patience = 0;
  let optimizer: ReturnType<typeof optimizerOf>;
  let asked = train.span;
  // A phase goes on with what the one before has learned.
  let start: StartPlan | undefined = earlier.length > 0 ? { sources: [], rules: [sameNames] } : undefined;
  const seen = new Map<string, Span>();
  for (const setting of train.settings) {
    const several = setting.setting === "data" || setting.setting === "freeze" || setting.setting === "rate";
    const before = seen.get(setting.setting);
    if (!several && before !== undefined)
      report(of, "M0610", setting.span, `\`${setting.setting}\` is set twice`, {
        label: "again here",
        related: [{ module: frameOf(of).module.path, span: before, label: "first here" }],
        help: "keep one",
      });
    seen.set(setting.setting, setting.span);
    switch (setting.setting) {
      case "data": {
        const source = sourceOf(of, setting.modality.text, setting.source);
        const again = data.some(({ modality }) => modality === setting.modality.text);
        if (again)
          report(of, "M0610", setting.span, `\`${setting.modality.text}\` has data twice`, {
            label: "again here",
            help: "keep one",
          });
        const known = of.collected.modalities.map(({ name }) => name);
        if (known.length > 0 && !known.includes(setting.modality.text))
          report(
            of,
            "M0611",
            setting.modality.span,
            `the model has no modality \`${setting.modality.text}\``,
            {
              label: "not one of its modalities",
              help: didYouMean(
                setting.modality.text,
                known,
                `it has ${known.map((name) => `\`${name}\``).join(", ")}`,
              ),
            },
          );
        if (source !== undefined && !again) data.push(source);
        break;
      }
      case "batch":
        batch = numberOf(of, setting.size, { what: "a batch", whole: true, least: 1 }) ?? batch;
        if (setting.length !== undefined)
          length = numberOf(of, setting.length, { what: "a length", whole: true, least: 1 });
        break;
      case "optimizer":
        optimizer = optimizerOf(of, setting);
        asked = setting.span;
        break;
      case "evaluate":
        evaluateEvery =
          numberOf(of, setting.every, { what: "the steps between evaluations", whole: true, least: 1 }) ??
          evaluateEvery;
        if (setting.share !== undefined)
          holdOut =
            numberOf(of, setting.share, { what: "the share that is held out", least: 0, most: 0.9 }) ??
            holdOut;
        break;
      case "checkpoint":
        checkpointEvery = numberOf(of, setting.every, {
          what: "the steps between checkpoints",
          whole: true,
          least: 1,
        });
        break;
      case "stop":
        patience =
          numberOf(of, setting.after, { what: "the evaluations to wait", whole: true, least: 1 }) ?? patience;
        break;
      case "freeze": {
        const pattern = textOf(of, setting.pattern, "a pattern of names");
        if (pattern !== undefined) freeze.push(pattern);
        checkPattern(of, setting.pattern.span, pattern);
        break;
      }
      case "rate": {
        const pattern = textOf(of, setting.pattern, "a pattern of names");
        const factor = numberOf(of, setting.factor, { what: "a factor on the rate", least: 0 });
        if (pattern !== undefined && factor !== undefined) rates.push({ pattern, factor });
        checkPattern(of, setting.pattern.span, pattern);
        break;
      }
      case "start":
        start = startOf(of, setting, earlier) ?? start;
        for (const { target } of setting.rules)
          if (target.node === "string") checkPattern(of, target.span, target.value, "tensor");
        break;
      case "model":
      case "phase":
        // What is trained in which phase is settled before this is read (phases.ts).
        break;
      case "steps":
      case "accumulate":
        plain[setting.setting] =
          numberOf(of, setting.value, { what: `\`${setting.setting}\``, whole: true, least: 1 }) ??
          plain[setting.setting];
        break;
      case "seed":
        plain.seed =
          numberOf(of, setting.value, { what: "a seed", whole: true, least: 0, most: 2147483647 }) ??
          plain.seed;
        break;
      case "clip":
        plain.clip = numberOf(of, setting.value, { what: "the norm that is kept", least: 1e-12 }) ?? 0;
        break;
      default:
        setting satisfies never;
    }
  }
  checkData(of, train, data);
  const tokens = of.collected.modalities.some(({ kind }) => kind === "tokens");
  const { clip, ...numbers } = plain;
  const fallback = {
    name: "adamw" as const,
    options: of.builder === undefined ? {} : { rate: of.builder.constant(1e-3) },
    text: "adamw { rate = 0.001 }",
  };
  const { text, ...rest } = optimizer ?? fallback;
  return {
    training: {
      data,
      batch,
      ...(length !== undefined ? { length } : tokens ? { length: 128 } : {}),
      ...numbers,
      evaluateEvery,
      holdOut,
      checkpointEvery: checkpointEvery ?? evaluateEvery,
      patience,
      metrics: ["loss"],
      ...(name === undefined ? {} : { phase: name }),
      optimiser: text,
      rate: "rate",
      norm: "norm",
    },
    origin: { path: "", span: asked, module: frameOf(of).module.path },
    optimizer: rest,
    ...(clip > 0 ? { clip } : {}),
    ...(start === undefined ? {} : { start }),
    freeze,
    rates,
  };
}

/** A pattern that matches nothing would do nothing, silently. Only the built model knows its parameters. */
function checkPattern(
  of: Elaboration,
  span: Span,
  pattern: string | undefined,
  what: "parameter" | "tensor" = "parameter",
): void {
  if (pattern === undefined || checking(of) || of.mode !== "training") return;
  const names = [...of.collected.tensors.values()].flatMap(({ role, name }) =>
    role === "parameter" || what === "tensor" ? [name] : [],
  );
  if (names.length === 0 || names.some((name) => matchesPattern(pattern, name))) return;
  const some = names.slice(0, 3).map((name) => `\`${name}\``);
  report(of, "M0614", span, `no ${what} has a name like \`${pattern}\``, {
    label: "matches nothing",
    help: `write a name such as ${some.join(", ")}, where \`*\` stands for any text; \`moe show\` lists all of them`,
  });
}

/** Every modality needs data, and the recipe a loss. */
function checkData(of: Elaboration, train: TrainDeclaration, data: readonly DataSource[]): void {
  const modalities = of.collected.modalities.map(({ name }) => name);
  // Data of a misspelt modality have been reported: they are the cause, not that another has none.
  const misspelt = data.some(({ modality }) => !modalities.includes(modality));
  const missing = of.collected.modalities.filter(
    ({ name }) => !misspelt && !data.some(({ modality }) => modality === name),
  );
  const [first] = missing;
  if (
    first !== undefined &&
    !train.settings.some((setting) => setting.setting === "data" && setting.modality.text === first.name)
  )
    report(of, "M0611", train.model.span, `there is no data for \`${first.name}\``, {
      label: "nothing to train on",
      help: `write \`data ${first.name} = ${first.kind === "tokens" ? 'bytes("corpus/*.txt")' : first.kind === "image" ? 'idx("images.idx.gz")' : `csv("data.csv", "${first.name}")`}\``,
    });
  // Layers may have losses, and which layers there are may hang on statics: seen when the model is built, not while checking.
  if (
    of.builder !== undefined &&
    of.collected.modalities.length > 0 &&
    of.decode === undefined &&
    of.collected.losses.length === 0 &&
    of.mode === "training"
  )
    if (!of.diagnostics.some(({ severity }) => severity === "error"))
      report(of, "M0612", train.model.span, "the model has no loss to train on", {
        label: "nothing to make small",
        help: "write `loss cross_entropy(logits, text.next)` in the model",
      });
}
