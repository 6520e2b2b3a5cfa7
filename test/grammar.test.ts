// What can be written, form by form: text on the left, what is read on the right. Expressions are shown with every operator
// in parentheses; statements as their fields.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ModuleParser } from "../grammar/parse-modules.ts";
import { parse } from "../grammar/parse.ts";
import type { Argument, Definition, Expression, Module, Statement, Type } from "../grammar/syntax.ts";

function good(text: string): Module {
  const { module, diagnostics } = parse(text, "a.moe");
  expect(diagnostics).toEqual([]);
  return module;
}

function definitionOf(text: string): Definition {
  const [declaration] = good(text).declarations;
  if (declaration?.node !== "definition") throw new Error("no definition");
  return declaration;
}

const bodyOf = (lines: string): readonly Statement[] => definitionOf(`layer A(x: [D]) {\n${lines}\n}`).body;
const only = (line: string): Statement => {
  const body = bodyOf(line);
  expect(body.length).toBe(1);
  return body[0]!;
};

/** `(+ a (* b c))` */
function shape(expression: Expression): string {
  const all = (items: readonly Expression[]): string => items.map(shape).join(" ");
  switch (expression.node) {
    case "number":
      return String(expression.value);
    case "string":
      return JSON.stringify(expression.value);
    case "name":
      return expression.text;
    case "list":
      return `[${all(expression.items)}]`;
    case "unary":
      return `(${expression.operator} ${shape(expression.operand)})`;
    case "binary":
      return `(${expression.operator} ${shape(expression.left)} ${shape(expression.right)})`;
    case "if":
      return `(if ${shape(expression.condition)} ${shape(expression.then)} ${shape(expression.otherwise)})`;
    case "call":
      return `(call ${shape(expression.callee)}${options(expression.arguments)}${expression.over.map(({ text }) => ` over:${text}`).join("")})`;
    case "configure":
      return `(with ${shape(expression.callee)}${options(expression.options)})`;
    case "index":
      return `(index ${shape(expression.of)} ${all(expression.indices)})`;
    case "member":
      return `(. ${shape(expression.of)} ${expression.name.text})`;
    case "by":
      return `(by ${shape(expression.of)} ${shape(expression.router)})`;
    case "as":
      return `(as ${shape(expression.of)} ${type(expression.type)})`;
    case "group":
      return shape(expression.inner);
    case "broken":
      return "BROKEN";
    default:
      return expression satisfies never;
  }
}
const options = (items: readonly Argument[]): string =>
  items.map(({ name, value }) => ` ${name === undefined ? "" : `${name.text}=`}${shape(value)}`).join("");
const type = ({ element, axes }: Type): string => `${element}[${axes.map(shape).join(" ")}]`;

/** An object without spans, with expressions as shapes and names as text. */
function show(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(show);
  if (typeof value !== "object" || value === null) return value;
  if ("text" in value && Object.keys(value).length === 2) return value.text;
  if ("element" in value) return type(value as Type);
  if ("node" in value && isExpression(value as { node: string })) return shape(value as Expression);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (key === "span" ? [] : [[key, show(one)]])),
  );
}
const statementNodes = new Set([
  "dim",
  "param",
  "state",
  "modality",
  "bind",
  "choose",
  "weight",
  "capacity",
  "loss",
  "metric",
  "after",
  "repeat",
  "shared",
  "routed",
  "null",
  "router",
  "result",
]);
const isExpression = (value: { readonly node: string }): boolean =>
  !statementNodes.has(value.node) &&
  !(value.node === "if" && Array.isArray((value as { then?: unknown }).then));

test("the grammar is unambiguous and without left recursion, by the parser library's own checks", () => {
  expect(() => new ModuleParser(true)).not.toThrow();
});

test("every .moe file of the project is read without a complaint", () => {
  const files = ["stdlib", "examples"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".moe"))
      .map((file) => `${folder}/${file}`),
  );
  expect(files.length).toBeGreaterThan(8);
  for (const file of files) expect(parse(readFileSync(file, "utf8"), file).diagnostics).toEqual([]);
});

