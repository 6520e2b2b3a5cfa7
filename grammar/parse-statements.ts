// The grammar of statements: what stands in the body of a definition. A statement that cannot be read costs an error and
// itself: names that it would have bound stay known, with a value that is `broken`.

import { EOF, tokenMatcher, type IToken } from "chevrotain";
import { depthOf, spanOf } from "./layout.ts";
import { ChoiceParser } from "./parse-choices.ts";
import type { Expression, IndexBinder, Mode, Name, Span, Statement, StatementForm, Type } from "./syntax.ts";
import * as T from "./tokens.ts";

type Form<K extends StatementForm["node"]> = Extract<StatementForm, { node: K }>;
type AssignOperator = Form<"bind">["operator"];
type NullKind = Form<"null">["kind"];

export class StatementParser extends ChoiceParser {
  readonly block = this.RULE("block", (): readonly Statement[] => {
    const body: Statement[] = [];
    this.CONSUME(T.LBrace);
    this.inBrackets(() => {
      this.prepareStatement();
      this.MANY(() => {
        this.OR([
          { ALT: () => void this.CONSUME(T.Newline) },
          {
            ALT: () => {
              const statement = this.SUBRULE(this.statement);
              if (statement !== undefined) body.push(statement);
            },
          },
        ]);
        this.prepareStatement();
      });
    });
    this.CONSUME(T.RBrace);
    return body;
  });

  private prepareStatement(): void {
    this.skipJunk(canBeginStatement, "a statement");
    this.mendWord(T.statementWords, false);
  }

  readonly statement = this.RULE("statement", (): Statement | undefined => {
    const start = this.start();
    const doc = this.docs.get(start);
    return this.guarded(
      () => {
        const form = this.nested(() => this.SUBRULE(this.form));
        const mode = this.OPTION(() => this.SUBRULE(this.mode));
        this.ACTION(() => this.expectEnd());
        const extra = { ...(mode === undefined ? {} : { mode }), ...(doc === undefined ? {} : { doc }) };
        return { ...form, ...extra, span: this.from(start) };
      },
      (first) => salvage(first, this.from(start)),
    );
  });

  /** `in training`, `in inference` */
  readonly mode = this.RULE("mode", (): Mode => {
    this.CONSUME(T.In);
    const token = this.OR([
      { ALT: () => this.CONSUME(T.Training) },
      { ALT: () => this.CONSUME(T.Inference) },
    ]);
    return token.image as Mode;
  });

