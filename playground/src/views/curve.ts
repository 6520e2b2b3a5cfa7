// The loss curve: each step as it was, and its running mean. In: losses. Out: a painting.

import { loss as shown } from "../../../cli/numbers.ts";
import { styleColour } from "../page/colours.ts";
import { painting, type Painting } from "./canvas.ts";

export interface Curve extends Painting {
  readonly add: (losses: readonly number[]) => void;
  /** A new run of so many steps. */
  readonly start: (steps: number) => void;
}

const memory = 0.95;

export function lossCurve(): Curve {
  let steps = 1;
  let losses: number[] = [];
  let means: number[] = [];
  const { element, paint } = painting(
    "Loss of each step, and its running mean",
    "curve",
    (context, width, height) => {
      const [left, bottom, top] = [44, 20, 6];
      const inner = { width: width - left - 4, height: height - bottom - top };
      const { low, high } = bounds(losses, means);
      const x = (step: number): number => left + (inner.width * step) / Math.max(1, steps);
      const y = (loss: number): number => top + inner.height * (1 - (loss - low) / (high - low));
      context.font = `11px ${styleColour("--sans")}`;
      context.fillStyle = styleColour("--soft");
      context.strokeStyle = styleColour("--line");
      context.lineWidth = 1;
      context.textAlign = "right";
      context.textBaseline = "middle";
      const ticks = niceTicks(low, high, Math.max(2, Math.floor(inner.height / 34)));
      for (const tick of ticks) {
        context.beginPath();
        context.moveTo(left, Math.round(y(tick)) + 0.5);
        context.lineTo(width - 4, Math.round(y(tick)) + 0.5);
        context.stroke();
        context.fillText(shortened(tick), left - 8, y(tick));
      }
      context.textBaseline = "alphabetic";
      context.textAlign = "left";
      context.fillText("0", left, height - 5);
      context.textAlign = "right";
      context.fillText(`${steps} steps`, width - 4, height - 5);
      if (losses.length === 0) return;
      const line = (values: readonly number[], colour: string, thick: number): void => {
        context.beginPath();
        const stride = Math.max(1, Math.floor(values.length / (2 * inner.width)));
        for (let i = 0; i < values.length; i += stride)
          context.lineTo(x(i + 1), Math.max(top, Math.min(top + inner.height, y(values[i]!))));
        context.strokeStyle = colour;
        context.lineWidth = thick;
        context.lineJoin = "round";
        context.stroke();
      };
      line(losses, styleColour("--faint"), 1);
      line(means, styleColour("--accent"), 2);
    },
  );
  return {
    element,
    paint,
    start(count) {
      [steps, losses, means] = [count, [], []];
      paint();
    },
    add(more) {
      for (const loss of more) {
        losses.push(loss);
        const past = Math.min(memory, means.length / (means.length + 1));
        means.push(past * (means.at(-1) ?? 0) + (1 - past) * loss);
      }
      element.setAttribute(
        "aria-label",
        `Loss, its running mean is ${shown(means.at(-1) ?? NaN)} after ${losses.length} steps`,
      );
      paint();
    },
  };
}

/** What the means need, and most of what the steps do: single bad steps are cut off. */
function bounds(
  losses: readonly number[],
  means: readonly number[],
): { readonly low: number; readonly high: number } {
  if (losses.length === 0) return { low: 0, high: 1 };
  const sorted = [...losses].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  const low = Math.min(at(0.01), ...means.slice(-1));
  const high = Math.max(at(0.995), ...means.slice(0, 1));
  const room = Math.max(1e-6, 0.06 * (high - low));
  return { low: low >= 0 ? Math.max(0, low - room) : low - room, high: high + room };
}

function niceTicks(low: number, high: number, most: number): readonly number[] {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? power;
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, i) => first + i * step);
}

const shortened = (value: number): string => String(Number(value.toPrecision(3)));
