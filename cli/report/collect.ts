// Collecting: what each expert of a trained model sees. In: a session with the entry `evaluate`, and data. Out: a
// RoutingReport, plain JSON.
// The command that trains calls it once, when training has ended and before the session is closed:
//
//     const routing = await collectRouting(session, data, { step: result.step });
//     writeReport(folder, routing === undefined ? {} : { routing });        // report.ts; keeps it as routing.json too
//
// How loads change over the run is in metrics.jsonl already, step by step; nothing needs to be collected on the way.
// It runs evaluation batches only: tensors, and so a run that goes on, stay as they are.

import { joinedNumbers } from "../../runtime/join.ts";
import type { Batch, Data } from "../../runtime/data/data.ts";
import { evaluate } from "../../runtime/evaluate.ts";
import type { Modality, Program, RouterInfo } from "../../runtime/program.ts";
import type { Executor } from "../../runtime/executor.ts";
import { evaluate as evaluateSize, namesOf } from "../../runtime/size.ts";
import { streamingDecoder, type Tokenizer } from "../../runtime/tokenizer.ts";
import { countPicks } from "./count.ts";
import { facetsOf, type DataNames } from "./facets.ts";
import { routingVersion, type RouterReport, type RoutingReport, type SampleText } from "./routing.ts";

export interface CollectOptions {
  /** Optimiser steps done, for what depends on the step; default 0. */
  readonly step?: number;
  /** Held-out batches at most; default: enough for 65,536 rows of the busiest router, at least one, at most 64. */
  readonly batches?: number;
}

/** One batch as the collector keeps it. */
export interface Seen {
  readonly batch: Batch;
  /** By router, in the program's order: i32 [rows, width]. */
  readonly picks: readonly Int32Array[];
  readonly examples: number;
}

const enoughRows = 65536;
const mostSampled = 320;
const mostSampledPicks = 6;

/** Undefined when there is nothing to see: no routers, no `evaluate`, no data. */
export async function collectRouting(
  session: Executor,
  data: Data,
  options: CollectOptions = {},
): Promise<RoutingReport | undefined> {
  const { program } = session;
  const entry = program.entries["evaluate"];
  if (program.routers.length === 0 || entry === undefined || !session.entries.includes("evaluate"))
    return undefined;
  const held = data.held.batches > 0;
  const batches = held ? data.held : data.train;
  const first = entry.inputs.find(({ name }) => !name.startsWith("$"));
  const examples = first?.shape[0] === undefined ? 1 : evaluateSize(first.shape[0], session.sizes);
  const seen: Seen[] = [];
  let limit = Math.min(batches.batches, options.batches ?? 64);
  for (let index = 0; index < limit; index++) {
    const one = { examples: batches.examples, batches: 1, batch: () => batches.batch(index) };
    await evaluate(session, one, {
      ...(options.step === undefined ? {} : { step: options.step }),
      visit: (batch, outputs) => {
        // Views: the next run overwrites them.
        const picks = program.routers.map(({ picks: port }) => Int32Array.from(outputs[port] ?? []));
        seen.push({ batch, picks, examples });
      },
    });
    const rows = Math.max(
      1,
      ...program.routers.map(({ width }, i) => seen[0]!.picks[i]!.length / Math.max(1, width)),
    );
    if (options.batches === undefined) limit = Math.min(limit, Math.max(1, Math.ceil(enoughRows / rows)));
  }
  if (seen.length === 0) return undefined;
  return { ...foldRouting(program, seen, data, options.step ?? 0), held };
}

/** The same from batches and picks that are at hand. Pure. */
export function foldRouting(
  program: Program,
  seen: readonly Seen[],
  names: DataNames,
  step: number,
): RoutingReport {
  const experts = program.routers.reduce((sum, router) => sum + router.experts + router.nulls, 0);
  const sample = sampleOf(program, seen, names);
  return {
    version: routingVersion,
    step,
    batches: seen.length,
    examples: seen.reduce((sum, { examples }) => sum + examples, 0),
    held: true,
    routers: program.routers.map((router, index) => foldRouter(program, router, index, seen, names, experts)),
    ...(sample === undefined ? {} : { sample }),
  };
}