  readonly form = this.RULE("form", (): StatementForm => {
    return this.OR<StatementForm>({
      // `weight (x)` is a statement, not a call of something named `weight`: what stands first wins.
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.isBinding(), ALT: () => this.SUBRULE(this.bind) },
        { ALT: () => this.SUBRULE(this.dim) },
        { ALT: () => this.SUBRULE(this.tensor) },
        { ALT: () => this.SUBRULE(this.modality) },
        { ALT: () => this.SUBRULE(this.choose) },
        { ALT: () => this.SUBRULE(this.weight) },
        { ALT: () => this.SUBRULE(this.capacity) },
        { ALT: () => this.SUBRULE(this.loss) },
        { ALT: () => this.SUBRULE(this.metric) },
        { ALT: () => this.SUBRULE(this.after) },
        { ALT: () => this.SUBRULE(this.repeat) },
        { GATE: () => !this.isChoice(), ALT: () => this.SUBRULE(this.branch) },
        { ALT: () => this.SUBRULE(this.shared) },
        { ALT: () => this.SUBRULE(this.routed) },
        { ALT: () => this.SUBRULE(this.nothing) },
        { ALT: () => this.SUBRULE(this.router) },
        { GATE: () => !this.isUnfinished(), ALT: () => this.SUBRULE(this.result) },
      ],
    });
  });

  /** A statement's word before another word is that statement, though it is wrong: no expression begins with two words. */
  private isUnfinished(): boolean {
    const [first, second] = [this.LA(1), this.LA(2)];
    if (first.tokenType === T.If || !T.statementWords.some((type) => type === first.tokenType)) return false;
    const isSuffix = [T.In, T.As, T.By].some((type) => type === second.tokenType);
    const isWord = [T.Name, T.NumberLiteral, T.Not, T.If, T.Then, T.Else].some((type) =>
      tokenMatcher(second, type),
    );
    return isWord && !isSuffix;
  }

  /** `x =`, `x +=`, and by a look behind the brackets `score[h, t: T] =`. */
  private isBinding(): boolean {
    if (this.LA(2).tokenType !== T.LSquare) return tokenMatcher(this.LA(2), T.Assign);
    let open = 1;
    let ahead = 3;
    for (; open > 0; ahead += 1) {
      const { tokenType } = this.LA(ahead);
      if (tokenType === T.LSquare) open += 1;
      else if (tokenType === T.RSquare) open -= 1;
      else if (tokenType === EOF) return false;
    }
    return tokenMatcher(this.LA(ahead), T.Assign);
  }

  readonly bind = this.RULE("bind", (): Form<"bind"> => {
    const name = this.nameOf(this.CONSUME(T.Name));
    const indices = this.OPTION(() => this.SUBRULE(this.binders));
    const token = this.CONSUME(T.Assign);
    const value = this.SUBRULE(this.expression);
    return {
      node: "bind",
      name,
      ...(indices === undefined ? {} : { indices }),
      operator: token.image as AssignOperator,
      value,
    };
  });

  readonly binders = this.RULE("binders", (): readonly IndexBinder[] => {
    const binders: IndexBinder[] = [];
    this.CONSUME(T.LSquare);
    this.inBrackets(() =>
      this.AT_LEAST_ONE_SEP({
        SEP: T.Comma,
        DEF: () => {
          const name = this.nameOf(this.CONSUME(T.Name));
          const size = this.OPTION(() => {
            this.CONSUME(T.Colon);
            return this.SUBRULE(this.expression);
          });
          binders.push({ name, ...(size === undefined ? {} : { size }) });
        },
      }),
    );
    this.CONSUME(T.RSquare);
    return binders;
  });

  readonly dim = this.RULE("dim", (): Form<"dim"> => {
    this.CONSUME(T.Dim);
    const { name, value } = this.SUBRULE(this.named);
    return { node: "dim", name, value };
  });

  /** `name = expression` */
  readonly named = this.RULE("named", (): { readonly name: Name; readonly value: Expression } => {
    const name = this.nameOf(this.CONSUME(T.Name));
    this.CONSUME(T.Equals);
    const value = this.SUBRULE(this.expression);
    return { name, value };
  });

  readonly tensor = this.RULE("tensor", (): Form<"param" | "state"> => {
    const word = this.OR([{ ALT: () => this.CONSUME(T.Param) }, { ALT: () => this.CONSUME(T.State) }]);
    const name = this.nameOf(this.CONSUME(T.Name));
    this.CONSUME(T.Colon);
    const type = this.SUBRULE(this.type);
    const init = this.OPTION(() => {
      this.CONSUME(T.Equals);
      return this.SUBRULE(this.expression);
    });
    return { node: word.image as "param" | "state", name, type, ...(init === undefined ? {} : { init }) };
  });

  readonly modality = this.RULE("modality", (): Form<"modality"> => {
    this.CONSUME(T.Modality);
    const { name, value } = this.SUBRULE(this.named);
    return { node: "modality", name, value };
  });

  readonly choose = this.RULE("choose", (): Form<"choose"> => {
    this.CONSUME(T.Choose);
    const choice = this.SUBRULE(this.choice);
    const only = this.OPTION(() => {
      this.CONSUME(T.Only);
      this.CONSUME(T.Where);
      return this.SUBRULE(this.expression);
    });
    return { node: "choose", choice, ...(only === undefined ? {} : { only }) };
  });

  readonly weight = this.RULE("weight", (): Form<"weight"> => {
    this.CONSUME(T.Weight);
    const value = this.SUBRULE(this.expression);
    return { node: "weight", value };
  });

  readonly loss = this.RULE("loss", (): Form<"loss"> => {
    this.CONSUME(T.Loss);
    const name = this.OPTION(() => {
      const token = this.CONSUME(T.Name);
      this.CONSUME(T.Equals);
      return this.nameOf(token);
    });
    const value = this.SUBRULE(this.expression);
    return { node: "loss", ...(name === undefined ? {} : { name }), value };
  });

  readonly metric = this.RULE("metric", (): Form<"metric"> => {
    this.CONSUME(T.Metric);
    const { name, value } = this.SUBRULE(this.named);
    return { node: "metric", name, value };
  });

  readonly after = this.RULE("after", (): Form<"after"> => {
    this.CONSUME(T.After);
    this.CONSUME(T.Step);
    const body = this.OR([
      {
        ALT: () => {
          this.CONSUME(T.Colon);
          const statement = this.SUBRULE(this.statement);
          return statement === undefined ? [] : [statement];
        },
      },
      { ALT: () => this.SUBRULE(this.block) },
    ]);
    return { node: "after", body };
  });

  readonly repeat = this.RULE("repeat", (): Form<"repeat"> => {
    const word = this.CONSUME(T.Repeat);
    let index: Name | undefined;
    let count: Expression = { node: "broken", span: spanOf(word) };
    this.guardedHeader(() => {
      index = this.OPTION(() => {
        const token = this.CONSUME(T.Name);
        this.CONSUME(T.In);
        return this.nameOf(token);
      });
      count = this.within({ noOptions: true, noBy: false }, () => this.SUBRULE(this.expression));
      this.ACTION(() => this.expectBody("repeat"));
    });
    const body = this.SUBRULE(this.block);
    return { node: "repeat", ...(index === undefined ? {} : { index }), count, body };
  });

  /** `if c then a else b` is an expression; of a statement no `then` stands in the header. */
  private isChoice(): boolean {
    const depth = depthOf(this.LA(1));
    for (let ahead = 2; ; ahead += 1) {
      const token = this.LA(ahead);
      if (token.tokenType === EOF || depthOf(token) < depth) return false;
      if (depthOf(token) > depth) continue;
      if (token.tokenType === T.Then) return true;
      if (token.tokenType === T.Newline || token.tokenType === T.Else) return false;
    }
  }

  readonly branch = this.RULE("branch", (): Form<"if"> => {
    const word = this.CONSUME(T.If);
    let condition: Expression = { node: "broken", span: spanOf(word) };
    this.guardedHeader(() => {
      condition = this.outermost(() =>
        this.within({ noOptions: true, noBy: false }, () => this.SUBRULE(this.value)),
      );
      this.ACTION(() => this.expectBody("branch"));
    });
    const then = this.SUBRULE(this.block);
    const otherwise = this.OPTION(() => {
      this.CONSUME(T.Else);
      return this.OR([{ ALT: () => this.SUBRULE2(this.block) }, { ALT: () => this.SUBRULE(this.elseIf) }]);
    });
    return { node: "if", condition, then, otherwise: otherwise ?? [] };
  });

  /** `else if c { ... }` is an `if` alone in the other branch. */
  readonly elseIf = this.RULE("elseIf", (): readonly Statement[] => {
    const start = this.start();
    const form = this.nested(() => this.SUBRULE(this.branch));
    return [{ ...form, span: this.from(start) }];
  });

  readonly shared = this.RULE("shared", (): Form<"shared"> => {
    this.CONSUME(T.Shared);
    const pool = this.SUBRULE(this.expression);
    const weight = this.OPTION(() => this.SUBRULE(this.weighted));
    return { node: "shared", pool, ...(weight === undefined ? {} : { weight }) };
  });

  readonly routed = this.RULE("routed", (): Form<"routed"> => {
    this.CONSUME(T.Routed);
    const pool = this.SUBRULE(this.expression);
    const modality = this.OPTION(() => {
      this.CONSUME(T.For);
      return this.nameOf(this.CONSUME(T.Name));
    });
    const weight = this.OPTION2(() => this.SUBRULE(this.weighted));
    return {
      node: "routed",
      pool,
      ...(modality === undefined ? {} : { modality }),
      ...(weight === undefined ? {} : { weight }),
    };
  });

  readonly weighted = this.RULE("weighted", (): Expression => {
    this.CONSUME(T.Weight);
    return this.SUBRULE(this.expression);
  });

  readonly nothing = this.RULE("nothing", (): Form<"null"> => {
    this.CONSUME(T.Null);
    const kind = this.OR([
      { ALT: () => this.CONSUME(T.Zero) },
      { ALT: () => this.CONSUME(T.Copy) },
      { ALT: () => this.CONSUME(T.Constant) },
    ]);
    const count = this.OPTION(() => {
      this.CONSUME(T.Star);
      return this.SUBRULE(this.expression);
    });
    return { node: "null", kind: kind.image as NullKind, ...(count === undefined ? {} : { count }) };
  });

  readonly router = this.RULE("router", (): Form<"router"> => {
    this.CONSUME(T.Router);
    const router = this.SUBRULE(this.expression);
    return { node: "router", router };
  });

  readonly result = this.RULE("result", (): Form<"result"> => {
    const value = this.SUBRULE(this.expression);
    return { node: "result", value };
  });
}

