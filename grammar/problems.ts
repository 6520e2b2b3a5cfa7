// Problems: what the parser found wrong, as diagnostics in the language's words. In: what was expected, what stood there,
// and the rule that was being read. Out: a Diagnostic M00xx. Nothing of the parser library's own messages gets through.

import { EOF, tokenMatcher, type IParserErrorMessageProvider, type IToken, type TokenType } from "chevrotain";
import { error, type Diagnostic } from "./diagnostic.ts";
import { nearest } from "./spelling.ts";
import type { Span } from "./syntax.ts";
import * as T from "./tokens.ts";

/** Thrown by the grammar's own checks; caught, like the library's exceptions, where reading can go on. */
export class SyntaxProblem extends Error {
  readonly expected: readonly string[];
  readonly token: IToken;
  readonly rule: string;
  constructor(expected: readonly string[], token: IToken, rule: string) {
    super("internal: a syntax problem was not caught");
    this.expected = expected;
    this.token = token;
    this.rule = rule;
  }
}

/** Thrown when brackets, `if` or blocks go deeper than the parser follows. */
export class NestingProblem extends Error {}

/** What the library is told to say: the labels that would have fitted, and how far ahead the misfit stands. */
export interface Expected {
  readonly labels: readonly string[];
  readonly ahead: number;
}

const say = (expected: Expected): string => JSON.stringify(expected);
export const heard = (message: string): Expected => JSON.parse(message) as Expected;
const labelOf = (type: TokenType): string => type.LABEL ?? type.name;

export const messages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => say({ labels: [labelOf(expected)], ahead: 0 }),
  buildNotAllInputParsedMessage: () => say({ labels: ["the end of the file"], ahead: 0 }),
  buildNoViableAltMessage: ({ expectedPathsPerAlt, actual }) => furthest(expectedPathsPerAlt.flat(), actual),
  buildEarlyExitMessage: ({ expectedIterationPaths, actual }) => furthest(expectedIterationPaths, actual),
};

/** Of several rows of tokens that would fit, those that fit longest say what was expected, and where. */
function furthest(paths: readonly (readonly TokenType[])[], actual: readonly IToken[]): string {
  let ahead = 0;
  let labels = new Set<string>();
  for (const path of paths) {
    let fits = 0;
    while (fits < path.length && actual[fits] !== undefined && tokenMatcher(actual[fits]!, path[fits]!))
      fits += 1;
    const next = path[fits];
    if (next === undefined || fits < ahead) continue;
    if (fits > ahead) labels = new Set();
    ahead = fits;
    labels.add(labelOf(next));
  }
  return say({ labels: [...labels], ahead });
}

const expressionStarts = ["a name", "a number", "a string", "`(`", "`[`", "`-`", "`not`", "`if`"];

/** "a name", "`)` or `,`", "an expression". */
export function describeExpected(labels: readonly string[]): string {
  const isExpression = labels.includes("a number") && labels.includes("`(`");
  const rest = isExpression ? labels.filter((label) => !expressionStarts.includes(label)) : [...labels];
  // A word that is also a name needs no mention of its own.
  const shown = isExpression ? ["an expression", ...rest] : rest.includes("a name") ? ["a name"] : rest;
  if (shown.length > 6) return "another word";
  return shown.length <= 1
    ? (shown[0] ?? "nothing more")
    : `${shown.slice(0, -1).join(", ")} or ${shown.at(-1)}`;
}

export function describeToken(token: IToken): string {
  if (token.tokenType === EOF) return "the end of the file";
  if (token.tokenType === T.Newline) return "the end of the line";
  if (token.image === "") return "nothing";
  return `\`${token.image.length > 40 ? `${token.image.slice(0, 37)}...` : token.image}\``;
}

