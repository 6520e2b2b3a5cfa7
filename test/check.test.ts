// Checking as people meet it: several mistakes in one run, one message for each cause, nothing about what follows from it.
import { describe, expect, test } from "vitest";
import { checkModule } from "../compiler/compile.ts";
import { checkText, hostOf } from "./helpers/elaborate.ts";

const cases: readonly (readonly [string, string, readonly string[]])[] = [
  [
    "mistakes in different definitions are all told",
    `
expert A(D, H)(x: [D]) -> [D] { x @ wrong }
expert B(D, H)(x: [D]) -> [D] {
  param up: [D, H]
  x @ up
}
router C(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose top 2 of x
}`,
    [
      "M0101 wrong: there is no `wrong` here",
      "M0312 x @ up: `B` returns another shape than it declares",
      "M0502 x: the score must have one entry for each expert: `[N]`",
    ],
  ],
  [
    "what follows from a mistake is silent",
    `
layer A(D)(x: [D]) -> [D] {
  y = x + missing
  z = 2 * y
  w[i] = z[i] * y[i]
  softmax(w) + y
}`,
    ["M0101 missing: there is no `missing` here"],
  ],
  [
    "a router whose choice is wrong says nothing of its load and weight",
    `
router A(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  score = x @ w
  choose top 2 of scores
  weight score / sum(score)
  loss balance = sum(load * chosen)
  after step: score += load
}`,
    ["M0101 scores: there is no `scores` here"],
  ],
  [
    "sizes are compared by name, before any number",
    `
layer A(D, H)(x: [T, D]) -> [T, D] {
  param w: [H, D]
  y = x + transpose(x)
  x @ w
}`,
    [
      "M0301 x + transpose(x): the operands do not fit: `T` meets `D`",
      "M0301 x @ w: `@` contracts `D` with `H`",
    ],
  ],
  [
    "sizes that are written differently may be the same",
    `
layer A(D, heads = 4)(x: [T, D]) -> [T, D] {
  dim C = D / heads
  y = x as [T, heads, C]
  z = y as [T, 2, C * heads / 2]
  z as [T, D]
}
function B(D)(x: [(D + 1) * (D - 1)]) -> [D ^ 2 - 1] { x }`,
    [],
  ],
  [
    "an input of another size than the signature",
    `
layer Inner(D)(x: [D], y: [D]) -> [D] { x + y }
layer Outer(D, H)(x: [D], z: [H]) -> [D] { Inner(x, z) }`,
    ["M0301 Inner(x, z): `y` of `Inner` has `H` where `D` is declared"],
  ],
  [
    "both branches of a static choice are looked at",
    `
layer A(D, wide = false)(x: [D]) -> [D] {
  if wide { x = x + nothing } else { x = 2 * x }
  y = 3 * noise in inference
  x
}`,
    ["M0101 nothing: there is no `nothing` here", "M0101 noise: there is no `noise` here"],
  ],
  [
    "a static that is a definition may be anything until it is given",
    `
layer A(D, Ffn, Route)(x: [D]) -> [D] {
  pool = Ffn(D) * 4
  x + Ffn(D)(x) + pool(x) by Route
}`,
    [],
  ],
  [
    "statements in the wrong kind of definition",
    `
layer A(D)(x: [D]) -> [D] {
  choose top 2 of x
  x
}
expert B(D)(x: [D]) -> [D] {
  routed A(D) * 2
  x
}`,
    [
      "M0215 choose top 2 of x: `choose` does not belong in a layer",
      "M0215 routed A(D) * 2: `routed` does not belong in an expert",
    ],
  ],
  [
    "what `after step` changes is a state",
    `
router A(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  state seen: [N] = 0
  bias = 3
  score = x @ w
  choose top 1 of score
  after step {
    step_by = sign(mean(load) - load)
    step_by *= 0.1
    seen += step_by
    bias += step_by
    w -= 1
  }
}`,
    ["M0601 bias: `bias` is no state, so `after step` changes nothing", "M0601 w: `w` is a parameter"],
  ],
  [
    "recipes are checked with the model",
    `
model M {
  modality x = features(4)
  modality y = number
  logits = mean(x)
  loss square(logits - y)
}
train M {
  data x = csv("a.csv", "a", "b", "c", "d")
  data z = csv("a.csv", "y")
  batch 0
  optimizer adamw { rat = 1e-3 }
  evaluate every 10 on 120%
}`,
    [
      "M0611 z: the model has no modality `z`",
      "M0606 0: a batch must be a whole number of at least 1",
      "M0103 rat: `adamw` has no option `rat`",
      "M0606 optimizer adamw { rat = 1e-3 }: `adamw` needs a learning rate",
      "M0606 120%: the share that is held out must be a number from 0 to 0.9",
    ],
  ],
];

describe("check", () => {
  test.each(cases)("%s", (_, text, want) => expect(checkText(text)).toEqual(want));
});

test("mistakes of every kind are found in one run, one for each cause", () => {
  const text = `import std.experts { SwiGlu }

model M {
  modality text = tokens(vocab = 256)
  param table: [text.vocab, 32]
  x = table[text] + Foo(table[text])
  pool = SwiGlu(32, 64) * 4
  logits = x @ transpose(tabel)
  y = if 0 < x < 1 then x else 0
  loss cross_entropy(logits, text.nxt)
}

train M {
  data txt = bytes("a.txt")
  optimiser adamw { rate = 1e-3 }
  steps ten
}
`;
  const found = checkModule(hostOf({ "main.moe": text }), "main.moe");
  expect(found.map(({ code, message, help }) => `${code} ${message} (${help ?? ""})`)).toMatchInlineSnapshot(`
    [
      "M0009 comparisons do not chain (join two with \`and\`: \`a < b and b < c\`)",
      "M0006 there is no \`optimiser\` here (write \`optimizer\`)",
      "M0703 \`std.experts\` has no \`SwiGlu\` (did you mean \`SwiGLU\` or \`Silu\`?)",
      "M0101 there is no \`Foo\` here (bind it, declare it, or import it)",
      "M0101 there is no \`tabel\` here (did you mean \`table\`?)",
      "M0105 the modality \`text\` has no \`nxt\` (did you mean \`next\`?)",
      "M0611 the model has no modality \`txt\` (did you mean \`text\`?)",
      "M0101 there is no \`ten\` here (bind it, declare it, or import it)",
    ]
  `);
});
