// Routings at their edges: scores are given from outside, so that an expert is empty, one takes all, scores tie, are not numbers
// or leave nothing to choose; with one expert, one token, as many picks as experts, and nulls only.
// What is chosen is checked against plain loops, what is computed on every back end against the double interpreter.

import { describe, expect, test } from "vitest";
import { forced } from "./helpers/device-texts.ts";
import { compileText, expectDifferential, expectGradients } from "./helpers/differential.ts";

type Rows = readonly (readonly number[])[];

/** A choice, and what stands below it. */
const statements = (choice: string): string => choice.split("; ").join("\n  ");

const usable = (score: number): boolean => !Number.isNaN(score) && score !== -Infinity;
/** Positions of usable scores, best first, ties to the lower one. */
const best = (scores: readonly number[]): number[] =>
  scores.flatMap((score, i) => (usable(score) ? [i] : [])).sort((a, b) => scores[b]! - scores[a]! || a - b);
const each = (choose: (scores: readonly number[]) => readonly number[]) => (rows: Rows) => rows.map(choose);

/** Drops picks so that each expert keeps the first `capacity` of `order`. */
function capped(
  rows: Rows,
  picks: Rows,
  capacity: number,
  order: (expert: number) => readonly number[],
): Rows {
  const kept = picks.map((): number[] => []);
  for (let expert = 0; expert < rows[0]!.length; expert++)
    order(expert)
      .filter((token) => picks[token]!.includes(expert))
      .slice(0, capacity)
      .forEach((token) => kept[token]!.push(expert));
  return kept;
}

/** Picks in the order in which tokens made them; each of two groups keeps the first three of `order`. */
function cappedGroups(
  picks: Rows,
  order: (list: readonly { token: number; expert: number }[]) => readonly { token: number; expert: number }[],
): Rows {
  const kept = picks.map((): number[] => []);
  const made = picks.flatMap((row, token) => row.map((expert) => ({ token, expert })));
  for (const group of [0, 1])
    order(made.filter(({ expert }) => expert >> 1 === group))
      .slice(0, 3)
      .forEach(({ token, expert }) => kept[token]!.push(expert));
  return kept;
}

interface Form {
  readonly choice: string;
  /** Experts of each token, by the definition in the reference. */
  readonly picks: (rows: Rows) => Rows;
}

const column = (rows: Rows, expert: number): number[] => rows.map((row) => row[expert]!);
const forms: Readonly<Record<string, Form>> = {
  "top 1": { choice: "choose top 1 of score", picks: each((row) => best(row).slice(0, 1)) },
  "top 2": { choice: "choose top 2 of score", picks: each((row) => best(row).slice(0, 2)) },
  "as many as experts": { choice: "choose top 4 of score", picks: each(best) },
  "each group": {
    choice: "choose top 1 of score in each of 2 groups",
    picks: each((row) =>
      [0, 2].flatMap((from) =>
        best(row.slice(from, from + 2))
          .slice(0, 1)
          .map((i) => from + i),
      ),
    ),
  },
  "best groups": {
    choice: "choose top 2 of score in the best 1 of 2 groups by max(score)",
    picks: each((row) => {
      const [group] = best(
        [0, 2].map((from) => Math.max(...row.slice(from, from + 2).filter(usable), -Infinity)),
      );
      return group === undefined ? [] : best(row).filter((i) => i >> 1 === group);
    }),
  },
  until: {
    choice: "choose until sum(score) > 1 by score",
    picks: each((row) => {
      const order = best(row);
      let sum = 0;
      return order.filter((i, at) => {
        const take = at === 0 || sum <= 1;
        sum += row[i]!;
        return take;
      });
    }),
  },
  where: {
    choice: "choose where score > 0",
    picks: each((row) => row.flatMap((score, i) => (score > 0 ? [i] : []))),
  },
  "where, at most": {
    choice: "choose where score > 0 at most 2 by score",
    picks: each((row) =>
      best(row)
        .filter((i) => row[i]! > 0)
        .slice(0, 2),
    ),
  },
  all: { choice: "choose all", picks: each((row) => row.map((_, i) => i)) },
  tokens: {
    choice: "choose top 2 tokens of score for each expert per batch",
    picks: (rows) => {
      const takers = rows[0]!.map((_, expert) => best(column(rows, expert)).slice(0, 2));
      return rows.map((_, token) =>
        takers.flatMap((tokens, expert) => (tokens.includes(token) ? [expert] : [])),
      );
    },
  },
  "only where": {
    choice: "choose top 2 of score only where score < 1",
    picks: each((row) =>
      best(row)
        .filter((i) => row[i]! < 1)
        .slice(0, 2),
    ),
  },
  "drop last": {
    choice: "choose top 1 of score; capacity 2",
    picks: (rows) =>
      capped(
        rows,
        rows.map((row) => best(row).slice(0, 1)),
        2,
        () => rows.map((_, token) => token),
      ),
  },
  "drop lowest": {
    choice: "choose top 2 of score; capacity 2 drop lowest",
    picks: (rows) =>
      capped(
        rows,
        rows.map((row) => best(row).slice(0, 2)),
        2,
        (expert) => best(column(rows, expert)),
      ),
  },
  "drop lowest of something else": {
    choice: "choose top 2 of score; capacity 2 drop lowest of -score",
    picks: (rows) =>
      capped(
        rows,
        rows.map((row) => best(row).slice(0, 2)),
        2,
        (expert) => best(column(rows, expert).map((score) => -score)),
      ),
  },
  "drop lowest of one number for the token": {
    choice: "choose top 2 of score; capacity 2 drop lowest of sum(score)",
    picks: (rows) =>
      capped(
        rows,
        rows.map((row) => best(row).slice(0, 2)),
        2,
        () => best(rows.map((row) => row.reduce((a, b) => a + b))),
      ),
  },
  "of groups": {
    choice: "choose top 2 of score; capacity 3 in each of 2 groups",
    picks: (rows) =>
      cappedGroups(
        rows.map((row) => best(row).slice(0, 2)),
        (list) => list,
      ),
  },
  "of groups, lowest": {
    choice: "choose top 2 of score; capacity 3 in each of 2 groups drop lowest",
    picks: (rows) =>
      cappedGroups(
        rows.map((row) => best(row).slice(0, 2)),
        (list) => best(list.map(({ token, expert }) => rows[token]![expert]!)).map((i) => list[i]!),
      ),
  },
};

