// What the report is made of. In: what a run folder holds (read in report.ts) and what the command knows besides. Out: one
// value that all parts of the page read, with the loads of each router already in buckets of time.

import type { EvaluationRecord, MetricsRecord, PhaseRecord, StepRecord } from "../../runtime/metrics.ts";
import type { Program, RouterInfo } from "../../runtime/program.ts";
import { loadHistory, meanActive, type LoadHistory } from "./measure.ts";
import type { RouterReport, RoutingReport } from "./routing.ts";

/** What only the command knows. Everything may be left out. */
export interface ReportAbout {
  /** How the run ended: `finished`, `interrupted`, ... */
  readonly state?: string;
  /** The file that was trained, and the tool with its version. */
  readonly source?: string;
  readonly tool?: string;
  /** What it was trained on: `CPU, 2 threads`. */
  readonly where?: string;
  /** Lines about the data, as `Data.summary`. */
  readonly data?: readonly string[];
  /** Text that the trained model wrote, and how it was begun. */
  readonly prompt?: string;
  readonly text?: string;
}

export interface RunData {
  readonly program: Program;
  readonly records: readonly MetricsRecord[];
  readonly routing?: RoutingReport;
  readonly about: ReportAbout;
}

/** One routed layer as the page shows it. */
export interface Layer {
  readonly info: RouterInfo;
  /** `block.0.experts`: the router's name without what every router is called; `twice.0, router 1` where there are several. */
  readonly title: string;
  readonly history: LoadHistory;
  readonly seen?: RouterReport;
  /** Picks of each expert, nulls last: held-out data, else the last steps. Undefined when nothing was ever counted. */
  readonly load?: readonly number[];
}

export const stepsOf = (records: readonly MetricsRecord[]): StepRecord[] =>
  records.filter((record): record is StepRecord => record.kind === "step");
export const evaluationsOf = (records: readonly MetricsRecord[]): EvaluationRecord[] =>
  records.filter((record): record is EvaluationRecord => record.kind === "evaluation");

export const phasesOf = (records: readonly MetricsRecord[]): PhaseRecord[] =>
  records.filter((record): record is PhaseRecord => record.kind === "phase");

/** Those of the last phase: routers of another phase may have had other experts. */
const latest = (records: readonly MetricsRecord[]): readonly MetricsRecord[] =>
  records.slice(
    Math.max(
      0,
      records.findLastIndex(({ kind }) => kind === "phase"),
    ),
  );

export const layerTitle = (router: string): string =>
  router.replace(/\.router$/, "").replace(/(.)\.router\.(\d+)$/, "$1, router $2");

/** Buckets of time: fewer where there are very many experts, so that the page stays small. */
const bucketsFor = (experts: number): number =>
  Math.max(24, Math.min(96, Math.floor(120_000 / Math.max(1, experts))));

export function layersOf({ program, records: whole, routing }: RunData): Layer[] {
  const records = latest(whole);
  const all = program.routers.reduce((sum, { experts, nulls }) => sum + experts + nulls, 0);
  const most = bucketsFor(all);
  const evaluation = evaluationsOf(records).at(-1);
  return program.routers.map((info) => {
    const history = loadHistory(records, info.name, most);
    const seen = routing?.routers.find(({ name }) => name === info.name);
    const load = seen?.load ?? evaluation?.loads[info.name] ?? history.loads.at(-1);
    return {
      info,
      title: layerTitle(info.name),
      history,
      ...(seen === undefined ? {} : { seen }),
      ...(load === undefined ? {} : { load }),
    };
  });
}

/** The rows are the same for every example, so that each example has to do with all experts that have any. */
export const isFixed = ({ seen }: Layer): boolean =>
  seen !== undefined && seen.rows > 0 && seen.rowsPerExample === 0;

/** True experts of a row on average: counted, or the most there can be. */
export const activeOf = (layer: Layer): number =>
  layer.seen === undefined || layer.seen.rows === 0
    ? Math.min(layer.info.width, layer.info.experts)
    : isFixed(layer)
      ? layer.seen.load.slice(0, layer.info.experts).filter((picks) => picks > 0).length
      : meanActive(layer.seen.active);
