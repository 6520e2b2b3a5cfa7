// One routed layer: a verdict in words, then a line for each expert (its load over time, its load now, what it sees), then
// tables of kinds, classes, places and features. In: a Layer. Out: markup. Where there are very many experts, the busiest and
// the idlest are shown.

import { percent, plural, whole } from "../numbers.ts";
import { lift } from "./count.ts";
import { markup, type Content, type Markup } from "./html.ts";
import { featureMatrix, placeMaps, shade, shareMatrix, type Whole } from "./matrix.ts";
import { effectiveExperts, nullShare, starved, violation } from "./measure.ts";
import type { Facet } from "./routing.ts";
import { activeOf, isFixed, type Layer } from "./run.ts";

export const expertName = (expert: number, experts: number): string =>
  expert < experts ? `expert ${expert}` : `null ${expert - experts}`;
const shortName = (expert: number, experts: number): string =>
  expert < experts ? `${expert}` : `n${expert - experts}`;

/** Share of the places for a pick that stayed empty, and what to call it: only a full table of picks shows drops. */
export function emptyShare({
  seen,
  info,
}: Layer): { readonly name: "dropped" | "unused"; readonly share: number } | undefined {
  if (seen === undefined || seen.rows === 0) return undefined;
  return {
    name: info.dropping === true ? "dropped" : "unused",
    share: seen.empty / (seen.rows * Math.max(1, info.width)),
  };
}

/** What a look at the numbers says, in one or two sentences. */
export function verdict(layer: Layer): string {
  const { load, info } = layer;
  if (load === undefined) return "Nothing was counted for this layer.";
  if (load.every((value) => value === 0))
    return "No expert was chosen at all: the router sends every token past them.";
  if (info.experts === 1) return "One expert, so there is nothing to balance.";
  if (isFixed(layer))
    return "The choice is fixed: the rows, and who gets them, are the same for every example. What is learned is how they are made and mixed.";
  const over = violation(load, info.experts);
  const idle = starved(load, info.experts);
  const parts = [
    over < 0.25
      ? `The load is even: the busiest expert has ${percent(over)} more than its share.`
      : over < 1
        ? `The load is somewhat uneven: the busiest expert has ${percent(over)} more than its share.`
        : `The load is uneven: the busiest expert has ${(1 + over).toFixed(1)} times its share.`,
  ];
  if (idle > 0)
    parts.push(`${plural(idle, "expert")} of ${info.experts} ${idle === 1 ? "does" : "do"} almost nothing.`);
  const empty = emptyShare(layer);
  if (empty?.name === "dropped" && empty.share > 0.001)
    parts.push(`${percent(empty.share)} of the picks were dropped.`);
  return parts.join(" ");
}

/** The numbers of a layer, for the overview and for its own head. */
export function facts(layer: Layer): readonly (readonly [name: string, value: string])[] {
  const { load, info, seen } = layer;
  const experts = `${info.experts}${info.nulls > 0 ? ` + ${info.nulls} null` : ""}`;
  const empty = emptyShare(layer);
  const counted = seen !== undefined && seen.rows > 0;
  return [
    ["experts", experts],
    ["max violation", load === undefined ? "–" : violation(load, info.experts).toFixed(2)],
    ["effective experts", load === undefined ? "–" : effectiveExperts(load, info.experts).toFixed(1)],
    ["null rate", load === undefined || info.nulls === 0 ? "–" : percent(nullShare(load, info.experts))],
    [
      empty?.name === "unused" && empty.share > 0 ? "unused picks" : "drop rate",
      empty === undefined ? "–" : percent(empty.share),
    ],
    ["active experts", counted ? activeOf(layer).toFixed(2) : "–"],
  ];
}

/** One byte for each bucket: 0 unknown, else 128 + 40 log2(load / even share), in base 64. */
export function encodeStrip({ history, info }: Layer, expert: number): string {
  const bytes = history.loads.map((load) => {
    const total = load.slice(0, info.experts).reduce((sum, value) => sum + value, 0);
    if (!(total > 0)) return 0;
    const ratio = ((load[expert] ?? 0) * info.experts) / total;
    return Math.round(Math.max(1, Math.min(255, 128 + 40 * Math.log2(Math.max(ratio, 1e-9)))));
  });
  return btoa(String.fromCharCode(...bytes));
}

/** The experts to show, in their order, at most `most`: three quarters of them the busiest, the rest the idlest. */
export function chooseShown(
  load: readonly number[] | undefined,
  all: number,
  most: number,
): readonly number[] {
  const experts = Array.from({ length: all }, (_, expert) => expert);
  if (all <= most) return experts;
  const byLoad = experts.toSorted((a, b) => (load?.[b] ?? 0) - (load?.[a] ?? 0) || a - b);
  const busy = Math.ceil((most * 3) / 4);
  return [...byLoad.slice(0, busy), ...byLoad.slice(all - (most - busy))].sort((a, b) => a - b);
}

