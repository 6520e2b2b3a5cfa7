// Tokens: the words and signs of the language. In: nothing. Out: one token type per word and sign, and `tokenise`, which
// never fails: characters that begin no token come back as stretches to report. Newlines and comments are tokens here;
// layout.ts decides which newlines end a statement.

import { createToken, Lexer, type IToken, type TokenType } from "chevrotain";

/** Every word may be a name, but those that would make an expression ambiguous. */
export const Name = createToken({ name: "Name", pattern: Lexer.NA, label: "a name" });
export const Identifier = createToken({
  name: "Identifier",
  pattern: /[A-Za-z_][A-Za-z0-9_]*/,
  label: "a name",
  categories: [Name],
});

const all: TokenType[] = [];

function sign(name: string, text: string, ...categories: TokenType[]): TokenType {
  const type = createToken({ name, pattern: text, label: `\`${text}\``, categories });
  all.push(type);
  return type;
}

function word(text: string, ...categories: TokenType[]): TokenType {
  const name = text[0]!.toUpperCase() + text.slice(1);
  const type = createToken({ name, pattern: text, label: `\`${text}\``, longer_alt: Identifier, categories });
  all.push(type);
  return type;
}

/** The signs and words between two operands; which binds tighter is settled in precedence.ts. */
export const Infix = createToken({ name: "Infix", pattern: Lexer.NA, label: "an operator" });
export const Assign = createToken({ name: "Assign", pattern: Lexer.NA, label: "`=`" });

export const Arrow = sign("Arrow", "->");
export const PlusEquals = sign("PlusEquals", "+=", Assign);
export const MinusEquals = sign("MinusEquals", "-=", Assign);
export const TimesEquals = sign("TimesEquals", "*=", Assign);
export const LessEqual = sign("LessEqual", "<=", Infix);
export const GreaterEqual = sign("GreaterEqual", ">=", Infix);
export const EqualEqual = sign("EqualEqual", "==", Infix);
export const NotEqual = sign("NotEqual", "!=", Infix);
export const Less = sign("Less", "<", Infix);
export const Greater = sign("Greater", ">", Infix);
export const Plus = sign("Plus", "+", Infix);
export const Minus = sign("Minus", "-", Infix);
export const Star = sign("Star", "*", Infix);
export const Slash = sign("Slash", "/", Infix);
export const At = sign("MatrixProduct", "@", Infix);
export const Caret = sign("Caret", "^", Infix);
export const Equals = sign("Equals", "=", Assign);
export const Comma = sign("Comma", ",");
export const Colon = sign("Colon", ":");
export const Dot = sign("Dot", ".");
export const LParen = sign("LParen", "(");
export const RParen = sign("RParen", ")");
export const LSquare = sign("LSquare", "[");
export const RSquare = sign("RSquare", "]");
export const LBrace = sign("LBrace", "{");
export const RBrace = sign("RBrace", "}");

/** Words that are never names. */
export const And = word("and", Infix);
export const Or = word("or", Infix);
export const Not = word("not");
export const If = word("if");
export const Then = word("then");
export const Else = word("else");

export const Import = word("import", Name);
export const Expert = word("expert", Name);
export const Router = word("router", Name);
export const Moe = word("moe", Name);
export const Layer = word("layer", Name);
export const Chain = word("chain", Name);
export const Function = word("function", Name);
export const Model = word("model", Name);
export const Train = word("train", Name);

export const Dim = word("dim", Name);
export const Param = word("param", Name);
export const State = word("state", Name);
export const Modality = word("modality", Name);
export const Choose = word("choose", Name);
export const Weight = word("weight", Name);
export const Capacity = word("capacity", Name);
export const Loss = word("loss", Name);
export const Metric = word("metric", Name);
export const After = word("after", Name);
export const Repeat = word("repeat", Name);
export const Shared = word("shared", Name);
export const Routed = word("routed", Name);
export const Null = word("null", Name);

export const Int = word("int", Name);
export const Bool = word("bool", Name);
export const Gates = word("gates", Name);

