// The curves: loss, every other named loss and metric, learning rate, gradient norm, speed, balance. In: the run's records.
// Out: figures (markup) and the numbers that the page's script draws into them.

import type { PhaseRecord } from "../../runtime/metrics.ts";
import { markup, type Markup } from "./html.ts";
import { align, buckets, curveOf, finite, smooth, violation, type Curve, type Measured } from "./measure.ts";
import { evaluationsOf, phasesOf, stepsOf, type Layer, type RunData } from "./run.ts";
import type { ChartData } from "./script.ts";

export interface Figures {
  readonly markup: Markup;
  readonly charts: readonly ChartData[];
}

type Line = ChartData["series"][number];
interface Figure {
  readonly title: string;
  readonly note: string;
  readonly unit: ChartData["unit"];
  readonly wide?: boolean;
  readonly fromZero?: boolean;
  readonly lines: readonly (Omit<Line, "y"> & { readonly curve: Curve })[];
}

const known = (curve: Curve): boolean => curve.y.some((value) => value !== null);

function render(figures: readonly Figure[], prefix: string, phases: readonly PhaseRecord[]): Figures {
  const charts: ChartData[] = [];
  const drawnFigures = figures.flatMap(({ title, note, unit, wide, fromZero = false, lines }) => {
    const drawn = lines.filter(({ curve }) => known(curve));
    if (drawn.length === 0) return [];
    const id = `${prefix}-${charts.length}`;
    const { x, ys } = align(drawn.map(({ curve }) => curve));
    const series = drawn.map(({ label, tone, look }, i) => ({ label, tone, look, y: ys[i]! }));
    const marks = phases.map(({ step, name }) => ({ x: step, label: name }));
    charts.push({ id, x, series, unit, fromZero, marks });
    const last = series
      .map(({ label, y }) => `${label}: ${y.findLast((value) => value !== null) ?? "none"}`)
      .join(", ");
    return [
      markup`<figure${wide === true ? markup` class="wide"` : ""}><figcaption><b>${title}</b><p class="note">${note}</p></figcaption>
<div class="plot" id="${id}" role="img" aria-label="${title} by step. Last values: ${last}."></div></figure>`,
    ];
  });
  return { markup: markup`${drawnFigures}`, charts };
}

const metric =
  (name: string) =>
  (record: Measured): number | undefined =>
    record.metrics[name];

/** Whether a metric is a share, to be read in per cent. */
const isShare = (name: string): boolean => /accuracy|share|rate$|fraction|correct/.test(name);

export function learningCurves({ program, records }: RunData): Figures {
  const steps = stepsOf(records);
  const evaluations = evaluationsOf(records);
  const names = new Set([
    "loss",
    ...(program.training?.metrics ?? []),
    ...[...steps, ...evaluations].flatMap((record) => Object.keys(record.metrics)),
  ]);
  const both = (name: string): Figure["lines"] => {
    const curve = curveOf(steps, metric(name));
    return [
      { label: "training, each step", tone: "train", look: "faint", curve },
      { label: "training, smoothed", tone: "train", look: "line", curve: smooth(curve) },
      { label: "held out", tone: "held", look: "dots", curve: curveOf(evaluations, metric(name)) },
    ];
  };
  const figures: Figure[] = [
    {
      title: "Loss",
      note: "Both should fall. When the held-out loss turns up while the training loss still falls, the model has begun to learn its data by heart.",
      unit: "number",
      wide: true,
      lines: both("loss"),
    },
    ...[...names]
      .filter((name) => name !== "loss")
      .map((name): Figure => ({
        title: name,
        note: /balance|entropy|z_?loss|aux/i.test(name)
          ? "A helper loss: it should settle early and stay small beside the main loss."
          : "A part of the loss, or a metric, by the name that the model gives it; training and held-out data should tell the same story.",
        unit: isShare(name) ? "percent" : "number",
        lines: both(name),
      })),
    {
      title: "Learning rate",
      fromZero: true,
      note: "What the schedule asked for; compare its bends with those of the loss.",
      unit: "number",
      lines: [
        {
          label: "rate",
          tone: "third",
          look: "line",
          curve: curveOf(steps, (record) => (record.kind === "step" ? record.rate : undefined)),
        },
      ],
    },
    {
      title: "Gradient norm",
      fromZero: true,
      note: "Before clipping. A few spikes are normal; steady growth comes before a run that breaks.",
      unit: "number",
      lines: [
        {
          label: "norm",
          tone: "third",
          look: "line",
          curve: curveOf(steps, (record) => (record.kind === "step" ? record.norm : undefined)),
        },
      ],
    },
    {
      title: "Speed",
      fromZero: true,
      note: `${program.training?.length === undefined ? "Examples" : "Tokens"} per second. It should be flat; a step down means that something else took the machine.`,
      unit: "number",
      lines: [
        {
          label: "per second",
          tone: "third",
          look: "line",
          curve: curveOf(steps, (record) => (record.kind === "step" ? record.perSecond : undefined)),
        },
      ],
    },
  ];
  return render(figures, "curve", phasesOf(records));
}

/** Balance over time of all layers together: the worst one and the mean. */
export function balanceCurves(layers: readonly Layer[]): Figures {
  const longest = layers.reduce((most, { history }) => Math.max(most, history.steps.length), 0);
  if (longest === 0) return { markup: markup``, charts: [] };
  const steps = layers.find(({ history }) => history.steps.length === longest)!.history.steps;
  const at = (index: number): number[] =>
    layers
      .flatMap(({ history, info }) =>
        history.loads[index] === undefined || history.steps[index] !== steps[index]
          ? []
          : [violation(history.loads[index], info.experts)],
      )
      .sort((a, b) => a - b);
  const all = steps.map((_, index) => at(index));
  const curve = (pick: (values: readonly number[]) => number | undefined): Curve => ({
    x: steps,
    y: all.map((values) => finite(pick(values))),
  });
  const several = layers.length > 1;
  return render(
    [
      {
        title: "Imbalance over time",
        fromZero: true,
        note: "How much more than an even share the busiest expert got: 0 % is even, 100 % is twice its share. It should fall early and stay low; a rise late in the run means that the router is collapsing.",
        unit: "percent",
        wide: true,
        lines: [
          ...(several
            ? [
                {
                  label: "worst layer",
                  tone: "held",
                  look: "line",
                  curve: curve((values) => values.at(-1)),
                } as const,
              ]
            : []),
          {
            label: several ? "mean of the layers" : "busiest expert",
            tone: "train",
            look: "line",
            curve: curve((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
          },
        ],
      },
    ],
    "balance",
    [],
  );
}

/** A small line for a table: imbalance over time. */
export function sparkline({ history, info }: Layer): Markup | undefined {
  const values = buckets(history.loads, 40).map((part) => violation(part.at(-1)!, info.experts));
  if (values.length < 2) return undefined;
  const top = Math.max(0.5, ...values);
  const points = values.map(
    (value, i) =>
      `${((108 * i) / (values.length - 1) + 1).toFixed(1)} ${(24 - (22 * value) / top).toFixed(1)}`,
  );
  return markup`<svg viewBox="0 0 110 26" aria-hidden="true"><path d="M${points.join("L")}" fill="none" stroke="var(--train)" stroke-width="1.5"/></svg>`;
}
