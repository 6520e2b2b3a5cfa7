// Tests of capacity and of what gates read off picks; shared shape: picks [tokens, K] in, picks out.
import { describe, expect, test } from "vitest";
import { dropLast, dropLowest, dropLowestOfPicks, queuesOfGroups } from "../../compiler/build/capacity.ts";
import { atPicks, chosenOf, loadOf } from "../../compiler/build/gates.ts";
import { GraphBuilder } from "../../compiler/graph-builder.ts";
import type { Node } from "../../compiler/graph.ts";
import { interpretGraph } from "../../compiler/interpret-graph.ts";
import { constant } from "../../runtime/size.ts";

function run(
  shape: readonly number[],
  picks: readonly number[],
  score: readonly number[],
  make: (builder: GraphBuilder, picks: Node, score: Node) => Node,
): number[] {
  const builder = new GraphBuilder();
  const experts = score.length / (picks.length / shape.at(-1)!);
  const node = make(
    builder,
    builder.input("picks", "i32", shape),
    builder.input("score", "f32", [...shape.slice(0, -1), experts]),
  );
  const { outputs } = interpretGraph(
    { name: "test", outputs: [{ name: "out", node }], updates: [] },
    {
      sizes: {},
      inputs: new Map([
        ["picks", picks],
        ["score", score],
      ]),
      tensors: new Map(),
    },
  );
  return [...outputs.get("out")!.data];
}

const two = (builder: GraphBuilder): Node => builder.constant(2, "i32");

export function capacityTests(): void {
  describe("capacity", () => {
    const picks = [0, 1, 0, 1, 0, -1, 1, 0];
    const score = [0.1, 0.9, 0.2, 0.8, 0.3, 0.1, 0.4, 0.7];
    test("drop last: earlier tokens stay", () => {
      expect(run([4, 2], picks, score, (b, p) => dropLast(b, p, { ids: p, count: 2 }, two(b), 1))).toEqual([
        0, 1, 0, 1, -1, -1, -1, -1,
      ]);
    });
    test("drop last, per sequence", () => {
      expect(run([2, 2, 2], picks, score, (b, p) => dropLast(b, p, { ids: p, count: 2 }, two(b), 1))).toEqual(
        picks,
      );
    });
    test("drop last, per batch of two sequences", () => {
      expect(run([2, 2, 2], picks, score, (b, p) => dropLast(b, p, { ids: p, count: 2 }, two(b), 2))).toEqual(
        [0, 1, 0, 1, -1, -1, -1, -1],
      );
    });
    test("drop lowest: the best scores stay", () => {
      const dropped = run([4, 2], picks, score, (b, p, s) =>
        dropLowest(b, p, chosenOf(b, p, constant(2)), s, constant(2), 1),
      );
      // Expert 0: scores .1 .2 .3 .4 of tokens 0..3: tokens 2 and 3 stay. Expert 1: .9 .8 .7 of tokens 0, 1, 3: 0 and 1 stay.
      expect(dropped).toEqual([-1, 1, -1, 1, 0, -1, -1, 0]);
    });
    test("drop lowest, per pick: a token that picked an expert twice takes two places", () => {
      const dropped = run([4, 2], [0, 0, 0, 1, 0, -1, 1, 1], score, (b, p) =>
        dropLowestOfPicks(b, p, { ids: p, count: 2 }, b.input("score", "f32", [4, 2]), constant(2), 1),
      );
      // Expert 0: .1 .9 of token 0, .2 of token 1, .3 of token 2; expert 1: .8 of token 1, .4 .7 of token 3.
      expect(dropped).toEqual([-1, 0, -1, 1, 0, -1, -1, 1]);
    });
    test("a group of two experts shares its places", () => {
      const four = [0, 2, 1, 3, 0, 1, 2, -1];
      const sixteen = Array.from({ length: 16 }, (_, i) => i);
      expect(
        run([4, 2], four, sixteen, (b, p) => dropLast(b, p, queuesOfGroups(b, p, 4, 2), two(b), 1)),
      ).toEqual([0, 2, 1, 3, -1, -1, -1, -1]);
    });
  });

  describe("gates", () => {
    const picks = [1, -1, 1, 0, -1, -1];
    const score = [0.1, 0.9, 0.2, 0.8, 0.3, 0.7];
    test("load counts picks per expert", () => {
      expect(run([3, 2], picks, score, (b, p) => loadOf(b, p, 2))).toEqual([1, 2]);
    });
    test("chosen marks them by token", () => {
      expect(run([3, 2], picks, score, (b, p) => chosenOf(b, p, constant(2)))).toEqual([0, 1, 1, 1, 0, 0]);
    });
    test("values at picks, zero where there is none", () => {
      expect(run([3, 2], picks, score, (b, p, s) => atPicks(b, s, p))).toEqual([0.9, 0, 0.8, 0.2, 0, 0]);
    });
  });
}
