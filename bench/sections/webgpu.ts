// The routed layer on WebGPU, in headless Chromium, against what a page would use instead, on the same adapter: ONNX Runtime web,
// TensorFlow.js, jax-js. Same weights and inputs; a peer must first give our numbers. Ratios are of speed: above 1, ours is faster.
// Where the adapter is software, sizes are small, goals are not judged, and the section says so.

import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { chromiumPath, startBrowser } from "../../test/helpers/browser.ts";
import { shapes as gpuShapes, tokenCounts } from "../gpu/layers.ts";
import { interleave, ratios, type Candidate, type MeasureOptions } from "../measure.ts";
import { installPackages, peersFolder } from "../peers/install.ts";
import { bundled, serveIsolated } from "../peers/page.ts";
import type { Adapter, Task } from "../peers/webgpu_page.ts";
import type { Row, Section } from "../section.ts";
import type { WebGpuLayer } from "../webgpu-layer.ts";

interface WebGpuPeer {
  readonly name: string;
  readonly script: string;
  /** What it can do: ONNX Runtime web does not train. */
  readonly tasks: readonly Task[];
}

const peers: readonly WebGpuPeer[] = [
  { name: "ONNX Runtime web", script: "webgpu_onnx", tasks: ["forward"] },
  { name: "TensorFlow.js", script: "webgpu_tfjs", tasks: ["forward", "step"] },
  { name: "jax-js", script: "webgpu_jax", tasks: ["forward", "step"] },
];

export interface Work {
  readonly layer: WebGpuLayer;
  readonly task: Task;
}

/** Against the best of the peers, on a GPU. */
const goal = { least: 2 };
const software = "software adapter: says nothing of GPUs";

const titles: Readonly<Record<Task, string>> = { forward: "forward", step: "training step" };

/** With a GPU the shapes of mixtures that are in use. */
const onGpu: readonly Work[] = gpuShapes
  .filter(({ experts }) => experts > 8)
  .flatMap((shape) => [
    ...tokenCounts.map((tokens): Work => ({ layer: { ...shape, tokens }, task: "forward" })),
    { layer: { ...shape, tokens: tokenCounts.at(-1)! }, task: "step" },
  ]);

const small = { width: 64, hidden: 32, experts: 4, k: 2 };
const onSoftware: readonly Work[] = [
  { layer: { ...small, tokens: 1 }, task: "forward" },
  { layer: { ...small, tokens: 16 }, task: "forward" },
  { layer: { ...small, tokens: 16 }, task: "step" },
];

export interface WebGpuOptions extends MeasureOptions {
  /** Instead of what suits the adapter. */
  readonly works?: readonly Work[];
  readonly withPeers?: boolean;
}

export async function webgpuSection({
  works,
  withPeers = true,
  ...options
}: WebGpuOptions): Promise<Section> {
  const title = "Routed layer on WebGPU";
  const nothing = (reason: string): Section => ({ name: "webgpu", title, rows: [], skipped: [reason] });
  if (chromiumPath === undefined) return nothing("there is no Chromium on this machine");
  const skipped: string[] = [];
  const missing = withPeers ? installPackages() : undefined;
  if (missing !== undefined) skipped.push(`the other libraries: ${missing}`);
  const chosen = withPeers && missing === undefined ? peers : [];
  const { url, close } = await serveIsolated({
    scripts: await scriptsOf(chosen),
    file: (address) =>
      address.startsWith("/onnx/")
        ? join(peersFolder, "node_modules/onnxruntime-web/dist", address.slice("/onnx/".length))
        : undefined,
  });
  let browser: Browser | undefined;
  try {
    browser = await startBrowser({ webgpu: "any" });
    const page = await browser.newPage();
    await page.goto(url, { waitUntil: "load" });
    const adapter = await page.evaluate(() => globalThis.webgpuBench.adapter());
    const rows: Row[] = [];
    for (const work of works ?? (adapter.software ? onSoftware : onGpu))
      for (const row of await measure(page, work, chosen, options, skipped))
        rows.push(adapter.software && row.goal !== undefined ? { ...row, unjudged: software } : row);
    if (adapter.software)
      skipped.push(
        `the goal of ${goal.least} times the best peer, and the layers of real sizes (${[...new Set(onGpu.map(({ layer }) => shapeOf(layer)))].join(", ")}): ` +
          "there is no GPU here. The adapter is a program on the processor; that the sides give the same numbers is shown, how fast a GPU would be is not",
      );
    return { name: "webgpu", title: `${title}, speed ratios: ${inWords(adapter, browser)}`, rows, skipped };
  } catch (error) {
    return nothing(reasonOf(error));
  } finally {
    await browser?.close();
    close();
  }
}