describe("expressions", () => {
  const table: readonly (readonly [string, string])[] = [
    ["64", "64"],
    ["0.5", "0.5"],
    ["1e-3", "0.001"],
    ["2.5E+2", "250"],
    ["5%", "0.05"],
    ['"corpus/*.txt"', '"corpus/*.txt"'],
    ["a + b * c", "(+ a (* b c))"],
    ["a - b - c", "(- (- a b) c)"],
    ["a / b * c @ d", "(@ (* (/ a b) c) d)"],
    ["a ^ b ^ c", "(^ a (^ b c))"],
    ["-x ^ 2", "(- (^ x 2))"],
    ["2 ^ -x", "(^ 2 (- x))"],
    ["2 ^ -x * y", "(* (^ 2 (- x)) y)"],
    ["-a * b", "(* (- a) b)"],
    ["a * -b", "(* a (- b))"],
    ["--a", "(- (- a))"],
    ["t / base ^ (2 * c / C)", "(/ t (^ base (/ (* 2 c) C)))"],
    ["a + b < c * d", "(< (+ a b) (* c d))"],
    ["not a > b", "(not (> a b))"],
    ["not a and b or c", "(or (and (not a) b) c)"],
    ["a == b and c != d", "(and (== a b) (!= c d))"],
    ["if s <= t then a else -inf", "(if (<= s t) a (- inf))"],
    ["if a then b else if c then d else e", "(if a b (if c d e))"],
    ["x @ w as [T, heads, D / heads]", "(as (@ x w) number[T heads (/ D heads)])"],
    ["if a then b else c as [T]", "(as (if a b c) number[T])"],
    ["x as int [T] as []", "(as (as x int[T]) number[])"],
    ["f()", "(call f)"],
    ["SwiGLU(D, 4 * D)(x)", "(call (call SwiGLU D (* 4 D)) x)"],
    ["CausalAttention(D, heads = 8)", "(call CausalAttention D heads=8)"],
    ["SwiGLU { H = 64 }(x)", "(call (with SwiGLU H=64) x)"],
    ["SwiGLU(D) { H = 64, k = 2 }", "(with (call SwiGLU D) H=64 k=2)"],
    ["Dense { }", "(with Dense)"],
    ["mean(x over D)", "(call mean x over:D)"],
    ["sum(q[t, c] * k[s, c] over c, d)", "(call sum (* (index q t c) (index k s c)) over:c over:d)"],
    ["linear(1, 2, over = 100)", "(call linear 1 2 over=100)"],
    ["y[t, 0, c]", "(index y t 0 c)"],
    ["table[text]", "(index table text)"],
    ["g.weight", "(. g weight)"],
    ["text.next.x", "(. (. text next) x)"],
    ["g.router.loss.if_any", "(. (. (. g router) loss) if_any)"],
    ["pool(x) by TopK { k = 4 }", "(by (call pool x) (with TopK k=4))"],
    ["x + pool(x, base) by R { k = 4 }(z) * 2", "(+ x (* (by (call pool x base) (call (with R k=4) z)) 2))"],
    ["[a, 2, [b]]", "[a 2 [b]]"],
    ["(silu(x @ gate) * (x @ up)) @ down", "(@ (* (call silu (@ x gate)) (@ x up)) down)"],
    ["top + of * each - by", "(- (+ top (* of each)) by)"],
    ["f(top, of = where, tokens over over)", "(call f top of=where tokens over:over)"],
  ];
  test.each(table)("%s", (text, expected) => {
    const statement = only(`y = ${text}`);
    expect(statement.node === "bind" && shape(statement.value)).toBe(expected);
  });
});

