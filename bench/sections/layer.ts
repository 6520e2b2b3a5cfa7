// The routed layer alone: time follows the experts that work, not those that exist. Ratios of whole layers (router, routing,
// experts, combine) at 2,048 tokens, two picks for each token, two threads; at the sizes of examples/book and of the comparisons.
// Of training it measures forward and backward; the optimiser, whose work is in proportion to all parameters, is left out.

import { evaluate } from "../../runtime/size.ts";
import { candidate, interleave, ratios, type MeasureOptions } from "../measure.ts";
import { compileText, openWorkload, type Workload } from "../programs.ts";
import type { Goal, Row, Section } from "../section.ts";

export interface LayerSizes {
  readonly tokens: number;
  readonly width: number;
  readonly hidden: number;
}
export const layerSizes: readonly LayerSizes[] = [
  { tokens: 2048, width: 128, hidden: 128 },
  { tokens: 2048, width: 256, hidden: 512 },
];

/** A model of one layer; `body` makes `y` from `x`. */
const layerText = (body: string, { tokens, width }: LayerSizes): string => `
import std.experts { SwiGLU }

router Best(D, N, k = 2)(x: [D]) -> gates[N] {
  param w: [D, N] = normal(0.1)
  p = softmax(x @ w)
  choose top k of p
  weight p / sum(p)
}

model Layer {
  modality x = features(${width})
  modality target = features(${width})
  ${body}
  loss mean(square(y - target))
  y
}

train Layer {
  data x = csv("none.csv", "x")
  data target = csv("none.csv", "y")
  batch ${tokens}
  optimizer sgd { rate = 0 }
  steps 1
}
`;

export async function layerSection(
  options: MeasureOptions,
  sizes: readonly LayerSizes[] = layerSizes,
  many = 256,
): Promise<Section> {
  const rows: Row[] = [];
  for (const each of sizes) rows.push(...(await layerRows(options, each, many)));
  const title = `Routed layer of SwiGLU experts, 2 picks for each of ${sizes[0]?.tokens} tokens (time ratios)`;
  return { name: "layer", title, rows, skipped: [] };
}

async function layerRows(options: MeasureOptions, sizes: LayerSizes, many: number): Promise<readonly Row[]> {
  const { width, hidden } = sizes;
  const open = (body: string): Promise<Workload> =>
    openWorkload(compileText(layerText(body, sizes)), { entries: ["forward", "train"] });
  const pool = (experts: string): string => `pool = ${experts}\n  y = pool(x) by Best`;
  const expert = `SwiGLU(${width}, ${hidden})`;
  const few = await open(pool(`${expert} * 8`));
  const all = await open(pool(`${expert} * ${many}`));
  const half = await open(pool(`${expert} * 8 + zero * 8`));
  // Two experts of this size for every token are one of twice the size: the same multiply-adds, nothing routed.
  const dense = await open(`y = SwiGLU(${width}, ${2 * hidden})(x)`);
  const workloads = [few, all, half, dense];
  try {
    const nulls = nullShare(half);
    const rows: Row[] = [];
    for (const [what, entry, run] of [
      ["forward", "forward", (workload: Workload) => workload.forward()],
      ["forward and backward", "train", (workload: Workload) => workload.gradients()],
    ] as const) {
      const turns = workloads.map((workload) => candidate(what, () => run(workload)));
      const times = await interleave(turns, options);
      const [fewTimes, allTimes, halfTimes, denseTimes] = times as [number[], number[], number[], number[]];
      const best = (seconds: readonly number[]): string => `${(1000 * Math.min(...seconds)).toFixed(1)} ms`;
      // The router scores every expert there is: with small experts that alone is much.
      const arithmetic = multiplyAddsOf(all, entry) / multiplyAddsOf(few, entry);
      const row = (name: string, first: readonly number[], second: readonly number[], goal: Goal): Row => ({
        name: `${width} to ${hidden}, ${what}: ${name}`,
        ...ratios(first, second),
        goal,
        note: `${best(first)} : ${best(second)}`,
      });
      const share = `${(100 * nulls).toFixed(0)} %`;
      rows.push(
        row(`${many} experts : 8 (multiply-adds ${arithmetic.toFixed(2)})`, allTimes, fewTimes, {
          most: 1.3,
        }),
        row(`8 null experts, ${share} of picks : none`, halfTimes, fewTimes, { least: 0.45, most: 0.6 }),
        row("8 experts : dense, same multiply-adds", fewTimes, denseTimes, { most: 1.25 }),
      );
    }
    return rows;
  } finally {
    for (const { session } of workloads) session.dispose();
  }
}

function multiplyAddsOf({ session }: Workload, entry: string): number {
  const { entries, kernels } = session.program;
  return entries[entry]!.dispatches.reduce((sum, { kernel }) => {
    const { multiplyAdds } = kernels[kernel]!;
    return multiplyAdds === undefined ? sum : sum + evaluate(multiplyAdds, session.sizes);
  }, 0);
}

/** The share of picks that went to null experts, as the layer itself counted them. */
function nullShare({ session, inputs }: Workload): number {
  const { experts, load } = session.program.routers[0]!;
  const counts = [...session.run("train", inputs("train"))[load]!];
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.slice(experts).reduce((sum, count) => sum + count, 0) / total;
}
