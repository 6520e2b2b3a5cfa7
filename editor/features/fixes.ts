// Fixes: what can be done about a diagnostic with one edit: its own fix, a name that is nearly the one meant, an import that is
// missing or not used. In: a diagnostic and the module it stands in. Out: edits with a title; the likeliest first.

import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { importEdit, removeImport, type Edit } from "./imports.ts";
import { exportsOf, type Library, type Source } from "./source.ts";

export interface Fix {
  readonly title: string;
  readonly edits: readonly Edit[];
  /** Changes nothing that was meant: may be applied to all at once. */
  readonly safe: boolean;
  readonly preferred: boolean;
}

export function fixesFor(
  diagnostic: Diagnostic,
  source: Source,
  library: Library,
  std: readonly string[],
): readonly Fix[] {
  const { code, at, fix, help } = diagnostic;
  if (at.module !== source.path) return [];
  const text = source.text.slice(at.span.start, at.span.end);
  const found: Fix[] = [];
  const add = (title: string, edit: Edit, preferred = false, safe = false): void =>
    void found.push({ title, edits: [edit], safe, preferred });
  if (fix !== undefined) {
    const removed = source.text.slice(fix.span.start, fix.span.end);
    const title =
      fix.text === ""
        ? `Remove \`${removed}\``
        : removed === ""
          ? `Insert \`${fix.text}\``
          : `Write \`${fix.text}\``;
    add(title, fix, true, fix.safe);
  }
  if (code === "M0704") {
    const edit = removeImport(source, at.span);
    if (edit !== undefined) add(`Remove the import of \`${text}\``, edit, true, true);
  }
  const isName = /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
  if (code === "M0101" && isName)
    for (const path of std) {
      const from = path === source.path ? undefined : library.open(path);
      if (from !== undefined && exportsOf(from).some(({ name }) => name.text === text))
        add(`Import \`${text}\` from ${path}`, importEdit(source, path, text), true);
    }
  if (isName)
    for (const [i, name] of meantNames(help).entries())
      add(`Change to \`${name}\``, { span: at.span, text: name }, i === 0 && found.length === 0);
  if (code === "M0701" && help !== undefined) {
    const quoted = text.replaceAll('"', "");
    for (const path of std)
      if (quoted.startsWith("std") && near(quoted, path))
        add(`Change to ${path}`, { span: at.span, text: path });
  }
  return found;
}

/** The names of "did you mean `a`, `b` or `c`?". */
export function meantNames(help: string | undefined): readonly string[] {
  if (help === undefined || !help.startsWith("did you mean ")) return [];
  return [...help.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
}

/** Paths that differ in their ends only, or by a letter. */
const near = (given: string, path: string): boolean => {
  const [a, b] = [given.split(".").at(-1)!, path.split(".").at(-1)!];
  return a !== "" && (b.startsWith(a) || a.startsWith(b) || b.startsWith(a.slice(0, 3)));
};
