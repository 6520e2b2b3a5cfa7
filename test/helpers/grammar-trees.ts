// Arbitrary modules, as fast-check arbitraries: statements, definitions, recipes and imports around expressions.

import fc from "fast-check";
import type {
  Choice,
  Declaration,
  Definition,
  Expression,
  Import,
  IndexBinder,
  Input,
  Module,
  Setting,
  Statement,
  StatementForm,
  Static,
} from "../../grammar/syntax.ts";
import { anyName, expression, name, optional, span, type } from "./expression-trees.ts";

/** In a header and in `choose`, options and `by` stand in parentheses. */
const closed = expression.map((inner): Expression => ({ node: "group", inner, span }));

const choice: fc.Arbitrary<Choice> = fc.oneof(
  fc.record({ form: fc.constant("top" as const), count: closed, score: closed, span: fc.constant(span) }),
  fc.record({
    form: fc.constant("each" as const),
    count: closed,
    score: closed,
    groups: closed,
    span: fc.constant(span),
  }),
  fc
    .tuple(closed, closed, closed, closed, name, optional("top", closed), expression)
    .map(([count, score, best, groups, reduce, top, by]): Choice => ({
      form: "best",
      count,
      score,
      best,
      groups,
      by: { reduce, ...top, score: by },
      span,
    })),
  fc
    .tuple(closed, fc.boolean(), closed, closed, optional("most", closed))
    .map(([summed, strict, threshold, by, most]): Choice => ({
      form: "until",
      summed,
      strict,
      threshold,
      by,
      ...most,
      span,
    })),
  fc
    .tuple(closed, fc.option(fc.tuple(closed, optional("by", closed)), { nil: undefined }))
    .map(([condition, limit]): Choice => ({
      form: "where",
      condition,
      ...(limit === undefined ? {} : { most: limit[0], ...limit[1] }),
      span,
    })),
  fc.constant<Choice>({ form: "all", span }),
  fc.record({
    form: fc.constant("tokens" as const),
    count: closed,
    score: closed,
    scope: fc.constantFrom("batch" as const, "sequence" as const),
    span: fc.constant(span),
  }),
  fc.record({ form: fc.constant("given" as const), route: closed, span: fc.constant(span) }),
);

const binder: fc.Arbitrary<IndexBinder> = fc
  .tuple(name, optional("size", expression))
  .map(([one, size]) => ({ name: one, ...size }));
const doc = optional(
  "doc",
  fc
    .array(fc.stringMatching(/^[a-z][a-z ]{0,10}[a-z]$/), { minLength: 1, maxLength: 2 })
    .map((lines) => lines.join("\n")),
);
const mode = optional("mode", fc.constantFrom("training" as const, "inference" as const));

const { statement } = fc.letrec<{ statement: Statement; body: readonly Statement[] }>((tie) => {
  const body = tie("body");
  const named = fc.record({ name: anyName, value: expression });
  const form: fc.Arbitrary<StatementForm> = fc.oneof(
    { depthSize: "small" },
    named.map((one): StatementForm => ({ node: "dim", ...one })),
    fc
      .tuple(fc.constantFrom("param" as const, "state" as const), anyName, type, optional("init", expression))
      .map(([node, one, of, init]): StatementForm => ({ node, name: one, type: of, ...init })),
    named.map((one): StatementForm => ({ node: "modality", ...one })),
    fc
      .tuple(
        anyName,
        optional("indices", fc.array(binder, { minLength: 1, maxLength: 3 })),
        fc.constantFrom("=" as const, "+=" as const, "-=" as const, "*=" as const),
        expression,
      )
      .map(([one, indices, operator, value]): StatementForm => ({
        node: "bind",
        name: one,
        ...indices,
        operator,
        value,
      })),
    fc
      .tuple(choice, optional("only", expression))
      .map(([picked, only]): StatementForm => ({ node: "choose", choice: picked, ...only })),
    expression.map((value): StatementForm => ({ node: "weight", value })),
    fc
      .tuple(
        expression,
        optional("groups", expression),
        fc.constantFrom("batch" as const, "sequence" as const),
        fc.oneof(
          fc.constantFrom({ drop: "last" as const }, { drop: "lowest" as const }),
          expression.map((of) => ({ drop: "lowest" as const, of })),
        ),
      )
      .map(([value, groups, scope, drop]): StatementForm => ({
        node: "capacity",
        value,
        ...groups,
        scope,
        ...drop,
      })),
    fc
      .tuple(optional("name", anyName), expression)
      .map(([one, value]): StatementForm => ({ node: "loss", ...one, value })),
    named.map((one): StatementForm => ({ node: "metric", ...one })),
    fc
      .tuple(expression, optional("weight", expression))
      .map(([pool, weight]): StatementForm => ({ node: "shared", pool, ...weight })),
    fc
      .tuple(expression, optional("modality", name), optional("weight", expression))
      .map(([pool, modality, weight]): StatementForm => ({ node: "routed", pool, ...modality, ...weight })),
    fc
      .tuple(
        fc.constantFrom("zero" as const, "copy" as const, "constant" as const),
        optional("count", expression),
      )
      .map(([kind, count]): StatementForm => ({ node: "null", kind, ...count })),
    expression.map((router): StatementForm => ({ node: "router", router })),
    expression.map((value): StatementForm => ({ node: "result", value })),
    body.map((one): StatementForm => ({ node: "after", body: one })),
    fc
      .tuple(optional("index", name), closed, body)
      .map(([index, count, one]): StatementForm => ({ node: "repeat", ...index, count, body: one })),
    fc
      .tuple(closed, body, body)
      .map(([condition, then, otherwise]): StatementForm => ({ node: "if", condition, then, otherwise })),
  );
  return {
    statement: fc
      .tuple(form, mode, doc)
      .map(([one, inMode, documented]): Statement => ({ ...one, ...inMode, ...documented, span })),
    body: fc.array(tie("statement"), { maxLength: 3 }),
  };
});