describe("statements", () => {
  const table: readonly (readonly [string, object])[] = [
    ["dim H = 4 * D", { node: "dim", name: "H", value: "(* 4 D)" }],
    ["param w: [D, H]", { node: "param", name: "w", type: "number[D H]" }],
    [
      "param w: [D, H] = copy(other, noise = 0.01)",
      { node: "param", name: "w", type: "number[D H]", init: "(call copy other noise=0.01)" },
    ],
    ["state bias: [N] = 0", { node: "state", name: "bias", type: "number[N]", init: "0" }],
    [
      "modality text = tokens(vocab = 256)",
      { node: "modality", name: "text", value: "(call tokens vocab=256)" },
    ],
    ["x = y", { node: "bind", name: "x", operator: "=", value: "y" }],
    ["x += y in training", { node: "bind", name: "x", operator: "+=", value: "y", mode: "training" }],
    [
      "score[h, t: T, s: C / 2] = 1",
      {
        node: "bind",
        name: "score",
        indices: [{ name: "h" }, { name: "t", size: "T" }, { name: "s", size: "(/ C 2)" }],
        operator: "=",
        value: "1",
      },
    ],
    ["weight = 3", { node: "bind", name: "weight", operator: "=", value: "3" }],
    ["weight score / sum(score)", { node: "weight", value: "(/ score (call sum score))" }],
    ["weight -score", { node: "weight", value: "(- score)" }],
    ["weight * 2", { node: "result", value: "(* weight 2)" }],
    [
      "loss cross_entropy(logits, text.next)",
      { node: "loss", value: "(call cross_entropy logits (. text next))" },
    ],
    ["loss balance = a * b", { node: "loss", name: "balance", value: "(* a b)" }],
    ["metric accuracy = a in inference", { node: "metric", name: "accuracy", value: "a", mode: "inference" }],
    ["capacity 1.25 * k", { node: "capacity", value: "(* 1.25 k)", scope: "batch", drop: "last" }],
    [
      "capacity c per sequence drop lowest",
      { node: "capacity", value: "c", scope: "sequence", drop: "lowest" },
    ],
    [
      "capacity c in each of 8 groups per batch drop lowest of max(p)",
      { node: "capacity", value: "c", groups: "8", scope: "batch", drop: "lowest", of: "(call max p)" },
    ],
    [
      "capacity c in each of g groups in training",
      { node: "capacity", value: "c", groups: "g", scope: "batch", drop: "last", mode: "training" },
    ],
    [
      "capacity c in training",
      { node: "capacity", value: "c", scope: "batch", drop: "last", mode: "training" },
    ],
    ["capacity c per batch drop last", { node: "capacity", value: "c", scope: "batch", drop: "last" }],
    [
      "after step: bias += rate",
      { node: "after", body: [{ node: "bind", name: "bias", operator: "+=", value: "rate" }] },
    ],
    [
      "after step {\n  a -= 1\n  b *= 2\n}",
      {
        node: "after",
        body: [
          { node: "bind", name: "a", operator: "-=", value: "1" },
          { node: "bind", name: "b", operator: "*=", value: "2" },
        ],
      },
    ],
    [
      "repeat 4 { x = f(x) }",
      { node: "repeat", count: "4", body: [{ node: "bind", name: "x", operator: "=", value: "(call f x)" }] },
    ],
    [
      "repeat i in layers { x = f(x) }",
      {
        node: "repeat",
        index: "i",
        count: "layers",
        body: [{ node: "bind", name: "x", operator: "=", value: "(call f x)" }],
      },
    ],
    [
      "if c { x = 1 }",
      {
        node: "if",
        condition: "c",
        then: [{ node: "bind", name: "x", operator: "=", value: "1" }],
        otherwise: [],
      },
    ],
    [
      "if c {\n}\nelse {\n  y\n}",
      { node: "if", condition: "c", then: [], otherwise: [{ node: "result", value: "y" }] },
    ],
    [
      "if c { } else if d { y }",
      {
        node: "if",
        condition: "c",
        then: [],
        otherwise: [{ node: "if", condition: "d", then: [{ node: "result", value: "y" }], otherwise: [] }],
      },
    ],
    ["if c then a else b", { node: "result", value: "(if c a b)" }],
    ["if F { k = 2 } > 0 then a else b", { node: "result", value: "(if (> (with F k=2) 0) a b)" }],
    [
      "shared SwiGLU(D, H) * 2 weight 0.5",
      { node: "shared", pool: "(* (call SwiGLU D H) 2)", weight: "0.5" },
    ],
    ["routed A * 4 + B * 2", { node: "routed", pool: "(+ (* A 4) (* B 2))" }],
    ["routed A * 4 for text weight 2", { node: "routed", pool: "(* A 4)", modality: "text", weight: "2" }],
    ["null zero * 8", { node: "null", kind: "zero", count: "8" }],
    ["null copy", { node: "null", kind: "copy" }],
    ["null constant * n in training", { node: "null", kind: "constant", count: "n", mode: "training" }],
    ["router LossFree { k = 6 }", { node: "router", router: "(with LossFree k=6)" }],
    [
      "router LossFree { k = 6 }(z) in inference",
      { node: "router", router: "(call (with LossFree k=6) z)", mode: "inference" },
    ],
    ["x + y in training", { node: "result", value: "(+ x y)", mode: "training" }],
  ];
  test.each(table)("%s", (text, expected) => {
    expect(show(only(text))).toEqual(expected);
  });
});

