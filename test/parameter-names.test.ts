// What parameters are called. A static that is given and one that is defaulted, a definition and a definition with some of its
// statics: the names are the same, and so is who shares parameters with whom.

import { describe, expect, test } from "vitest";
import { buildText } from "./helpers/elaborate.ts";

const definitions = `
expert Mix(D, H = 4)(x: [D]) -> [D] {
  param enter: [D, H]
  param leave: [H, D]
  tanh(x @ enter) @ leave
}
router Best(D, N, k = 1)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose top k of softmax(x @ w)
}
`;

/** Names of all parameters and routers, of a layer that is applied as `apply` says. */
function namesIn(layer: string, apply: string): readonly string[] {
  const { built } = buildText(`${definitions}
${layer}
model M {
  modality x = features(6)
  logits = ${apply}(x)
  loss mean(logits)
}`);
  return [...built.tensors.map(({ name }) => name), ...built.routers.map(({ name }) => name)];
}

const layers: readonly (readonly [string, (statics: string) => string, readonly string[]])[] = [
  [
    "a router after `by`",
    (statics) => `layer L(D, Ffn = Mix, Router = Best${statics})(x: [D]) -> [D] {
  pool = Ffn * 3
  pool(x) by Router
}`,
    ["l.router.w", "l.pool.enter", "l.pool.leave", "l.router"],
  ],
  [
    "a router that is applied by itself",
    (statics) => `layer L(D, Ffn = Mix, Router = Best${statics})(x: [D]) -> [D] {
  pool = Ffn * 3
  gate = Router { N = 3 }(x)
  pool(x) by gate
}`,
    ["l.router.w", "l.pool.enter", "l.pool.leave", "l.router"],
  ],
  [
    "two routers",
    (statics) => `layer L(D, Ffn = Mix, Gate = Best${statics})(x: [D]) -> [D] {
  pool = Ffn * 3
  pool(x) by Gate + pool(2 * x) by Gate
}`,
    ["l.router.0.w", "l.pool.enter", "l.pool.leave", "l.router.1.w", "l.router.0", "l.router.1"],
  ],
  [
    "shared and routed experts of a moe",
    (statics) => `moe L(D, Ffn = Mix, Gate = Best${statics})(x: [D]) -> [D] {
  shared Ffn * 2
  routed Ffn * 3
  router Gate
}`,
    [
      "l.router.w",
      "l.routed.enter",
      "l.routed.leave",
      "l.shared.0.enter",
      "l.shared.0.leave",
      "l.shared.1.enter",
      "l.shared.1.leave",
      "l.router",
    ],
  ],
  [
    "a static that is applied twice",
    (statics) => `layer L(D, Ffn = Mix, Router = Best${statics})(x: [D]) -> [D] {
  Ffn(x) + Ffn(2 * x)
}`,
    ["l.ffn.0.enter", "l.ffn.0.leave", "l.ffn.1.enter", "l.ffn.1.leave"],
  ],
];

describe("names do not depend on how a static is given", () => {
  describe.each(layers)("%s", (_, layer, want) => {
    const router = layer("").includes("Router") ? "Router" : "Gate";
    test.each([
      ["defaulted, a definition", layer(""), "L"],
      ["defaulted, with statics", layer(" { k = 1 }"), "L"],
      ["given, definitions", layer(""), `L { Ffn = Mix, ${router} = Best }`],
      ["given, with statics", layer(""), `L { Ffn = Mix { H = 4 }, ${router} = Best { k = 1 } }`],
    ])("%s", (_, text, apply) => {
      expect(namesIn(text, apply)).toEqual(want);
    });
  });

  test("what the giver has bound to a name stays one set of parameters", () => {
    const layer = "layer L(D, Ffn = Mix)(x: [D]) -> [D] {\n  Ffn(x) + Ffn(2 * x)\n}";
    const both = `layer Both(D)(x: [D]) -> [D] {
  mine = Mix { H = 4 }
  L { Ffn = mine }(x) + mine(x)
}`;
    expect(namesIn(`${layer}\n${both}`, "Both")).toEqual(["both.mine.enter", "both.mine.leave"]);
  });

  test("a router that the body has bound keeps its name, and its parameters", () => {
    const layer = `layer L(D)(x: [D]) -> [D] {
  pool = Mix(D) * 3
  gate = Best { k = 1 }
  x = pool(x) by gate
  pool(x) by gate
}`;
    expect(namesIn(layer, "L")).toEqual(["l.gate.w", "l.pool.enter", "l.pool.leave", "l.gate", "l.gate.2"]);
  });
});
