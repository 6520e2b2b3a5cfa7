// Which experts a router sends to, as elaboration tells it: whatever pools are called, wherever they stand, and however often the
// layer around them is repeated. Parameters of a token are counted by it.

import { describe, expect, test } from "vitest";
import { countParameters } from "../cli/report/parameters.ts";
import { compileText } from "./helpers/differential.ts";
import { buildText } from "./helpers/elaborate.ts";

const D = 4;
const modelOf = (body: string, definitions = ""): string => `
import std.routers { TopK }

/// One matrix.
expert Matrix(D)(x: [D]) -> [D] {
  param w: [D, D]
  relu(x @ w)
}

/// One vector.
expert Scale(D)(x: [D]) -> [D] {
  param scale: [D] = 1
  x * scale
}
${definitions}
model Sent {
  dim D = ${D}
  modality text = tokens(vocab = 16)
  param embed: [16, D]
  x = embed[text]
  ${body}
  x @ transpose(embed)
}
`;

/** \`name: first..last tensors\` of each kind. */
const told = (text: string): readonly string[] =>
  buildText(text).built.routers.flatMap(({ name, pool }) =>
    pool.map(
      ({ first, count, tensors }) => `${name}: ${first} to ${first + count - 1}: ${tensors.join(", ")}`,
    ),
  );

describe("a router sends to", () => {
  test("the pool that stands behind it, of several of one name", () => {
    const body = "repeat 3 {\n pool = Matrix(D) * 8\n x = x + pool(x) by TopK { k = 2 }(x)\n }";
    expect(told(modelOf(body))).toMatchInlineSnapshot(`
      [
        "router.0: 0 to 7: pool.0.w",
        "router.1: 0 to 7: pool.1.w",
        "router.2: 0 to 7: pool.2.w",
      ]
    `);
  });

  test("one pool from several places", () => {
    const body = "pool = Matrix(D) * 8\n repeat 2 {\n x = x + pool(x) by TopK { k = 2 }(x)\n }";
    expect(told(modelOf(body))).toMatchInlineSnapshot(`
      [
        "router.0: 0 to 7: pool.w",
        "router.1: 0 to 7: pool.w",
      ]
    `);
  });

  test("two pools by the same gates", () => {
    const body =
      "gates = TopK { N = 4, k = 1 }(x)\n left = Matrix(D) * 4\n right = Scale(D) * 4\n x = left(x) + (right(x) by gates)";
    expect(told(modelOf(body.replace("left(x) +", "(left(x) by gates) +")))).toMatchInlineSnapshot(`
      [
        "topk: 0 to 3: left.w",
        "topk: 0 to 3: right.scale",
      ]
    `);
  });

  test("unlike experts, kind by kind; null experts have no tensors", () => {
    const body = "pool = Matrix(D) * 3 + Scale(D) * 2 + zero * 4\n x = pool(x) by TopK { k = 2 }(x)";
    expect(told(modelOf(body))).toMatchInlineSnapshot(`
      [
        "router: 0 to 2: pool.0.w",
        "router: 3 to 4: pool.1.scale",
      ]
    `);
  });

  test("experts of equal layers, each to its own", () => {
    const layer = "moe Experts(D)(x: [D]) -> [D] {\n routed Matrix(D) * 8\n router TopK { k = 2 }\n}";
    expect(told(modelOf("repeat 3 {\n x = x + Experts(D)(x)\n }", layer))).toMatchInlineSnapshot(`
      [
        "experts.0.router: 0 to 7: experts.0.routed.w",
        "experts.1.router: 0 to 7: experts.1.routed.w",
        "experts.2.router: 0 to 7: experts.2.routed.w",
      ]
    `);
  });
});

describe("parameters that work on a token", () => {
  const counted = (text: string) =>
    countParameters(compileText(text).program, ({ width, experts }) => Math.min(width, experts));
  const embed = 16 * D;
  const gate = (experts: number): number => D * experts;

  test("pools of one name in a loop", () => {
    const body = "repeat 3 {\n pool = Matrix(D) * 8\n x = x + pool(x) by TopK { k = 2 }(x)\n }";
    expect(counted(modelOf(body))).toEqual({
      total: embed + 3 * (8 * D * D + gate(8)),
      active: embed + 3 * (2 * D * D + gate(8)),
    });
  });

  test("a pool that several routers share: at most all of it", () => {
    const body = (times: number): string =>
      `pool = Matrix(D) * 4\n repeat ${times} {\n x = x + pool(x) by TopK { k = 2 }(x)\n }`;
    expect(counted(modelOf(body(1))).active).toBe(embed + gate(4) + 2 * D * D);
    expect(counted(modelOf(body(3))).active).toBe(embed + 3 * gate(4) + 4 * D * D);
  });
});
