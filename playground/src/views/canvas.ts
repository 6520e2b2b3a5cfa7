// Canvases that are as sharp as the screen and as wide as their place. In: how to draw. Out: an element, and a way to draw again.

import { eachFrame, make } from "../page/dom.ts";

export interface Painting {
  readonly element: HTMLCanvasElement;
  readonly paint: () => void;
}

export type Paint = (context: CanvasRenderingContext2D, width: number, height: number) => void;

/** Sizes come from the style sheet; `paint` sees pixels of the style sheet. */
export function painting(label: string, className: string, draw: Paint): Painting {
  const element = make("canvas", { class: className, role: "img", "aria-label": label });
  const paint = eachFrame(() => {
    const { clientWidth: width, clientHeight: height } = element;
    if (width === 0 || height === 0) return;
    const ratio = Math.min(3, devicePixelRatio || 1);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (element.width !== w || element.height !== h) [element.width, element.height] = [w, h];
    const context = element.getContext("2d");
    if (context === null) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  });
  new ResizeObserver(paint).observe(element);
  return { element, paint };
}