const five = (row: readonly number[]): Rows => Array.from({ length: 5 }, () => row);
const [no, nan] = [-Infinity, NaN];
const scores: Readonly<Record<string, Rows>> = {
  "no two alike": [
    [0.9, 0.1, -0.5, 0.4],
    [-0.2, 0.8, 0.7, -0.9],
    [0.3, 0.2, 0.6, 0.5],
    [-0.1, -0.2, -0.3, -0.4],
    [1.5, 0.25, 2, 0.75],
  ],
  "one takes all": five([-1, -2, 3, -3]),
  "one is empty": five([0.6, no, 0.5, 0.4]),
  "all alike": five([0.5, 0.5, 0.5, 0.5]),
  "some are no numbers": [
    [nan, 0.5, 0.25, nan],
    [nan, nan, nan, nan],
    [0.5, nan, 1, 2],
    [nan, no, 3, nan],
    [0.125, 0.25, nan, no],
  ],
  "nothing to choose": five([no, no, no, no]),
  infinite: [
    [Infinity, 0.5, no, 0.25],
    [0.5, Infinity, Infinity, no],
    [no, no, no, Infinity],
    [0, -0, 0, -0],
    [1e30, 1e-30, -1e30, 2e30],
  ],
  "one token": [[0.5, 0.25, 0.75, -0.5]],
};

describe.each(Object.entries(forms))("choose %s", (_, { choice, picks }) => {
  const compiled = compileText(forced(4, 0, statements(choice)));
  const nulls = compileText(forced(2, 2, statements(choice)));
  test.each(Object.entries(scores))("%s", async (_name, rows) => {
    const want = picks(rows).map((list) => [...list].sort((a, b) => a - b));
    for (const each of [compiled, nulls]) {
      const ran = await expectDifferential(each, {
        sizes: { B: rows.length },
        inputs: { score: rows.flat() },
        entries: ["evaluate", "train"],
        steps: 1,
        threads: [],
      });
      const outputs = ran!.get("evaluate")!.outputs;
      const { data, dims } = outputs.get("picks.router")!;
      const got = rows.map((_row, token) =>
        [...data.slice(token * dims[1]!, (token + 1) * dims[1]!)]
          .filter((id) => id >= 0)
          .sort((a, b) => a - b),
      );
      expect(got).toEqual(want);
      expect([...outputs.get("load.router")!.data]).toEqual(
        [0, 1, 2, 3].map((expert) => want.flat().filter((id) => id === expert).length),
      );
      expectGradients(each, ran!.get("train")!);
    }
  });
});

describe("at the edges of the pool", () => {
  test.each([
    ["one expert", 1, 0, [[0.5], [nan], [-1], [no], [2]]],
    [
      "one expert and one null",
      1,
      1,
      [
        [0.5, 0.25],
        [0.25, 0.5],
        [nan, 1],
        [1, nan],
        [no, no],
      ],
    ],
    ["one expert, three nulls, all null", 1, 3, five([0, 1, 2, 3])],
  ] as const)("%s", async (_, experts, nulls, rows) => {
    const compiled = compileText(forced(experts, nulls, "choose top 1 of score"));
    const ran = await expectDifferential(compiled, {
      sizes: { B: rows.length },
      inputs: { score: rows.flat() },
      steps: 1,
    });
    const want = rows.map((row) => best(row)[0] ?? -1);
    expect([...ran!.get("evaluate")!.outputs.get("picks.router")!.data]).toEqual(want);
    expectGradients(compiled, ran!.get("train")!);
  });
});
