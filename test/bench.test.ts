// The bench itself, with tiny repeats: every part that needs no other library runs and gives finite numbers.

import { describe, expect, test } from "vitest";
import { candidate, interleave, ratios, spread, type MeasureOptions } from "../bench/measure.ts";
import { markdownSection, meets, printSection, type Row, type Section } from "../bench/section.ts";
import { compilerSection, memorySection } from "../bench/sections/compiler.ts";
import { contractionCases, contractionSection, threadsSection } from "../bench/sections/contraction.ts";
import { libraryEntries } from "../bench/entries.ts";
import { generalitySection } from "../bench/sections/generality.ts";
import { layerSection } from "../bench/sections/layer.ts";
import { routedModel } from "../bench/peers/onnx-model.ts";

const tiny: MeasureOptions = { rounds: 2, milliseconds: 1, warm: 0 };

function expectFinite({ rows, skipped }: Section): void {
  expect(rows.length).toBeGreaterThan(0);
  expect(skipped).toEqual([]);
  for (const { name, min, median, max } of rows) {
    for (const value of [min, median, max]) expect(value, name).toSatisfy(Number.isFinite);
    expect(min, name).toBeGreaterThan(0);
    expect(median, name).toBeGreaterThanOrEqual(min);
    expect(max, name).toBeGreaterThanOrEqual(median);
  }
}

describe("measuring", () => {
  test("a spread is the least, the middle and the most", () => {
    expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
    expect(spread([4, 1, 2, 3])).toEqual({ min: 1, median: 2.5, max: 4 });
  });

  test("ratios are taken within a round", () => {
    expect(ratios([2, 40], [1, 10])).toEqual({ min: 2, median: 3, max: 4 });
  });

  test("candidates take turns", async () => {
    const seen: string[] = [];
    const of = (name: string) => candidate(name, () => seen.push(name));
    const times = await interleave([of("a"), of("b")], { rounds: 2, milliseconds: 0, warm: 0 });
    expect(seen.join("")).toBe("ababab");
    expect(times.map((each) => each.length)).toEqual([2, 2]);
  });
});

describe("sections", () => {
  const row = (median: number, goal?: Row["goal"]): Row => ({
    name: "a : b",
    min: median,
    median,
    max: median,
    ...(goal === undefined ? {} : { goal }),
  });

  test.each([
    [1.2, { least: 1 }, true],
    [0.9, { least: 1 }, false],
    [1.4, { most: 1.3 }, false],
    [0.5, { least: 0.45, most: 0.6 }, true],
    [0.5, undefined, undefined],
  ])("%d against %o", (median, goal, met) => {
    expect(meets(row(median, goal))).toBe(met);
  });

  test("are printed as tables", () => {
    const section: Section = {
      name: "x",
      title: "Title",
      rows: [row(1.5, { most: 1.3 })],
      skipped: ["c: gone"],
    };
    expect(printSection(section)).toContain("a : b    1.50  1.50  1.50  at most 1.3  missed");
    expect(markdownSection(section)).toContain("| a : b | 1.50 | 1.50 | 1.50 | at most 1.3 | missed |");
    expect(markdownSection(section)).toContain("c: gone");
  });
});

test("contraction kernels give right results and a fraction of the peak", async () => {
  expectFinite(await contractionSection(tiny, contractionCases.slice(1, 3)));
});

test("the routed layer in all its variants", async () => {
  const section = await layerSection(tiny, [{ tokens: 64, width: 32, hidden: 16 }], 16);
  expectFinite(section);
  expect(section.rows).toHaveLength(6);
});

test("entries of std against a plain router, and layers that idle", async () => {
  const shape = { batch: 2, length: 32, width: 16, hidden: 16 };
  const section = await generalitySection(tiny, shape, libraryEntries.slice(-1));
  expectFinite(section);
  // The user's file, four idle layers, and an entry that chooses so in training only.
  expect(section.rows).toHaveLength(5 + 6);
});

test("two threads against one", async () => {
  const section = await threadsSection(tiny);
  expectFinite(section);
  expect(section.rows).toHaveLength(2);
});

describe("in processes of their own", () => {
  test("the compiler's time and memory", () => {
    const section = compilerSection(1, ["the book", "examples/book/book.moe"]);
    expectFinite(section);
    expect(section.rows).toHaveLength(3);
    expect(section.rows[0]!.note).toBe("2.17 M parameters");
  });

  test("training's memory is what the plan says, within a tenth", () => {
    const section = memorySection(3, [["examples/book", "examples/book/book.moe"]]);
    expectFinite(section);
    const [session, growth, whole] = section.rows;
    expect(meets(session!), `${session!.name}: ${session!.note}`).toBe(true);
    // The least of three: what the engine's threads hold while they compile differs by some megabytes from run to run.
    expect(whole!.min, whole!.note).toBeGreaterThan(0.9);
    expect(whole!.min, whole!.note).toBeLessThan(1.1);
    // Beside what was planned the heap of JavaScript grows by some megabytes: a tenth of this small model, or a little more.
    expect(growth!.min, growth!.note).toBeGreaterThan(0.9);
    expect(growth!.min, growth!.note).toBeLessThan(1.25);
  });
});

test("the ONNX file says what it holds", () => {
  const sizes = { tokens: 1, width: 2, hidden: 1, experts: 2, k: 1 };
  const four = new Float32Array(4);
  const text = Buffer.from(
    routedModel({ ...sizes, router: four, gate: four, up: four, down: four }),
  ).toString("latin1");
  for (const word of ["MoE", "com.microsoft", "swiglu_fusion", "MatMul"]) expect(text).toContain(word);
});