const inWords = ({ name, software, subgroups }: Adapter, browser: Browser): string =>
  `${name}${software ? " (software: no GPU)" : ""}, subgroups of ${subgroups}, Chromium ${browser.version()}`;

const shapeOf = ({ width, hidden, experts, k }: WebGpuLayer): string =>
  `(${width}, ${hidden}, ${experts}, ${k})`;

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]!.replace(/^page\.evaluate: /, "");

async function scriptsOf(chosen: readonly WebGpuPeer[]): Promise<Record<string, string>> {
  const scripts: Record<string, string> = { "/script.js": await bundled(`${peersFolder}/webgpu_page.ts`) };
  for (const { script } of chosen) scripts[`/${script}.js`] = await bundled(`${peersFolder}/${script}.mjs`);
  return scripts;
}

async function measure(
  page: Page,
  { layer, task }: Work,
  chosen: readonly WebGpuPeer[],
  options: MeasureOptions,
  skipped: string[],
): Promise<readonly Row[]> {
  const { tokens } = layer;
  const what = `${shapeOf(layer)}, ${tokens} token${tokens === 1 ? "" : "s"}, ${titles[task]}`;
  try {
    await page.evaluate(([given, wanted]) => globalThis.webgpuBench.begin(given, wanted), [
      layer,
      task,
    ] as const);
  } catch (error) {
    skipped.push(`${what}: ${reasonOf(error)}`);
    return [];
  }
  try {
    const ready: { readonly name: string; readonly shown: string }[] = [
      { name: "moelang", shown: "moelang" },
    ];
    for (const { name, script, tasks } of chosen) {
      if (!tasks.includes(task)) continue;
      const { form, left } = await page.evaluate(
        ([peer, address]) => globalThis.webgpuBench.openPeer(peer, address),
        [name, `/${script}.js`] as const,
      );
      for (const each of left) skipped.push(`${what}, ${name} ${each}`);
      if (form !== undefined) ready.push({ name, shown: `${name} (${form})` });
    }
    const candidates = ready.map(({ name, shown }): Candidate => ({
      name: shown,
      turn: (runs) =>
        page.evaluate(([side, times]) => globalThis.webgpuBench.turn(side, times), [name, runs] as const),
    }));
    const [ours, ...theirs] = await interleave(candidates, options);
    const milliseconds = (seconds: readonly number[]): string =>
      `${(1000 * Math.min(...seconds)).toFixed(1)} ms`;
    const best = Math.min(...theirs.map((times) => Math.min(...times)));
    if (theirs.length === 0)
      return [
        {
          name: `${what}, ours alone`,
          unit: "ms",
          ...ratios(
            ours!,
            ours!.map(() => 0.001),
          ),
        },
      ];
    return theirs.map((times, i): Row => ({
      name: `${what}, ours : ${ready[i + 1]!.shown}`,
      ...ratios(times, ours!),
      note: `${milliseconds(ours!)} : ${milliseconds(times)}`,
      ...(Math.min(...times) === best ? { goal } : {}),
    }));
  } finally {
    await page.evaluate(() => globalThis.webgpuBench.end());
  }
}
