// Every way to choose experts against plain loops, on the scores that trip implementations: ties, -inf, NaN, nothing left.
import { describe, expect, test } from "vitest";
import { capacityTests } from "./helpers/capacity.ts";
import {
  chooseAll,
  chooseBest,
  chooseEach,
  chooseTokens,
  chooseTop,
  chooseUntil,
  chooseWhere,
} from "../compiler/build/choose.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Node } from "../compiler/graph.ts";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import { constant } from "../runtime/size.ts";

type Rows = readonly (readonly number[])[];

/** Runs `make` on a score [tokens, N] and gives the picks by token. */
function picks(rows: Rows, make: (builder: GraphBuilder, score: Node) => Node): number[][] {
  const builder = new GraphBuilder();
  const score = builder.input("score", "f32", [rows.length, rows[0]!.length]);
  const node = make(builder, score);
  const { outputs } = interpretGraph(
    { name: "test", outputs: [{ name: "picks", node }], updates: [] },
    { sizes: {}, inputs: new Map([["score", rows.flat()]]), tensors: new Map() },
  );
  const { dims, data } = outputs.get("picks")!;
  const width = dims[1]!;
  return rows.map((_, token) => [...data.slice(token * width, (token + 1) * width)]);
}

/** Indices in falling order of score, ties to the lower index, without -inf and NaN. */
const ranked = (row: readonly number[]): number[] =>
  row
    .map((score, expert) => ({ score, expert }))
    .filter(({ score }) => score > -Infinity)
    .sort((a, b) => b.score - a.score || a.expert - b.expert)
    .map(({ expert }) => expert);
const filled = (ids: readonly number[], width: number): number[] =>
  Array.from({ length: width }, (_, i) => ids[i] ?? -1);

const inf = Infinity;
const awkward: Record<string, Rows> = {
  plain: [
    [0.1, 0.5, 0.2, 0.2],
    [0.4, 0.3, 0.2, 0.1],
    [0.7, 0.1, 0.1, 0.1],
  ],
  ties: [
    [0.25, 0.25, 0.25, 0.25],
    [1, 0, 1, 0],
  ],
  "nothing left": [
    [-inf, -inf, -inf, -inf],
    [-inf, 2, -inf, 1],
  ],
  "not a number": [
    [NaN, 1, NaN, 2],
    [NaN, NaN, NaN, NaN],
  ],
  "one token": [[3, 1, 2, 0]],
  negative: [[-3, -1, -2, -4]],
};

for (const [name, rows] of Object.entries(awkward))
  describe(name, () => {
    for (const k of [1, 2, 4])
      test(`top ${k}`, () => {
        expect(picks(rows, (builder, score) => chooseTop(builder, score, k))).toEqual(
          rows.map((row) => filled(ranked(row), k)),
        );
      });

    test("top 1 in each of 2 groups", () => {
      const expected = rows.map((row) =>
        [0, 2].map((first) => {
          const best = ranked(row.slice(first, first + 2))[0];
          return best === undefined ? -1 : first + best;
        }),
      );
      expect(picks(rows, (builder, score) => chooseEach(builder, score, 1, 2))).toEqual(expected);
    });

    for (const top of [1, 2])
      test(`top 2 in the best 1 of 2 groups by sum(top ${top})`, () => {
        const expected = rows.map((row) => {
          const groups = [0, 2].map((first) => {
            const part = row.slice(first, first + 2);
            const best = ranked(part).slice(0, top);
            return best.length === 0 ? -inf : best.reduce((sum, i) => sum + part[i]!, 0);
          });
          const kept = ranked(groups)[0];
          const open = row.map((score, i) => (kept !== undefined && i >> 1 === kept ? score : -inf));
          return filled(ranked(open), 2);
        });
        expect(picks(rows, (b, score) => chooseBest(b, score, 2, 1, 2, { score, top }))).toEqual(expected);
      });

    for (const strict of [true, false])
      for (const most of [undefined, 2])
        test(`until the sum is ${strict ? ">" : ">="} 0.5, at most ${most ?? "all"}`, () => {
          const width = most ?? 4;
          const expected = rows.map((row) => {
            const taken: number[] = [];
            let sum = 0;
            for (const expert of ranked(row)) {
              if (taken.length > 0 && !(strict ? sum <= 0.5 : sum < 0.5)) break;
              if (taken.length === width) break;
              taken.push(expert);
              sum += row[expert]!;
            }
            return filled(taken, width);
          });
          expect(
            picks(rows, (builder, score) =>
              chooseUntil(builder, score, builder.constant(0.5), strict, score, most),
            ),
          ).toEqual(expected);
        });

    test("where positive", () => {
      const expected = rows.map((row) => row.map((score, expert) => (score > 0 ? expert : -1)));
      expect(picks(rows, (builder, score) => chooseWhere(builder, builder.map("lt", 0, score)))).toEqual(
        expected,
      );
    });

    test("where positive, at most 1 by score", () => {
      const expected = rows.map((row) => filled(ranked(row.map((s) => (s > 0 ? s : -inf))), 1));
      expect(
        picks(rows, (builder, score) => chooseWhere(builder, builder.map("lt", 0, score), 1, score)),
      ).toEqual(expected);
    });

    test("all", () => {
      expect(picks(rows, (builder, score) => chooseAll(builder, score))).toEqual(
        rows.map(() => [0, 1, 2, 3]),
      );
    });

    for (const count of [1, 2])
      test(`top ${count} tokens for each expert`, () => {
        const expected = rows.map((_, token) =>
          [0, 1, 2, 3].map((expert) =>
            ranked(rows.map((row) => row[expert]!))
              .slice(0, count)
              .includes(token)
              ? expert
              : -1,
          ),
        );
        expect(picks(rows, (builder, score) => chooseTokens(builder, score, constant(count), 1))).toEqual(
          expected,
        );
      });
  });

test("expert choice inside sequences does not look across them", () => {
  const builder = new GraphBuilder();
  const score = builder.input("score", "f32", [2, 2, 2]);
  const node = chooseTokens(builder, score, constant(1), 1);
  const { outputs } = interpretGraph(
    { name: "test", outputs: [{ name: "picks", node }], updates: [] },
    { sizes: {}, inputs: new Map([["score", [9, 1, 8, 2, 1, 1, 2, 0]]]), tensors: new Map() },
  );
  // Sequence 0: expert 0 takes token 0, expert 1 token 1. Sequence 1: expert 0 takes token 1, expert 1 token 0.
  expect([...outputs.get("picks")!.data]).toEqual([0, -1, -1, 1, -1, 1, 0, -1]);
});

capacityTests();
