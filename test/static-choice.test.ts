// A static chooses between definitions: `if big then A(..) else B(..)`, wherever a definition may stand. While a definition is
// checked nobody knows which it will be; what is built is the one that was chosen.
import { describe, expect, test } from "vitest";
import { buildText, checkText } from "./helpers/elaborate.ts";

const parts = `
expert Wide(D, H)(x: [D]) -> [D] {
  param up: [D, H]
  param down: [H, D]
  relu(x @ up) @ down
}
expert Narrow(D)(x: [D]) -> [D] {
  param w: [D, D]
  x @ w
}
router Best(D, N, k = 1)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose top k of x @ w
}
router All(D, N)(x: [D]) -> gates[N] {
  param shift: [N]
  choose all
}
`;
const recipe = `
train M {
  data x = csv("a.csv", "a", "b", "c", "d")
  optimizer adamw { rate = 1e-3 }
  batch 4
  steps 2
}
`;

/** A model around a layer of the file's, or around lines of its own; both statics may have any default. */
const model = (lines: string, big: boolean, deep = 1): string => `${parts}
model M(big = ${big}, deep = ${deep}) {
  modality x = features(4)
  ${lines}
  loss mean(square(logits))
}${recipe}`;

const inModels: readonly (readonly [
  string,
  string,
  Readonly<Record<"true" | "false", readonly string[]>>,
])[] = [
  [
    "an instance that is bound",
    `ffn = if big then Wide(4, 8) else Narrow(4)
  logits = ffn(x) + ffn(2 * x)`,
    { true: ["ffn.up", "ffn.down"], false: ["ffn.w"] },
  ],
  [
    "by a statement",
    `if big { ffn = Wide(4, 8) } else { ffn = Narrow(4) }
  logits = ffn(x)`,
    { true: ["ffn.0.up", "ffn.0.down"], false: ["ffn.0.w"] },
  ],
  [
    "a definition, applied where it stands",
    "logits = (if big then Wide { H = 8 } else Narrow)(x)",
    { true: ["wide.up", "wide.down"], false: ["narrow.w"] },
  ],
  [
    "experts of a pool, and its router",
    `pool = (if big then Wide(4, 8) else Narrow(4)) * 3
  logits = pool(x) by (if big then Best { k = 2 } else All)`,
    {
      true: ["router.w", "pool.up", "pool.down"],
      false: ["router.shift", "pool.w"],
    },
  ],
  [
    "a whole pool",
    `pool = if big then Wide(4, 8) * 3 else Narrow(4) * 2 + zero * 2
  logits = pool(x) by Best`,
    { true: ["router.w", "pool.up", "pool.down"], false: ["router.w", "pool.w"] },
  ],
];

describe("in a model", () => {
  const cases = inModels.flatMap(([name, lines, want]) =>
    ([true, false] as const).map((big) => [name, big, lines, want[`${big}`]] as const),
  );
  test.each(cases)("%s (%s)", (_, big, lines, want) => {
    const { built } = buildText(model(lines, big));
    expect(built.tensors.map(({ name }) => name)).toEqual(want);
  });
});

test("a static that counts chooses as well", () => {
  const lines = `ffn = if deep > 1 then Wide(4, 8) else Narrow(4)
  logits = ffn(x)`;
  const names = (deep: number): readonly string[] =>
    buildText(model(lines, true, deep)).built.tensors.map(({ name }) => name);
  expect(names(1)).toEqual(["ffn.w"]);
  expect(names(2)).toEqual(["ffn.up", "ffn.down"]);
});

test.each([true, false])("the experts, shared experts and router of a `moe` (%s)", (big) => {
  const { built } = buildText(`${parts}
moe Pool(D, big)(x: [D]) -> [D] {
  shared if big then Wide(D, 2) else Narrow(D)
  routed (if big then Wide(D, 8) else Narrow(D)) * 3
  router if big then Best { k = 2 } else All
}
model M {
  modality x = features(4)
  logits = Pool(4, ${big})(x)
}`);
  const want = big
    ? ["router.w", "routed.up", "routed.down", "shared.up", "shared.down"]
    : ["router.shift", "routed.w", "shared.w"];
  expect(built.tensors.map(({ name }) => name)).toEqual(want.map((name) => `pool.${name}`));
});

test("statics of conditions are truth values, also where conditions are joined", () => {
  const names = (big: boolean, plain: boolean): readonly string[] =>
    buildText(`${parts}
layer Ffn(D, big, plain)(x: [D]) -> [D] {
  (if big and not plain then Wide(D, 8) else Narrow(D))(x)
}
model M {
  modality x = features(4)
  logits = Ffn(4, ${big}, ${plain})(x)
}`).built.tensors.map(({ name }) => name);
  expect(names(true, false)).toEqual(["ffn.wide.up", "ffn.wide.down"]);
  expect(names(true, true)).toEqual(["ffn.narrow.w"]);
});

const mistakes: readonly (readonly [string, string, readonly string[]])[] = [
  [
    "both branches are looked at",
    `ffn = if big then Wide(4, missing) else Narrow(gone)
  logits = ffn(x)`,
    ["M0101 missing: there is no `missing` here", "M0101 gone: there is no `gone` here"],
  ],
  [
    "a tensor chooses no definition",
    `ffn = if sum(x) > 0 then Wide(4, 8) else Narrow(4)
  logits = ffn(x)`,
    [
      "M0211 if sum(x) > 0 then Wide(4, 8) else Narrow(4): what chooses between definitions must be known when the model is compiled",
    ],
  ],
];
test.each(mistakes)("mistakes: %s", (_, lines, want) => expect(checkText(model(lines, true))).toEqual(want));

test("a `moe` of unknown experts still needs a router, and one of unknown names says so once", () => {
  expect(
    checkText(`${parts}
moe Pool(D, big)(x: [D]) -> [D] {
  routed (if big then Wide(D, 8) else Narrow(D)) * 3
}
moe Other(D)(x: [D]) -> [D] {
  routed Missing(D) * 3
  router Best
}`),
  ).toEqual([
    "M0514 (if big then Wide(D, 8) else Narrow(D)) * 3: a pool needs a router",
    "M0101 Missing: there is no `Missing` here",
  ]);
});

test("a loss of a layer is a loss of the model", () => {
  expect(
    checkText(`
layer Pulled(D)(x: [D]) -> [D] {
  param w: [D, D]
  y = x @ w
  loss mean(square(y))
  y
}
model M {
  modality x = features(4)
  logits = Pulled(x)
}${recipe}`),
  ).toEqual([]);
});
