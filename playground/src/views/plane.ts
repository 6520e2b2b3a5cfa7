// The plane: which expert takes which part of it, the border between the classes, and the points on top. In: regions, points. Out: a
// painting. Cells are filled through a small picture that is stretched, so that a new map costs little.

import { reach, type Points } from "../data/toys.ts";
import type { Regions } from "../messages.ts";
import { expertColour, isDark, styleColour } from "../page/colours.ts";
import { painting, type Painting } from "./canvas.ts";

export interface PlanePicture extends Painting {
  readonly points: (points: Points | undefined) => void;
  readonly regions: (regions: Regions | undefined) => void;
}

/** `router`: the one whose regions are shown; the first by default. */
export function planePicture(
  router: () => string | undefined,
  experts: (name: string) => number,
): PlanePicture {
  let points: Points | undefined;
  let regions: Regions | undefined;
  const small = document.createElement("canvas");
  const { element, paint } = painting(
    "Regions of the experts, and the points",
    "plane",
    (context, width, height) => {
      if (regions !== undefined) {
        fill(small, regions, router() ?? Object.keys(regions.experts)[0], experts);
        context.imageSmoothingEnabled = true;
        context.imageSmoothingQuality = "high";
        context.drawImage(small, 0, 0, width, height);
        if (regions.second !== undefined) border(context, regions, width, height);
      }
      if (points !== undefined) dots(context, points, width, height);
    },
  );
  return {
    element,
    paint,
    points(next) {
      points = next;
      paint();
    },
    regions(next) {
      regions = next;
      paint();
    },
  };
}

/** The colour of who takes a place, stronger where the model is surer. */
function fill(
  canvas: HTMLCanvasElement,
  { side, experts, second }: Regions,
  router: string | undefined,
  countOf: (name: string) => number,
): void {
  [canvas.width, canvas.height] = [side, side];
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(side, side);
  const picks = router === undefined ? undefined : experts[router];
  const count = router === undefined ? 1 : countOf(router);
  const palette = Array.from({ length: count + 1 }, (_, i) => expertColour(i < count ? i : -1, count));
  const [weak, strong] = isDark() ? [0.3, 0.62] : [0.38, 0.78];
  for (let cell = 0; cell < side * side; cell++) {
    const pick = picks?.[cell] ?? -1;
    const colour = palette[pick >= 0 && pick < count ? pick : count]!;
    const sure = second === undefined ? 0.6 : Math.abs(2 * second[cell]! - 1);
    image.data.set(colour, 4 * cell);
    image.data[4 * cell + 3] = Math.round(255 * (weak + (strong - weak) * sure));
  }
  context.putImageData(image, 0, 0);
}

/** Where both classes are equally likely, by marching squares between the centres of cells. */
function border(
  context: CanvasRenderingContext2D,
  { side, second }: Regions,
  width: number,
  height: number,
): void {
  const at = (row: number, column: number): number => second![row * side + column]! - 0.5;
  const [dx, dy] = [width / side, height / side];
  context.beginPath();
  for (let row = 0; row + 1 < side; row++)
    for (let column = 0; column + 1 < side; column++) {
      const corners = [
        at(row, column),
        at(row, column + 1),
        at(row + 1, column + 1),
        at(row + 1, column),
      ] as const;
      const cuts: (readonly [number, number])[] = [];
      for (let edge = 0; edge < 4; edge++) {
        const [a, b] = [corners[edge]!, corners[(edge + 1) % 4]!];
        if (a < 0 === b < 0) continue;
        const along = a / (a - b);
        cuts.push(
          (
            [
              [along, 0],
              [1, along],
              [1 - along, 1],
              [0, 1 - along],
            ] as const
          )[edge]!,
        );
      }
      for (let i = 0; i + 1 < cuts.length; i += 2) {
        context.moveTo((column + 0.5 + cuts[i]![0]) * dx, (row + 0.5 + cuts[i]![1]) * dy);
        context.lineTo((column + 0.5 + cuts[i + 1]![0]) * dx, (row + 0.5 + cuts[i + 1]![1]) * dy);
      }
    }
  context.lineCap = "round";
  context.strokeStyle = styleColour("--paper");
  context.lineWidth = 4.5;
  context.stroke();
  context.strokeStyle = styleColour("--ink");
  context.lineWidth = 1.8;
  context.stroke();
}

/** The first class as rings, the second as discs: told apart without colours. */
function dots(
  context: CanvasRenderingContext2D,
  { x, y, side }: Points,
  width: number,
  height: number,
): void {
  const radius = Math.max(1.7, width / 210);
  const [ink, paper] = [styleColour("--ink"), styleColour("--paper")];
  context.lineWidth = 1;
  for (let i = 0; i < side.length; i++) {
    context.beginPath();
    context.arc(
      ((x[i]! + reach) / (2 * reach)) * width,
      ((reach - y[i]!) / (2 * reach)) * height,
      radius,
      0,
      2 * Math.PI,
    );
    context.fillStyle = side[i] === 0 ? paper : ink;
    context.strokeStyle = side[i] === 0 ? ink : paper;
    context.fill();
    context.stroke();
  }
}