function chip(label: string, share: string, ratio: number, title: string): Markup {
  const { part } = shade(Math.max(1, ratio));
  return markup`<span class="chip" style="--v:${part}" title="${title}">${label}<small>${share}</small></span>`;
}

/** What stands beside an expert: the tokens, else the classes, else the features that tell it from the others. */
function sees(layer: Layer, expert: number): Markup {
  const { seen } = layer;
  const load = seen?.load[expert] ?? 0;
  if (seen === undefined || load === 0)
    return markup`<span class="note">${seen === undefined ? "" : "nothing"}</span>`;
  for (const facet of seen.facets) {
    if (facet.kind === "tokens") {
      const chips = facet.telling[expert]!.flatMap(({ label, rows, count: own }) => {
        const ratio = lift(own, rows, load, seen.rows);
        // An expert that gets nearly everything prefers nothing.
        if (ratio < 1.1) return [];
        const times = ratio.toFixed(ratio < 9.95 ? 1 : 0);
        const about = `${label}: ${percent(own / rows)} of it comes here, ${times} times the average; ${percent(own / load)} of what this expert sees`;
        return [chip(label, `${times}×`, ratio, about)];
      });
      if (chips.length > 0) return markup`<div class="chips">${chips}</div>`;
    }
    if (facet.kind === "classes" && facet.classes.length > 1) {
      const chips = facet.classes
        .map(({ label, rows, counts }) => ({
          label,
          rows,
          own: counts[expert]!,
          ratio: lift(counts[expert]!, rows, load, seen.rows),
        }))
        .filter(({ ratio }) => ratio > 1.05)
        .sort((a, b) => b.ratio - a.ratio)
        .slice(0, 4)
        .map(({ label, rows, own, ratio }) =>
          chip(
            label,
            `${ratio.toFixed(ratio < 9.95 ? 1 : 0)}×`,
            ratio,
            `${facet.modality} ${label}: ${percent(own / rows)} of it comes here`,
          ),
        );
      if (chips.length > 0) return markup`<div class="chips">${chips}</div>`;
    }
    if (facet.kind === "features") {
      const chips = facet.names
        .map((name, at) => ({ name, z: facet.means[expert]![at]! }))
        .filter(({ z }) => Math.abs(z) > 0.15)
        .sort((a, b) => Math.abs(b.z) - Math.abs(a.z))
        .slice(0, 4)
        .map(({ name, z }) =>
          chip(
            `${z > 0 ? "high" : "low"} ${name}`,
            `${z.toFixed(1)}σ`,
            1 + Math.abs(z),
            `mean of ${name}: ${z.toFixed(2)} deviations from that of all`,
          ),
        );
      if (chips.length > 0) return markup`<div class="chips">${chips}</div>`;
    }
  }
  return markup`<span class="note">${isFixed(layer) ? "what stands in its place" : "a bit of everything"}</span>`;
}

function expertRows(layer: Layer, shown: readonly number[]): Markup {
  const { info, load, history } = layer;
  const own = load?.slice(0, info.experts) ?? [];
  const total = load?.reduce((sum, value) => sum + value, 0) ?? 0;
  const even = own.reduce((sum, value) => sum + value, 0) / Math.max(1, info.experts);
  const top = Math.max(even * 1.25, ...(load ?? [0]), Number.MIN_VALUE);
  const rows = shown.map((expert) => {
    const value = load?.[expert] ?? 0;
    const { side } = shade(even > 0 ? value / even : 1);
    const clear = Math.abs(value / Math.max(even, Number.MIN_VALUE) - 1) > 0.25;
    const strip: Content =
      history.steps.length === 0
        ? markup`<span class="note">–</span>`
        : markup`<canvas class="strip" width="1" height="1" data-strip="${encodeStrip(layer, expert)}" role="img" aria-label="load of ${expertName(expert, info.experts)} over time"></canvas>`;
    return markup`<tr${expert < info.experts ? "" : markup` class="null"`}><th scope="row">${expertName(expert, info.experts)}</th><td>${strip}</td><td><div class="load${clear ? ` ${side}` : ""}" style="--part:${((100 * value) / top).toFixed(1)};--even:${((100 * even) / top).toFixed(1)}">${total > 0 ? percent(value / total) : "–"}</div></td><td class="sees">${sees(layer, expert)}</td></tr>
`;
  });
  return markup`<table class="experts"><thead><tr><th class="c-name" scope="col">expert</th><th class="c-strip" scope="col">load over time, first step to last</th><th class="c-load" scope="col">load at the end</th><th scope="col">what it sees more than others do</th></tr></thead><tbody>
${rows}</tbody></table>`;
}

