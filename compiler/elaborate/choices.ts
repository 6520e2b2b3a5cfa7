// The forms of `choose`: what each reads, what it takes at most, and how its picks are made. In: a Choice of the Syntax. Out: the
// operands and a function from their nodes to picks i32 [tokens.., K]. Selection itself is composed in compiler/build/choose.ts.

import type { Choice, Expression, Span } from "../../grammar/syntax.ts";
import { constant, known, multiply, named, product, type Size } from "../../runtime/size.ts";
import {
  chooseAll,
  chooseBest,
  chooseEach,
  chooseTokens,
  chooseTop,
  chooseUntil,
  chooseWhere,
  masked,
} from "../build/choose.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { castTo, toTensor } from "./align.ts";
import { build, checking, type Elaboration, report } from "./elaboration.ts";
import { asSize, notBelowNone, roundSize, showShape, valueOf } from "./number.ts";
import { batchInWords, inRecipe } from "./recipe-sizes.ts";
import type { Scope } from "./scope.ts";
import { noteUndecodable } from "./sequence-notes.ts";
import { atMost, countOf, expertAxis, expertsOf, overExperts, sizeFrom, tokensOf } from "./scores.ts";
import { describe, isBroken, tensor, type Tensor, type VisibleAxis } from "./value.ts";

/** The choice that was made: picks, and what they were chosen by. */
interface Made {
  readonly tensors: readonly Tensor[];
  readonly width: Size;
  readonly score?: Tensor;
  readonly bound?: Size;
  readonly empty: boolean;
  /** false: a token may pick an expert twice. */
  readonly distinct?: false;
  /** Picks from the operands' nodes, each with the tokens' axes in front. */
  readonly make: (builder: GraphBuilder, nodes: readonly Node[], only: Node | undefined) => Node;
}

export function divides(of: Elaboration, span: Span, groups: number | "unknown"): boolean {
  const experts = known(expertsOf(of));
  if (groups === "unknown" || experts === undefined || experts % groups === 0) return true;
  report(of, "M0505", span, `${groups} groups do not divide ${experts} experts`, {
    label: `${experts} / ${groups} is not whole`,
    help: "choose a number of groups that divides the experts",
  });
  return false;
}

/** `until sum(p) > 0.4`: what stands in the sum. */
const summedOf = (expression: Expression): Expression =>
  expression.node === "call" &&
  expression.callee.node === "name" &&
  expression.callee.text === "sum" &&
  expression.arguments[0] !== undefined
    ? expression.arguments[0].value
    : expression;

/** One expert for each token, as a list of one. */
const alone = (of: Elaboration, ids: Tensor): Tensor => {
  const axes: readonly VisibleAxis[] = [{ size: constant(1) }];
  return tensor(
    ids.element,
    ids.hidden,
    axes,
    build(of, [ids], (builder, node) => builder.reshape(node, [...node.shape, 1])),
  );
};

