// Layout: which newlines end a statement, which comments document what. In: a module's text. Out: the tokens that the
// parser reads (brackets balanced, each with its depth), comments, and what was wrong so far. A newline counts except
// inside ( ) and [ ], after an operator, a comma or `{`, and before `}`, `then` and `else`.

import { tokenMatcher, type IToken, type TokenType } from "chevrotain";
import { balance, isCloser, isOpener, type BracketProblem } from "./brackets.ts";
import type { Comment, Span } from "./syntax.ts";
import * as T from "./tokens.ts";

export interface Layout {
  readonly tokens: IToken[];
  /** Every comment, `//` and `///`, in order. */
  readonly comments: readonly Comment[];
  /** Documentation by the offset of the token that follows it. */
  readonly docs: ReadonlyMap<number, string>;
  /** Of the module: `///` lines at the top that belong to no declaration. */
  readonly doc?: string;
  readonly strange: readonly Span[];
  readonly openStrings: readonly Span[];
  /** Numbers that run into a name: `3x`. */
  readonly glued: readonly Span[];
  readonly brackets: readonly BracketProblem[];
}

/** Brackets that are open around the token; a bracket itself stands outside. */
export const depthOf = (token: IToken): number => (token.payload as number | undefined) ?? 0;

export function layOut(text: string): Layout {
  const { tokens: all, strange } = T.tokenise(text);
  const { lines, comments, docs, doc } = separateComments(all);
  const { tokens: balanced, problems } = balance(lines, text);
  const openStrings = balanced.filter((token) => token.tokenType === T.OpenString).map(spanOf);
  const glued = balanced.flatMap((token, i) => {
    const before = balanced[i - 1];
    const runsIn = before?.tokenType === T.NumberLiteral && T.endOf(before) === token.startOffset;
    return runsIn && (tokenMatcher(token, T.Name) || token.tokenType === T.NumberLiteral)
      ? [{ start: before.startOffset, end: T.endOf(token) }]
      : [];
  });
  return {
    tokens: dropNewlines(balanced),
    comments,
    docs,
    ...(doc === undefined ? {} : { doc }),
    strange,
    openStrings,
    glued,
    brackets: problems,
  };
}

export const spanOf = (token: IToken): Span => ({ start: token.startOffset, end: T.endOf(token) });

/** Takes comments out, joins newlines that follow each other, and finds what each run of `///` stands before. */
function separateComments(all: readonly IToken[]): {
  readonly lines: readonly IToken[];
  readonly comments: readonly Comment[];
  readonly docs: ReadonlyMap<number, string>;
  readonly doc?: string;
} {
  const lines: IToken[] = [];
  const comments: Comment[] = [];
  const docs = new Map<number, string>();
  const top: string[] = [];
  /** `///` lines directly above, without a blank line. */
  let run: string[] = [];
  let newlines = 0;
  const leaveRun = (): void => {
    if (lines.length === 0) top.push(...run);
    run = [];
  };
  for (const token of all) {
    if (token.tokenType === T.Newline) {
      newlines += 1;
      if (newlines > 1) leaveRun();
      if (lines.length > 0 && lines.at(-1)!.tokenType !== T.Newline) lines.push(token);
      continue;
    }
    const ownLine = newlines > 0 || (lines.length === 0 && comments.length === 0);
    newlines = 0;
    if (token.tokenType === T.LineComment || token.tokenType === T.DocComment) {
      comments.push({ text: token.image.trimEnd(), span: spanOf(token) });
      if (token.tokenType === T.DocComment && ownLine)
        run.push(token.image.slice(3).replace(/^ /, "").trimEnd());
      continue;
    }
    if (run.length > 0) {
      if (token.tokenType === T.Import) leaveRun();
      else docs.set(token.startOffset, run.join("\n"));
      run = [];
    }
    lines.push(token);
  }
  leaveRun();
  return { lines, comments, docs, ...(top.length === 0 ? {} : { doc: top.join("\n") }) };
}

const continues: readonly TokenType[] = [
  T.Infix,
  T.Assign,
  T.Comma,
  T.Colon,
  T.Arrow,
  T.LBrace,
  T.Not,
  T.If,
  T.Then,
  T.Else,
];
const resumes: readonly TokenType[] = [T.RBrace, T.Then, T.Else];

/** Leaves only the newlines that end something, and writes each token's depth on it. */
function dropNewlines(tokens: readonly IToken[]): IToken[] {
  const out: IToken[] = [];
  let depth = 0;
  /** Open ( and [. */
  let lines = 0;
  tokens.forEach((token, i) => {
    const isBrace = token.tokenType === T.LBrace || token.tokenType === T.RBrace;
    if (isCloser(token)) {
      depth -= 1;
      if (!isBrace) lines -= 1;
    }
    token.payload = depth;
    if (isOpener(token)) {
      depth += 1;
      if (!isBrace) lines += 1;
    }
    if (token.tokenType === T.Newline) {
      const before = out.at(-1);
      const after = tokens[i + 1];
      if (before === undefined || after === undefined || lines > 0) return;
      if (before.tokenType === T.Newline) return;
      if (
        continues.some((type) => tokenMatcher(before, type)) ||
        resumes.some((type) => tokenMatcher(after, type))
      )
        return;
    }
    out.push(token);
  });
  return out;
}
