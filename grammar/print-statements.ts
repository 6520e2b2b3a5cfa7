// Printing statements: Syntax -> document. A block always stands on lines of its own; `after step:` stays on one
// line if it holds one plain statement.

import { codeAfter, leading, peek, trailing, type Cursor } from "./print-comments.ts";
import { doc, type Doc } from "./print-doc.ts";
import { assigned, bracketed, expressionDoc, item, nameDoc, typeDoc } from "./print-expression.ts";
import { sequenceDoc } from "./print-sequence.ts";
import type { Choice, Expression, IndexBinder, Span, Statement } from "./syntax.ts";

const { indent, hardline } = doc;

export function statementDoc(statement: Statement, cursor: Cursor): Doc {
  const form = formDoc(statement, cursor);
  return statement.mode === undefined ? form : [form, ` in ${statement.mode}`];
}

function formDoc(statement: Statement, cursor: Cursor): Doc {
  const word = (): Doc => [leading(cursor, statement.span.start), statement.node, " "];
  switch (statement.node) {
    case "dim":
    case "modality":
    case "metric":
      return [word(), nameDoc(statement.name, cursor), assigned(statement.value, cursor)];
    case "param":
    case "state": {
      const head = [word(), nameDoc(statement.name, cursor), ": ", typeDoc(statement.type, cursor)];
      return statement.init === undefined ? head : [head, assigned(statement.init, cursor)];
    }
    case "bind": {
      const name = nameDoc(statement.name, cursor);
      const indices = statement.indices === undefined ? "" : bindersDoc(statement.indices, cursor);
      return [name, indices, assigned(statement.value, cursor, statement.operator)];
    }
    case "choose": {
      const choice = [word(), choiceDoc(statement.choice, cursor)];
      return statement.only === undefined
        ? choice
        : [choice, " only where ", expressionDoc(statement.only, cursor)];
    }
    case "weight":
      return [word(), expressionDoc(statement.value, cursor)];
    case "capacity": {
      const value = [word(), expressionDoc(statement.value, cursor)];
      const { groups, scope, drop, of, span } = statement;
      const inGroups = groups === undefined ? "" : [" in each of ", expressionDoc(groups, cursor), " groups"];
      const said = textBetween(cursor, (groups ?? statement.value).span.end, of?.span.start ?? span.end);
      return [
        value,
        inGroups,
        scope === "sequence" || /\bper\b/.test(said) ? ` per ${scope}` : "",
        drop === "lowest" || /\bdrop\b/.test(said) ? ` drop ${drop}` : "",
        of === undefined ? "" : [" of ", expressionDoc(of, cursor)],
      ];
    }
    case "loss":
      return statement.name === undefined
        ? [word(), expressionDoc(statement.value, cursor)]
        : [word(), nameDoc(statement.name, cursor), assigned(statement.value, cursor)];
    case "after":
      return ["after step", afterBody(statement, cursor)];
    case "repeat": {
      const index = statement.index === undefined ? "" : [nameDoc(statement.index, cursor), " in "];
      const count = expressionDoc(statement.count, cursor);
      return [word(), index, count, " ", blockDoc(statement.body, statement.count.span.end, cursor)];
    }
    case "if":
      return branchDoc(statement, cursor);
    case "shared":
    case "routed": {
      const pool = [word(), expressionDoc(statement.pool, cursor)];
      const modality =
        statement.node === "routed" && statement.modality !== undefined
          ? [" for ", nameDoc(statement.modality, cursor)]
          : "";
      return [
        pool,
        modality,
        statement.weight === undefined ? "" : [" weight ", expressionDoc(statement.weight, cursor)],
      ];
    }
    case "null":
      return [
        word(),
        statement.kind,
        statement.count === undefined ? "" : [" * ", expressionDoc(statement.count, cursor)],
      ];
    case "router":
      return [word(), expressionDoc(statement.router, cursor)];
    case "result":
      return expressionDoc(statement.value, cursor);
    default:
      return statement satisfies never;
  }
}

function bindersDoc(binders: readonly IndexBinder[], cursor: Cursor): Doc {
  const last = binders.at(-1)!;
  const closeAt = codeAfter(cursor, (last.size?.span ?? last.name.span).end);
  const items = binders.map(({ name, size }) =>
    item(name.span.start, () =>
      size === undefined ? nameDoc(name, cursor) : [nameDoc(name, cursor), ": ", expressionDoc(size, cursor)],
    ),
  );
  return bracketed("[", items, "]", closeAt, cursor);
}

function afterBody({ body, mode, span }: Extract<Statement, { node: "after" }>, cursor: Cursor): Doc {
  const [only] = body;
  const isPlain =
    only !== undefined &&
    body.length === 1 &&
    only.node !== "repeat" &&
    only.node !== "if" &&
    only.node !== "after";
  const hasComment = only !== undefined && peek(cursor, only.span.start) !== undefined;
  // `in training` behind one statement would belong to that one.
  if (isPlain && !hasComment && only.doc === undefined && mode === undefined)
    return [": ", statementDoc(only, cursor)];
  return [" ", blockDoc(body, afterStep(span.start, cursor), cursor)];
}