const expressionStarts = [
  T.Name,
  T.If,
  T.NumberLiteral,
  T.StringLiteral,
  T.LParen,
  T.LSquare,
  T.Minus,
  T.Not,
];

const canBeginStatement = (token: IToken): boolean =>
  expressionStarts.some((type) => tokenMatcher(token, type));

/** What can be kept of a statement that could not be read: the name that it would have bound. */
function salvage(first: readonly IToken[], span: Span): Statement | undefined {
  const [word, second, third] = first;
  if (word === undefined || second === undefined || third === undefined) return undefined;
  const broken: Expression = { node: "broken", span };
  const nameOf = (token: IToken): Name => ({ text: token.image, span: spanOf(token) });
  if (tokenMatcher(word, T.Name) && second.tokenType === T.Equals)
    return { node: "bind", name: nameOf(word), operator: "=", value: broken, span };
  if (!tokenMatcher(second, T.Name)) return undefined;
  const name = nameOf(second);
  switch (word.tokenType) {
    case T.Param:
    case T.State: {
      const type: Type = { element: "number", axes: [broken], span };
      return { node: word.tokenType === T.Param ? "param" : "state", name, type, init: broken, span };
    }
    case T.Dim:
      return { node: "dim", name, value: broken, span };
    case T.Modality:
      return { node: "modality", name, value: broken, span };
    default:
      return undefined;
  }
}
