// Diagnostics are data first, text second: shared by the command line, the tests and, later, the language server.

import type { Span } from "./syntax.ts";

export interface Place {
  /** The module's path as the host knows it: `ffn.moe`, `std.experts`. */
  readonly module: string;
  readonly span: Span;
  /** What is said under the caret. */
  readonly label: string;
}

export interface Diagnostic {
  /** `M0304`: stable, with a page (`moe explain M0304`). */
  readonly code: string;
  readonly severity: "error" | "warning";
  /** One line, lower case, no full stop. */
  readonly message: string;
  readonly at: Place;
  /** The declaration that disagrees, in the same picture. */
  readonly related: readonly Place[];
  /** One imperative sentence. */
  readonly help?: string;
  readonly fix?: { readonly span: Span; readonly text: string; readonly safe: boolean };
}

/** An error about one place. */
export const error = (
  code: string,
  message: string,
  module: string,
  span: Span,
  label: string,
  help?: string,
): Diagnostic => ({
  code,
  severity: "error",
  message,
  at: { module, span, label },
  related: [],
  ...(help === undefined ? {} : { help }),
});
