// RoutingReport: what the routers of a trained model did with held-out data, as plain JSON (`routing.json` of a run).
// Made by collect.ts, read by the page. Counts only: shares and lifts are computed where they are shown.

export const routingVersion = 1;

export interface RoutingReport {
  readonly version: typeof routingVersion;
  /** Optimiser steps done when the data were seen. */
  readonly step: number;
  /** Batches and examples (windows of text, images, table rows) that were seen. */
  readonly batches: number;
  readonly examples: number;
  /** False when nothing was held out and training data stood in. */
  readonly held: boolean;
  readonly routers: readonly RouterReport[];
  /** Some tokens of the data, and where each router sent them. */
  readonly sample?: SampleText;
}

export interface RouterReport {
  /** As in Program.routers. */
  readonly name: string;
  readonly experts: number;
  readonly nulls: number;
  /** Picks per row at most. */
  readonly width: number;
  /** What was routed: tokens, patches, examples. */
  readonly rows: number;
  /** 0: the rows are the same for every example, as the slots of a soft mixture are. */
  readonly rowsPerExample: number;
  /** Picks of each expert, nulls last. */
  readonly load: readonly number[];
  /** active[n]: rows with n true experts. */
  readonly active: readonly number[];
  /** Places for a pick that stayed empty: dropped by a capacity, or not chosen by a router that takes as many as it likes. */
  readonly empty: number;
  readonly facets: readonly Facet[];
}

/** One way to say what each expert sees. `counts` are by expert, nulls last; a row counts once for each pick. */
export type Facet =
  | {
      readonly kind: "tokens";
      readonly modality: string;
      readonly distinct: number;
      readonly kinds: readonly Counted[];
      /** The most frequent tokens. */
      readonly frequent: readonly Counted[];
      /** By expert: the tokens that tell it from the others most, best first. */
      readonly telling: readonly (readonly Telling[])[];
    }
  | { readonly kind: "classes"; readonly modality: string; readonly classes: readonly Counted[] }
  /** Where in the example: a grid of patches, or positions (one row). */
  | {
      readonly kind: "places";
      readonly height: number;
      readonly width: number;
      /** [place][expert] */
      readonly counts: readonly (readonly number[])[];
    }
  | {
      readonly kind: "features";
      readonly modality: string;
      readonly names: readonly string[];
      /** [expert][feature]: mean over what the expert got, in standard deviations from the mean of all. */
      readonly means: readonly (readonly number[])[];
    };

export interface Counted {
  readonly label: string;
  /** Rows with this value. */
  readonly rows: number;
  readonly counts: readonly number[];
}

export interface Telling {
  readonly label: string;
  /** Rows with this token; picks of it by the expert. */
  readonly rows: number;
  readonly count: number;
}

export interface SampleText {
  readonly modality: string;
  /** Text of each token; empty where a character is not complete yet. */
  readonly pieces: readonly string[];
  /** By router: `width` picks for each token, the first the best where the router ranks them; -1: none. */
  readonly routers: readonly {
    readonly name: string;
    readonly width: number;
    readonly picks: readonly number[];
  }[];
}
