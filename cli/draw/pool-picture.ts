// The picture of a routed layer: its routers with their choice, one square for each expert, the shared and the null ones beside
// them, and what an expert holds. In: a PoolPicture. Out: its size, and markup at a place.

import { count, plural } from "../numbers.ts";
import { markup, type Markup } from "../report/html.ts";
import type { PoolPicture } from "./pool.ts";
import { fit, mono, rectangle, sans, text, widthOf } from "./svg.ts";

const square = 18;
const gap = 4;
const perLine = 16;
/** Most squares; the rest is a number. */
const mostSquares = 64;
const padding = 14;
const lineHeight = 16;

interface Line {
  readonly height: number;
  readonly width: number;
  draw(x: number, y: number, width: number): Markup;
}

const plain = (content: string, classes: string, perCharacter: number = sans): Line => ({
  height: lineHeight,
  width: widthOf(content, perCharacter),
  draw: (x, y, width) => text(x, y + 12, fit(content, width, perCharacter), classes),
});

function squares(amount: number, kind: "expert" | "null" | "shared", first: number): Line {
  const shown = amount > mostSquares ? mostSquares - perLine : amount;
  const lines = Math.ceil(shown / perLine);
  const more = amount - shown;
  const wide = Math.min(shown, perLine) * (square + gap) - gap;
  return {
    height: lines * (square + gap) + (more > 0 ? lineHeight : 0) + 2,
    width: Math.max(wide, more > 0 ? 140 : 0),
    draw: (x, y) => {
      const boxes = Array.from({ length: shown }, (_, i) => {
        const [left, top] = [
          x + (i % perLine) * (square + gap),
          y + Math.floor(i / perLine) * (square + gap),
        ];
        const label = kind === "shared" ? "✓" : kind === "null" ? "∅" : String(first + i);
        return markup`${rectangle(left, top, square, square, kind, 3)}${label.length < 3 ? text(left + square / 2, top + 13, label, "tiny middle") : ""}`;
      });
      return markup`${boxes}${more > 0 ? text(x, y + lines * (square + gap) + 12, `… and ${more} more`, "small soft") : ""}`;
    },
  };
}

const space = (height: number): Line => ({ height, width: 0, draw: () => markup`` });

function linesOf(pool: PoolPicture): readonly Line[] {
  const lines: Line[] = [];
  let first = 0;
  for (const { count: amount, tensors, parameters } of pool.kinds) {
    lines.push(
      plain(`${plural(amount, "expert")}, ${count(parameters)} parameters each`, "small"),
      squares(amount, "expert", first),
    );
    lines.push(...tensors.slice(0, 4).map((line) => plain(line, "mono soft", mono)), space(6));
    first += amount;
  }
  if (pool.kinds.length === 0)
    lines.push(plain(plural(pool.experts, "expert"), "small"), squares(pool.experts, "expert", 0), space(6));
  if (pool.shared.length > 0) {
    const parameters = pool.shared.reduce((sum, each) => sum + each.parameters, 0);
    lines.push(
      plain(`${pool.shared.length} shared, for every token, ${count(parameters)} parameters`, "small"),
      squares(pool.shared.length, "shared", 0),
    );
    lines.push(
      ...pool.shared[0]!.tensors.slice(0, 3).map((line) => plain(line, "mono soft", mono)),
      space(6),
    );
  }
  if (pool.nulls > 0)
    lines.push(
      plain(`${pool.nulls} null: a pick that costs nothing`, "small"),
      squares(pool.nulls, "null", 0),
      space(6),
    );
  return lines;
}

interface RouterLine {
  readonly title: string;
  readonly words: string;
  readonly more: string;
}

const routerLines = (pool: PoolPicture): readonly RouterLine[] =>
  pool.routers.slice(0, 6).map(({ words, tensors, dropping }, i) => ({
    title: pool.routers.length > 1 ? `router ${i}` : "router",
    words: dropping && !/capacity|at most/.test(words) ? `${words}, with a capacity` : words,
    more: tensors.join(" · "),
  }));

const routerHeight = 40;

export function measurePool(
  pool: PoolPicture,
  title: string,
): { readonly width: number; readonly height: number } {
  const lines = linesOf(pool);
  const routers = routerLines(pool);
  const widths = [
    widthOf(title, 8) + 90,
    ...lines.map(({ width }) => width),
    ...routers.map(({ words, more }) => Math.max(widthOf(words, 7.6) + 96, widthOf(more, mono) + 20)),
  ];
  return {
    width: Math.min(460, Math.max(220, ...widths) + 2 * padding),
    height:
      34 +
      routers.length * (routerHeight + 6) +
      (pool.routers.length > routers.length ? lineHeight : 0) +
      lines.reduce((sum, { height }) => sum + height, 0) +
      padding,
  };
}

export function drawPool(
  pool: PoolPicture,
  title: string,
  note: string,
  x: number,
  y: number,
  width: number,
  height: number,
): Markup {
  const inner = width - 2 * padding;
  const parts: Markup[] = [
    rectangle(x, y, width, height, "pool", 10),
    text(x + padding, y + 21, fit(title, inner - 70, 8), "bold"),
    text(x + width - padding, y + 21, note, "small soft end"),
  ];
  let at = y + 32;
  const routers = routerLines(pool);
  for (const { title: name, words, more } of routers) {
    parts.push(
      rectangle(x + padding, at, inner, routerHeight, "router", 6),
      text(x + padding + 10, at + 16, name, "small soft"),
      text(
        x + padding + 22 + widthOf(name, 6),
        at + 16,
        fit(words, inner - 30 - widthOf(name, 6)),
        "bold small accent",
      ),
      text(x + padding + 10, at + 32, fit(more, inner - 16, mono), "mono soft"),
    );
    at += routerHeight + 6;
  }
  if (pool.routers.length > routers.length) {
    parts.push(
      text(x + padding, at + 11, `… and ${pool.routers.length - routers.length} more routers`, "small soft"),
    );
    at += lineHeight;
  }
  at += 2;
  for (const line of linesOf(pool)) {
    parts.push(line.draw(x + padding, at, inner));
    at += line.height;
  }
  return markup`${parts}`;
}
