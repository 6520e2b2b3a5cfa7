// One message for each cause, in whole programs with their numbers: what follows from a mistake is silent.
import { expect, test } from "vitest";
import { checkModule } from "../compiler/compile.ts";
import { hostOf } from "./helpers/elaborate.ts";

const model = (definitions: string, line: string): string => `${definitions}
model M {
  dim D = 16
  modality text = tokens(vocab = 256)
  param table: [256, D] = normal(0.1)
  x = table[text]
  ${line}
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}`;
const told = (text: string): readonly string[] =>
  checkModule(hostOf({ "main.moe": text }), "main.moe").map(
    ({ code, message, at }) => `${code} ${at.module}: ${message}`,
  );

test.each<[string, string, readonly string[]]>([
  [
    "a size that comes out at no whole number",
    model("import std.attention { CausalAttention }", "x = CausalAttention(D, heads = 3)(x)"),
    ["M0303 std.attention: `C` is no whole size"],
  ],
  [
    "an index of a tensor that is wrong",
    model(
      "",
      "q = x @ missing\n  score[t, s] = if s <= t then sum(q[t, c] * q[s, c] over c) else 0\n  x[t, c] = score[t, t]",
    ),
    ["M0101 main.moe: there is no `missing` here"],
  ],
  [
    "a router whose choice cannot be read",
    model(
      `import std.experts { Gelu }
router Mine(D, N, k = 2)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose k of x @ w
}`,
      "pool = Gelu(D, D) * 4\n  x = pool(x) by Mine",
    ),
    ["M0005 main.moe: expected another word, found `k`"],
  ],
  [
    "a layer whose last line cannot be read",
    model("layer L(D)(x: [D]) -> [D] {\n  y = 2 * x\n  y +* 1\n}", "x = L(x)"),
    ["M0005 main.moe: expected an expression, found `*`"],
  ],
  [
    "a model whose output cannot be read",
    "model M {\n  modality x = features(2)\n  logits = x +\n}",
    ["M0005 main.moe: expected an expression, found `}`"],
  ],
  [
    "an import that is used under a name that is mistyped",
    model("import std.norms { RMSNorm }", "x = RMSNrom(x)"),
    ["M0101 main.moe: there is no `RMSNrom` here"],
  ],
  [
    "an import that only a line uses that cannot be read",
    model("import std.norms { RMSNorm }", "x = RMSNorm(x"),
    ["M0003 main.moe: `(` is never closed"],
  ],
])("%s", (_, text, want) => expect(told(text)).toEqual(want));

test("a way there is shown once, however often it was gone", () => {
  const text = model("layer L(D)(x: [D]) -> [D] { L(D)(x) }", "x = L(D)(x)");
  const [found] = checkModule(hostOf({ "main.moe": text }), "main.moe");
  expect(found?.code).toBe("M0104");
  const places = found!.related.map(({ span }) => `${span.start} ${span.end}`);
  expect(new Set(places).size).toBe(places.length);
  expect(found!.related.map(({ label }) => label)).toEqual(["`L` is used here", "`L` is used here"]);
});
