// Tables of shade: values of the data (tokens, classes, features) against experts. In: counts. Out: markup. A cell is orange where
// the expert takes more of the value than of everything, blue where it takes less.

import { lift } from "./count.ts";
import { markup, type Markup } from "./html.ts";
import type { Counted } from "./routing.ts";

/** Most experts that a table has columns for. */
export const mostColumns = 64;

/** Full shade at four times, or a quarter of, the average. */
export function shade(ratio: number): { readonly side: "o" | "u"; readonly part: number } {
  const level = ratio <= 0 ? -2 : Math.max(-2, Math.min(2, Math.log2(ratio)));
  return { side: level < 0 ? "u" : "o", part: Math.round(Math.abs(level) * 38) };
}

export interface Whole {
  /** Picks of each expert, and all rows. */
  readonly load: readonly number[];
  readonly rows: number;
  readonly names: readonly string[];
}

const percentOf = (count: number, rows: number): string => {
  const value = rows === 0 ? 0 : (100 * count) / rows;
  return value === 0 ? "" : value < 0.5 ? "·" : String(Math.round(value));
};

const times = (ratio: number): string => `${ratio.toFixed(ratio < 10 ? 1 : 0)}×`;

const head = (first: string, names: readonly string[], last?: string): Markup =>
  markup`<thead><tr><th scope="col">${first}</th>${names.map((name) => markup`<th scope="col">${name}</th>`)}${last === undefined ? "" : markup`<th scope="col">${last}</th>`}</tr></thead>`;

/** Cells say how many per cent of a value's rows went to the expert. */
export function shareMatrix(
  what: string,
  values: readonly Counted[],
  { load, rows, names }: Whole,
): Markup | undefined {
  if (values.length === 0 || names.length > mostColumns) return undefined;
  const lines = values.map(({ label, rows: own, counts }) => {
    const cells = counts.map((count, expert) => {
      const ratio = lift(count, own, load[expert] ?? 0, rows);
      const { side, part } = shade(ratio);
      return markup`<td class="${side}" style="--v:${part}" title="${label} to ${names[expert]}: ${count} of ${own}, ${times(ratio)} the average">${percentOf(count, own)}</td>`;
    });
    return markup`<tr><th scope="row" title="${label}">${label}</th>${cells}<td style="background:none">${percentOf(own, rows)}</td></tr>`;
  });
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="${what} by expert"><table class="matrix">${head(what, names, "of all")}<tbody>${lines}</tbody></table></div>`;
}

/** Cells say by how many standard deviations the expert's mean lies above or below the mean of all. */
export function featureMatrix(
  features: readonly string[],
  means: readonly (readonly number[])[],
  names: readonly string[],
): Markup | undefined {
  if (features.length === 0 || names.length > mostColumns) return undefined;
  const lines = features.map((feature, at) => {
    const cells = names.map((name, expert) => {
      const z = means[expert]?.[at] ?? 0;
      const text = `${z < 0 ? "−" : "+"}${Math.abs(z).toFixed(1)}`;
      return markup`<td class="${z < 0 ? "u" : "o"}" style="--v:${Math.round(Math.min(1.5, Math.abs(z)) * 50)}" title="${feature} of ${name}: ${text} deviations from the mean">${Math.abs(z) < 0.05 ? "0" : text}</td>`;
    });
    return markup`<tr><th scope="row" title="${feature}">${feature}</th>${cells}</tr>`;
  });
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="features by expert"><table class="matrix">${head("feature", names)}<tbody>${lines}</tbody></table></div>`;
}

/** A small map for each expert: which places of the example it takes more often than the others. */
export function placeMaps(
  {
    height,
    width,
    counts,
  }: { readonly height: number; readonly width: number; readonly counts: readonly (readonly number[])[] },
  { load, rows, names }: Whole,
): Markup | undefined {
  if (names.length > mostColumns || rows === 0) return undefined;
  const perPlace = rows / (height * width);
  const maps = names.map((name, expert) => {
    const squares = new Map<string, string>();
    counts.forEach((own, place) => {
      const { side, part } = shade(lift(own[expert] ?? 0, perPlace, load[expert] ?? 0, rows));
      // Steps of shade, so that all squares of one are one path.
      const step = Math.round(part / 19);
      if (step === 0) return;
      const key = `${side}${step}`;
      squares.set(key, `${squares.get(key) ?? ""}M${place % width} ${Math.floor(place / width)}h1v1h-1z`);
    });
    const paths = [...squares].map(
      ([key, d]) =>
        markup`<path class="${key[0]}" opacity="${Math.min(1, Number(key.slice(1)) / 4)}" d="${d}"/>`,
    );
    return markup`<div><svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" style="aspect-ratio:${width}/${Math.max(height, width / 8)}" role="img" aria-label="places of ${name}">${(load[expert] ?? 0) === 0 ? "" : paths}</svg>${name}</div>`;
  });
  return markup`<div class="maps">${maps}</div>`;
}
