// A drawing of a compiled model: on the left the model with its layers and routed pools, on the right what each entry runs, kernel by
// kernel. In: a Program, the graphs and lowered entries that it was made from. Out: an SVG that stands by itself, and the same
// as a page with details on hover, pan and zoom. Knows nothing of the text of the model: everything is read off paths.

import type { Graph } from "../../compiler/graph.ts";
import type { LoweredEntry } from "../../compiler/lowered.ts";
import type { Program } from "../../runtime/program.ts";
import { count, plural } from "../numbers.ts";
import { markup, type Markup } from "../report/html.ts";
import { countParameters } from "../report/parameters.ts";
import { drawLaunches, type Picture } from "./launches-picture.ts";
import { launchGroups, sizesOf } from "./launches.ts";
import { drawPlaced, place } from "./model-picture.ts";
import { outline } from "./outline.ts";
import { drawingPage } from "./page.ts";
import { drawing, text } from "./svg.ts";

export interface Drawable {
  readonly program: Program;
  /** By entry. */
  readonly graphs: Readonly<Record<string, Graph>>;
  readonly lowered: readonly LoweredEntry[];
}

/** Whether a text is such a drawing, or such a page. */
export const isDrawing = (text: string): boolean =>
  /^(<\?xml [^>]*>\s*<svg [^>]*class="moe"|<!doctype html>[^]{0,300}<meta name="generator" content="moe graph">)/.test(
    text,
  );

const margin = 28;
const head = 72;
const gap = 24;

export function drawModel({ program, graphs, lowered }: Drawable): {
  readonly svg: string;
  readonly html: string;
} {
  const choices = graphs["evaluate"];
  const body = graphs["forward"] ?? choices;
  const model = body === undefined ? undefined : place(outline(program, body, choices));
  const parameters = program.tensors
    .flatMap(({ role, name }) => (role === "parameter" || role === "state" ? [name] : []))
    .sort((a, b) => b.length - a.length);
  const entries = lowered.map((entry) => ({
    name: entry.name,
    picture: drawLaunches(entry.name, launchGroups(entry, sizesOf(program, entry.name), parameters)),
  }));
  const parts: Markup[] = [];
  let width = 0;
  let height = 0;
  const put = (name: string, x: number, y: number, picture: Picture): void => {
    parts.push(markup`<g id="part-${name}" transform="translate(${Math.round(x)} ${Math.round(y)})">${picture.markup}</g>
`);
    width = Math.max(width, x + picture.width);
    height = Math.max(height, y + picture.height);
  };
  if (model !== undefined)
    put("model", margin, head, { width: model.width, height: model.height, markup: drawPlaced(model, 0, 0) });
  // Entries fill two columns, each next one the shorter of them.
  const left = width + (model === undefined ? margin : 2 * gap);
  const columns = [0, 1].map((i) => ({ x: left + i * (600 + gap), y: head }));
  for (const { name, picture } of entries) {
    const column = columns[0]!.y <= columns[1]!.y ? columns[0]! : columns[1]!;
    put(name, column.x, column.y, picture);
    column.y += picture.height + gap;
  }
  const { total, active } = countParameters(program, (router) => Math.min(router.width, router.experts));
  const facts = [
    `${count(total)} parameters`,
    ...(active < total ? [`${count(active)} active`] : []),
    plural(program.routers.length, "router"),
    `${plural(program.kernels.length, "kernel")} for ${program.target}`,
  ].join(" · ");
  const title = markup`${text(margin, 36, program.name, "head")}${text(margin, 56, facts, "small soft")}`;
  const about = `The model ${program.name}: ${facts}. Layers from top to bottom, with their experts; then the launches of ${entries.map(({ name }) => name).join(", ")}.`;
  const picture = drawing(
    Math.max(width, 420) + margin,
    Math.max(height, head) + margin,
    program.name,
    about,
    markup`${title}${parts}`,
  );
  const names = [...(model === undefined ? [] : ["model"]), ...entries.map(({ name }) => name)];
  return {
    svg: `<?xml version="1.0" encoding="UTF-8"?>\n${picture.markup}`,
    html: drawingPage(program.name, picture, names),
  };
}