const stripLegend = markup`<p class="legend"><span><i class="key u" style="--v:76"></i>a quarter of an even share or less</span><span><i class="key"></i>even</span><span><i class="key o" style="--v:76"></i>four times or more</span><span>dashed line: an even share</span></p>`;

function facetMarkup(facet: Facet, all: Whole): Content {
  switch (facet.kind) {
    case "tokens": {
      const kinds = shareMatrix("kind of token", facet.kinds, all);
      const frequent = shareMatrix("token", facet.frequent, all);
      return [
        kinds === undefined
          ? ""
          : markup`<h3>Kinds of tokens</h3><p class="note">Per cent of each kind that an expert gets. A row in one colour is a kind that no expert cares for; strong cells are specialists.</p>${kinds}`,
        frequent === undefined
          ? ""
          : markup`<details class="more"><summary>The most frequent tokens, of ${whole(facet.distinct)} that were seen</summary>${frequent}</details>`,
      ];
    }
    case "classes": {
      const table = shareMatrix(facet.modality, facet.classes, all);
      return table === undefined
        ? ""
        : markup`<h3>By ${facet.modality}</h3><p class="note">Per cent of the rows of each ${facet.modality} that an expert gets: orange where it gets more of that ${facet.modality} than of everything.</p>${table}`;
    }
    case "places": {
      const maps = placeMaps(facet, all);
      return maps === undefined
        ? ""
        : markup`<h3>By place</h3><p class="note">Where in ${facet.height > 1 && facet.width > 1 ? "the image" : "the example"} an expert looks: orange where it takes more than its share, blue where it takes less.</p>${maps}`;
    }
    case "features": {
      const table = featureMatrix(facet.names, facet.means, all.names);
      return table === undefined
        ? ""
        : markup`<h3>By ${facet.modality}</h3><p class="note">Mean of what an expert gets, in standard deviations from the mean of all: +1 is clearly above, 0 says that the router does not look at it.</p>${table}`;
    }
    default:
      return facet satisfies never;
  }
}

function activeHistogram({ seen, info }: Layer): Content {
  if (seen === undefined || seen.rows === 0) return "";
  const used = seen.active.flatMap((rows, experts) => (rows > 0 ? [{ rows, experts }] : []));
  if (used.length < 2 || used.length > 40) return "";
  const top = Math.max(...used.map(({ rows }) => rows));
  const lines = used.map(
    ({ rows, experts }) =>
      markup`<tr><th scope="row">${experts}</th><td style="background:none;min-width:180px;text-align:left"><div class="load" style="--part:${((100 * rows) / top).toFixed(1)};--even:-100">${percent(rows / seen.rows)}</div></td></tr>`,
  );
  return markup`<h3>Experts at work on one row</h3><p class="note">How many true experts a row gets, of ${info.width} at most. A router that thinks harder about harder rows spreads out here.</p><table class="matrix"><tbody>${lines}</tbody></table>`;
}

export function layerSection(layer: Layer, open: boolean, mostRows: number): Markup {
  const { info, seen, title } = layer;
  const all = info.experts + info.nulls;
  const shown = chooseShown(layer.load, all, mostRows);
  const names = Array.from({ length: all }, (_, expert) => shortName(expert, info.experts));
  const whole_: Whole | undefined =
    seen === undefined ? undefined : { load: seen.load, rows: seen.rows, names };
  const some = shown.length < all ? ` ${shown.length} of ${all} are shown: the busiest and the idlest.` : "";
  const said = facts(layer).flatMap(([name, value]) => (value === "–" ? [] : [`${name} ${value}`]));
  return markup`<details class="layer" id="layer-${info.name}"${open ? markup` open` : ""}><summary><b>${title}</b><span>${said.join(" · ")}</span></summary>
<p>${verdict(layer)}</p>
<p class="note">One line for each expert. Calm grey strips are an even load; a strip that turns blue is an expert that the router forgets, orange one that it prefers. Beside them what the expert is sent more often than chance, with how many times as often${seen === undefined ? "" : `, over ${whole(seen.rows)} rows of ${seen.facets.some(({ kind }) => kind === "tokens") ? "text" : "data"}`}.${some}</p>
${stripLegend}
${expertRows(layer, shown)}
${whole_ === undefined ? "" : seen!.facets.map((facet) => facetMarkup(facet, whole_))}
${activeHistogram(layer)}
</details>
`;
}
