// Six tokens of three logits, whose choices, losses and weights under the field's routers were computed by hand.

import { runMechanism, type Found, type Mechanism } from "./mechanism.ts";

export const identity = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
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
  runMechanism({
    text,
    apply,
    width: 3,
    experts: 3,
    batch: 1,
    length: 6,
    mode: "inference",
    on: "double",
    tensors: { x: six, w: identity },
    ...more,
  });
