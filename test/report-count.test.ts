// Counting for the report, against plain loops; token labels; markup that cannot be broken out of.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  countPicks,
  countValues,
  featureMeans,
  lift,
  mergeValues,
  mostTelling,
} from "../cli/report/count.ts";
import { gridOf } from "../cli/report/facets.ts";
import { embedJson, escapeText, markup, raw } from "../cli/report/html.ts";
import {
  align,
  buckets,
  curveOf,
  effectiveExperts,
  loadHistory,
  meanActive,
  nullShare,
  smooth,
  starved,
  violation,
} from "../cli/report/measure.ts";
import { countParameters, placeOfRouter } from "../cli/report/parameters.ts";
import { layerTitle } from "../cli/report/run.ts";
import { tokenKind, tokenKinds, tokenLabel } from "../cli/report/tokens.ts";
import type { StepRecord } from "../runtime/metrics.ts";
import { madeProgram } from "./helpers/report-run.ts";

const routings = fc
  .record({
    experts: fc.integer({ min: 1, max: 6 }),
    nulls: fc.integer({ min: 0, max: 3 }),
    width: fc.integer({ min: 1, max: 4 }),
    rows: fc.integer({ min: 0, max: 30 }),
  })
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      picks: fc.array(fc.integer({ min: -1, max: shape.experts + shape.nulls - 1 }), {
        minLength: shape.rows * shape.width,
        maxLength: shape.rows * shape.width,
      }),
      values: fc.array(fc.integer({ min: -1, max: 4 }), { minLength: shape.rows, maxLength: shape.rows }),
    }),
  );

describe("counts", () => {
  test("of picks are those of a plain loop", () => {
    fc.assert(
      fc.property(routings, ({ shape: { experts, nulls, width, rows }, picks }) => {
        const counts = countPicks(Int32Array.from(picks), width, experts, nulls);
        expect(counts.rows).toBe(rows);
        expect(counts.empty).toBe(picks.filter((pick) => pick === -1).length);
        expect(counts.load).toEqual(
          Array.from(
            { length: experts + nulls },
            (_, expert) => picks.filter((pick) => pick === expert).length,
          ),
        );
        const ofRow = Array.from(
          { length: rows },
          (_, row) =>
            picks.slice(row * width, (row + 1) * width).filter((pick) => pick >= 0 && pick < experts).length,
        );
        expect(counts.active).toEqual(
          Array.from({ length: width + 1 }, (_, n) => ofRow.filter((active) => active === n).length),
        );
      }),
    );
  });

  test("of values are those of a plain loop, and merge", () => {
    fc.assert(
      fc.property(routings, ({ shape: { experts, nulls, width }, picks, values }) => {
        const all = experts + nulls;
        const found = countValues(Int32Array.from(picks), width, all, (row) => values[row]!);
        for (let value = 0; value < 5; value++) {
          const rows = values.flatMap((each, row) => (each === value ? [row] : []));
          expect(found.get(value)?.rows ?? 0).toBe(rows.length);
          for (let expert = 0; expert < all; expert++) {
            const wanted = rows
              .flatMap((row) => picks.slice(row * width, (row + 1) * width))
              .filter((pick) => pick === expert).length;
            expect(found.get(value)?.counts[expert] ?? 0).toBe(wanted);
          }
        }
        const merged = mergeValues(found.values(), all, (value) => value % 2);
        const odd = values.filter((value) => value >= 0 && value % 2 === 1).length;
        expect(merged.get(1)?.rows ?? 0).toBe(odd);
      }),
    );
  });

  test("of features give means in deviations", () => {
    // Two rows of value 0 to expert 0, two of value 4 to expert 1, mean 2, deviation 2; expert 2 gets nothing.
    const means = featureMeans(Int32Array.of(0, 0, 1, 1), 1, 3, 1, (row) => (row < 2 ? 0 : 4));
    expect(means).toEqual([[-1], [1], [0]]);
  });

  test("a lift compares with what is usual", () => {
    expect(lift(10, 20, 50, 100)).toBe(1);
    expect(lift(20, 20, 50, 100)).toBe(2);
    expect(lift(0, 20, 50, 100)).toBe(0);
    expect(lift(0, 0, 0, 0)).toBe(0);
  });

  test("what tells an expert from the others is frequent and preferred", () => {
    const value = (id: number, rows: number, count: number) => ({
      value: id,
      rows,
      counts: Uint32Array.of(count),
    });
    const telling = mostTelling(
      [value(0, 500, 110), value(1, 100, 100), value(2, 3, 3), value(3, 400, 0)],
      0,
      213,
      1003,
      3,
    );
    expect(telling.map(({ value: { value: id } }) => id)).toEqual([1, 2, 0]);
  });
});