/** Where the words `after step` end. */
function afterStep(start: number, cursor: Cursor): number {
  return codeAfter(cursor, start + "after".length) + "step".length;
}

function branchDoc(statement: Extract<Statement, { node: "if" }>, cursor: Cursor): Doc {
  const { condition, then, otherwise } = statement;
  const head = [leading(cursor, statement.span.start), "if ", expressionDoc(condition, cursor), " "];
  const first = blockDoc(then, condition.span.end, cursor);
  const closeAt = closeOf(then, condition.span.end, cursor);
  if (otherwise.length === 0 && !startsElse(cursor, closeAt)) return [head, first];
  const elseAt = codeAfter(cursor, closeAt + 1);
  const [only] = otherwise;
  const isChain =
    only?.node === "if" && otherwise.length === 1 && only.mode === undefined && only.doc === undefined;
  if (isChain && peek(cursor, only.span.start) === undefined)
    return [head, first, " else ", statementDoc(only, cursor)];
  return [head, first, " else ", blockDoc(otherwise, elseAt + "else".length, cursor)];
}

/** An empty `else { }` may hold comments. */
function startsElse(cursor: Cursor, closeAt: number): boolean {
  const at = codeAfter(cursor, closeAt + 1);
  return cursor.text !== undefined && /^else\b/.test(cursor.text.slice(at, at + 5));
}

function closeOf(body: readonly Statement[], headEnd: number, cursor: Cursor): number {
  const last = body.at(-1);
  return codeAfter(cursor, last === undefined ? codeAfter(cursor, headEnd) + 1 : last.span.end);
}

/** `{ ... }` after a header that ends at an offset. */
export function blockDoc(body: readonly Statement[], headEnd: number, cursor: Cursor): Doc {
  return bracedDoc(body, headEnd, closeOf(body, headEnd, cursor), cursor, (statement) =>
    statementDoc(statement, cursor),
  );
}

export function bracedDoc<Item extends { readonly span: Span; readonly doc?: string }>(
  body: readonly Item[],
  headEnd: number,
  closeAt: number,
  cursor: Cursor,
  print: (item: Item) => Doc,
): Doc {
  const openAt = codeAfter(cursor, headEnd);
  const comment = trailing(cursor, body[0]?.span.start ?? closeAt);
  const lines = sequenceDoc(body, openAt + 1, closeAt, cursor, print, () => "kept");
  if (lines === undefined) return comment === "" ? "{}" : ["{", comment, hardline, "}"];
  return ["{", comment, indent([hardline, lines]), hardline, "}"];
}

/** What was written there, for words that say what holds anyway: they are kept. */
const textBetween = (cursor: Cursor, from: number, to: number): string => cursor.text?.slice(from, to) ?? "";

export function choiceDoc(choice: Choice, cursor: Cursor): Doc {
  const show = (expression: Expression): Doc => expressionDoc(expression, cursor);
  switch (choice.form) {
    case "top":
      return ["top ", show(choice.count), " of ", show(choice.score)];
    case "each":
      return [
        "top ",
        show(choice.count),
        " of ",
        show(choice.score),
        " in each of ",
        show(choice.groups),
        " groups",
      ];
    case "best": {
      const { reduce, top, score } = choice.by;
      const head = [
        "top ",
        show(choice.count),
        " of ",
        show(choice.score),
        " in the best ",
        show(choice.best),
      ];
      const groups = [" of ", show(choice.groups), " groups by ", nameDoc(reduce, cursor)];
      const start = (top ?? score).span.start;
      const value = item(start, () =>
        top === undefined ? show(score) : [leading(cursor, start), "top ", show(top), " of ", show(score)],
      );
      return [head, groups, bracketed("(", [value], ")", codeAfter(cursor, score.span.end), cursor)];
    }
    case "until": {
      const condition = [show(choice.summed), choice.strict ? " > " : " >= ", show(choice.threshold)];
      const most = (): Doc => (choice.most === undefined ? "" : [" at most ", show(choice.most)]);
      return ["until ", condition, " by ", show(choice.by), most()];
    }
    case "where": {
      const most = (): Doc => (choice.most === undefined ? "" : [" at most ", show(choice.most)]);
      const by = (): Doc => (choice.by === undefined ? "" : [" by ", show(choice.by)]);
      return ["where ", show(choice.condition), most(), by()];
    }
    case "all":
      return "all";
    case "tokens": {
      const said = textBetween(cursor, choice.score.span.end, choice.span.end);
      const scope = choice.scope === "batch" || /\bper\b/.test(said) ? ` per ${choice.scope}` : "";
      return ["top ", show(choice.count), " tokens of ", show(choice.score), " for each expert", scope];
    }
    case "given":
      return ["given ", show(choice.route)];
    default:
      return choice satisfies never;
  }
}
