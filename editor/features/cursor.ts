// Cursor: what may stand at a place of a half-written text, found from the tokens before it and from nothing behind it. In: a text
// and an offset. Out: one of a few kinds of places. Never fails: what it does not understand is a place for an expression.

import { tokenMatcher, type IToken } from "chevrotain";
import type { DefinitionKind } from "../../grammar/syntax.ts";
import * as T from "../../grammar/tokens.ts";

export type Place =
  | { readonly place: "none" | "top" | "setting" | "import path" | "type" | "choose" | "null kind" }
  | { readonly place: "modality" | "reader" | "optimiser" | "model" | "modality name" | "axes" }
  | { readonly place: "import names"; readonly from: string }
  | { readonly place: "statement"; readonly kind: DefinitionKind }
  | { readonly place: "words"; readonly words: readonly string[] }
  /** `callee`: what is called around it, for named arguments. */
  | { readonly place: "expression"; readonly callee?: string; readonly initialiser?: boolean }
  | {
      readonly place: "options";
      readonly callee: string;
      readonly given: readonly string[];
      readonly of: "definition" | "optimiser";
    }
  | { readonly place: "member"; readonly of: string };

export interface Cursor {
  readonly where: Place;
  /** The word that is being typed. */
  readonly word: string;
  readonly start: number;
}

/** A bracket that is open at the cursor. */
export interface OpenBracket {
  readonly bracket: "(" | "[" | "{";
  readonly what: "block" | "settings" | "rules" | "import" | "entries" | "options" | "other";
  /** Tokens of the statement before it. */
  readonly before: readonly IToken[];
  readonly at: number;
}

export interface Stand {
  readonly stack: readonly OpenBracket[];
  /** Tokens of the innermost bracket's current line or, inside ( ) and [ ], of all that it holds. */
  readonly line: readonly IToken[];
  readonly kind: DefinitionKind;
}

const isWord = (token: IToken | undefined, ...words: readonly string[]): boolean =>
  token !== undefined && words.includes(token.image);
const definitionWords: ReadonlySet<string> = new Set(T.definitionWords.map((type) => type.PATTERN as string));
const declarationWords: ReadonlySet<string> = new Set(
  T.declarationWords.map((type) => type.PATTERN as string),
);
const isOperand = (token: IToken | undefined): boolean =>
  token !== undefined &&
  (tokenMatcher(token, T.Name) ||
    [T.NumberLiteral, T.StringLiteral, T.RParen, T.RSquare, T.RBrace].includes(token.tokenType));

/** Where the line around an offset begins. */
const lineStart = (text: string, offset: number): number =>
  offset <= 0 ? 0 : text.lastIndexOf("\n", offset - 1) + 1;

/** Where the declaration around an offset begins: the last line before it that starts with a declaration's word. */
function declarationStart(text: string, offset: number): number {
  for (let start = lineStart(text, offset); start > 0; start = lineStart(text, start - 1)) {
    const word = /^[a-z]+\b/.exec(text.slice(start, start + 12))?.[0];
    if (word !== undefined && declarationWords.has(word)) return start;
  }
  return 0;
}

/** Brackets that are open at an offset, and the line it stands in. */
export function standAt(text: string, offset: number): Stand {
  const from = declarationStart(text, offset);
  const { tokens } = T.tokenise(text.slice(from, offset));
  const stack: OpenBracket[] = [];
  /** Lines of the open brackets, outermost first. */
  const lines: IToken[][] = [[]];
  let kind: DefinitionKind = "layer";
  for (const token of tokens) {
    const line = lines.at(-1)!;
    const { tokenType } = token;
    if (tokenType === T.LineComment || tokenType === T.DocComment) continue;
    if (tokenType === T.Newline) {
      const inLines = stack.at(-1)?.bracket === "(" || stack.at(-1)?.bracket === "[";
      const goesOn =
        tokenMatcher(line.at(-1) ?? token, T.Infix) || isWord(line.at(-1), ",", "=", "then", "else");
      if (!inLines && !goesOn) line.length = 0;
      continue;
    }
    if (stack.length === 0 && line.length === 0 && definitionWords.has(token.image))
      kind = token.image as DefinitionKind;
    if (tokenType === T.LParen || tokenType === T.LSquare || tokenType === T.LBrace) {
      const bracket = token.image as OpenBracket["bracket"];
      const what = bracketKind(bracket, line, stack);
      stack.push({ bracket, what, before: [...line], at: from + token.startOffset });
      lines.push([]);
    } else if (tokenType === T.RParen || tokenType === T.RSquare || tokenType === T.RBrace) {
      const closed = stack.pop();
      if (lines.length > 1) lines.pop();
      const outer = lines.at(-1)!;
      if (closed?.what === "block" || closed?.what === "settings" || closed?.what === "rules")
        outer.length = 0;
      else outer.push(token);
    } else line.push(token);
  }
  return { stack, line: lines.at(-1)!, kind };
}

