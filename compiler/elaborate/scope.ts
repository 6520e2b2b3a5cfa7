// Scopes: the names in sight. A body has one; `repeat` and branches open another inside. Names of the module come last.

import { broken, type Value } from "./value.ts";

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

/** The same, no further out than one of the scopes around. */
export function lookUpWithin(scope: Scope, last: Scope | undefined, name: string): Value | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const value = at.names.get(name);
    if (value !== undefined || at === last) return value;
  }
  return undefined;
}

/** Binds a name: where it is bound already when that scope is within `inside`, else in the innermost scope. */
export function bind(scope: Scope, name: string, value: Value): void {
  scope.names.set(name, value);
}

/** A name that has been reported: what else it is used for says nothing new. */
export function spoil(scope: Scope, name: string): void {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer)
    if (at.names.has(name)) return void at.names.set(name, broken);
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
