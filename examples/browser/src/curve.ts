// The loss curve. In: losses by step. Out: a plot that follows the width of its place and the reader's colours.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Curve {
  readonly add: (step: number, loss: number) => void;
  /** Forgets what came after a step. */
  readonly back: (step: number) => void;
  readonly clear: () => void;
}

/** In the running mean a loss weighs so much less with each step after it. */
const memory = 0.93;

export function lossCurve(into: HTMLElement): Curve {
  const steps: number[] = [];
  const losses: number[] = [];
  const means: number[] = [];
  const colour = (name: string) => (): string => getComputedStyle(into).getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  const plot = new uPlot(
    {
      width: into.clientWidth,
      height: 240,
      scales: { x: { time: false } },
      cursor: { drag: { x: false, y: false } },
      axes: [axis, axis],
      series: [
        { label: "step" },
        { label: "batch", stroke: colour("--faint"), width: 1, points: { show: false } },
        { label: "mean", stroke: colour("--train"), width: 2, points: { show: false } },
      ],
    },
    [steps, losses, means],
    into,
  );
  new ResizeObserver(() => plot.setSize({ width: into.clientWidth, height: 240 })).observe(into);
  let due = false;
  const show = (): void => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      plot.setData([steps, losses, means]);
    });
  };
  return {
    clear: () => {
      for (const list of [steps, losses, means]) list.length = 0;
      show();
    },
    back: (step) => {
      while (steps.at(-1)! > step) for (const list of [steps, losses, means]) list.pop();
      show();
    },
    add: (step, loss) => {
      // The weights of all losses so far sum to one.
      const past = (memory * (1 - memory ** steps.length)) / (1 - memory ** (steps.length + 1));
      steps.push(step);
      losses.push(loss);
      means.push(past * (means.at(-1) ?? 0) + (1 - past) * loss);
      show();
    },
  };
}
