// Comments while printing: a cursor over a text's comments. The printers ask, gap by gap, which comments stand there. In a
// gap inside a statement a comment ends its line, and the next line goes on: that is allowed exactly where it stood before.
// Printing a tree that has no text works too: there are no comments then, and documentation is printed from the tree.

import { doc, type Doc } from "./print-doc.ts";
import type { Comment } from "./syntax.ts";

export interface Cursor {
  readonly text: string | undefined;
  readonly comments: readonly Comment[];
  /** The next comment that has not been printed. */
  next: number;
}

export const cursorOver = (text: string, comments: readonly Comment[]): Cursor => ({
  text,
  comments,
  next: 0,
});
export const noText = (): Cursor => ({ text: undefined, comments: [], next: 0 });

export function peek(cursor: Cursor, before: number): Comment | undefined {
  const comment = cursor.comments[cursor.next];
  return comment !== undefined && comment.span.start < before ? comment : undefined;
}

/** Whether something other than the comment stands before it on its line. */
export function endsLine(cursor: Cursor, comment: Comment): boolean {
  for (let i = comment.span.start - 1; i >= 0; i -= 1) {
    const character = cursor.text![i]!;
    if (character === "\n" || character === "\r") return false;
    if (character !== " " && character !== "\t" && character !== "\uFEFF") return true;
  }
  return false;
}

/** The comment that ends the line that has just been printed, if there is one before `limit`. */
export function trailing(cursor: Cursor, limit: number): Doc {
  const comment = peek(cursor, limit);
  if (comment === undefined || !endsLine(cursor, comment)) return "";
  cursor.next += 1;
  return [doc.lineSuffix(` ${comment.text}`), doc.breakParent];
}

/** Comments on lines of their own before what is printed next. */
export function leading(cursor: Cursor, limit: number): Doc {
  const out: Doc[] = [];
  for (let comment = peek(cursor, limit); comment !== undefined; comment = peek(cursor, limit)) {
    cursor.next += 1;
    out.push(comment.text, doc.hardline);
  }
  return out;
}

/** Comments on lines of their own before a closing bracket. */
export function closing(cursor: Cursor, limit: number): Doc {
  const out: Doc[] = [trailing(cursor, limit)];
  for (let comment = peek(cursor, limit); comment !== undefined; comment = peek(cursor, limit)) {
    cursor.next += 1;
    out.push(doc.hardline, comment.text, doc.breakParent);
  }
  return out;
}

/** The first character at or after an offset that is neither blank nor in a comment. */
export function codeAfter(cursor: Cursor, offset: number): number {
  const { text, comments } = cursor;
  if (text === undefined) return 0;
  let at = offset;
  let i = firstCommentFrom(comments, offset);
  for (; at < text.length; at += 1) {
    if (comments[i]?.span.start === at) {
      at = comments[i]!.span.end;
      i += 1;
    }
    if (!/[\s\uFEFF]/.test(text[at] ?? "x")) break;
  }
  return at;
}

function firstCommentFrom(comments: readonly Comment[], offset: number): number {
  let low = 0;
  let high = comments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comments[middle]!.span.start < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
