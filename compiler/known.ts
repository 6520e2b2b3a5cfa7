// Known: what was found out once and holds wherever the same comes again: layers repeat, and so do entries. In: nothing. Out: an empty
// table. One for all graphs whose kernels are for one target; numbers of terms mean something only within it.

import type { NumberedRead } from "./fuse-trace.ts";
import type { NumberedKernel } from "./lower/memo.ts";
import type { TermNumbers } from "./lower/terms.ts";

export interface Known {
  readonly terms: TermNumbers;
  /** What nodes read, by the number of their term. */
  readonly reads: Map<number, readonly NumberedRead[]>;
  /** Kernels of clusters, by what lowering looks at. */
  readonly kernels: Map<string, readonly NumberedKernel[]>;
}

export const nothingKnown = (): Known => ({ terms: new Map(), reads: new Map(), kernels: new Map() });