describe("choose", () => {
  const table: readonly (readonly [string, object])[] = [
    ["top 2 of score", { form: "top", count: "2", score: "score" }],
    ["top k of score + bias", { form: "top", count: "k", score: "(+ score bias)" }],
    ["top 1 of score in each of 8 groups", { form: "each", count: "1", score: "score", groups: "8" }],
    [
      "top 1 of score in each of groups groups",
      { form: "each", count: "1", score: "score", groups: "groups" },
    ],
    [
      "top 8 of q in the best 4 of 8 groups by sum(top 2 of q)",
      {
        form: "best",
        count: "8",
        score: "q",
        best: "4",
        groups: "8",
        by: { reduce: "sum", top: "2", score: "q" },
      },
    ],
    [
      "top 8 of q in the best 4 of 8 groups by max(q)",
      { form: "best", count: "8", score: "q", best: "4", groups: "8", by: { reduce: "max", score: "q" } },
    ],
    [
      "until sum(score) > 0.4 by score",
      { form: "until", summed: "(call sum score)", strict: true, threshold: "0.4", by: "score" },
    ],
    [
      "until sum(p) >= f(x) by p at most 4",
      { form: "until", summed: "(call sum p)", strict: false, threshold: "(call f x)", by: "p", most: "4" },
    ],
    ["where score > 0", { form: "where", condition: "(> score 0)" }],
    [
      "where score > 0 at most 4 by score",
      { form: "where", condition: "(> score 0)", most: "4", by: "score" },
    ],
    [
      "where score > 0 at most f(4) by score",
      { form: "where", condition: "(> score 0)", most: "(call f 4)", by: "score" },
    ],
    ["all", { form: "all" }],
    [
      "top C tokens of score for each expert",
      { form: "tokens", count: "C", score: "score", scope: "sequence" },
    ],
    [
      "top ceil(2 * sequence / N) tokens of p for each expert per batch",
      { form: "tokens", count: "(call ceil (/ (* 2 sequence) N))", score: "p", scope: "batch" },
    ],
    ["given route", { form: "given", route: "route" }],
  ];
  test.each(table)("choose %s", (text, expected) => {
    expect(show(only(`choose ${text}`))).toEqual({ node: "choose", choice: expected });
    expect(show(only(`choose ${text} only where mask`))).toEqual({
      node: "choose",
      choice: expected,
      only: "mask",
    });
    expect(show(only(`choose ${text} in training`))).toEqual({
      node: "choose",
      choice: expected,
      mode: "training",
    });
  });
});

describe("train", () => {
  const table: readonly (readonly [string, object])[] = [
    [
      'data text = bytes("corpus/*.txt")',
      { setting: "data", modality: "text", source: '(call bytes "corpus/*.txt")' },
    ],
    ["batch 16 of 256", { setting: "batch", size: "16", length: "256" }],
    ["batch 32", { setting: "batch", size: "32" }],
    [
      "optimizer adamw { rate = cosine(3e-3, warmup = 100), decay = 0.1 }",
      {
        setting: "optimizer",
        name: "adamw",
        options: [
          { name: "rate", value: "(call cosine 0.003 warmup=100)" },
          { name: "decay", value: "0.1" },
        ],
      },
    ],
    ["steps 2000", { setting: "steps", value: "2000" }],
    ["accumulate 2", { setting: "accumulate", value: "2" }],
    ["clip 1", { setting: "clip", value: "1" }],
    ["seed 1", { setting: "seed", value: "1" }],
    ["evaluate every 100 on 5%", { setting: "evaluate", every: "100", share: "0.05" }],
    ["evaluate every 100", { setting: "evaluate", every: "100" }],
    ["checkpoint every 100", { setting: "checkpoint", every: "100" }],
    ["stop after 5", { setting: "stop", after: "5" }],
    ['freeze "embed*"', { setting: "freeze", pattern: '"embed*"' }],
    ['rate "*.router.*" = 0.5', { setting: "rate", pattern: '"*.router.*"', factor: "0.5" }],
  ];
  test.each(table)("%s", (text, expected) => {
    const [train] = good(`train Small {\n  ${text}\n}\n`).declarations;
    expect(train?.node === "train" && show(train.settings)).toEqual([expected]);
  });
});

