// What can be written, form by form: text on the left, what is read on the right. Here expressions, definitions and modules.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ModuleParser } from "../grammar/parse-modules.ts";
import { parse } from "../grammar/parse.ts";
import { makeLexer } from "../grammar/tokens.ts";
import { bodyOf, definitionOf, good, only, shape, show } from "./helpers/grammar.ts";

test("the grammar is unambiguous and without left recursion, by the parser library's own checks", () => {
  expect(() => new ModuleParser(true)).not.toThrow();
  expect(() => makeLexer(true)).not.toThrow();
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
    [
      "router R(D, N)(x: [D], there: [] = 1, open: bool [N] = there > 0)",
      {
        kind: "router",
        statics: [{ name: "D" }, { name: "N" }],
        inputs: [
          { name: "x", type: "number[D]" },
          { name: "there", type: "number[]", value: "1" },
          { name: "open", type: "bool[N]", value: "(> there 0)" },
        ],
      },
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
