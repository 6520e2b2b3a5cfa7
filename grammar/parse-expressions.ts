// The grammar of expressions and types. Loosest first: `as`; `if ... then ... else`; the operators, read as one flat row
// that precedence.ts makes a tree of; then calls, options, indices, members and `by`, which bind tightest.

import { tokenMatcher, type IToken } from "chevrotain";
import { spanOf } from "./layout.ts";
import { ParserBase } from "./parse-base.ts";
import { treeOf, type RowItem } from "./precedence.ts";
import { SyntaxProblem } from "./problems.ts";
import type { Argument, BinaryOperator, Expression, Name, Type } from "./syntax.ts";
import * as T from "./tokens.ts";

export class ExpressionParser extends ParserBase {
  readonly expression = this.RULE("expression", (): Expression => {
    const start = this.start();
    return this.outermost(() => {
      let value = this.SUBRULE(this.value);
      this.MANY(() => {
        this.CONSUME(T.As);
        const type = this.SUBRULE(this.type);
        value = { node: "as", of: value, type, span: this.from(start) };
      });
      return value;
    });
  });

  readonly value = this.RULE("value", (): Expression => {
    return this.nested(() =>
      this.OR([
        { ALT: (): Expression => this.SUBRULE(this.conditional) },
        { ALT: (): Expression => this.SUBRULE(this.operation) },
      ]),
    );
  });

  readonly conditional = this.RULE("conditional", (): Expression => {
    const start = this.start();
    this.CONSUME(T.If);
    const condition = this.SUBRULE(this.value);
    this.CONSUME(T.Then);
    const then = this.SUBRULE2(this.value);
    this.CONSUME(T.Else);
    const otherwise = this.SUBRULE3(this.value);
    return { node: "if", condition, then, otherwise, span: this.from(start) };
  });

  readonly operation = this.RULE("operation", (): Expression => {
    const row: RowItem[] = [];
    this.SUBRULE(this.operand, { ARGS: [row] });
    this.MANY(() => {
      const token = this.CONSUME(T.Infix);
      this.ACTION(() =>
        row.push({ item: "infix", operator: token.image as BinaryOperator, span: spanOf(token) }),
      );
      this.SUBRULE2(this.operand, { ARGS: [row] });
    });
    return this.ACTION(() =>
      treeOf(row, ({ problem, span }) =>
        problem === "chained"
          ? this.complain(
              "M0009",
              "comparisons do not chain",
              span,
              "a second comparison",
              "join two with `and`: `a < b and b < c`",
            )
          : this.complain(
              "M0010",
              "`not` binds looser than the operator before it",
              span,
              "this `not`",
              "put it in parentheses: `(not a)`",
            ),
      ),
    );
  });

  readonly operand = this.RULE("operand", (row: RowItem[]): void => {
    this.MANY(() => {
      const token = this.OR([{ ALT: () => this.CONSUME(T.Minus) }, { ALT: () => this.CONSUME(T.Not) }]);
      this.ACTION(() =>
        row.push({ item: "prefix", operator: token.image as "-" | "not", span: spanOf(token) }),
      );
    });
    const operand = this.SUBRULE(this.postfix);
    this.ACTION(() => row.push({ item: "operand", operand }));
  });

  readonly postfix = this.RULE("postfix", (): Expression => {
    const start = this.start();
    let of = this.SUBRULE(this.primary);
    this.MANY({
      GATE: () =>
        !(this.noOptions && this.LA(1).tokenType === T.LBrace) &&
        !(this.noBy && this.LA(1).tokenType === T.By),
      DEF: () => {
        of = this.OR([
          {
            ALT: (): Expression => {
              const { items, over } = this.SUBRULE(this.list);
              return { node: "call", callee: of, arguments: items, over, span: this.from(start) };
            },
          },
          {
            ALT: (): Expression => {
              const options = this.SUBRULE(this.options);
              return { node: "configure", callee: of, options, span: this.from(start) };
            },
          },
          {
            ALT: (): Expression => {
              const indices = this.SUBRULE(this.indices);
              return { node: "index", of, indices, span: this.from(start) };
            },
          },
          {
            ALT: (): Expression => {
              this.CONSUME(T.Dot);
              const name = this.nameOf(this.CONSUME(T.Name));
              return { node: "member", of, name, span: this.from(start) };
            },
          },
          {
            ALT: (): Expression => {
              const by = this.CONSUME(T.By);
              this.ACTION(() => this.expectCall(of, by));
              const router = this.within({ noOptions: this.noOptions, noBy: true }, () =>
                this.SUBRULE(this.postfix),
              );
              return { node: "by", of, router, span: this.from(start) };
            },
          },
        ]);
      },
    });
    return of;
  });

  private expectCall(of: Expression, by: IToken): void {
    if (of.node !== "call")
      this.complain(
        "M0011",
        "`by` needs a call before it",
        spanOf(by),
        "routes a call",
        "apply the pool first: `pool(x) by TopK { k = 2 }`",
      );
  }