export const As = word("as", Name);
export const By = word("by", Name);
export const Over = word("over", Name);
export const In = word("in", Name);
export const For = word("for", Name);
export const Of = word("of", Name);
export const Top = word("top", Name);
export const Tokens = word("tokens", Name);
export const Each = word("each", Name);
export const The = word("the", Name);
export const Best = word("best", Name);
export const Groups = word("groups", Name);
export const Until = word("until", Name);
export const Where = word("where", Name);
export const All = word("all", Name);
export const Given = word("given", Name);
export const AtMost = word("at", Name);
export const Most = word("most", Name);
export const Only = word("only", Name);
export const Per = word("per", Name);
export const Drop = word("drop", Name);
export const Batch = word("batch", Name);
export const Sequence = word("sequence", Name);
export const Last = word("last", Name);
export const Lowest = word("lowest", Name);
export const Step = word("step", Name);
export const Training = word("training", Name);
export const Inference = word("inference", Name);
export const Zero = word("zero", Name);
export const Copy = word("copy", Name);
export const Constant = word("constant", Name);

export const Data = word("data", Name);
export const Optimizer = word("optimizer", Name);
export const Steps = word("steps", Name);
export const Accumulate = word("accumulate", Name);
export const Clip = word("clip", Name);
export const Seed = word("seed", Name);
export const Evaluate = word("evaluate", Name);
export const Every = word("every", Name);
export const On = word("on", Name);
export const Checkpoint = word("checkpoint", Name);
export const Stop = word("stop", Name);
export const Freeze = word("freeze", Name);
export const Rate = word("rate", Name);
export const Start = word("start", Name);
export const From = word("from", Name);
export const Phase = word("phase", Name);

export const NumberLiteral = createToken({
  name: "Number",
  pattern: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?%?/,
  label: "a number",
});
export const StringLiteral = createToken({ name: "String", pattern: /"[^"\r\n]*"/, label: "a string" });
/** Reported by `tokenise`, then read as a string. */
export const OpenString = createToken({
  name: "OpenString",
  pattern: /"[^"\r\n]*/,
  label: "a string",
  categories: [StringLiteral],
});
export const DocComment = createToken({ name: "DocComment", pattern: /\/\/\/[^\r\n]*/, label: "a comment" });
export const LineComment = createToken({ name: "LineComment", pattern: /\/\/[^\r\n]*/, label: "a comment" });
export const Newline = createToken({
  name: "Newline",
  pattern: /\r\n|\n|\r/,
  label: "the end of the line",
  line_breaks: true,
});
const Blank = createToken({ name: "Blank", pattern: /[ \t\uFEFF]+/, group: Lexer.SKIPPED });

// The lexer takes the first type that fits: `steps` is tried before `step`, and `->` before `-`.
all.sort((a, b) => (b.PATTERN as string).length - (a.PATTERN as string).length);

/** All that the parser may meet; the lexer tries them in this order. */
export const tokenTypes: readonly TokenType[] = [
  Blank,
  Newline,
  DocComment,
  LineComment,
  NumberLiteral,
  StringLiteral,
  OpenString,
  ...all,
  Identifier,
  Name,
  Infix,
  Assign,
];

export const declarationWords = [
  Import,
  Expert,
  Router,
  Moe,
  Layer,
  Chain,
  Function,
  Model,
  Train,
  Dim,
] as const;
export const definitionWords = [Expert, Router, Moe, Layer, Chain, Function, Model] as const;
export const statementWords = [
  ...[Dim, Param, State, Modality, Choose, Weight, Capacity, Loss, Metric, After, Repeat, If],
  ...[Shared, Routed, Null, Router],
] as const;
export const settingWords = [
  ...[Data, Batch, Optimizer, Steps, Accumulate, Clip, Seed, Evaluate, Checkpoint, Stop, Freeze, Rate],
  ...[Model, Start, Phase],
] as const;

/** The library's checks of the types themselves (one that another hides, say) take ten times as long as making the lexer; a test
 * runs them. */
export const makeLexer = (checksTypes = false): Lexer =>
  new Lexer([...tokenTypes], {
    positionTracking: "onlyOffset",
    ensureOptimizations: true,
    skipValidations: !checksTypes,
  });

const lexer = makeLexer();

export interface Tokenised {
  readonly tokens: readonly IToken[];
  /** Stretches of characters that begin no token. */
  readonly strange: readonly { readonly start: number; readonly end: number }[];
}

export function tokenise(text: string): Tokenised {
  const { tokens, errors } = lexer.tokenize(text);
  return { tokens, strange: errors.map(({ offset, length }) => ({ start: offset, end: offset + length })) };
}

export const endOf = (token: IToken): number => token.startOffset + token.image.length;
