// The page: all parts of the report as one self-contained HTML text. In: RunData, and the text of uPlot. Out: HTML that needs no
// network: styles, scripts and data are in it. Reads and writes no files.

import { count, duration, loss, percent, whole } from "../numbers.ts";
import { balanceCurves, learningCurves, sparkline } from "./curves.ts";
import { embedJson, markup, raw, type Content, type Markup } from "./html.ts";
import { facts, layerSection } from "./layer.ts";
import { countParameters } from "./parameters.ts";
import {
  activeOf,
  evaluationsOf,
  isFixed,
  layersOf,
  layerTitle,
  stepsOf,
  type Layer,
  type RunData,
} from "./run.ts";
import { colourSample, drawCharts, drawStrips, type PageData } from "./script.ts";
import { reportStyle } from "./style.ts";

/** The chart library's own code and style sheet. */
export interface Library {
  readonly script: string;
  readonly style: string;
}

/** Lines of experts on the whole page. */
const mostExpertRows = 1500;

export function renderPage(run: RunData, library: Library): string {
  const layers = layersOf(run);
  const learning = learningCurves(run);
  const balance = balanceCurves(layers);
  const sample = run.routing?.sample;
  const data: PageData = {
    charts: [...learning.charts, ...balance.charts],
    ...(sample === undefined
      ? {}
      : {
          sample: {
            ...sample,
            experts: sample.routers.map(
              ({ name }) => run.program.routers.find((router) => router.name === name)?.experts ?? 0,
            ),
          },
        }),
  };
  const { name } = run.program;
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${name} · training report</title>
<style>${raw(library.style)}${raw(reportStyle)}</style>
</head>
<body>
${header(run, layers)}
<main>
<h2 id="learning">Learning</h2>
${learning.charts.length === 0 ? markup`<p class="empty">No step was recorded yet: the curves appear as soon as training has done one.</p>` : markup`<p class="note">Drag over a chart to look closer, double-click to see all of it again.</p>`}
<div class="charts">${learning.markup}</div>
${routing(run, layers, balance.markup)}
${sampleSection(data)}
${writes(run)}
${recipe(run)}
</main>
<footer>Made by ${run.about.tool ?? "moe"}. This page is complete in itself: it can be kept, sent, and opened without a network.</footer>
<noscript><p class="empty">The curves, the strips and the coloured text need scripts; all numbers and tables are here without.</p></noscript>
<script type="application/json" id="data">${embedJson(data)}</script>
<script>${raw(library.script.replaceAll("</script", "<\\/script"))}</script>
<script>
const data = JSON.parse(document.getElementById("data").textContent);
(${raw(drawCharts.toString())})(data, uPlot);
(${raw(drawStrips.toString())})();
(${raw(colourSample.toString())})(data);
</script>
</body>
</html>
`;
  return page.markup;
}

const tile = (name: string, value: string, more?: string): Markup =>
  markup`<li><span>${name}</span><b>${value}</b>${more === undefined ? "" : markup`<small>${more}</small>`}</li>`;

function header({ program, records, about }: RunData, layers: readonly Layer[]): Markup {
  const steps = stepsOf(records);
  const evaluations = evaluationsOf(records);
  const last = steps.at(-1);
  const held = evaluations.at(-1);
  const asked = program.training?.steps;
  const { total, active } = countParameters(program, (router) => {
    const layer = layers.find(({ info }) => info === router);
    return layer === undefined ? router.width : activeOf(layer);
  });
  const recent = steps.slice(-Math.max(1, Math.min(50, steps.length >> 2)));
  const train = recent.reduce((sum, { metrics }) => sum + (metrics["loss"] ?? NaN), 0) / recent.length;
  const best = evaluations.reduce((low, { metrics }) => Math.min(low, metrics["loss"] ?? Infinity), Infinity);
  const heldLoss = held?.metrics["loss"];
  const examples = program.training?.length === undefined;
  const perSecond =
    steps.length === 0 ? undefined : steps.reduce((sum, step) => sum + step.perSecond, 0) / steps.length;
  const metrics = Object.entries(held?.metrics ?? last?.metrics ?? {}).filter(([name]) =>
    /accuracy/.test(name),
  );
  const tiles: readonly (Markup | undefined)[] = [
    heldLoss === undefined
      ? undefined
      : tile(
          "held-out loss",
          loss(heldLoss),
          Number.isFinite(best) && best < heldLoss - 5e-4 ? `best ${loss(best)}` : undefined,
        ),
    last === undefined
      ? undefined
      : tile("training loss", loss(train), recent.length > 1 ? `mean of ${recent.length} steps` : undefined),
    ...metrics.map(([name, value]) => tile(name, Number.isFinite(value) ? percent(value) : String(value))),
    tile(
      "parameters",
      count(total),
      active < total ? `${count(active)} active per ${examples ? "example" : "token"}` : undefined,
    ),
    last === undefined
      ? undefined
      : tile(
          "steps",
          whole(last.step),
          asked !== undefined && asked !== last.step ? `of ${whole(asked)}` : undefined,
        ),
    last === undefined ? undefined : tile("time", duration(last.seconds), about.where),
    perSecond === undefined
      ? undefined
      : tile(
          examples ? "examples per second" : "tokens per second",
          perSecond >= 1e4 ? count(perSecond) : whole(perSecond),
        ),
  ];
  const sub = [about.source, about.state, program.training?.optimiser].filter(
    (text) => text !== undefined && text !== "",
  );
  return markup`<header><h1>${program.name}</h1>
${sub.length === 0 ? "" : markup`<p class="sub">${sub.join(" · ")}</p>`}
<ul class="tiles">${tiles}</ul></header>`;
}

function routing(run: RunData, layers: readonly Layer[], balance: Markup): Content {
  if (layers.length === 0)
    return markup`<h2 id="routing">Routing</h2><p class="empty">This model has no router: every parameter works on every token.</p>`;
  const titles = facts(layers[0]!).map(([name]) => name);
  // What the layers call the places without an expert may differ; the overview has one column for it.
  const heads = titles.map((name) => (name === "unused picks" ? "drop rate" : name));
  const line = (layer: Layer): Markup =>
    markup`<tr><th scope="row"><a href="#layer-${layer.info.name}">${layer.title}</a></th><td>${sparkline(layer) ?? ""}</td>${facts(layer).map(([name, value]) => markup`<td class="n">${name === "unused picks" ? `${value} unused` : value}</td>`)}</tr>
`;
  // Where something is chosen.
  const first = layers.find((layer) => !isFixed(layer)) ?? layers[0];
  const total = layers.reduce((sum, { info }) => sum + info.experts + info.nulls, 0);
  const rows = Math.max(8, Math.min(256, Math.floor(mostExpertRows / layers.length)));
  const source =
    run.routing === undefined
      ? "From the loads that were recorded while training; which expert sees what was not collected in this run."
      : `From ${count(run.routing.examples)} ${run.routing.held ? "held-out" : "training"} examples after step ${whole(run.routing.step)}; loads over time are from training itself.`;
  return markup`<h2 id="routing">Routing</h2>
<p class="note">${whole(total)} experts in ${layers.length} routed ${layers.length === 1 ? "layer" : "layers"}. ${source}</p>
<div class="scroll" tabindex="0" role="region" aria-label="all routed layers"><table class="layers"><thead><tr><th scope="col">layer</th><th scope="col">imbalance over time</th>${heads.map((name) => markup`<th class="n" scope="col">${name}</th>`)}</tr></thead><tbody>
${layers.map(line)}</tbody></table></div>
<p class="note">Max violation is how far the busiest expert is above an even share (0 is even, 1 is twice). Effective experts reads the spread of the load as a number: as many evenly used ones would be as mixed. Active experts is the mean for one ${run.program.modalities.some(({ kind }) => kind === "tokens") ? "token" : "row"}.</p>
<div class="charts">${balance}</div>
${layers.map((layer) => layerSection(layer, layer === first, rows))}`;
}

function sampleSection({ sample }: PageData): Content {
  if (sample === undefined || sample.routers.length === 0 || sample.pieces.length === 0) return "";
  const options = sample.routers.map(
    ({ name }, i) => markup`<option value="${i}">${layerTitle(name)}</option>`,
  );
  return markup`<h2 id="text">A text, coloured by expert</h2>
<p class="note">Held-out text; each token has the colour of the first expert that the layer gives it. The same word in the same colour everywhere: the router goes by the word. Changing colours: it goes by what stands around it.</p>
<div class="sample"><label>Layer <select id="sample-layer">${options}</select></label>
<div class="text" id="sample-text" tabindex="0" role="group" aria-label="text; arrow keys go from token to token">${sample.pieces.map((piece) => markup`<span>${piece}</span>`)}</div>
<p class="note" id="sample-told" aria-live="polite">Point at a token, or use the arrow keys, to see its experts; press a button to see one expert alone.</p>
<div class="hues" id="sample-hues"></div></div>`;
}

function writes({ about, program }: RunData): Content {
  if (about.text === undefined || about.text === "") return "";
  return markup`<h2 id="writes">What ${program.name} writes</h2>
<blockquote>${about.prompt === undefined || about.prompt === "" ? "" : markup`<b>${about.prompt}</b>`}${about.text}</blockquote>`;
}

function recipe({ program, about }: RunData): Content {
  const { training } = program;
  const lines: readonly (readonly [string, string] | undefined)[] = [
    ...(about.data ?? []).map((line) => ["data", line] as const),
    training === undefined
      ? undefined
      : [
          "batch",
          `${training.batch}${training.length === undefined ? "" : ` of ${training.length}`}${training.accumulate > 1 ? `, ${training.accumulate} per step` : ""}`,
        ],
    training === undefined ? undefined : ["steps", whole(training.steps)],
    training === undefined ? undefined : ["optimizer", training.optimiser],
    training === undefined ? undefined : ["held out", percent(training.holdOut)],
    training === undefined ? undefined : ["seed", String(training.seed)],
    about.source === undefined ? undefined : ["source", about.source],
  ];
  const known = lines.filter((line) => line !== undefined);
  return known.length === 0
    ? ""
    : markup`<h2 id="recipe">The recipe</h2><dl>${known.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