/** How each thing is written, by the rule that reads it or the word that begins its line: the help of an error inside it. */
const forms: Readonly<Record<string, string>> = {
  import: 'write `import std.experts { SwiGLU }` or `import "./mine.moe" { Mine }`',
  expert: "write `expert Name(D, H)(x: [D]) -> [D] { ... }`",
  router: "write `router TopK { k = 2 }`; a definition is `router Name(D, N)(x: [D]) -> gates[N] { ... }`",
  moe: "write `moe Name(D, H)(x: [D]) -> [D] { ... }`",
  layer: "write `layer Name(D, H)(x: [D]) -> [D] { ... }`",
  chain: "write `chain Name(D, H)(x: [D]) -> [D] { ... }`",
  function: "write `function Name(D)(x: [D]) -> [] { ... }`",
  model: "write `model Name { ... }`",
  train: "write `train Name { ... }` with one setting on each line",
  dim: "write `dim H = 4 * D`",
  param: "write `param w: [D, H]` or `param w: [D, H] = normal(0.02)`",
  state: "write `state bias: [N] = 0`",
  modality: "write `modality text = tokens(vocab = 256)`",
  choose:
    "write `choose top 2 of score`, `choose until sum(p) > 0.4 by p`, `choose where score > 0` or `choose all`",
  weight: "write `weight score / sum(score)`",
  capacity: "write `capacity 1.25 * tokens / N per batch drop last`",
  loss: "write `loss balance = expression` or `loss expression`",
  metric: "write `metric name = expression`",
  after: "write `after step: name = expression`",
  repeat: "write `repeat 4 { ... }` or `repeat i in 4 { ... }`",
  if: "write `if condition { ... } else { ... }` or `if condition then a else b`",
  shared: "write `shared SwiGLU(D, H) * 2`",
  routed: "write `routed SwiGLU(D, H) * 64`",
  null: "write `null zero * 8`, `null copy * 8` or `null constant * 8`",
  data: 'write `data text = bytes("corpus/*.txt")`',
  batch: "write `batch 16 of 256`",
  optimizer: "write `optimizer adamw { rate = 3e-3 }`",
  steps: "write `steps 2000`",
  accumulate: "write `accumulate 2`",
  clip: "write `clip 1`",
  seed: "write `seed 1`",
  evaluate: "write `evaluate every 100 on 5%`",
  checkpoint: "write `checkpoint every 100`",
  stop: "write `stop after 5`",
  freeze: 'write `freeze "embed*"`',
  rate: 'write `rate "*.router.*" = 0.5`',
  start: 'write `start from "runs/teacher" { "teacher.*" = "*" }`',
  startRule: 'write `"*.experts.*" = copy("*.ffn.*")`, with one rule on each line',
  phase: "write `phase name { ... }` with one setting on each line",
  entry: "write a static as `D` or `k = 8`, an input as `x: [D]`",
  type: "write a type as `[T, D]`, `int [T]` or `[]`",
  conditional: "write `if condition then a else b`",
  axis: "name the axis: a size, an index, or tokens, sequence or batch; `dim M = N / 4` names a size, then `over M`",
  options: "write options as `{ k = 2, rate = 1e-3 }`",
  "a declaration":
    "begin with `import`, `expert`, `router`, `moe`, `layer`, `chain`, `function`, `model`, `dim` or `train`",
  "a setting":
    "begin with `data`, `batch`, `optimizer`, `steps`, `evaluate`, `checkpoint`, `stop`, `clip`, `accumulate`, `seed`, `freeze`, `rate`, `model`, `start` or `phase`",
};

export interface Misfit {
  readonly labels: readonly string[];
  readonly token: IToken;
  /** The rule being read. */
  readonly rule: string;
  /** The word that begins the line. */
  readonly word: string;
  readonly module: string;
  /** Where the file ends, and the token before the misfit. */
  readonly end: number;
  readonly before: IToken;
}

/** The diagnostic of a token that does not fit. */
export function misfit({ labels, token, rule, word, module, end, before }: Misfit): Diagnostic {
  const expected = describeExpected(labels);
  const span = placeOf(token, before, end);
  const label = `expected ${expected}`;
  const say = (code: string, message: string, help: string): Diagnostic =>
    error(code, message, module, span, label, help);
  if (reserved.has(token.image) && labels.includes("a name") && !labels.includes("a number"))
    return say(
      "M0008",
      `\`${token.image}\` is a word of the language and cannot be a name`,
      "choose another name",
    );
  const [meant] = nearest(
    token.image,
    labels.filter((one) => one.startsWith("`")).map((one) => one.slice(1, -1)),
  );
  if (meant !== undefined && tokenMatcher(token, T.Name)) return misspelt(token, meant, module);
  if (before.tokenType === T.Comma && closers.includes(token.tokenType)) {
    const comma = { start: before.startOffset, end: T.endOf(before) };
    const what = error(
      "M0005",
      `expected ${expected} after \`,\``,
      module,
      comma,
      "nothing follows this",
      "remove the comma",
    );
    return { ...what, fix: { span: comma, text: "", safe: true } };
  }
  const message = `expected ${expected}, found ${describeToken(token)}`;
  const help =
    token.tokenType === T.Equals && word !== "rate"
      ? comparing
      : (forms[rule] ?? forms[labels[0] ?? ""] ?? forms[word]);
  return say("M0005", message, help ?? adviceFor(labels, token));
}

/** A word that is nearly another, with the edit that makes it that. */
export function misspelt(token: IToken, meant: string, module: string): Diagnostic {
  const span = { start: token.startOffset, end: T.endOf(token) };
  const message = `there is no \`${token.image}\` here`;
  return {
    ...error("M0006", message, module, span, "not a word of the language", `write \`${meant}\``),
    fix: { span, text: meant, safe: false },
  };
}

const reserved = new Set(["and", "or", "not", "if", "then", "else"]);
const closers: readonly TokenType[] = [T.RParen, T.RSquare, T.RBrace];
const comparing = "write `==` to compare; `name = expression` binds a name";

function adviceFor(labels: readonly string[], token: IToken): string {
  if (labels.includes("`{`")) return "open the body with `{` on the same line";
  if (token.tokenType === T.Newline)
    return "finish the statement on this line, or end the line with an operator or a comma";
  if (token.tokenType === T.Then || token.tokenType === T.Else) return "write `if condition then a else b`";
  if (labels.includes("the end of the line"))
    return tokenMatcher(token, T.Name) || token.tokenType === T.NumberLiteral
      ? "put an operator between the two, or begin a new line"
      : "begin a new line, or remove it";
  return `put ${describeExpected(labels)} here`;
}

/** The smallest span: a newline or the end of the file is shown right behind what came before. */
function placeOf(token: IToken, before: IToken, end: number): Span {
  const isEnd = token.tokenType === EOF;
  if (isEnd || token.tokenType === T.Newline || token.image === "") {
    const at = Number.isNaN(before.startOffset) ? (isEnd ? end : token.startOffset) : T.endOf(before);
    return { start: at, end: at };
  }
  return { start: token.startOffset, end: T.endOf(token) };
}
