// A view: one of the panes beside the text. In: what was compiled. Out: its element, filled while it is looked at.

import type { CompileAnswer } from "../messages.ts";

export type Compiled = Extract<CompileAnswer, { kind: "compiled" }>;

export interface View {
  readonly element: HTMLElement;
  /** New contents; `undefined`: there is no model. Only called while the view is seen, or when it comes into sight. */
  readonly show: (compiled: Compiled | undefined) => void;
}