const body = fc.array(statement, { maxLength: 4 });
const aStatic: fc.Arbitrary<Static> = fc
  .tuple(name, optional("value", expression))
  .map(([one, value]) => ({ name: one, ...value, span }));
const input = fc.tuple(name, type).map(([one, of]): Input => ({ name: one, type: of, span }));
/** Those with a default stand last. */
const inputs = fc
  .tuple(
    fc.array(input, { maxLength: 3 }),
    fc.array(
      fc.tuple(input, expression).map(([one, value]): Input => ({ ...one, value })),
      { maxLength: 2 },
    ),
  )
  .map((lists) => lists.flat());

const definition: fc.Arbitrary<Definition> = fc
  .tuple(
    fc.constantFrom(
      "expert" as const,
      "router" as const,
      "moe" as const,
      "layer" as const,
      "chain" as const,
      "function" as const,
      "model" as const,
    ),
    anyName,
    fc.array(aStatic, { maxLength: 4 }),
    inputs,
    optional("result", type),
    body,
    doc,
  )
  .map(([kind, one, statics, given, result, inside, documented]) => ({
    node: "definition",
    kind,
    name: one,
    statics,
    inputs: given,
    ...result,
    body: inside,
    ...documented,
    span,
  }));

const options = fc.array(fc.record({ name, value: expression, span: fc.constant(span) }), { maxLength: 3 });
const pattern = fc
  .constantFrom("*", "*.experts.*", "runs/base")
  .map((value) => ({ node: "string" as const, value, span }));
const plainSetting: fc.Arbitrary<Setting> = fc.oneof(
  fc.record({
    setting: fc.constant("data" as const),
    modality: anyName,
    source: expression,
    span: fc.constant(span),
  }),
  fc
    .tuple(expression, optional("length", expression))
    .map(([size, length]): Setting => ({ setting: "batch", size, ...length, span })),
  fc
    .tuple(name, fc.array(fc.record({ name, value: expression, span: fc.constant(span) }), { maxLength: 3 }))
    .map(([one, options]): Setting => ({ setting: "optimizer", name: one, options, span })),
  fc
    .tuple(expression, optional("share", expression))
    .map(([every, share]): Setting => ({ setting: "evaluate", every, ...share, span })),
  fc.record({ setting: fc.constant("checkpoint" as const), every: expression, span: fc.constant(span) }),
  fc.record({ setting: fc.constant("stop" as const), after: expression, span: fc.constant(span) }),
  fc.record({ setting: fc.constant("freeze" as const), pattern: expression, span: fc.constant(span) }),
  fc.record({
    setting: fc.constant("rate" as const),
    pattern: expression,
    factor: expression,
    span: fc.constant(span),
  }),
  fc
    .tuple(name, options)
    .map(([one, given]): Setting => ({ setting: "model", name: one, options: given, span })),
  fc
    .tuple(
      fc.array(fc.tuple(optional("name", name), pattern), { maxLength: 3 }),
      fc.array(fc.tuple(pattern, expression), { maxLength: 3 }),
    )
    .map(([sources, rules]): Setting => ({
      setting: "start",
      sources: sources.map(([one, path]) => ({ ...one, path, span })),
      rules: rules.map(([target, value]) => ({ target, value, span })),
      span,
    })),
  fc.record({
    setting: fc.constantFrom("steps" as const, "accumulate" as const, "clip" as const, "seed" as const),
    value: expression,
    span: fc.constant(span),
  }),
);

const setting: fc.Arbitrary<Setting> = fc.oneof(
  { weight: 8, arbitrary: plainSetting },
  {
    weight: 1,
    arbitrary: fc
      .tuple(anyName, fc.array(plainSetting, { maxLength: 3 }))
      .map(([one, settings]): Setting => ({ setting: "phase", name: one, settings, span })),
  },
);

const declaration: fc.Arbitrary<Declaration> = fc.oneof(
  { weight: 4, arbitrary: definition },
  {
    weight: 1,
    arbitrary: fc.tuple(anyName, expression, doc).map(([one, value, documented]): Declaration => ({
      node: "dim",
      name: one,
      value,
      ...documented,
      span,
    })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(anyName, fc.array(setting, { maxLength: 4 }), doc)
      .map(([model, settings, documented]): Declaration => ({
        node: "train",
        model,
        settings,
        ...documented,
        span,
      })),
  },
);

const anImport: fc.Arbitrary<Import> = fc
  .tuple(
    fc.constantFrom("std.experts", "./mine.moe", "std.x.y"),
    fc.array(anyName, { minLength: 1, maxLength: 3 }),
  )
  .map(([from, names]) => ({ from, fromSpan: span, names, span }));

export const aModule: fc.Arbitrary<Module> = fc
  .tuple(fc.array(anImport, { maxLength: 2 }), fc.array(declaration, { maxLength: 4 }))
  .map(([imports, declarations]) => ({ imports, declarations, comments: [], span }));
