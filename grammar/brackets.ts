// Brackets: makes any row of tokens balanced. In: tokens with newlines. Out: the same tokens with missing closers put in
// (empty tokens) and stray closers left out, one diagnostic for each. The parser then never meets an open bracket, so
// that an error in one statement cannot swallow the next. Balanced input comes back as it is.

import { createTokenInstance, type IToken, type TokenType } from "chevrotain";
import {
  declarationWords,
  endOf,
  LBrace,
  LParen,
  LSquare,
  Newline,
  RBrace,
  RParen,
  RSquare,
} from "./tokens.ts";

export interface BracketProblem {
  readonly problem: "open" | "stray";
  readonly token: IToken;
  /** The closer that is missing, and where it was put. */
  readonly closer: string;
  readonly at: number;
}

const closerOf = new Map<TokenType, TokenType>([
  [LParen, RParen],
  [LSquare, RSquare],
  [LBrace, RBrace],
]);
const openerOf = new Map([...closerOf].map(([opener, closer]) => [closer, opener]));
const imageOf = new Map<TokenType, string>([
  [RParen, ")"],
  [RSquare, "]"],
  [RBrace, "}"],
]);

export const isOpener = (token: IToken): boolean => closerOf.has(token.tokenType);
export const isCloser = (token: IToken): boolean => openerOf.has(token.tokenType);

function isBalanced(tokens: readonly IToken[]): boolean {
  const open: TokenType[] = [];
  for (const token of tokens)
    if (isOpener(token)) open.push(token.tokenType);
    else if (isCloser(token) && open.pop() !== openerOf.get(token.tokenType)) return false;
  return open.length === 0;
}

/** Openers that nothing closes when each closer takes the nearest opener of its sort. */
function neverClosed(tokens: readonly IToken[]): Set<IToken> {
  const open: IToken[] = [];
  const count = new Map<TokenType, number>();
  const add = (type: TokenType, by: number): void => void count.set(type, (count.get(type) ?? 0) + by);
  const lost = new Set<IToken>();
  for (const token of tokens) {
    if (isOpener(token)) {
      open.push(token);
      add(token.tokenType, 1);
    }
    const opener = openerOf.get(token.tokenType);
    if (opener === undefined || (count.get(opener) ?? 0) === 0) continue;
    for (;;) {
      const top = open.pop()!;
      add(top.tokenType, -1);
      if (top.tokenType === opener) break;
      lost.add(top);
    }
  }
  for (const token of open) lost.add(token);
  return lost;
}

interface Open {
  readonly token: IToken;
  /** Indentation of the line that it stands on. */
  readonly indent: number;
}

export function balance(
  tokens: readonly IToken[],
  text: string,
): { readonly tokens: readonly IToken[]; readonly problems: readonly BracketProblem[] } {
  if (isBalanced(tokens)) return { tokens, problems: [] };
  const lost = neverClosed(tokens);
  const out: IToken[] = [];
  const open: Open[] = [];
  const problems: BracketProblem[] = [];
  const count = new Map<TokenType, number>();
  /** How many open `{` stand on lines of each indentation. */
  const margins = new Map<number, number>();
  const add = ({ token, indent }: Open, by: number): void => {
    count.set(token.tokenType, (count.get(token.tokenType) ?? 0) + by);
    if (token.tokenType === LBrace) margins.set(indent, (margins.get(indent) ?? 0) + by);
  };

  const closeTop = (): void => {
    const top = open.pop()!;
    const { token } = top;
    add(top, -1);
    const closer = closerOf.get(token.tokenType)!;
    // Before the newlines that end the line, so that what follows begins a line of its own.
    let place = out.length;
    while (out[place - 1]?.tokenType === Newline) place -= 1;
    const at = out[place - 1] === undefined ? token.startOffset : endOf(out[place - 1]!);
    const put = createTokenInstance(closer, "", at, at, 0, 0, 0, 0);
    out.splice(place, 0, put);
    problems.push({ problem: "open", token, closer: imageOf.get(closer)!, at });
  };

  let indent = 0;
  let firstOnLine = true;
  for (const token of tokens) {
    const top = open.at(-1);
    if (token.tokenType === Newline) {
      while (open.length > 0 && open.at(-1)!.token.tokenType !== LBrace && lost.has(open.at(-1)!.token))
        closeTop();
      firstOnLine = true;
      out.push(token);
      continue;
    }
    if (firstOnLine) {
      indent = indentationAt(text, token.startOffset);
      // A declaration at the margin ends everything before it: declarations do not nest.
      if (indent === 0 && (declarationWords as readonly TokenType[]).includes(token.tokenType))
        while (open.length > 0) closeTop();
    }
    if (
      token.tokenType === LBrace &&
      top !== undefined &&
      top.token.tokenType !== LBrace &&
      lost.has(top.token)
    )
      closeTop();
    if (isOpener(token)) {
      open.push({ token, indent });
      add({ token, indent }, 1);
    }
    const opener = openerOf.get(token.tokenType);
    if (opener !== undefined) {
      if ((count.get(opener) ?? 0) === 0) {
        problems.push({ problem: "stray", token, closer: token.image, at: token.startOffset });
        firstOnLine = false;
        continue;
      }
      while (open.at(-1)!.token.tokenType !== opener) closeTop();
      // A `}` at the margin of an outer block closes that one: the inner block lacks its own.
      if (firstOnLine && opener === LBrace && (margins.get(indent) ?? 0) > 0)
        while (open.at(-1)!.indent !== indent || open.at(-1)!.token.tokenType !== LBrace) closeTop();
      add(open.pop()!, -1);
    }
    firstOnLine = false;
    out.push(token);
  }
  while (open.length > 0) closeTop();
  return { tokens: out, problems };
}

function indentationAt(text: string, offset: number): number {
  let line = offset;
  while (text[line - 1] === " " || text[line - 1] === "\t") line -= 1;
  return offset - line;
}
