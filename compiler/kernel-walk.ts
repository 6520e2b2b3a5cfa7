// Walks over the statements of a kernel, those inside of loops, conditions and variants included. In: statements. Out: whether one of them
// is what the caller looks for, all of them in order, or others in their place. Deliberately absent: expressions, and who needs to know
// where a statement stands (scopes, uniformity), which walks by itself.

import type { Stmt } from "./kernel.ts";

/** Both parts of a variant count, although a device runs one. */
export const someStatement = (list: readonly Stmt[], test: (statement: Stmt) => boolean): boolean =>
  list.some((statement) => test(statement) || bodies(statement).some((body) => someStatement(body, test)));

/** In the order of the text: a loop before what is inside of it. */
export const statementsIn = (list: readonly Stmt[]): readonly Stmt[] =>
  list.flatMap((statement) => [statement, ...bodies(statement).flatMap(statementsIn)]);

/** The same statements with others in the place of each. What is inside of one has been replaced when `change` sees it. */
export const replaced = (
  list: readonly Stmt[],
  change: (statement: Stmt) => readonly Stmt[],
): readonly Stmt[] => list.flatMap((statement) => change(insideReplaced(statement, change)));

const nothing: readonly (readonly Stmt[])[] = [];

function bodies(statement: Stmt): readonly (readonly Stmt[])[] {
  switch (statement.op) {
    case "for":
      return [statement.body];
    case "if":
      return [statement.then, statement.otherwise];
    case "variant":
      return [statement.warpgroups, statement.otherwise];
    default:
      return nothing;
  }
}

function insideReplaced(statement: Stmt, change: (statement: Stmt) => readonly Stmt[]): Stmt {
  const each = (list: readonly Stmt[]): readonly Stmt[] => replaced(list, change);
  switch (statement.op) {
    case "for":
      return { ...statement, body: each(statement.body) };
    case "if":
      return { ...statement, then: each(statement.then), otherwise: each(statement.otherwise) };
    case "variant":
      return { ...statement, warpgroups: each(statement.warpgroups), otherwise: each(statement.otherwise) };
    default:
      return statement;
  }
}
