// The grammar of `choose`, the eight ways to pick experts, and of `capacity`, which drops some of what was picked.

import { ExpressionParser } from "./parse-expressions.ts";
import type { Choice, Expression, StatementForm } from "./syntax.ts";
import * as T from "./tokens.ts";

export type Scope = "batch" | "sequence";
type Capacity = Extract<StatementForm, { node: "capacity" }>;
type Best = Extract<Choice, { form: "best" }>;

export class ChoiceParser extends ExpressionParser {
  readonly choice = this.RULE("choice", (): Choice => {
    return this.within({ noOptions: false, noBy: true }, () =>
      this.OR([
        { ALT: (): Choice => this.SUBRULE(this.top) },
        { ALT: (): Choice => this.SUBRULE(this.until) },
        { ALT: (): Choice => this.SUBRULE(this.where) },
        {
          ALT: (): Choice => {
            const start = this.start();
            this.CONSUME(T.All);
            return { form: "all", span: this.from(start) };
          },
        },
        {
          ALT: (): Choice => {
            const start = this.start();
            this.CONSUME(T.Given);
            const route = this.SUBRULE(this.expression);
            return { form: "given", route, span: this.from(start) };
          },
        },
      ]),
    );
  });

  /** `top 2 of score`, in groups or not; `top C tokens of score for each expert` */
  readonly top = this.RULE("top", (): Choice => {
    const start = this.start();
    this.CONSUME(T.Top);
    const count = this.SUBRULE(this.expression);
    return this.OR([
      {
        ALT: (): Choice => {
          this.CONSUME(T.Tokens);
          this.CONSUME(T.Of);
          const score = this.SUBRULE2(this.expression);
          this.CONSUME(T.For);
          this.CONSUME(T.Each);
          this.CONSUME(T.Expert);
          const scope = this.OPTION(() => this.SUBRULE(this.scope)) ?? "sequence";
          return { form: "tokens", count, score, scope, span: this.from(start) };
        },
      },
      {
        ALT: (): Choice => {
          this.CONSUME2(T.Of);
          const score = this.SUBRULE3(this.expression);
          // Not the `in` of `in training`, which ends the statement.
          const grouped = this.OPTION2({
            GATE: () => this.LA(2).tokenType === T.Each || this.LA(2).tokenType === T.The,
            DEF: () => this.SUBRULE(this.grouping, { ARGS: [start, count, score] }),
          });
          return grouped ?? { form: "top", count, score, span: this.from(start) };
        },
      },
    ]);
  });

  /** `in each of 8 groups`, `in the best 4 of 8 groups by sum(top 2 of q)` */
  readonly grouping = this.RULE("grouping", (start: number, count: Expression, score: Expression): Choice => {
    this.CONSUME(T.In);
    return this.OR([
      {
        ALT: (): Choice => {
          this.CONSUME(T.Each);
          this.CONSUME(T.Of);
          const groups = this.SUBRULE(this.expression);
          this.CONSUME(T.Groups);
          return { form: "each", count, score, groups, span: this.from(start) };
        },
      },
      {
        ALT: (): Choice => {
          this.CONSUME(T.The);
          this.CONSUME(T.Best);
          const best = this.SUBRULE2(this.expression);
          this.CONSUME2(T.Of);
          const groups = this.SUBRULE3(this.expression);
          this.CONSUME2(T.Groups);
          this.CONSUME(T.By);
          const by = this.SUBRULE(this.groupScore);
          return { form: "best", count, score, best, groups, by, span: this.from(start) };
        },
      },
    ]);
  });

  /** `sum(top 2 of q)`, `max(q)` */
  readonly groupScore = this.RULE("groupScore", (): Best["by"] => {
    const reduce = this.nameOf(this.CONSUME(T.Name));
    this.CONSUME(T.LParen);
    const top = this.OPTION(() => {
      this.CONSUME(T.Top);
      const count = this.inBrackets(() => this.SUBRULE(this.expression));
      this.CONSUME(T.Of);
      return count;
    });
    const score = this.inBrackets(() => this.SUBRULE2(this.expression));
    this.CONSUME(T.RParen);
    return { reduce, ...(top === undefined ? {} : { top }), score };
  });

