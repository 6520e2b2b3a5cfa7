// How many picks a router has for a token, before its body has run. In: the definition, and a scope with its statics and inputs. Out: a size,
// where the text says one that statics alone decide: `choose top k`, `in each of g groups`, `at most k`, `all`, or what is `given`. Choices
// of both modes and of both sides of an `if` must agree. It is what lets a caller line the picks up with a size of its own; while building,
// the picks themselves say it.

import type { Choice, Definition, Expression, Statement } from "../../grammar/syntax.ts";
import { childrenOf } from "../../grammar/walk.ts";
import { constant, multiply, named, type Size } from "../../runtime/size.ts";
import { checking, type Elaboration } from "./elaboration.ts";
import { asSize, sameSizes } from "./number.ts";
import { lookUp, openScope, type Scope } from "./scope.ts";
import { broken } from "./value.ts";

/** The width of `picks` and `weight`: a size that is equal only to itself where nothing is known. */
export function pickWidth(of: Elaboration, definition: Definition, scope: Scope, experts: Size): Size {
  const widths = widthsIn(of, definition.body, openScope(scope), experts);
  const [first] = widths;
  return first !== undefined && widths.every((width) => width !== undefined && sameSizes(width, first))
    ? first
    : named("K");
}

/** Of every choice; the scope gets the body's own `dim`s, and whatever else the body binds is no static any more. */
const widthsIn = (
  of: Elaboration,
  body: readonly Statement[],
  scope: Scope,
  experts: Size,
): readonly (Size | undefined)[] =>
  body.flatMap((statement) => {
    switch (statement.node) {
      case "choose":
        return [widthOf(of, statement.choice, scope, experts)];
      case "if":
        return [statement.then, statement.otherwise].flatMap((side) =>
          widthsIn(of, side, openScope(scope), experts),
        );
      case "dim": {
        const known = isOfStatics(statement.value, scope);
        scope.names.set(statement.name.text, known ? of.parts.evaluate(of, statement.value, scope) : broken);
        return [];
      }
      case "bind":
        scope.names.set(statement.name.text, broken);
        return [];
      default:
        return [];
    }
  });

function widthOf(of: Elaboration, choice: Choice, scope: Scope, experts: Size): Size | undefined {
  switch (choice.form) {
    case "top":
    case "best":
      return sizeOf(of, choice.count, scope);
    case "each": {
      const [count, groups] = [sizeOf(of, choice.count, scope), sizeOf(of, choice.groups, scope)];
      return count === undefined || groups === undefined ? undefined : multiply(count, groups);
    }
    case "until":
    case "where":
      return choice.most === undefined ? experts : sizeOf(of, choice.most, scope);
    case "all":
    case "tokens":
      return experts;
    case "given": {
      const route = choice.route.node === "name" ? lookUp(scope, choice.route.text) : undefined;
      if (route?.kind === "gates") return route.picks.axes[0]?.size;
      if (route?.kind !== "tensor" || route.axes.length > 1) return undefined;
      return route.axes[0]?.size ?? constant(1);
    }
    default:
      return choice satisfies never;
  }
}

/** A size that is made of statics only. */
function sizeOf(of: Elaboration, expression: Expression, scope: Scope): Size | undefined {
  if (!isOfStatics(expression, scope)) return undefined;
  const value = of.parts.evaluate(of, expression, scope);
  const size = value.kind === "number" ? asSize(value, checking(of)) : undefined;
  return size?.kind === "size" ? size.size : undefined;
}

const isOfStatics = (expression: Expression, scope: Scope): boolean =>
  expression.node === "name"
    ? lookUp(scope, expression.text)?.kind === "number"
    : ["number", "binary", "unary", "group"].includes(expression.node) &&
      childrenOf(expression).every((child) => isOfStatics(child, scope));