/** False where a router's rows are the same for every batch: the slots of a soft mixture, an input for each expert. They are nobody's
 * example, also where there are as many. */
function isOfExamples({ entries }: Program, { picks }: RouterInfo): boolean {
  const entry = entries["evaluate"];
  const port = entry?.outputs.find(({ name }) => name === picks);
  const batch = entry?.inputs.find(({ name }) => !name.startsWith("$"))?.shape[0];
  if (port === undefined || batch === undefined) return true;
  const names = namesOf(batch);
  return port.shape.some((size) => [...namesOf(size)].some((name) => names.has(name)));
}

function foldRouter(
  program: Program,
  router: RouterInfo,
  index: number,
  seen: readonly Seen[],
  names: DataNames,
  expertsInAll: number,
): RouterReport {
  const { name, experts, nulls, width } = router;
  const picks = joinedNumbers(seen.map((each) => each.picks[index]!));
  const counts = countPicks(picks, width, experts, nulls);
  const examples = seen.reduce((sum, each) => sum + each.examples, 0);
  const ofExamples = isOfExamples(program, router);
  const rowsPerExample = ofExamples ? counts.rows / Math.max(1, examples) : 0;
  return {
    name,
    experts,
    nulls,
    width,
    rowsPerExample,
    ...counts,
    facets: !ofExamples
      ? []
      : facetsOf({
          program,
          names,
          picks,
          width,
          experts: experts + nulls,
          rows: counts.rows,
          rowsPerExample,
          load: counts.load,
          values: (modality) => joinedNumbers(seen.map(({ batch }) => batch[modality] ?? new Int32Array(0))),
          // A page is read by people: the more experts there are, the fewer tokens stand beside each.
          tokensPerExpert: Math.max(3, Math.min(10, Math.floor(6000 / expertsInAll))),
        }),
  };
}

/** The token modality whose tokens, one for one, are what a router of `rows` rows saw. */
export const tokensOf = (program: Program, batch: Batch, rows: number): Modality | undefined =>
  program.modalities.find(({ kind, name }) => kind === "tokens" && batch[name]?.length === rows);

function sampleOf(program: Program, seen: readonly Seen[], names: DataNames): SampleText | undefined {
  const first = seen[0];
  if (first === undefined) return undefined;
  const rowsOf = (index: number): number =>
    first.picks[index]!.length / Math.max(1, program.routers[index]!.width);
  const modality = program.routers
    .map((_, index) => tokensOf(program, first.batch, rowsOf(index)))
    .find((found) => found !== undefined);
  const tokenizer = modality === undefined ? undefined : names.tokenizers[modality.name];
  const ids = modality === undefined ? undefined : first.batch[modality.name];
  if (modality === undefined || tokenizer === undefined || ids === undefined) return undefined;
  const length = Math.min(mostSampled, Math.floor(ids.length / Math.max(1, first.examples)));
  return {
    modality: modality.name,
    pieces: piecesOf(tokenizer, ids.subarray(0, length)),
    routers: program.routers.flatMap(({ name, width }, index) => {
      if (rowsOf(index) !== ids.length || !isOfExamples(program, program.routers[index]!)) return [];
      const shown = Math.min(width, mostSampledPicks);
      const picks: number[] = [];
      for (let row = 0; row < length; row++) {
        // Routers that look at every expert in turn leave gaps: what was picked comes first.
        const own = [...first.picks[index]!.subarray(row * width, (row + 1) * width)].filter(
          (expert) => expert >= 0,
        );
        for (let i = 0; i < shown; i++) picks.push(own[i] ?? -1);
      }
      return [{ name, width: shown, picks }];
    }),
  };
}

function piecesOf(tokenizer: Tokenizer, ids: ArrayLike<number>): string[] {
  const decoder = streamingDecoder(tokenizer);
  const pieces = Array.from(ids, (id) => decoder.push(id));
  const rest = decoder.finish();
  if (pieces.length > 0) pieces[pieces.length - 1] += rest;
  return pieces;
}