  /** `until sum(score) > 0.4 by score at most 4`; the comparison belongs to the choice. */
  readonly until = this.RULE("until", (): Choice => {
    const start = this.start();
    this.CONSUME(T.Until);
    const condition = this.SUBRULE(this.expression);
    this.CONSUME(T.By);
    const by = this.SUBRULE2(this.expression);
    const most = this.OPTION(() => this.SUBRULE(this.atMost));
    const span = this.from(start);
    return this.ACTION((): Choice => {
      const limit = most === undefined ? {} : { most };
      if (condition.node === "binary" && (condition.operator === ">" || condition.operator === ">=")) {
        const { left: summed, right: threshold, operator } = condition;
        return { form: "until", summed, strict: operator === ">", threshold, by, ...limit, span };
      }
      if (condition.node !== "broken")
        this.complain(
          "M0013",
          "`until` needs a sum and its limit",
          condition.span,
          "compares with neither `>` nor `>=`",
          "write `choose until sum(p) > 0.4 by p`",
        );
      const broken: Expression = { node: "broken", span: condition.span };
      return { form: "until", summed: broken, strict: true, threshold: broken, by, ...limit, span };
    });
  });

  /** `where score > 0 at most 4 by score` */
  readonly where = this.RULE("where", (): Choice => {
    const start = this.start();
    this.CONSUME(T.Where);
    const condition = this.SUBRULE(this.expression);
    const limit = this.OPTION(() => {
      const most = this.SUBRULE(this.atMost);
      const by = this.OPTION2(() => {
        this.CONSUME(T.By);
        return this.SUBRULE2(this.expression);
      });
      return { most, ...(by === undefined ? {} : { by }) };
    });
    return { form: "where", condition, ...limit, span: this.from(start) };
  });

  readonly atMost = this.RULE("atMost", (): Expression => {
    this.CONSUME(T.AtMost);
    this.CONSUME(T.Most);
    return this.SUBRULE(this.expression);
  });

  /** `per batch`, `per sequence` */
  readonly scope = this.RULE("scope", (): Scope => {
    this.CONSUME(T.Per);
    const token = this.OR([{ ALT: () => this.CONSUME(T.Batch) }, { ALT: () => this.CONSUME(T.Sequence) }]);
    return token.image as Scope;
  });

  readonly capacity = this.RULE("capacity", (): Capacity => {
    this.CONSUME(T.Capacity);
    const value = this.SUBRULE(this.expression);
    // Not the `in` of `in training`, which ends the statement.
    const groups = this.OPTION({
      GATE: () => this.LA(2).tokenType === T.Each,
      DEF: () => this.SUBRULE(this.inGroups),
    });
    const scope = this.OPTION2(() => this.SUBRULE(this.scope)) ?? "batch";
    const dropped = this.OPTION3(() => this.SUBRULE(this.drop)) ?? { drop: "last" };
    return { node: "capacity", value, ...(groups === undefined ? {} : { groups }), scope, ...dropped };
  });

  /** `in each of 8 groups` */
  readonly inGroups = this.RULE("inGroups", (): Expression => {
    this.CONSUME(T.In);
    this.CONSUME(T.Each);
    this.CONSUME(T.Of);
    const groups = this.SUBRULE(this.expression);
    this.CONSUME(T.Groups);
    return groups;
  });

  /** `drop last`, `drop lowest`, `drop lowest of max(p)` */
  readonly drop = this.RULE("drop", (): Pick<Capacity, "drop" | "of"> => {
    this.CONSUME(T.Drop);
    return this.OR<Pick<Capacity, "drop" | "of">>([
      {
        ALT: () => {
          this.CONSUME(T.Last);
          return { drop: "last" };
        },
      },
      {
        ALT: () => {
          this.CONSUME(T.Lowest);
          const of = this.OPTION(() => {
            this.CONSUME(T.Of);
            return this.SUBRULE(this.expression);
          });
          return { drop: "lowest", ...(of === undefined ? {} : { of }) };
        },
      },
    ]);
  });
}
