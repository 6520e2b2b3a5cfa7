// The cost of generality. Entries of `std` against a plain top-2 router, as ratios of whole layers (router, routing, experts, combine) whose
// experts do the same multiply-adds; what users write themselves is the same program (test/generality.test.ts), and the first row
// times it. Then layers in which half of the picks do no work, against the share of picks that is left.

import {
  entryModel,
  layerModel,
  libraryEntries,
  plainEntry,
  userModel,
  type LayerShape,
  type LibraryEntry,
} from "../entries.ts";
import { candidate, interleave, ratios, type MeasureOptions } from "../measure.ts";
import { compileTexts, openWorkload, type Workload } from "../programs.ts";
import type { Row, Section } from "../section.ts";

export const generalityShape: LayerShape = { batch: 16, length: 128, width: 256, hidden: 256 };

/** Half of the picks do nothing; about, where chance decides. */
const idle: readonly (readonly [name: string, pool: string, router: string])[] = [
  ["8 null experts", "SwiGLU(D, H) * 8 + zero * 8", "choose top 2 of p"],
  ["places for half of the picks", "pool", "choose top 2 of p\n  capacity tokens / N"],
  ["a layer that tokens skip", "pool", "choose top tokens / N tokens of p for each expert per batch"],
  ["masked groups, for half of the tokens all", "pool", "choose top 2 of p only where coin > 0 and open"],
];

const idleText = (pool: string, router: string, shape: LayerShape): string =>
  layerModel(
    pool === "pool" ? "y = pool(x) by Idle" : `all = ${pool}\n  y = all(x) by Idle`,
    `router Idle(D, N)(x: [D]) -> gates[N] {
  param w: [D, N] = normal(0.02)
  p = softmax(x @ w)
  coin = uniform(mean(p)) - 0.5
  open[i: N] = i < N / 2
  ${router}
  weight p / (sum(p) + 1e-20)
}`,
    shape,
  );

interface Layer {
  readonly name: string;
  readonly workload: Workload;
  /** Of two picks for each token: what is left of them where half do nothing. */
  readonly share?: number;
  readonly trainingOnly?: boolean;
}

const modes = [
  ["forward", (workload: Workload) => workload.forward()],
  ["forward and backward", (workload: Workload) => workload.gradients()],
] as const;

export async function generalitySection(
  options: MeasureOptions,
  shape: LayerShape = generalityShape,
  entries: readonly LibraryEntry[] = libraryEntries,
): Promise<Section> {
  const open = (files: Readonly<Record<string, string>>): Promise<Workload> =>
    openWorkload(compileTexts(files, "layer.moe"), { entries: ["forward", "train"] });
  const plain = await open({ "layer.moe": entryModel(plainEntry, shape) });
  const layers: Layer[] = [
    {
      name: `${plainEntry.name} in a file of the user's`,
      workload: await open(userModel(plainEntry, shape)),
    },
  ];
  for (const entry of entries) {
    const workload = await open({ "layer.moe": entryModel(entry, shape) });
    layers.push({ ...entry, workload });
  }
  const tokens = shape.batch * shape.length;
  for (const [name, pool, router] of idle) {
    const workload = await open({ "layer.moe": idleText(pool, router, shape) });
    layers.push({ name, workload, share: rowsOf(workload) / (2 * tokens) });
  }
  const rows: Row[] = [];
  try {
    for (const [mode, run] of modes) {
      const measured = layers.filter(({ trainingOnly }) => trainingOnly !== true || mode !== "forward");
      const turns = [plain, ...measured.map(({ workload }) => workload)].map((each) =>
        candidate(mode, () => run(each)),
      );
      const [base, ...times] = await interleave(turns, options);
      for (const [i, layer] of measured.entries()) rows.push(rowOf(mode, layer, times[i]!, base!));
    }
    const title = `Generality: layers of 8 SwiGLU experts, ${tokens} tokens, ${shape.width} to ${shape.hidden}, against ${plainEntry.name} with 2 picks (time ratios)`;
    return { name: "generality", title, rows, skipped: [] };
  } finally {
    for (const { session } of [plain, ...layers.map(({ workload }) => workload)]) session.dispose();
  }
}

function rowOf(mode: string, { name, share }: Layer, times: readonly number[], base: readonly number[]): Row {
  const left = share === undefined ? "" : `, ${(100 * share).toFixed(0)} % of the picks are left`;
  return {
    name: `${mode}: ${name}${left}`,
    ...ratios(times, base),
    // Beside the experts stands what every token costs: the table, the router, the loss.
    goal: { most: share === undefined ? 1.15 : Number((share + 0.1).toFixed(2)) },
    note: [times, base].map((each) => `${(1000 * Math.min(...each)).toFixed(1)} ms`).join(" : "),
  };
}

/** Rows that experts got, as the layer itself counted them. */
function rowsOf({ session, inputs }: Workload): number {
  const { experts, load } = session.program.routers[0]!;
  const counts = [...session.run("train", inputs("train"))[load]!].slice(0, experts);
  return counts.reduce((sum, count) => sum + count, 0);
}
