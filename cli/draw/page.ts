// The drawing as a page: the same picture, to pan, to zoom, and with details where the pointer is. In: the drawing and the names of
// its parts. Out: HTML that needs no network. Keys: + - 0, arrows; parts are buttons.

import { markup, raw, type Markup } from "../report/html.ts";

const style = `
:root { color-scheme: light dark; } html, body { height: 100%; margin: 0; overflow: hidden; font: 14px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; background: #f7f6f3; color: #1d1c1a; }
#stage { position: absolute; inset: 0; touch-action: none; cursor: grab; outline-offset: -3px; } #stage:active { cursor: grabbing; } #stage svg { position: absolute; left: 0; top: 0; transform-origin: 0 0; max-width: none; }
nav { position: absolute; left: 0; top: 0; right: 0; padding: 10px 12px; background: #f7f6f3; display: flex; flex-wrap: wrap; gap: 6px; pointer-events: none; } nav button { pointer-events: auto; font: inherit; padding: 4px 11px; border: 1px solid #cfcac0; border-radius: 7px; background: #ffffffee; color: inherit; cursor: pointer; }
#told { position: absolute; left: 12px; bottom: 12px; max-width: min(92vw, 900px); background: #ffffffee; border: 1px solid #cfcac0; border-radius: 8px; padding: 6px 12px; overflow-wrap: anywhere; } #told:empty { display: none; }
@media (prefers-color-scheme: dark) { html, body { background: #131416; color: #e9e7e2; } nav { background: #131416; } nav button, #told { background: #1f2226ee; border-color: #3b3f45; } }
`;

/** Written into the page as text: uses nothing of this module. */
function panAndZoom(): void {
  const stage = document.getElementById("stage")!;
  const picture = stage.querySelector("svg")!;
  const told = document.getElementById("told")!;
  let [x, y, scale] = [0, 0, 1];
  const show = (): void => {
    picture.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  };
  const zoom = (factor: number, atX = stage.clientWidth / 2, atY = stage.clientHeight / 2): void => {
    const next = Math.max(0.05, Math.min(6, scale * factor));
    x = atX - ((atX - x) * next) / scale;
    y = atY - ((atY - y) * next) / scale;
    scale = next;
    show();
  };
  const look = (part: SVGGElement | SVGSVGElement): void => {
    const box = part.getBBox();
    const matrix =
      part === picture ? undefined : (part as SVGGElement).transform.baseVal.consolidate()?.matrix;
    const width = Math.max(1, box.width);
    // A part fills the width; a long one begins at its top.
    scale = Math.min(1.25, (stage.clientWidth - 32) / width);
    if (part === picture) scale = Math.min(scale, (stage.clientHeight - 70) / Math.max(1, box.height));
    x = (stage.clientWidth - width * scale) / 2 - (box.x + (matrix?.e ?? 0)) * scale;
    y = 64 - (box.y + (matrix?.f ?? 0)) * scale;
    show();
  };
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey || Math.abs(event.deltaY) >= 50)
        zoom(Math.exp(-event.deltaY / 500), event.clientX, event.clientY);
      else {
        x -= event.deltaX;
        y -= event.deltaY;
        show();
      }
    },
    { passive: false },
  );
  const down = new Map<number, { x: number; y: number }>();
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  const up = (event: PointerEvent): void => void down.delete(event.pointerId);
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (before === undefined) {
      const under = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-about]");
      told.textContent = under?.getAttribute("data-about") ?? "";
      return;
    }
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
    if (other === undefined) {
      x += event.clientX - before.x;
      y += event.clientY - before.y;
      show();
    } else {
      const distance = (point: { x: number; y: number }): number =>
        Math.hypot(point.x - other.x, point.y - other.y);
      zoom(
        distance({ x: event.clientX, y: event.clientY }) / Math.max(1, distance(before)),
        other.x,
        other.y,
      );
    }
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  stage.addEventListener("keydown", (event) => {
    const moves: Record<string, readonly [number, number]> = {
      ArrowLeft: [60, 0],
      ArrowRight: [-60, 0],
      ArrowUp: [0, 60],
      ArrowDown: [0, -60],
    };
    const move = moves[event.key];
    if (move !== undefined) {
      x += move[0];
      y += move[1];
      show();
    } else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") look(picture);
    else return;
    event.preventDefault();
  });
  for (const button of document.querySelectorAll<HTMLButtonElement>("nav button"))
    button.addEventListener("click", () => {
      const part = document.getElementById(button.dataset["part"]!);
      look(part === null ? picture : (part as unknown as SVGGElement));
      stage.focus();
    });
  const first = document.getElementById("part-model");
  look(first === null ? picture : (first as unknown as SVGGElement));
}

export const drawingPage = (title: string, picture: Markup, parts: readonly string[]): string =>
  markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="moe graph">
<title>${title} · drawing</title>
<style>${raw(style)}</style>
</head>
<body>
<div id="stage" tabindex="0" aria-label="drawing; drag or use arrow keys to move, plus and minus to zoom, 0 to see all">${picture}</div>
<nav aria-label="parts of the drawing"><button type="button" data-part="">all</button>${parts.map((part) => markup`<button type="button" data-part="part-${part}">${part}</button>`)}</nav>
<div id="told" role="status"></div>
<script>(${raw(panAndZoom.toString())})();</script>
</body>
</html>
`.markup;
