// What all parts of the parser share: the state of one parse, spans, flags, and going on after an error. The grammar is
// split over classes that extend each other, from expressions (parse-expressions.ts) to modules (parse-modules.ts).

import {
  EmbeddedActionsParser,
  EOF,
  isRecognitionException,
  tokenMatcher,
  type IToken,
  type TokenType,
} from "chevrotain";
import { error, type Diagnostic } from "./diagnostic.ts";
import { depthOf, spanOf } from "./layout.ts";
import { heard, messages, misfit, misspelt, NestingProblem, SyntaxProblem } from "./problems.ts";
import { nearest } from "./spelling.ts";
import type { Expression, Name, Span } from "./syntax.ts";
import * as T from "./tokens.ts";
import { isDeeperThan } from "./walk.ts";

/** Deeper nesting of brackets and blocks is refused: a person reads four or five levels, and every pass recurses. */
export const nestingLimit = 64;
/** Levels of one expression's tree; a row of operators has one level for each. */
export const depthLimit = 250;

/** More errors than this say nothing more. */
export const diagnosticLimit = 100;

export class ParserBase extends EmbeddedActionsParser {
  protected module = "";
  protected end = 0;
  protected docs: ReadonlyMap<number, string> = new Map();
  protected found: Diagnostic[] = [];
  private depth = 0;
  private isInExpression = false;
  /** In headers that a block follows, `{` opens the block, not options; in `choose`, `by` belongs to the choice. */
  protected noOptions = false;
  protected noBy = false;

  /** The library's checks of the grammar itself take as long as all else together; a test runs them. */
  constructor(checksGrammar: boolean) {
    super([...T.tokenTypes], {
      recoveryEnabled: false,
      maxLookahead: 2,
      skipValidations: !checksGrammar,
      nodeLocationTracking: "none",
      errorMessageProvider: messages,
    });
  }

  protected start(): number {
    return this.LA(1).startOffset;
  }

  protected from(start: number): Span {
    return { start, end: T.endOf(this.LA(0)) };
  }

  protected nameOf(token: IToken): Name {
    return { text: token.image, span: spanOf(token) };
  }

  protected report(diagnostic: Diagnostic): void {
    this.found.push(diagnostic);
  }

  protected complain(code: string, message: string, span: Span, label: string, help: string): void {
    this.report(error(code, message, this.module, span, label, help));
  }

  /** Reads with other flags; inside brackets both are off. */
  protected within<R>(flags: { readonly noOptions: boolean; readonly noBy: boolean }, read: () => R): R {
    const before = { noOptions: this.noOptions, noBy: this.noBy };
    Object.assign(this, flags);
    const result = read();
    Object.assign(this, before);
    return result;
  }

  protected inBrackets<R>(read: () => R): R {
    return this.within({ noOptions: false, noBy: false }, read);
  }

  /** An expression that is in no other: one that is too deep for the passes that walk it is refused here. */
  protected outermost(read: () => Expression): Expression {
    if (this.RECORDING_PHASE || this.isInExpression) return read();
    this.isInExpression = true;
    const value = read();
    this.isInExpression = false;
    if (!isDeeperThan(value, depthLimit)) return value;
    const help = "name a part of it on a line of its own";
    this.complain(
      "M0007",
      "this expression is too long or too deep",
      value.span,
      `more than ${depthLimit} levels`,
      help,
    );
    return { node: "broken", span: value.span };
  }

  /** Counts a level of nesting while it reads. */
  protected nested<R>(read: () => R): R {
    if (this.RECORDING_PHASE) return read();
    if (this.depth >= nestingLimit) throw new NestingProblem();
    this.depth += 1;
    try {
      return read();
    } finally {
      this.depth -= 1;
    }
  }

  /** Reads something that stands in lines of its own. After an error the rest of it is skipped, and `salvage` makes the best of it. */
  protected guarded<R>(read: () => R, salvage: (first: readonly IToken[]) => R): R {
    if (this.RECORDING_PHASE) return read();
    const first = [1, 2, 3].map((ahead) => this.LA(ahead));
    const depth = depthOf(first[0]!);
    try {
      return read();
    } catch (thrown) {
      this.tell(thrown, first[0]!.image);
      this.forget();
      // A text with so many errors is none in this language: the rest is not read.
      this.skip(this.found.length < diagnosticLimit ? depth : -1, []);
      return salvage(first);
    }
  }

  /** Reads a header: after an error reading goes on at the `{` of the body, if there is one. */
  protected guardedHeader(read: () => void): void {
    if (this.RECORDING_PHASE) return read();
    const word = this.LA(0);
    const depth = depthOf(word);
    try {
      read();
    } catch (thrown) {
      if (!this.isAhead(depth, T.LBrace)) throw thrown;
      this.tell(thrown, word.image);
      this.forget();
      this.skip(depth, [T.LBrace]);
    }
  }