describe("measures", () => {
  test("of balance", () => {
    expect(violation([10, 10, 10, 10, 99], 4)).toBe(0);
    expect(violation([40, 0, 0, 0], 4)).toBe(3);
    expect(violation([0, 0], 2)).toBe(0);
    expect(effectiveExperts([5, 5, 5, 5], 4)).toBeCloseTo(4);
    expect(effectiveExperts([7, 0, 0], 3)).toBeCloseTo(1);
    expect(effectiveExperts([0, 0], 2)).toBe(0);
    expect(nullShare([3, 3, 2], 2)).toBe(0.25);
    expect(starved([100, 100, 1], 3)).toBe(1);
    expect(meanActive([1, 0, 3])).toBe(1.5);
    expect(meanActive([])).toBe(0);
  });

  const step = (number: number, loss: number, load: readonly number[] = []): StepRecord => ({
    kind: "step",
    step: number,
    metrics: { loss },
    rate: 0,
    norm: 0,
    seconds: 0,
    perSecond: 0,
    loads: { r: load },
  });

  test("curves are means of buckets, with gaps where nothing is finite", () => {
    const records = [step(1, 2), step(2, 4), step(3, NaN), step(4, Infinity)];
    expect(curveOf(records, ({ metrics }) => metrics["loss"], 2)).toEqual({ x: [2, 4], y: [3, null] });
    expect(curveOf([], () => 1)).toEqual({ x: [], y: [] });
    expect(buckets([1, 2, 3, 4, 5], 2)).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
  });

  test("smoothing keeps ends, gaps and straight lines", () => {
    const straight = {
      x: Array.from({ length: 90 }, (_, i) => i),
      y: Array.from({ length: 90 }, (_, i) => i),
    };
    expect(smooth(straight)).toEqual(straight);
    expect(smooth({ x: [1, 2], y: [null, 3] })).toEqual({ x: [1, 2], y: [null, 3] });
  });

  test("curves of different steps share an axis", () => {
    expect(
      align([
        { x: [1, 3], y: [10, 30] },
        { x: [2, 3], y: [5, 6] },
      ]),
    ).toEqual({
      x: [1, 2, 3],
      ys: [
        [10, null, 30],
        [null, 5, 6],
      ],
    });
  });

  test("loads over time are means of the recorded steps", () => {
    expect(loadHistory([step(1, 0, [2, 0]), step(2, 0, [4, 2]), step(3, 0, [1, 1])], "r", 2)).toEqual({
      steps: [1, 3],
      loads: [
        [2, 0],
        [2.5, 1.5],
      ],
    });
    expect(loadHistory([step(1, 0, [1])], "another", 4)).toEqual({ steps: [], loads: [] });
  });

  test("parameters: a token uses the share of the experts that it picks", () => {
    const program = madeProgram({ layers: 1, experts: 8, width: 2 });
    const expert = 3 * 128 * 128;
    const rest = 256 * 128 + 128 * 8 + expert;
    expect(countParameters(program, () => 2)).toEqual({
      total: rest + 8 * expert,
      active: rest + 2 * expert,
    });
    const without = { ...program, routers: [] };
    expect(countParameters(without, () => 2)).toEqual({
      total: rest + 8 * expert,
      active: rest + 8 * expert,
    });
  });

  test.each([
    ["block.0.experts.router", "block.0.experts", "block.0.experts"],
    ["twice.0.router.1", "twice.0", "twice.0, router 1"],
    ["router.0", "", "router.0"],
    ["router", "", "router"],
    ["layer.topk", "layer", "layer.topk"],
  ])("the router %s stands at %j and is shown as %j", (name, place, title) => {
    expect(placeOfRouter(name)).toBe(place);
    expect(layerTitle(name)).toBe(title);
  });

  test.each([
    [49, 28, 28, [7, 7]],
    [28, 28, 28, [28, 1]],
    [32, 32, 64, [4, 8]],
    [12, 0, 0, [1, 12]],
    [13, 28, 28, [1, 13]],
  ] as const)("%i places of an image %i by %i", (places, height, width, grid) => {
    expect(gridOf(places, height, width)).toEqual(grid);
  });
});

describe("tokens", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  test.each([
    ["the", "the", "lower-case letters"],
    [" of", "␣of", "a space, then letters"],
    ["Ahab", "Ahab", "capital letters"],
    ["42", "42", "digits"],
    ["  ", "␣␣", "spaces"],
    [".\n", ".↵", "line ends"],
    ["--", "--", "punctuation"],
    ["\u0001", "U+01", "other bytes"],
    ["é", "é", "lower-case letters"],
    ["</script>", "</script>", "punctuation"],
  ])("%j is shown as %s, one of the %s", (text, label, kind) => {
    expect(tokenLabel(bytes(text))).toBe(label);
    expect(tokenKinds[tokenKind(bytes(text))]).toBe(kind);
  });
  test("bytes that are no text, and no bytes", () => {
    expect(tokenLabel(Uint8Array.of(0xe2, 0x80))).toBe("0xE2 0x80");
    expect(tokenLabel(new Uint8Array(0))).toBe("end");
    expect(tokenKinds[tokenKind(Uint8Array.of(0xff))]).toBe("other bytes");
  });
});

describe("markup", () => {
  test("escapes what is put in, and leaves markup as it is", () => {
    expect(markup`<b title="${`"'<>&`}">${[raw("<i>"), "<i>"]}${undefined}${false}${3}</b>`.markup).toBe(
      `<b title="&quot;&#39;&lt;&gt;&amp;"><i>&lt;i&gt;3</b>`,
    );
  });
  test("what XML cannot say becomes a sign", () => {
    expect(escapeText("a\u0000b\ud800c\ud83d\ude00")).toBe("a\ufffdb\ufffdc\ud83d\ude00");
  });
  test("JSON cannot end a script, and is the same value", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom("</script>", "<!--", "\u2028", "]]>")), (text) => {
        const { markup } = embedJson({ text });
        expect(markup).not.toMatch(/<|\u2028|\u2029/);
        expect(JSON.parse(markup)).toEqual({ text });
      }),
    );
  });
});
