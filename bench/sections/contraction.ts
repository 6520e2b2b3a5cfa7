// Contraction kernels as fractions of the peak: what a bare multiply-add loop in wasm reaches on the same thread in the same
// round. And two threads against one, through sessions: the same product, and the training step of the main example.

import type { Case } from "../../test/helpers/contraction.ts";
import { loadKernel } from "../kernel-run.ts";
import { candidate, interleave, ratios, spread, type MeasureOptions } from "../measure.ts";
import { preparePeak } from "../peak.ts";
import { compileFile, compileText, openWorkload } from "../programs.ts";
import type { Row, Section } from "../section.ts";

const rows = Array.from({ length: 8 }, () => 512);
const ragged = { rows, ragged: "rows", m: 4096, symbolic: "m" } as const;

/** 512 cubed, and what examples/book does in a step of 16 texts of 128 tokens: width 128, 8 experts of 128, vocabulary 512. */
export const contractionCases: readonly (readonly [string, Case])[] = [
  ["512 x 512 x 512", { m: 512, n: 512, k: 512 }],
  ["projection, 2048 x 128, k 128", { m: 2048, n: 128, k: 128, symbolic: "m" }],
  ["its input gradient", { m: 2048, n: 128, k: 128, symbolic: "m", b: "k" }],
  ["its weight gradient, 128 x 128, k 2048", { m: 128, n: 128, k: 2048, symbolic: "k", a: "m" }],
  ["logits, 2048 x 512, k 128", { m: 2048, n: 512, k: 128, symbolic: "m", b: "k" }],
  ["gate and up, 8 groups of 512 rows, gathered", { ...ragged, n: 128, k: 128, gather: true, siblings: 2 }],
  ["down, 8 groups of 512 rows", { ...ragged, n: 128, k: 128 }],
  ["down's input gradient", { ...ragged, n: 128, k: 128, b: "k" }],
  [
    "8 weight gradients of 512 rows",
    { rows, ragged: "reduction", m: 128, n: 128, k: 4096, symbolic: "k", a: "m" },
  ],
  ["scores, 64 heads, 128 x 128, k 32", { batch: 64, m: 128, n: 128, k: 32, b: "k", symbolic: "mn" }],
  ["mixing, 64 heads, 128 x 32, k 128", { batch: 64, m: 128, n: 32, k: 128, symbolic: "mk" }],
];

const gigaflops = (multiplyAdds: number): string => `${((2 * multiplyAdds) / 1e9).toFixed(1)} GFLOP/s`;

export async function contractionSection(
  options: MeasureOptions,
  cases: readonly (readonly [string, Case])[] = contractionCases,
): Promise<Section> {
  const peak = preparePeak();
  const found: Row[] = [];
  for (const [name, test] of cases) {
    const kernel = loadKernel(test);
    const times = await interleave(
      [candidate(name, slicedRun(kernel.run, kernel.grid)), peakOf(peak)],
      options,
    );
    const rates = times[0]!.map((seconds) => kernel.work / seconds);
    const fractions = spread(rates.map((rate, round) => rate * times[1]![round]!));
    if (!kernel.right()) throw new Error(`internal: the contraction "${name}" gives wrong results`);
    found.push({ name, ...fractions, goal: { least: 0.8 }, note: gigaflops(Math.max(...rates)) });
  }
  const peaks = (await interleave([peakOf(peak)], options))[0]!;
  return {
    name: "contraction",
    title: `Contraction kernels on one thread, as fractions of the peak (${gigaflops(1 / Math.min(...peaks))})`,
    rows: found,
    skipped: [],
  };
}

/** Seconds per multiply-add. */
const peakOf = (peak: () => number) => ({
  name: "peak",
  turn: (runs: number): number => 1 / Math.max(...Array.from({ length: Math.min(runs, 50) }, peak)),
});

const slicedRun = (run: (from: number, end: number) => void, grid: number) => (): void => run(0, grid);

const product = `
model Product {
  modality x = features(512)
  repeat 4 {
    param w: [512, 512]
    x = x @ w
  }
  x
}
`;

export async function threadsSection(options: MeasureOptions): Promise<Section> {
  const row = async (
    name: string,
    open: (threads: number) => ReturnType<typeof openWorkload>,
    run: "forward" | "step",
    least?: number,
  ): Promise<Row> => {
    const [one, two] = [await open(1), await open(2)];
    const times = await interleave([candidate("one", one[run]), candidate("two", two[run])], options);
    for (const { session } of [one, two]) session.dispose();
    const note = times.map((seconds) => `${(1000 * Math.min(...seconds)).toFixed(1)} ms`).join(" : ");
    return {
      name,
      ...ratios(times[0]!, times[1]!),
      note,
      ...(least === undefined ? {} : { goal: { least } }),
    };
  };
  const products = compileText(product);
  const book = compileFile("examples/book/book.moe");
  return {
    name: "threads",
    title: "Two threads against one (speed ratios)",
    rows: [
      await row(
        "four products of 512 x 512 x 512",
        (threads) => openWorkload(products, { threads, sizes: { B: 512 }, entries: ["forward"] }),
        "forward",
        1.7,
      ),
      await row("examples/book, training step", (threads) => openWorkload(book, { threads }), "step", 1.7),
    ],
    skipped: [],
  };
}
