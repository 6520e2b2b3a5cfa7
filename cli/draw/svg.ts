// Drawing with text: the few shapes that the pictures are made of, and the look of all of them. In: places in pixels, texts.
// Out: markup of SVG. Colours follow the reader's setting, also when the file is opened by itself.

import { markup, raw, type Markup } from "../report/html.ts";

export const mono = 7.3;
export const sans = 7.1;

/** About how wide a text is: fonts differ between machines, so boxes leave some room. */
export const widthOf = (text: string, perCharacter: number = sans): number =>
  Math.ceil([...text].length * perCharacter);

/** Cut to a width in pixels. */
export function fit(text: string, width: number, perCharacter: number = sans): string {
  const most = Math.max(1, Math.floor(width / perCharacter));
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
}

export const drawingStyle = `
svg.moe { --paper: #f7f6f3; --card: #ffffff; --ink: #1d1c1a; --soft: #68645d; --line: #cfcac0; --pool: #fdf3ea; --group: #f1efe9; --expert: #f0c7a3; --shared: #bcd6f7; --null: #e9e6df; --flow: #8b857a; --accent: #d9631e; --bar: #2f6fde; }
@media (prefers-color-scheme: dark) { svg.moe { --paper: #131416; --card: #1f2226; --ink: #e9e7e2; --soft: #a09c94; --line: #3b3f45; --pool: #2a2019; --group: #191b1e; --expert: #8a5128; --shared: #2a4f80; --null: #33363b; --flow: #7d7971; --accent: #ff9b57; --bar: #6ea3ff; } }
svg.moe { background: var(--paper); font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
svg.moe text { fill: var(--ink); font-size: 13px; } svg.moe .soft { fill: var(--soft); } svg.moe .small { font-size: 11.5px; } svg.moe .tiny { font-size: 10.5px; } svg.moe .bold { font-weight: 620; } svg.moe .head { font-size: 20px; font-weight: 650; } svg.moe .accent { fill: var(--accent); }
svg.moe .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 11.5px; }
svg.moe .middle { text-anchor: middle; } svg.moe .end { text-anchor: end; }
svg.moe rect.card { fill: var(--card); stroke: var(--line); } svg.moe rect.pool { fill: var(--pool); stroke: var(--accent); } svg.moe rect.group { fill: var(--group); stroke: var(--line); } svg.moe rect.io { fill: var(--null); stroke: none; }
svg.moe rect.stack { fill: var(--card); stroke: var(--line); } svg.moe rect.expert { fill: var(--expert); } svg.moe rect.shared { fill: var(--shared); } svg.moe rect.null { fill: none; stroke: var(--soft); stroke-dasharray: 3 2; }
svg.moe rect.router { fill: var(--card); stroke: var(--accent); } svg.moe circle.join { fill: var(--card); stroke: var(--flow); } svg.moe circle.port { fill: var(--flow); }
svg.moe path.flow { fill: none; stroke: var(--flow); stroke-width: 1.4; } svg.moe path.tip { fill: var(--flow); } svg.moe rect.bar { fill: var(--bar); opacity: 0.75; } svg.moe rect.track { fill: var(--null); } svg.moe line.rule { stroke: var(--line); }
svg.moe [data-about]:hover > rect:first-of-type { stroke-width: 2; }
`;

export const text = (x: number, y: number, content: string, classes = ""): Markup =>
  markup`<text x="${round(x)}" y="${round(y)}"${classes === "" ? "" : markup` class="${classes}"`}>${content}</text>`;

export const rectangle = (
  x: number,
  y: number,
  width: number,
  height: number,
  classes: string,
  radius = 6,
): Markup =>
  markup`<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(Math.max(0, height))}" rx="${radius}" class="${classes}"/>`;

export const round = (value: number): number => Math.round(value * 10) / 10;

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A smooth line through points, with a tip at its end. */
export function flow(points: readonly Point[]): Markup {
  const [first, ...rest] = points;
  if (first === undefined || rest.length === 0) return markup``;
  const last = rest.at(-1)!;
  const end = { x: last.x, y: last.y - 5 };
  const inner = [...rest.slice(0, -1), end];
  let d = `M${round(first.x)} ${round(first.y)}`;
  let at = first;
  for (const to of inner) {
    const middle = (at.y + to.y) / 2;
    d += `C${round(at.x)} ${round(middle)} ${round(to.x)} ${round(middle)} ${round(to.x)} ${round(to.y)}`;
    at = to;
  }
  return markup`<path class="flow" d="${d}"/><path class="tip" d="M${round(last.x)} ${round(last.y)}l-4 -7h8z"/>`;
}

/** A whole drawing. `title` and `about` are what a screen reader says. */
export const drawing = (
  width: number,
  height: number,
  title: string,
  about: string,
  content: Markup,
): Markup =>
  markup`<svg xmlns="http://www.w3.org/2000/svg" class="moe" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" width="${Math.ceil(width)}" height="${Math.ceil(height)}" role="img" aria-labelledby="drawing-title drawing-about">
<title id="drawing-title">${title}</title>
<desc id="drawing-about">${about}</desc>
<style>${raw(drawingStyle)}</style>
${content}
</svg>
`;