export function choiceOf(of: Elaboration, choice: Choice, scope: Scope): Made | undefined {
  const experts = expertsOf(of);
  switch (choice.form) {
    case "top": {
      const k = countOf(of, choice.count, scope, "the number of picks");
      const score = overExperts(of, choice.score, scope, "number", "the score");
      if (
        k === undefined ||
        score === undefined ||
        !atMost(of, choice.count.span, k, experts, "experts", "too many")
      )
        return undefined;
      return {
        tensors: [score],
        width: sizeFrom(k, "k"),
        score,
        empty: false,
        make: (builder, [s], only) => chooseTop(builder, masked(builder, s!, only), k as number),
      };
    }
    case "each": {
      const k = countOf(of, choice.count, scope, "the number of picks");
      const groups = countOf(of, choice.groups, scope, "the number of groups");
      const score = overExperts(of, choice.score, scope, "number", "the score");
      if (
        k === undefined ||
        groups === undefined ||
        score === undefined ||
        !divides(of, choice.groups.span, groups)
      )
        return undefined;
      const inGroup = known(experts);
      if (
        inGroup !== undefined &&
        groups !== "unknown" &&
        !atMost(
          of,
          choice.count.span,
          k,
          constant(inGroup / groups),
          "experts of a group",
          "too many for one group",
        )
      )
        return undefined;
      const width = k === "unknown" || groups === "unknown" ? named("k") : constant(k * groups);
      return {
        tensors: [score],
        width,
        score,
        empty: false,
        make: (builder, [s], only) =>
          chooseEach(builder, masked(builder, s!, only), k as number, groups as number),
      };
    }
    case "best": {
      const k = countOf(of, choice.count, scope, "the number of picks");
      const best = countOf(of, choice.best, scope, "the number of best groups");
      const groups = countOf(of, choice.groups, scope, "the number of groups");
      const top =
        choice.by.top === undefined
          ? choice.by.reduce.text === "max"
            ? 1
            : "all"
          : countOf(of, choice.by.top, scope, "the number summed in a group");
      const score = overExperts(of, choice.score, scope, "number", "the score");
      const by = overExperts(of, choice.by.score, scope, "number", "the score of the groups");
      if (
        k === undefined ||
        best === undefined ||
        groups === undefined ||
        top === undefined ||
        score === undefined ||
        by === undefined
      )
        return undefined;
      if (choice.by.reduce.text !== "sum" && choice.by.reduce.text !== "max") {
        report(of, "M0506", choice.by.reduce.span, "groups are ranked by `sum` or `max`", {
          label: `not by \`${choice.by.reduce.text}\``,
          help: "write `by max(q)` or `by sum(top 2 of q)`",
        });
        return undefined;
      }
      if (!divides(of, choice.groups.span, groups)) return undefined;
      if (groups !== "unknown" && !atMost(of, choice.best.span, best, constant(groups), "groups", "too many"))
        return undefined;
      const total = known(experts);
      if (total !== undefined && groups !== "unknown") {
        const inGroup = total / groups;
        if (
          best !== "unknown" &&
          !atMost(
            of,
            choice.count.span,
            k,
            constant(inGroup * best),
            "experts of the best groups",
            "too many",
          )
        )
          return undefined;
        if (
          top !== "all" &&
          choice.by.top !== undefined &&
          !atMost(of, choice.by.top.span, top, constant(inGroup), "experts of a group", "too many")
        )
          return undefined;
      }
      return {
        tensors: [score, by],
        width: sizeFrom(k, "k"),
        score,
        empty: false,
        make: (builder, [s, g], only) =>
          chooseBest(builder, masked(builder, s!, only), k as number, best as number, groups as number, {
            score: masked(builder, g!, only),
            top: top === "all" ? known(experts)! / (groups as number) : (top as number),
          }),
      };
    }
    case "until": {
      const summed = overExperts(of, summedOf(choice.summed), scope, "number", "what is summed");
      const by = overExperts(of, choice.by, scope, "number", "the score");
      const limit = of.parts.evaluate(of, choice.threshold, scope);
      const most =
        choice.most === undefined ? undefined : countOf(of, choice.most, scope, "the number of picks");
      if (
        summed === undefined ||
        by === undefined ||
        isBroken(limit) ||
        (choice.most !== undefined && most === undefined)
      )
        return undefined;
      const threshold = toTensor(of, limit);
      if (threshold === undefined || threshold.axes.length > 0 || threshold.element === "bool") {
        report(of, "M0506", choice.threshold.span, "the threshold must be one number", {
          label: `this is ${describe(limit)}`,
          help: "write a number: `until sum(p) > 0.4 by p`",
        });
        return undefined;
      }
      if (most !== undefined && !atMost(of, choice.most!.span, most, experts, "experts", "too many"))
        return undefined;
      const bare = threshold.hidden.length === 0;
      return {
        tensors: bare ? [summed, by] : [summed, by, castTo(of, threshold, "number")],
        width: most === undefined ? experts : sizeFrom(most, "k"),
        score: by,
        empty: false,
        make: (builder, [s, b, t], only) =>
          chooseUntil(
            builder,
            s!,
            bare ? castTo(of, threshold, "number").node! : t!,
            choice.strict,
            masked(builder, b!, only),
            most === "unknown" ? undefined : most,
          ),
      };
    }
    case "where": {
      const condition = overExperts(of, choice.condition, scope, "bool", "the condition");
      const most =
        choice.most === undefined ? undefined : countOf(of, choice.most, scope, "the number of picks");
      const by =
        choice.by === undefined ? undefined : overExperts(of, choice.by, scope, "number", "the score");
      if (
        condition === undefined ||
        (choice.most !== undefined && most === undefined) ||
        (choice.by !== undefined && by === undefined)
      )
        return undefined;
      if ((most === undefined) !== (by === undefined)) {
        report(of, "M0506", choice.span, "`at most` and `by` go together", {
          label: most === undefined ? "`by` without `at most`" : "`at most` without `by`",
          help: "write `choose where score > 0 at most 4 by score`",
        });
        return undefined;
      }
      if (most !== undefined && !atMost(of, choice.most!.span, most, experts, "experts", "too many"))
        return undefined;
      return {
        tensors: by === undefined ? [condition] : [condition, by],
        width: most === undefined ? experts : sizeFrom(most, "k"),
        empty: true,
        make: (builder, [c, b], only) =>
          chooseWhere(
            builder,
            only === undefined ? c! : builder.map("and", c!, only),
            most === "unknown" ? undefined : most,
            b,
          ),
      };
    }
    case "all":
      return {
        tensors: [
          tensor(
            "bool",
            [],
            [expertAxis(of)],
            of.builder === undefined
              ? undefined
              : of.builder.broadcastTo(of.builder.constant(true), [experts], []),
          ),
        ],
        width: experts,
        empty: false,
        make: (builder, [like], only) => chooseAll(builder, like!, only),
      };
    case "tokens": {
      const score = overExperts(of, choice.score, scope, "number", "the score");
      const value = of.parts.evaluate(of, choice.count, scope);
      if (score === undefined || isBroken(value)) return undefined;
      if (value.kind !== "number") {
        report(of, "M0504", choice.count.span, "the number of tokens must be a number or a size", {
          label: `this is ${describe(value)}`,
          help: "write a size: `choose top ceil(2 * sequence / N) tokens of ...`",
        });
        return undefined;
      }
      const counted = valueOf(value);
      const taken = counted ?? (of.decode === undefined ? inRecipe(of, value) : undefined);
      if (taken !== undefined && !(taken > 0)) {
        report(of, "M0504", choice.count.span, "the number of tokens must be more than 0", {
          label: `this is ${taken}${counted === undefined ? batchInWords(of) : ""}`,
          help: "write a size: `choose top ceil(2 * sequence / N) tokens of ...`",
        });
        return undefined;
      }
      if (of.decode !== undefined)
        noteUndecodable(
          of,
          "lets experts choose among all tokens of the text",
          "choose for each token by itself when text is written: `choose where ... in inference`",
        );
      const rounded = asSize(roundSize(value, "ceil"), checking(of));
      const count = rounded.kind === "size" ? notBelowNone(rounded.size) : undefined;
      if (count === undefined && !checking(of)) {
        report(of, "M0504", choice.count.span, "the number of tokens must be a size", {
          label: "not a size",
          help: "write whole numbers and sizes",
        });
        return undefined;
      }
      const tokens = tokensOf(of, [score]);
      const axes = choice.scope === "sequence" ? Math.min(1, tokens.length) : tokens.length;
      const outer = product(tokens.slice(0, tokens.length - axes).map(({ size }) => size));
      return {
        tensors: [score],
        width: experts,
        score,
        empty: true,
        ...(count === undefined ? {} : { bound: multiply(multiply(count, experts), outer) }),
        make: (builder, [s], only) => chooseTokens(builder, masked(builder, s!, only), count!, axes),
      };
    }
    case "given": {
      const route = of.parts.evaluate(of, choice.route, scope);
      if (isBroken(route)) return undefined;
      const given = route.kind === "gates" ? route.picks : toTensor(of, route);
      const picks = given?.axes.length === 0 ? alone(of, given) : given;
      if (picks === undefined || picks.element !== "int" || picks.axes.length !== 1) {
        report(of, "M0506", choice.route.span, "`choose given` takes gates or integers `int [K]`", {
          label:
            picks === undefined
              ? `this is ${describe(route)}`
              : `this is ${picks.element} ${showShape(picks.axes)}`,
          help:
            picks?.element === "number"
              ? "make integers of the numbers: `choose given int(x)`"
              : "give gates, or the experts of each token",
        });
        return undefined;
      }
      return {
        tensors: [picks],
        width: picks.axes[0]!.size,
        empty: true,
        distinct: false,
        make: (builder, [p], only) => {
          if (only === undefined) return p!;
          const open = builder.take(builder.cast(only, "i32"), p!, p!.shape.length - 1);
          return builder.select(builder.map("lt", builder.constant(0, "i32"), open), p!, -1);
        },
      };
    }
    default:
      return choice satisfies never;
  }
}
