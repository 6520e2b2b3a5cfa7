// The guide's programs as a reader runs them. In: docs/guide.md, a program of it. Out: the steps with what their tables say; what a run
// measures on the playground's data, with its seed, on as many held-out batches as the playground takes.

import { readFileSync } from "node:fs";
import { planOf, sizesOf, type Plan } from "../../cli/planned.ts";
import { compile } from "../../compiler/compile.ts";
import { renderDiagnostics } from "../../grammar/text.ts";
import { toTable, toyCount, toyPoints, type ToyName } from "../../playground/src/data/toys.ts";
import { mainPath } from "../../playground/src/messages.ts";
import { hostOf } from "../../playground/src/work/host.ts";
import type { LoadedModel } from "../../runtime/model.ts";
import type { ShapedBatch } from "../../runtime/model-data.ts";
import { openModel } from "../../runtime/model-open.ts";
import { livePrograms } from "../../site/live.ts";

export interface Step {
  readonly title: string;
  /** With line breaks as spaces. */
  readonly prose: string;
  readonly program: string;
  readonly toy: ToyName;
  /** Cells of the table's rows, without its head. */
  readonly table: readonly (readonly string[])[];
}

export function guideSteps(): readonly Step[] {
  const page = readFileSync("docs/guide.md", "utf8");
  const steps = page.split(/^## (?=\d)/m).slice(1);
  return steps.map((whole): Step => {
    const text = whole.split(/^## /m)[0]!;
    const [live] = livePrograms(text);
    const rows = text.split("\n").filter((line) => line.startsWith("|"));
    return {
      title: text.slice(0, text.indexOf("\n")),
      prose: text.replace(/```moe\n[^]*?```/, "").replace(/\s+/g, " "),
      program: live!.program,
      toy: live!.state.toy,
      table: rows.slice(2).map((row) =>
        row
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim()),
      ),
    };
  });
}

export interface Outcome {
  readonly model: LoadedModel;
  readonly plan: Plan;
  /** Means over held-out data. */
  readonly held: Readonly<Record<string, number>>;
  readonly sample: readonly ShapedBatch[];
}

/** `changes`: what is replaced in the program, and by what; each has to be there. `fused`: whether multiply-adds may be fused, where the
 * engine and the processor can. */
export async function trained(
  { program: text, toy }: Step,
  changes: readonly (readonly [string, string])[] = [],
  fused = true,
): Promise<Outcome> {
  let changed = text;
  for (const [from, to] of changes) {
    if (!changed.includes(from)) throw new Error(`the program has no ${from}`);
    changed = changed.replaceAll(from, to);
  }
  const host = hostOf(changed);
  const { compiled, diagnostics } = compile({ host, path: mainPath });
  if (compiled === undefined) throw new Error(renderDiagnostics(diagnostics, (path) => host.read(path)));
  const { program, wasm: both } = compiled;
  const wasm = fused ? both : { plain: both.plain };
  const model = await openModel({ program, wasm }, { device: "cpu", threads: 1, seed: 1 });
  const sources = (program.training?.data ?? []).map(({ modality, reader }) => [
    modality,
    reader === "csv" ? toTable(toyPoints(toy, toyCount, 1)) : novel(),
  ]);
  const { train, held } = await model.data(Object.fromEntries(sources), { seed: 1 });
  for (let step = 0; step < program.training!.steps; step++) await model.trainStep(train.batch(step));
  const sample = Array.from({ length: Math.min(8, held.batches) }, (_, i) => held.batch(i));
  const sums: Record<string, number> = {};
  const few = sample.slice(0, 4);
  for (const batch of few)
    for (const [name, value] of Object.entries(await model.evaluate(batch)))
      sums[name] = (sums[name] ?? 0) + value / few.length;
  return { model, held: sums, sample, plan: planOf(program, sizesOf(program, {}), 1) };
}

/** As playground/vite.config.ts cuts it. */
function novel(): string {
  const whole = readFileSync("examples/book/corpus/moby-dick.txt", "utf8");
  const start = whole.indexOf("Call me Ishmael");
  return whole.slice(start, start + 160_000);
}

/** Shares of the first router's picks in a batch, in percent; null experts last. */
export async function loadOf({ model, sample }: Outcome): Promise<readonly number[]> {
  const [first] = Object.values(await model.routes(sample[0]!));
  const counts = Array.from(first!.load.values);
  const sum = counts.reduce((a, b) => a + b, 0);
  return counts.map((count) => Math.round((100 * count) / sum));
}

/** For each letter of a batch, the experts that the first router gives it. */
export async function picksOf(
  model: LoadedModel,
  batch: ShapedBatch,
): Promise<readonly (readonly number[])[]> {
  const { name, experts } = model.program.routers[0]!;
  const { values } = (await model.routes(batch))[name]!.picks;
  const count = lettersOf(batch).length;
  const width = values.length / count;
  return Array.from({ length: count }, (_, i) =>
    Array.from(values.slice(i * width, (i + 1) * width)).filter((each) => each >= 0 && each < experts),
  );
}

export const lettersOf = (batch: ShapedBatch): Int32Array => batch["text"]!.values as Int32Array;
