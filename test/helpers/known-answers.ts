// Routers over given logits; and six tokens of three logits, whose choices, losses and weights under the field's routers were computed by
// hand.

import { runMechanism, type Found, type Mechanism } from "./mechanism.ts";
import { range, type Rows } from "./plain.ts";

export const identityOf = (size: number): Rows =>
  range(size).map((i) => range(size).map((j) => (i === j ? 1 : 0)));

/** What a router makes of the rows as its logits, all of them one sequence. */
export function onLogits(text: string, apply: string, rows: Rows, more: Partial<Mechanism> = {}): Found {
  const size = rows[0]!.length;
  const tensors = { x: rows, w: identityOf(size) };
  const shape = { width: size, experts: size, batch: 1, length: rows.length };
  return runMechanism({ text, apply, ...shape, on: "double", tensors, ...more });
}

/** The same for a router of std, written with its statics. */
export const onStdLogits = (
  module: string,
  router: string,
  rows: Rows,
  more: Partial<Mechanism> = {},
): Found => onLogits(`import std.${module} { ${router.split(" ")[0]!} }`, `${router}(x)`, rows, more);

export const identity = identityOf(3);
/** Logits of six tokens for three experts. */
export const six = [
  [2, 1, 0],
  [1.5, 0.5, 0],
  [0, 2, 1],
  [2.5, 0, 1],
  [1, 0.9, 0.8],
  [0.2, 0.1, 3],
];
/** A router whose logits are the six rows. */
export const onSix = (text: string, apply: string, more: Partial<Mechanism> = {}): Found =>
  onLogits(text, apply, six, { mode: "inference", ...more });
