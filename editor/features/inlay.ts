// Inlay hints: sizes that nobody wrote: of what a line binds, and statics that an application takes from its inputs. In: names of a
// module and what the compiler found for the same text. Out: texts with their places.

import type { Expression, Span, Statement } from "../../grammar/syntax.ts";
import { childrenOf } from "../../grammar/walk.ts";
import { noteAt, type Checked } from "./checked.ts";
import { partsOfStatement } from "./parts.ts";
import type { Source } from "./source.ts";

export interface Hint {
  readonly at: number;
  readonly text: string;
  readonly kind: "type" | "parameter";
}

export function hintsIn(source: Source, checked: Checked, range: Span): readonly Hint[] {
  const hints: Hint[] = [];
  const inRange = ({ start, end }: Span): boolean => start <= range.end && end >= range.start;
  const given = new Map(checked.given.map((each) => [`${each.start}:${each.end}`, each.statics]));
  const visit = (expression: Expression): void => {
    if (expression.node === "call") {
      const statics = given.get(`${expression.span.start}:${expression.span.end}`);
      const bare = expression.callee.node === "name" || expression.callee.node === "configure";
      if (statics !== undefined && bare)
        hints.push({
          at: expression.callee.span.end,
          text: ` { ${statics.map(({ name, text }) => `${name} = ${text}`).join(", ")} }`,
          kind: "parameter",
        });
    }
    childrenOf(expression).forEach(visit);
  };
  for (const declaration of source.syntax.declarations)
    if (declaration.node === "definition" && inRange(declaration.span))
      eachStatement(declaration.body, (statement) => {
        if (!inRange(statement.span)) return;
        partsOfStatement(statement).forEach(visit);
        if (statement.node !== "bind" || statement.operator !== "=") return;
        const note = noteAt(checked, statement.name.span);
        // Numbers are as long as what they are hints for.
        if (note === undefined || !/^(int |bool )?\[|^gates\[|^pool /.test(note)) return;
        const at =
          statement.indices === undefined
            ? statement.name.span.end
            : source.text.indexOf("]", statement.name.span.end) + 1;
        hints.push({ at, text: `: ${note}`, kind: "type" });
      });
  return hints.filter(({ at }) => range.start <= at && at <= range.end).sort((a, b) => a.at - b.at);
}

function eachStatement(body: readonly Statement[], see: (statement: Statement) => void): void {
  for (const statement of body) {
    see(statement);
    if (statement.node === "repeat" || statement.node === "after") eachStatement(statement.body, see);
    if (statement.node === "if") {
      eachStatement(statement.then, see);
      eachStatement(statement.otherwise, see);
    }
  }
}
