// Printing what stands in lines: statements, settings, declarations, with the comments and blank lines between them. One
// blank line at most is kept; between declarations there is one.

import { endsLine, peek, trailing, type Cursor } from "./print-comments.ts";
import { doc, type Doc } from "./print-doc.ts";
import type { Span } from "./syntax.ts";

const { hardline } = doc;

interface Located {
  readonly span: Span;
  readonly doc?: string;
}

/** What stands between two items: a blank line always, or where there was one. */
export type Gap = "blank" | "kept";

/** The lines between two offsets, or undefined if there is nothing in them. */
export function sequenceDoc<Item extends Located>(
  items: readonly Item[],
  from: number,
  to: number,
  cursor: Cursor,
  print: (item: Item) => Doc,
  gap: (before: Item, after: Item) => Gap,
): Doc | undefined {
  const out: Doc[] = [];
  let end = from;
  /** A blank line that is due before the next line, unless one has been kept since. */
  let due = false;

  const add = (start: number, stop: number, content: Doc): void => {
    const blank = due || (out.length > 0 && hasBlankLine(cursor, end, start));
    if (out.length > 0) out.push(hardline);
    if (blank && out.length > 0) out.push(hardline);
    due = false;
    out.push(content);
    end = stop;
  };
  const addComments = (limit: number): void => {
    for (let comment = peek(cursor, limit); comment !== undefined; comment = peek(cursor, limit)) {
      cursor.next += 1;
      add(comment.span.start, comment.span.end, comment.text);
    }
  };

  items.forEach((item, i) => {
    const before = items[i - 1];
    if (before !== undefined && gap(before, item) === "blank")
      due = !willKeepBlank(cursor, end, item.span.start);
    addComments(item.span.start);
    if (cursor.text === undefined && item.doc !== undefined)
      for (const text of item.doc.split("\n")) add(0, 0, `/// ${text}`.trimEnd());
    const content = [print(item)];
    // A comment that ends the item's last line; none is left inside the item.
    while (peek(cursor, item.span.end) !== undefined) content.push(trailingAny(cursor));
    content.push(isOnLine(cursor, item.span.end) ? trailing(cursor, items[i + 1]?.span.start ?? to) : "");
    add(item.span.start, Math.max(item.span.end, cursor.comments[cursor.next - 1]?.span.end ?? 0), content);
  });
  addComments(to);
  return out.length === 0 ? undefined : out;
}

function trailingAny(cursor: Cursor): Doc {
  const comment = cursor.comments[cursor.next]!;
  cursor.next += 1;
  return [doc.lineSuffix(` ${comment.text}`), doc.breakParent];
}

/** Whether the next comment ends the line on which an offset lies. */
function isOnLine(cursor: Cursor, offset: number): boolean {
  const comment = cursor.comments[cursor.next];
  if (comment === undefined || cursor.text === undefined || !endsLine(cursor, comment)) return false;
  return !/[\r\n]/.test(cursor.text.slice(offset, comment.span.start));
}

/** The comments between two items keep a blank line themselves. */
function willKeepBlank(cursor: Cursor, from: number, to: number): boolean {
  let end = from;
  for (let i = cursor.next; i < cursor.comments.length && cursor.comments[i]!.span.start < to; i += 1) {
    const { start, end: stop } = cursor.comments[i]!.span;
    if (hasBlankLine(cursor, end, start)) return true;
    end = stop;
  }
  return hasBlankLine(cursor, end, to);
}

function hasBlankLine(cursor: Cursor, from: number, to: number): boolean {
  if (cursor.text === undefined || to <= from) return false;
  const between = cursor.text.slice(from, to);
  return (between.match(/\r\n|\n|\r/g) ?? []).length > 1;
}