  /** Flags are as they are where a statement begins. */
  private forget(): void {
    this.noOptions = false;
    this.noBy = false;
    this.isInExpression = false;
  }

  /** Turns what was thrown into a diagnostic. */
  private tell(thrown: unknown, word: string): void {
    if (thrown instanceof NestingProblem) {
      const place = spanOf(this.LA(1));
      const span = Number.isNaN(place.start) ? { start: this.end, end: this.end } : place;
      this.complain(
        "M0007",
        `nested more than ${nestingLimit} levels deep`,
        span,
        "the innermost level that is read",
        "name a part of it on a line of its own",
      );
      return;
    }
    const [labels, token, rule] = this.misfitOf(thrown);
    // An empty token was put in for a missing bracket, which has been reported.
    if (token.image === "" && token.tokenType !== EOF) return;
    if (token.tokenType === EOF && this.LA(0).image === "" && !Number.isNaN(this.LA(0).startOffset)) return;
    this.report(
      misfit({ labels, token, rule, word, module: this.module, end: this.end, before: this.beforeOf(token) }),
    );
  }

  private misfitOf(thrown: unknown): readonly [readonly string[], IToken, string] {
    if (thrown instanceof SyntaxProblem) return [thrown.expected, thrown.token, thrown.rule];
    if (!(thrown instanceof Error) || !isRecognitionException(thrown)) throw thrown;
    const { labels, ahead } = heard(thrown.message);
    const { context } = thrown as unknown as { context: { ruleStack: readonly string[] } };
    return [labels, this.LA(1 + ahead), context.ruleStack.at(-1) ?? ""];
  }

  private beforeOf(token: IToken): IToken {
    let ahead = 0;
    while (ahead < 4 && this.LA(ahead + 1) !== token) ahead += 1;
    return this.LA(ahead);
  }

  /** Skips to the end of the statement whose first token has this depth, or to one of `types` at that depth. */
  private skip(depth: number, types: readonly TokenType[]): void {
    while (
      !this.isEndAt(this.LA(1), depth) &&
      !(depthOf(this.LA(1)) === depth && types.includes(this.LA(1).tokenType))
    )
      this.SKIP_TOKEN();
  }

  private isAhead(depth: number, type: TokenType): boolean {
    for (let ahead = 1; ; ahead += 1) {
      const token = this.LA(ahead);
      if (this.isEndAt(token, depth)) return false;
      if (depthOf(token) === depth && token.tokenType === type) return true;
    }
  }

  private isEndAt(token: IToken, depth: number): boolean {
    if (token.tokenType === EOF || depthOf(token) < depth) return true;
    return depthOf(token) === depth && token.tokenType === T.Newline;
  }

  /** A header ends at the `{` of its body. */
  protected expectBody(rule: string): void {
    if (this.LA(1).tokenType !== T.LBrace) throw new SyntaxProblem(["`{`"], this.LA(1), rule);
  }

  /** A statement ends at the end of its line, of its block or of the file. */
  protected expectEnd(): void {
    const next = this.LA(1);
    if (next.tokenType === T.Newline || next.tokenType === T.RBrace || next.tokenType === EOF) return;
    throw new SyntaxProblem(["the end of the line"], next, "end");
  }

  /** Lines that nothing can begin with are reported and skipped, so that the rest of the block is read. */
  protected skipJunk(canBegin: (token: IToken) => boolean, expected: string): void {
    if (this.RECORDING_PHASE) return;
    for (;;) {
      const next = this.LA(1);
      const isEnd = next.tokenType === T.Newline || next.tokenType === T.RBrace || next.tokenType === EOF;
      if (isEnd || canBegin(next)) return;
      this.guarded(
        () => {
          throw new SyntaxProblem([expected], next, "junk");
        },
        () => undefined,
      );
    }
  }

  /** `parm w: [D]`: a line that begins with two words of which the first is nearly a keyword is read as that keyword. */
  protected mendWord(words: readonly TokenType[], always: boolean): void {
    if (this.RECORDING_PHASE) return;
    const [first, second] = [this.LA(1), this.LA(2)];
    if (first.tokenType !== T.Identifier) return;
    const isWord =
      tokenMatcher(second, T.Name) ||
      second.tokenType === T.NumberLiteral ||
      second.tokenType === T.StringLiteral;
    const isSuffix = [T.In, T.As, T.By].includes(second.tokenType);
    if (!always && (!isWord || isSuffix)) return;
    const spellings = new Map(words.map((type) => [type.PATTERN as string, type]));
    const [best] = nearest(first.image, spellings.keys());
    if (best === undefined) return;
    this.report(misspelt(first, best, this.module));
    const type = spellings.get(best)!;
    first.tokenType = type;
    first.tokenTypeIdx = type.tokenTypeIdx!;
  }
}
