// The recipe in full: settings, options of the optimiser and of its schedules that a `train` block left out. In: the block, and the compiled
// recipe with every default. Out: insertions into the text. What is off by default (clipping, early stop) stays out.

import { optimizerDefaults, type OptimizerName } from "../compiler/build/optimizer.ts";
import { isSchedule, scheduleParameters } from "../compiler/elaborate/schedules.ts";
import type { LoadedModule } from "../compiler/model.ts";
import type { Expression, Setting, TrainDeclaration } from "../grammar/syntax.ts";
import type { Training } from "../runtime/program.ts";
import type { Insertion } from "./defaults.ts";

export function fillRecipe(
  module: LoadedModule,
  train: TrainDeclaration,
  training: Training,
  insertions: Insertion[],
): void {
  const all = train.settings.flatMap((each) =>
    each.setting === "phase" ? [each, ...each.settings] : [each],
  );
  const has = (kind: Setting["setting"]): boolean => all.some(({ setting }) => setting === kind);
  const share = `${Number((100 * training.holdOut).toPrecision(6))}%`;
  for (const setting of all) {
    if (setting.setting === "batch" && setting.length === undefined && training.length !== undefined)
      insertions.push({ at: setting.span.end, text: ` of ${training.length}` });
    if (setting.setting === "evaluate" && setting.share === undefined)
      insertions.push({ at: setting.span.end, text: ` on ${share}` });
    if (setting.setting === "optimizer") fillOptimizer(module, setting, insertions);
  }
  const length = training.length === undefined ? "" : ` of ${training.length}`;
  const missing = [
    ...(has("batch") ? [] : [`batch ${training.batch}${length}`]),
    ...(has("optimizer") ? [] : [`optimizer ${training.optimiser}`]),
    ...(has("accumulate") ? [] : [`accumulate ${training.accumulate}`]),
    ...(has("steps") ? [] : [`steps ${training.steps}`]),
    ...(has("evaluate") ? [] : [`evaluate every ${training.evaluateEvery} on ${share}`]),
    ...(has("checkpoint") ? [] : [`checkpoint every ${training.checkpointEvery}`]),
    ...(has("seed") ? [] : [`seed ${training.seed}`]),
  ];
  if (missing.length === 0) return;
  // After the last line of the block, before its brace or its first phase.
  const end = all.find(({ setting }) => setting === "phase")?.span.start ?? train.span.end - 1;
  const body = module.text.slice(0, end).trimEnd();
  insertions.push({ at: body.length, text: missing.map((line) => `\n  ${line}`).join("") });
}

function fillOptimizer(
  module: LoadedModule,
  setting: Extract<Setting, { setting: "optimizer" }>,
  insertions: Insertion[],
): void {
  if (!Object.hasOwn(optimizerDefaults, setting.name.text)) return;
  for (const { value } of setting.options) fillSchedule(value, insertions);
  const given = new Set(setting.options.map(({ name }) => name?.text));
  const missing = Object.entries(optimizerDefaults[setting.name.text as OptimizerName])
    .filter(([name, value]) => value !== undefined && !given.has(name))
    .map(([name, value]) => `${name} = ${value}`);
  if (missing.length === 0) return;
  const last = setting.options.at(-1);
  if (last !== undefined) return void insertions.push({ at: last.span.end, text: `, ${missing.join(", ")}` });
  const brace = module.text.slice(setting.span.start, setting.span.end).lastIndexOf("}");
  if (brace < 0) insertions.push({ at: setting.span.end, text: ` { ${missing.join(", ")} }` });
  else insertions.push({ at: setting.span.start + brace, text: ` ${missing.join(", ")} ` });
}

/** `cosine(1e-2)`: with `warmup = 0, floor = 0`. */
function fillSchedule(value: Expression, insertions: Insertion[]): void {
  if (value.node !== "call" || value.callee.node !== "name") return;
  const parameters = isSchedule(value.callee.text) ? scheduleParameters[value.callee.text] : undefined;
  const last = value.arguments.at(-1);
  if (parameters === undefined || last === undefined) return;
  const named = new Set(value.arguments.map(({ name }) => name?.text));
  const placed = value.arguments.filter(({ name }) => name === undefined).length;
  const missing = parameters
    .slice(placed)
    .filter((each) => each.default !== undefined && !named.has(each.name))
    .map((each) => `, ${each.name} = ${each.default}`);
  if (missing.length > 0) insertions.push({ at: last.span.end, text: missing.join("") });
}
