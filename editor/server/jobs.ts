// Jobs: what the server asks of its worker and what comes back, as plain data.

import type { Checked } from "../features/checked.ts";
import type { Costed } from "../features/costs.ts";

export type Job = {
  readonly id: number;
  readonly path: string;
  readonly texts: Readonly<Record<string, string>>;
} & ({ readonly job: "check" } | { readonly job: "cost"; readonly of: Costed });

export type Answer = { readonly id: number } & (
  { readonly checked: Checked } | { readonly cost: string | undefined } | { readonly failed: string }
);
