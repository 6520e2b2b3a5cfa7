// Scopes: the names in sight. A body has one; `repeat` and branches open another inside. Names of the module come last.

import type { Value } from "./value.ts";

export interface Scope {
  readonly names: Map<string, Value>;
  readonly outer: Scope | undefined;
}

export const openScope = (outer?: Scope): Scope => ({ names: new Map(), outer });

export function lookUp(scope: Scope, name: string): Value | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const value = at.names.get(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Binds a name: where it is bound already when that scope is within `inside`, else in the innermost scope. */
export function bind(scope: Scope, name: string, value: Value): void {
  scope.names.set(name, value);
}

export function namesInSight(scope: Scope): readonly string[] {
  const names: string[] = [];
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) names.push(...at.names.keys());
  return names;
}

/** After a block: names that were bound outside and bound again inside carry over. */
export function carryOver(block: Scope, outside: Scope): void {
  for (const [name, value] of block.names)
    if (lookUp(outside, name) !== undefined) outside.names.set(name, value);
}
