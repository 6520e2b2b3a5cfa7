// Imports: edits of the lines at the top: a name more, a name less. In: a parsed module. Out: one edit.

import type { Import, Span } from "../../grammar/syntax.ts";
import type { Source } from "./source.ts";

export interface Edit {
  readonly span: Span;
  readonly text: string;
}

const written = (path: string): string => (path.includes("/") ? `"${path}"` : path);

/** Adds a name to the import from a module, or an import after the others. */
export function importEdit({ syntax, text }: Source, path: string, name: string): Edit {
  const before = syntax.imports.find(({ from }) => from === path);
  if (before !== undefined && before.names.length > 0) {
    const end = before.names.at(-1)!.span.end;
    return { span: { start: end, end }, text: `, ${name}` };
  }
  const line = `import ${written(path)} { ${name} }\n`;
  const last = syntax.imports.at(-1);
  if (last !== undefined) {
    const end = text.indexOf("\n", last.span.end);
    const at = end < 0 ? text.length : end + 1;
    return { span: { start: at, end: at }, text: end < 0 ? `\n${line}` : line };
  }
  const first = firstDeclaration({ syntax, text });
  return { span: { start: first, end: first }, text: `${line}\n` };
}

/** Where the first declaration begins, with its documentation; comments of the module stay above. */
function firstDeclaration({ syntax, text }: Pick<Source, "syntax" | "text">): number {
  const [first] = syntax.declarations;
  if (first === undefined) return text.length;
  let at = text.lastIndexOf("\n", first.span.start - 1) + 1;
  for (;;) {
    const before = text.lastIndexOf("\n", at - 2) + 1;
    if (at === 0 || !/^[ \t]*\/\/\//.test(text.slice(before, at))) return at;
    at = before;
  }
}

/** Removes a name from its import; the whole line when it is the only one. */
export function removeImport(source: Source, at: Span): Edit | undefined {
  const statement = source.syntax.imports.find(({ names }) =>
    names.some(({ span }) => span.start === at.start),
  );
  return statement === undefined ? undefined : withoutNames(source, statement, new Set([at.start]));
}

/** An import without some of its names, given by where they stand. */
export function withoutNames({ text }: Source, statement: Import, unused: ReadonlySet<number>): Edit {
  const kept = statement.names.filter(({ span }) => !unused.has(span.start));
  if (kept.length === 0) {
    const newline = text.indexOf("\n", statement.span.end);
    return {
      span: { start: statement.span.start, end: newline < 0 ? statement.span.end : newline + 1 },
      text: "",
    };
  }
  const [first, last] = [statement.names[0]!, statement.names.at(-1)!];
  return {
    span: { start: first.span.start, end: last.span.end },
    text: kept.map((name) => name.text).join(", "),
  };
}
