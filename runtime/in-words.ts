// How errors name what a program does. In: a dispatch. Out: what the user wrote that it does, and where that stands.

import type { Dispatch } from "./program.ts";

/** `block.0.experts: gate` at story.moe:23 */
export const inWords = ({ label, place }: Pick<Dispatch, "label" | "place">): string =>
  `\`${label}\`${place === undefined ? "" : ` at ${place}`}`;