describe("definitions", () => {
  const header = (text: string): unknown => {
    const { kind, statics, inputs, result } = definitionOf(`${text} { x }`);
    return show({ kind, statics, inputs, ...(result === undefined ? {} : { result }) });
  };
  test.each([
    [
      "layer A(D, H = 4 * D)(x: [T, D]) -> [T, D]",
      {
        kind: "layer",
        statics: [{ name: "D" }, { name: "H", value: "(* 4 D)" }],
        inputs: [{ name: "x", type: "number[T D]" }],
        result: "number[T D]",
      },
    ],
    [
      "router R(x: [D]) -> gates[N]",
      { kind: "router", statics: [], inputs: [{ name: "x", type: "number[D]" }], result: "gates[N]" },
    ],
    ["expert E(D)", { kind: "expert", statics: [{ name: "D" }], inputs: [] }],
    [
      "function F(a: int [T], b: bool [])",
      {
        kind: "function",
        statics: [],
        inputs: [
          { name: "a", type: "int[T]" },
          { name: "b", type: "bool[]" },
        ],
      },
    ],
    ["model M", { kind: "model", statics: [], inputs: [] }],
    ["moe X()(x: [])", { kind: "moe", statics: [], inputs: [{ name: "x", type: "number[]" }] }],
    [
      "chain C(router = TopK, expert = SwiGLU)(x: [D])",
      {
        kind: "chain",
        statics: [
          { name: "router", value: "TopK" },
          { name: "expert", value: "SwiGLU" },
        ],
        inputs: [{ name: "x", type: "number[D]" }],
      },
    ],
  ])("%s", (text, expected) => {
    expect(header(text)).toEqual(expected);
  });
});

describe("modules", () => {
  test("imports", () => {
    const { imports } = good('import std.experts { SwiGLU, GeGLU }\nimport "./mine.moe" { Mine }\n');
    expect(imports.map(({ from, names }) => [from, names.map(({ text }) => text)])).toEqual([
      ["std.experts", ["SwiGLU", "GeGLU"]],
      ["./mine.moe", ["Mine"]],
    ]);
  });

  test("documentation stands on what follows it without a blank line; the first of a file is the module's", () => {
    const text =
      "/// The module.\n/// Two lines.\n\n/// Lost.\n\n/// A layer.\n// a note\nlayer A(x: [D]) {\n  /// A parameter.\n  param w: [D] /// not this\n  w\n}\n/// A size.\ndim D = 3\n/// A recipe.\ntrain A { steps 1 }\n";
    const module = good(text);
    expect(module.doc).toBe("The module.\nTwo lines.\nLost.");
    expect(module.declarations.map((one) => one.doc)).toEqual(["A layer.", "A size.", "A recipe."]);
    const [layer] = module.declarations;
    expect(layer?.node === "definition" && layer.body.map((one) => one.doc)).toEqual([
      "A parameter.",
      undefined,
    ]);
    expect(module.comments.map((comment) => comment.text)).toEqual(["// a note"]);
  });

  test("a newline ends a statement, except in ( ) and [ ], after an operator or a comma, and before then and else", () => {
    const body = bodyOf(
      "a = f(\n  x,\n  y\n)\nb = x +\n  y\nc[\n  i\n] = [1,\n 2]\nd = if x\n  then y\n  else z\nTopK {\n  k = 2,\n  n = 3\n}\n-x",
    );
    expect(
      body.map((one) => (one.node === "bind" || one.node === "result" ? shape(one.value) : one.node)),
    ).toEqual(["(call f x y)", "(+ x y)", "[1 2]", "(if x y z)", "(with TopK k=2 n=3)", "(- x)"]);
  });

  test("spans point at the text", () => {
    const text = "layer A(x: [D]) {\n  y = f(x, k = 2) + 1\n}\n";
    const [layer] = good(text).declarations;
    const [bind] = layer?.node === "definition" ? layer.body : [];
    const at = ({ start, end }: { readonly start: number; readonly end: number }): string =>
      text.slice(start, end);
    expect(at(layer!.span)).toBe(text.trim());
    expect(at(bind!.span)).toBe("y = f(x, k = 2) + 1");
    if (bind?.node !== "bind" || bind.value.node !== "binary" || bind.value.left.node !== "call")
      throw new Error("another tree");
    expect(at(bind.name.span)).toBe("y");
    expect(at(bind.value.left.span)).toBe("f(x, k = 2)");
    expect(bind.value.left.arguments.map(({ span }) => at(span))).toEqual(["x", "k = 2"]);
  });

  test("line ends of all systems, a byte order mark and tabs", () => {
    const text = "\uFEFFdim A = 1\r\n\tdim B = 2\rdim C = 3";
    expect(good(text).declarations.length).toBe(3);
  });

  test("an empty file is an empty module", () => {
    for (const text of ["", "\n", "// only a comment", "/// doc\n"])
      expect(good(text).declarations).toEqual([]);
  });
});
