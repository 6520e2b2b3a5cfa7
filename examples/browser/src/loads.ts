// Expert loads over time, one picture for each router: a row for each expert, a column for each report. In: shares. Draws
// on a canvas of one pixel for each value, which the style sheet stretches.

import type { Loads } from "./messages.ts";

interface Picture {
  readonly canvas: HTMLCanvasElement;
  readonly caption: HTMLElement;
  readonly columns: number[][];
}

export interface LoadsView {
  readonly add: (loads: Loads) => void;
  readonly clear: () => void;
}

/** Columns kept; older ones are thinned out, so that the whole run stays in view. */
const most = 240;

export function loadsView(into: HTMLElement): LoadsView {
  const pictures = new Map<string, Picture>();
  return {
    clear: () => {
      pictures.clear();
      into.replaceChildren();
    },
    add: (loads) => {
      for (const [router, shares] of Object.entries(loads)) {
        const picture = pictures.get(router) ?? newPicture(into, router);
        pictures.set(router, picture);
        picture.columns.push([...shares]);
        if (picture.columns.length > most) {
          const thinner = picture.columns.filter((_, i) => i % 2 === 1);
          picture.columns.splice(0, picture.columns.length, ...thinner);
        }
        draw(picture);
      }
    },
  };
}

function newPicture(into: HTMLElement, router: string): Picture {
  const caption = document.createElement("span");
  caption.className = "note";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  const title = document.createElement("b");
  title.textContent = router.replace(/\.experts?\.router$|\.router$/, "");
  const block = document.createElement("div");
  block.className = "router";
  block.append(title, " ", caption, canvas);
  into.append(block);
  return { canvas, caption, columns: [] };
}

function draw({ canvas, caption, columns }: Picture): void {
  const last = columns.at(-1)!;
  const even = 1 / last.length;
  [canvas.width, canvas.height] = [columns.length, last.length];
  const context = canvas.getContext("2d")!;
  const style = getComputedStyle(canvas);
  const hue = (name: string): string => style.getPropertyValue(name).trim();
  columns.forEach((shares, x) =>
    shares.forEach((share, y) => {
      const excess = Math.max(-1, Math.min(1, (share - even) / even));
      context.fillStyle = hue("--calm");
      context.fillRect(x, y, 1, 1);
      context.globalAlpha = Math.abs(excess);
      context.fillStyle = hue(excess > 0 ? "--over" : "--under");
      context.fillRect(x, y, 1, 1);
      context.globalAlpha = 1;
    }),
  );
  const busiest = Math.max(...last);
  const text = `busiest ${(100 * busiest).toFixed(0)} % of the picks, even ${(100 * even).toFixed(0)} %`;
  caption.textContent = text;
  canvas.setAttribute("aria-label", text);
}
