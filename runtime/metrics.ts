// Metrics: one record per optimiser step and one per evaluation, as lines of JSON. In: records. Out: lines, and back.
// The file system is metrics-file.ts; this part also runs in a page.

/** Numbers by name; those that are not finite are kept in JSON as the texts "NaN", "Infinity" and "-Infinity". */
export type Numbers = Readonly<Record<string, number>>;
/** By router: how many picks each expert got, null experts last. */
export type Loads = Readonly<Record<string, readonly number[]>>;

export interface StepRecord {
  readonly kind: "step";
  /** Optimiser steps done, this one included: the first is 1. */
  readonly step: number;
  /** Means over the micro-batches of the step. */
  readonly metrics: Numbers;
  readonly rate: number;
  /** Gradient norm before clipping. */
  readonly norm: number;
  /** Sums over the micro-batches; left out of some steps where there are very many experts. */
  readonly loads?: Loads;
  /** Since this process began to train. */
  readonly seconds: number;
  /** Tokens, or examples where there are no tokens, per second, lately. */
  readonly perSecond: number;
}

export interface EvaluationRecord {
  readonly kind: "evaluation";
  readonly step: number;
  /** Means over the held-out batches. */
  readonly metrics: Numbers;
  readonly loads: Loads;
  readonly seconds: number;
}

/** A phase of the recipe begins. */
export interface PhaseRecord {
  readonly kind: "phase";
  /** Its first step. */
  readonly step: number;
  readonly name: string;
}

export type MetricsRecord = StepRecord | EvaluationRecord | PhaseRecord;

export interface MetricsWriter {
  write(record: MetricsRecord): void;
  /** What was written is on the disk when this returns. */
  sync(): void;
  close(): void;
}

export const encodeRecord = (record: MetricsRecord): string =>
  `${JSON.stringify(record, (_key, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  )}\n`;

const special: Readonly<Record<string, number>> = { NaN, Infinity, "-Infinity": -Infinity };

function decodeRecord(line: string): MetricsRecord | undefined {
  try {
    const record = JSON.parse(line, (_key, value: unknown) =>
      typeof value === "string" ? (special[value] ?? value) : value,
    ) as MetricsRecord;
    return typeof record.step === "number" ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The records of a file. A last line that a killed process left half-written is left out. */
export const decodeRecords = (text: string): MetricsRecord[] =>
  text.split("\n").flatMap((line) => decodeRecord(line) ?? []);

/** The beginning of the file up to, and with, the records of a step: what a run that resumes after it goes on from. */
export function keepUntil(text: string, step: number): string {
  let kept = 0;
  while (kept < text.length) {
    const end = text.indexOf("\n", kept);
    const record = end < 0 ? undefined : decodeRecord(text.slice(kept, end));
    if (record === undefined || record.step > step) break;
    kept = end + 1;
  }
  return text.slice(0, kept);
}

/** Keeps records in memory: for pages and tests. */
export function memoryMetrics(): MetricsWriter & { readonly records: MetricsRecord[] } {
  const records: MetricsRecord[] = [];
  return { records, write: (record) => void records.push(record), sync: () => {}, close: () => {} };
}
