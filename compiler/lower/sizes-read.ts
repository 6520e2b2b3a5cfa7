// Names of the symbolic sizes that statements read: a kernel declares them.
// In: statements. Out: names, added to a set. Deliberately absent: sizes of buffers and grids.

import { namesOf } from "../../runtime/size.ts";
import { statementsIn } from "../kernel-walk.ts";
import type { Expr, Stmt } from "../kernel.ts";

export function namesInBody(body: readonly Stmt[], names: Set<string>): void {
  for (const statement of statementsIn(body))
    switch (statement.op) {
      case "let":
      case "var":
      case "set":
      case "reduce":
        namesIn(statement.value, names);
        break;
      case "store":
        namesIn(statement.index, names);
        namesIn(statement.value, names);
        break;
      case "for":
        namesIn(statement.from, names);
        namesIn(statement.to, names);
        break;
      case "if":
        namesIn(statement.condition, names);
        break;
      case "fragment":
        if (statement.is.of !== "sums") namesIn(statement.is.index, names);
        break;
      case "spill":
        namesIn(statement.index, names);
        break;
      case "copy":
        for (const value of [statement.index, statement.from, statement.there]) namesIn(value, names);
        break;
      case "bulk":
        for (const value of [statement.index, statement.which, ...statement.at]) namesIn(value, names);
        break;
      case "arrive":
        namesIn(statement.which, names);
        break;
      case "await":
        namesIn(statement.which, names);
        namesIn(statement.phase, names);
        break;
      case "product":
        for (const { index } of [statement.left, statement.right]) namesIn(index, names);
        break;
      case "variant":
      case "multiply":
      case "settle":
      case "registers":
      case "group":
      case "wait":
      case "barrier":
      case "comment":
        break;
      default:
        statement satisfies never;
    }
}

function namesIn(value: Expr, names: Set<string>): void {
  switch (value.op) {
    case "size":
      namesOf(value.size, names);
      break;
    case "load":
      namesIn(value.index, names);
      break;
    case "unary":
    case "splat":
    case "extract":
    case "cast":
      namesIn(value.a, names);
      break;
    case "binary":
      namesIn(value.a, names);
      namesIn(value.b, names);
      break;
    case "fma":
      namesIn(value.a, names);
      namesIn(value.b, names);
      namesIn(value.c, names);
      break;
    case "select":
      namesIn(value.condition, names);
      namesIn(value.a, names);
      namesIn(value.b, names);
      break;
    case "vector":
      for (const lane of value.lanes) namesIn(lane, names);
      break;
    case "random":
      namesIn(value.key0, names);
      namesIn(value.key1, names);
      namesIn(value.counter, names);
      break;
    case "literal":
    case "local":
    case "workgroup":
    case "invocation":
      break;
    default:
      value satisfies never;
  }
}