function bracketKind(
  bracket: OpenBracket["bracket"],
  line: readonly IToken[],
  stack: readonly OpenBracket[],
): OpenBracket["what"] {
  const [first] = line;
  if (bracket !== "{")
    return bracket === "(" && stack.length === 0 && definitionWords.has(first?.image ?? "")
      ? "entries"
      : "other";
  if (stack.length === 0)
    return isWord(first, "import") ? "import" : isWord(first, "train") ? "settings" : "block";
  const opensBlock =
    isWord(first, "repeat", "else") ||
    (isWord(first, "after") && line.length === 2) ||
    (isWord(first, "if") && !line.some((token) => token.tokenType === T.Then));
  if (isWord(first, "phase") && stack.at(-1)!.what === "settings") return "settings";
  if (isWord(first, "start") && stack.at(-1)!.what === "settings") return "rules";
  return opensBlock && stack.at(-1)!.what === "block" ? "block" : "options";
}

export function cursorAt(text: string, offset: number): Cursor {
  const word = /[A-Za-z_][A-Za-z0-9_]*$/.exec(text.slice(Math.max(0, offset - 100), offset))?.[0] ?? "";
  const start = offset - word.length;
  const where = placeAt(text, start);
  if (where.place !== "import path") return { where, word, start };
  // A path is one word, with its dots, slashes and quotes.
  const path = /["\w./-]*$/.exec(text.slice(lineStart(text, offset), offset))![0];
  return { where, word: path, start: offset - path.length };
}

function placeAt(text: string, offset: number): Place {
  const from = lineStart(text, offset);
  const touching = T.tokenise(text.slice(from, offset)).tokens.at(-1);
  const inText =
    touching !== undefined &&
    ([T.LineComment, T.DocComment, T.OpenString].includes(touching.tokenType) ||
      (touching.tokenType === T.NumberLiteral && T.endOf(touching) === offset - from));
  const { stack, line, kind } = standAt(text, offset);
  const [first, second, third] = line;
  const last = line.at(-1);
  const bracket = stack.at(-1);
  if (inText)
    return isWord(first, "import") && line.length <= 2 ? { place: "import path" } : { place: "none" };
  if (bracket === undefined) {
    if (first === undefined) return { place: "top" };
    if (isWord(first, "import"))
      return last === first || last?.tokenType === T.Dot ? { place: "import path" } : { place: "none" };
    if (isWord(first, "train")) return last === first ? { place: "model" } : { place: "none" };
    if (isWord(first, "dim")) return line.length < 3 ? { place: "none" } : { place: "expression" };
    return last?.tokenType === T.Arrow ? { place: "type" } : { place: "none" };
  }
  switch (bracket.what) {
    case "import":
      return { place: "import names", from: importedPath(bracket.before) };
    case "entries":
      if (last?.tokenType === T.Colon) return { place: "type" };
      return line.findLastIndex(({ tokenType }) => tokenType === T.Equals) >
        line.findLastIndex(({ tokenType }) => tokenType === T.Comma)
        ? { place: "expression" }
        : { place: "none" };
    case "settings":
      return settingPlace(line);
    case "rules":
      return isWord(last, "=") ? { place: "words", words: startWords } : { place: "none" };
    case "options": {
      const begins = last === undefined || last.tokenType === T.Comma;
      if (last?.tokenType === T.Dot) return { place: "member", of: line.at(-2)?.image ?? "" };
      if (!begins) return isOperand(last) ? { place: "words", words: [] } : { place: "expression" };
      const given = line.flatMap((token, i) => (line[i + 1]?.tokenType === T.Equals ? [token.image] : []));
      const of = isWord(bracket.before[0], "optimizer") ? "optimiser" : "definition";
      return { place: "options", callee: calleeBefore(bracket.before), given, of };
    }
    case "other":
      return insidePlace(bracket, line, stack);
    case "block":
      break;
    default:
      return bracket.what satisfies never;
  }
  if (first === undefined) return { place: "statement", kind };
  if (last?.tokenType === T.Dot) return { place: "member", of: line.at(-2)?.image ?? "" };
  switch (first.image) {
    case "choose":
      return choosePlace(line);
    case "null":
      if (line.length === 1) return { place: "null kind" };
      break;
    case "after":
      if (line.length === 1) return { place: "words", words: ["step"] };
      if (isWord(last, ":")) return { place: "statement", kind };
      break;
    case "modality":
      if (third?.tokenType === T.Equals && line.length === 3) return { place: "modality" };
      if (line.length < 3) return { place: "none" };
      break;
    case "param":
    case "state":
      if (line.length === 1) return { place: "none" };
      if (last?.tokenType === T.Colon) return { place: "type" };
      if (last?.tokenType === T.Equals) return { place: "expression", initialiser: true };
      break;
    case "dim":
    case "metric":
      if (line.length === 1) return { place: "none" };
      break;
    case "routed":
      if (isWord(last, "for")) return { place: "modality name" };
      break;
    default:
  }
  if (isWord(last, "in") && second !== undefined && first.image !== "repeat")
    return { place: "words", words: ["training", "inference"] };
  if (isOperand(last) && line.length > 0 && !statementWordAlone(line))
    return { place: "words", words: wordsAfter(line) };
  return { place: "expression" };
}

const importedPath = (tokens: readonly IToken[]): string =>
  tokens
    .slice(1)
    .map(({ image }) => image)
    .join("")
    .replaceAll('"', "");

/** `weight` and such, with nothing behind: an expression follows. */
const statementWordAlone = (line: readonly IToken[]): boolean =>
  line.length === 1 && T.statementWords.some((type) => type === line[0]!.tokenType);

/** The name that is applied or configured by a bracket behind these tokens: `TopK` of `router TopK`. */
export function calleeBefore(tokens: readonly IToken[]): string {
  let depth = 0;
  for (const token of tokens.toReversed()) {
    if (token.tokenType === T.RParen || token.tokenType === T.RBrace) depth += 1;
    if (tokenMatcher(token, T.Name)) return token.image;
    if (depth === 0) return "";
  }
  return "";
}

/** What a tensor may begin with; patterns of names stand in quotes. */
const startWords = ["copy", "slice", "take", "transpose", "concat", "stack", "mean", "fresh"];

function settingPlace(line: readonly IToken[]): Place {
  const [first, , third] = line;
  const last = line.at(-1);
  if (first === undefined) return { place: "setting" };
  const begun = line.length === 1;
  switch (first.image) {
    case "data":
      if (begun) return { place: "modality name" };
      return third !== undefined && line.length === 3 ? { place: "reader" } : { place: "none" };
    case "optimizer":
      return begun ? { place: "optimiser" } : { place: "none" };
    case "batch":
      return begun || !isOperand(last) ? { place: "expression" } : { place: "words", words: ["of"] };
    case "evaluate":
      if (begun) return { place: "words", words: ["every"] };
      return isOperand(last) && !isWord(last, "every", "on")
        ? { place: "words", words: ["on"] }
        : { place: "expression" };
    case "checkpoint":
      return begun ? { place: "words", words: ["every"] } : { place: "expression" };
    case "model":
      return begun ? { place: "model" } : { place: "none" };
    case "start":
      return begun ? { place: "words", words: ["from"] } : { place: "none" };
    case "phase":
      return { place: "none" };
    case "stop":
      return begun ? { place: "words", words: ["after"] } : { place: "expression" };
    default:
      return { place: "expression" };
  }
}

/** Inside ( ) and [ ] of an expression. */
function insidePlace(bracket: OpenBracket, line: readonly IToken[], stack: readonly OpenBracket[]): Place {
  const last = line.at(-1);
  if (last?.tokenType === T.Dot) return { place: "member", of: line.at(-2)?.image ?? "" };
  const over = line.findLastIndex(({ tokenType }) => tokenType === T.Over);
  if (
    over >= 0 &&
    line.slice(over + 1).every(({ tokenType }, i) => (i % 2 === 1) === (tokenType === T.Comma))
  )
    return isOperand(last) && last!.tokenType !== T.Over ? { place: "words", words: [] } : { place: "axes" };
  const isReader = stack.some(({ what, before }) => what === "other" && isWord(before[0], "data"));
  if (isReader) return { place: "none" };
  const callee = bracket.bracket === "(" ? calleeBefore(bracket.before) : "";
  if (isOperand(last))
    return { place: "words", words: ["over", "and", "or", "by", "as", "then", "else", "of"] };
  return { place: "expression", ...(callee === "" ? {} : { callee }) };
}

const infix = ["and", "or", "by", "as", "then", "else"];

/** Words that may follow an operand in a statement. */
function wordsAfter(line: readonly IToken[]): readonly string[] {
  const [first] = line;
  const has = (word: string): boolean => line.some(({ image }) => image === word);
  switch (first?.image) {
    case "routed":
      return has("for") ? ["weight"] : ["for", "weight"];
    case "shared":
      return ["weight", "by"];
    case "capacity":
      if (isWord(line.at(-1), "per")) return ["batch", "sequence"];
      if (isWord(line.at(-1), "drop")) return ["last", "lowest", "lowest of"];
      if (isWord(line.at(-1), "in")) return ["each of", "training", "inference"];
      return [
        "in each of",
        "per batch",
        "per sequence",
        "drop last",
        "drop lowest",
        "drop lowest of",
        "groups",
      ];
    case "repeat":
      return ["in"];
    default:
      return [...infix, "in training", "in inference"];
  }
}

/** `choose top k of p in the best 4 of 8 groups by sum(top 2 of p) only where open` */
function choosePlace(line: readonly IToken[]): Place {
  const words = (...list: readonly string[]): Place => ({ place: "words", words: list });
  const last = line.at(-1)!;
  const form = line[1]?.image;
  const has = (word: string): boolean => line.slice(2).some(({ image }) => image === word);
  if (form === undefined) return { place: "choose" };
  if (isWord(last, "for")) return words("each expert");
  if (isWord(last, "per")) return words("batch", "sequence");
  if (isWord(last, "at")) return words("most");
  if (isWord(last, "only")) return words("where");
  if (isWord(last, "in")) return words("each of", "the best", "training", "inference");
  if (isWord(last, "the")) return words("best");
  if (isWord(last, "each")) return words("of", "expert");
  if (isWord(last, "tokens") && form === "top") return words("of");
  if (!isOperand(last) || isWord(last, "top", "until", "where", "given", "of", "by", "most", "best"))
    return { place: "expression" };
  const ends = ["only where", "in training", "in inference"];
  switch (form) {
    case "top":
      if (!has("of")) return words("of", "tokens of");
      if (has("tokens")) return words("for each expert", "per batch", "per sequence", ...ends);
      if (has("groups")) return words("by", ...ends);
      return has("in") ? words("of", "groups") : words("in each of", "in the best", ...ends);
    case "until":
      return has("by") ? words("at most", ...ends) : words("by");
    case "where":
      return has("at") ? words("by", ...ends) : words("at most", "and", "or", ...ends);
    default:
      return words(...ends);
  }
}
