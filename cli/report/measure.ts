// Measures: from the records of a run to what the charts show. In: metrics.jsonl as records. Out: curves that are short enough to
// draw, loads in time buckets, and the measures of balance. Pure.
//   violation   largest load / mean load - 1, over true experts (MaxVio of arXiv 2408.15664); 0 is even
//   effective   exp(entropy of the load): how many evenly used experts would be as mixed
//   null share  picks that went to null experts

import type { EvaluationRecord, MetricsRecord, PhaseRecord, StepRecord } from "../../runtime/metrics.ts";

/** A record that has numbers. */
export type Measured = Exclude<MetricsRecord, PhaseRecord>;

/** y over x; NaN and infinities become null: a gap. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
}

export const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? Number(value.toPrecision(6)) : null;

/** Contiguous runs of about equal length: at most `most`. */
export function buckets<T>(list: readonly T[], most: number): readonly (readonly T[])[] {
  const count = Math.min(most, list.length);
  return Array.from({ length: count }, (_, i) =>
    list.slice(Math.floor((i * list.length) / count), Math.floor(((i + 1) * list.length) / count)),
  );
}

const meanOf = (values: readonly (number | undefined)[]): number => {
  const known = values.filter((value): value is number => value !== undefined && Number.isFinite(value));
  return known.length === 0 ? NaN : known.reduce((sum, value) => sum + value, 0) / known.length;
};

/** Means over buckets of steps; each stands at its last step. */
export function curveOf(
  records: readonly Measured[],
  value: (record: Measured) => number | undefined,
  most = 400,
): Curve {
  const parts = buckets(records, most);
  return {
    x: parts.map((part) => part.at(-1)!.step),
    y: parts.map((part) => finite(meanOf(part.map(value)))),
  };
}

/** Mean of the neighbours on both sides: what the eye follows through a noisy curve, without lagging behind it. */
export function smooth(curve: Curve): Curve {
  const reach = Math.min(10, Math.floor(curve.y.length / 30));
  return {
    x: curve.x,
    // As many on one side as on the other, so that the ends are not pulled to the middle.
    y: curve.y.map((value, i) => {
      const side = Math.min(reach, i, curve.y.length - 1 - i);
      return value === null
        ? null
        : finite(meanOf(curve.y.slice(i - side, i + side + 1).map((each) => each ?? undefined)));
    }),
  };
}

/** Curves over one axis of all their x: how uPlot wants them. */
export function align(curves: readonly Curve[]): { readonly x: number[]; readonly ys: (number | null)[][] } {
  const x = [...new Set(curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
  const ys = curves.map((curve) => {
    const at = new Map(curve.x.map((step, i) => [step, curve.y[i] ?? null]));
    return x.map((step) => at.get(step) ?? null);
  });
  return { x, ys };
}

/** Sums of picks in buckets of steps. */
export interface LoadHistory {
  /** Last step of each bucket. */
  readonly steps: readonly number[];
  /** [bucket][expert], nulls last; picks per recorded step. Of gates that only evaluations measure, per evaluation. */
  readonly loads: readonly (readonly number[])[];
}

export function loadHistory(records: readonly MetricsRecord[], router: string, most: number): LoadHistory {
  const recorded = (kind: "step" | "evaluation"): readonly (StepRecord | EvaluationRecord)[] =>
    records.filter(
      (record): record is StepRecord | EvaluationRecord =>
        record.kind === kind && record.loads?.[router] !== undefined,
    );
  const steps = recorded("step");
  const known = steps.length > 0 ? steps : recorded("evaluation");
  const parts = buckets(known, most);
  return {
    steps: parts.map((part) => part.at(-1)!.step),
    loads: parts.map((part) => {
      const first = part[0]!.loads![router]!;
      return first.map(
        (_, expert) =>
          part.reduce((sum, record) => sum + (record.loads![router]![expert] ?? 0), 0) / part.length,
      );
    }),
  };
}

/** 0 when nothing was picked. */
export function violation(load: readonly number[], experts: number): number {
  const own = load.slice(0, experts);
  const mean = own.reduce((sum, value) => sum + value, 0) / Math.max(1, experts);
  return mean > 0 ? Math.max(...own) / mean - 1 : 0;
}

export function effectiveExperts(load: readonly number[], experts: number): number {
  const own = load.slice(0, experts);
  const total = own.reduce((sum, value) => sum + value, 0);
  if (!(total > 0)) return 0;
  const entropy = own.reduce(
    (sum, value) => (value > 0 ? sum - (value / total) * Math.log(value / total) : sum),
    0,
  );
  return Math.exp(entropy);
}

export function nullShare(load: readonly number[], experts: number): number {
  const total = load.reduce((sum, value) => sum + value, 0);
  const nulls = load.slice(experts).reduce((sum, value) => sum + value, 0);
  return total > 0 ? nulls / total : 0;
}

/** True experts with less than a tenth of an even share. */
export function starved(load: readonly number[], experts: number): number {
  const own = load.slice(0, experts);
  const mean = own.reduce((sum, value) => sum + value, 0) / Math.max(1, experts);
  return own.filter((value) => value < mean / 10).length;
}

/** From active[n] = rows with n experts. */
export function meanActive(active: readonly number[]): number {
  const rows = active.reduce((sum, value) => sum + value, 0);
  return rows === 0 ? 0 : active.reduce((sum, value, count) => sum + value * count, 0) / rows;
}