  readonly primary = this.RULE("primary", (): Expression => {
    const start = this.start();
    return this.OR([
      {
        ALT: (): Expression => {
          const token = this.CONSUME(T.Name);
          return { node: "name", text: token.image, span: spanOf(token) };
        },
      },
      { ALT: (): Expression => this.numberOf(this.CONSUME(T.NumberLiteral)) },
      { ALT: (): Expression => this.stringOf(this.CONSUME(T.StringLiteral)) },
      {
        ALT: (): Expression => {
          this.CONSUME(T.LParen);
          const inner = this.inBrackets(() => this.SUBRULE(this.expression));
          this.CONSUME(T.RParen);
          return { node: "group", inner, span: this.from(start) };
        },
      },
      {
        ALT: (): Expression => {
          const items: Expression[] = [];
          this.CONSUME(T.LSquare);
          this.inBrackets(() =>
            this.MANY_SEP({ SEP: T.Comma, DEF: () => void items.push(this.SUBRULE2(this.expression)) }),
          );
          this.CONSUME(T.RSquare);
          return { node: "list", items, span: this.from(start) };
        },
      },
    ]);
  });

  /** `5%` is 0.05: the sign belongs to the number. */
  protected numberOf(token: IToken): Expression {
    const percent = token.image.endsWith("%");
    const value = Number(percent ? token.image.slice(0, -1) : token.image);
    if (value === Infinity)
      this.complain(
        "M0012",
        "this number is too large",
        spanOf(token),
        "more than a number can hold",
        "write `inf` for infinity",
      );
    return { node: "number", value: percent ? value / 100 : value, span: spanOf(token) };
  }

  private stringOf(token: IToken): Expression {
    return { node: "string", value: stringValue(token), span: spanOf(token) };
  }

  /** `(a, k = 2 over c, d)` */
  readonly list = this.RULE(
    "arguments",
    (): { readonly items: readonly Argument[]; readonly over: readonly Name[] } => {
      const items: Argument[] = [];
      const over: Name[] = [];
      this.CONSUME(T.LParen);
      this.inBrackets(() => {
        this.OPTION(() => {
          items.push(this.SUBRULE(this.argument));
          this.MANY(() => {
            this.CONSUME(T.Comma);
            items.push(this.SUBRULE2(this.argument));
          });
          this.OPTION2(() => {
            this.CONSUME(T.Over);
            this.ACTION(() => this.expectAxis());
            this.AT_LEAST_ONE_SEP({
              SEP: T.Comma,
              DEF: () => {
                over.push(this.nameOf(this.CONSUME(T.Name)));
                this.ACTION(() => this.expectAxisEnd());
              },
            });
          });
        });
      });
      this.CONSUME(T.RParen);
      return { items, over };
    },
  );

  /** An axis is named and not computed: who writes `over 2` or `over N / 4` is told how to name it. */
  private expectAxis(): void {
    const next = this.LA(1);
    if (next.tokenType === T.NumberLiteral || next.tokenType === T.LParen)
      throw new SyntaxProblem(["a name"], next, "axis");
  }
  private expectAxisEnd(): void {
    const next = this.LA(1);
    if (tokenMatcher(next, T.Infix)) throw new SyntaxProblem(["`)`", "`,`"], next, "axis");
  }

  readonly argument = this.RULE("argument", (): Argument => {
    const start = this.start();
    const name = this.OPTION(() => {
      const token = this.CONSUME(T.Name);
      this.CONSUME(T.Equals);
      return this.nameOf(token);
    });
    const value = this.SUBRULE(this.expression);
    return { ...(name === undefined ? {} : { name }), value, span: this.from(start) };
  });

  /** `{ k = 2, rate = 1e-3 }` */
  readonly options = this.RULE("options", (): readonly Argument[] => {
    const options: Argument[] = [];
    this.CONSUME(T.LBrace);
    this.inBrackets(() =>
      this.MANY_SEP({
        SEP: T.Comma,
        DEF: () => {
          const start = this.start();
          const name = this.nameOf(this.CONSUME(T.Name));
          this.CONSUME(T.Equals);
          const value = this.SUBRULE(this.expression);
          options.push({ name, value, span: this.from(start) });
        },
      }),
    );
    this.CONSUME(T.RBrace);
    return options;
  });

  readonly indices = this.RULE("indices", (): readonly Expression[] => {
    const indices: Expression[] = [];
    this.CONSUME(T.LSquare);
    this.inBrackets(() =>
      this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => void indices.push(this.SUBRULE(this.expression)) }),
    );
    this.CONSUME(T.RSquare);
    return indices;
  });

  readonly type = this.RULE("type", (): Type => {
    const start = this.start();
    const axes: Expression[] = [];
    const word = this.OPTION(() =>
      this.OR([
        { ALT: () => this.CONSUME(T.Int) },
        { ALT: () => this.CONSUME(T.Bool) },
        { ALT: () => this.CONSUME(T.Gates) },
      ]),
    );
    this.CONSUME(T.LSquare);
    this.inBrackets(() =>
      this.MANY_SEP({ SEP: T.Comma, DEF: () => void axes.push(this.SUBRULE(this.expression)) }),
    );
    this.CONSUME(T.RSquare);
    return { element: (word?.image ?? "number") as Type["element"], axes, span: this.from(start) };
  });
}

/** A string's text; its end may be missing, which has been reported. */
export const stringValue = (token: IToken): string =>
  token.image.slice(1, token.image.endsWith('"') && token.image.length > 1 ? -1 : undefined);
