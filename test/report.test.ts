// The report's page: what it must say, hostile texts, runs that are empty, short, without routers, with one expert and with very many.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { collectRouting } from "../cli/report/collect.ts";
import { chooseShown, encodeStrip } from "../cli/report/layer.ts";
import { renderPage } from "../cli/report/page.ts";
import { chartLibrary, writeReport } from "../cli/report/report.ts";
import { evaluationsOf, layersOf, type RunData } from "../cli/report/run.ts";
import { colourSample, drawCharts, drawStrips, type PageData } from "../cli/report/script.ts";
import type { Data } from "../runtime/data/data.ts";
import { UserError } from "../runtime/errors.ts";
import { encodeRecord } from "../runtime/metrics.ts";
import type { Session } from "../runtime/session.ts";
import { named } from "../runtime/size.ts";
import { bytesTokenizer, charactersTokenizer } from "../runtime/tokenizer.ts";
import { madeImages, madeProgram, madeRecords, madeRun, madeSeen } from "./helpers/report-run.ts";

const library = chartLibrary();
const short = { script: "", style: "" };
const dataOf = (page: string): PageData =>
  JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)![1]!) as PageData;
const visible = (page: string): string =>
  withoutScripts(page)
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");

/** A page is long: a failure names what was looked for, not where. */
const expectSays = (page: string, ...texts: readonly string[]): void =>
  expect(texts.filter((text) => !page.includes(text))).toEqual([]);
const expectFree = (page: string, ...patterns: readonly RegExp[]): void =>
  expect(patterns.flatMap((pattern) => pattern.exec(page)?.[0] ?? [])).toEqual([]);
const withoutScripts = (page: string): string => page.replace(/<(script|style)\b.*?<\/\1>/gs, "");

/** Every element that is opened is closed, in order. */
function expectBalanced(page: string): void {
  const body = withoutScripts(page).replace(/<!doctype html>/, "");
  const open: string[] = [];
  for (const [whole, end, name] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/gi)) {
    if (["meta", "path", "link", "br"].includes(name!) || whole.endsWith("/>")) continue;
    if (end === "") open.push(name!);
    else expect(open.pop()).toBe(name);
  }
  expect(open).toEqual([]);
}

describe("the page", () => {
  const run = madeRun({ nulls: 2 });
  const page = renderPage(
    {
      ...run,
      about: {
        source: "book.moe",
        state: "finished",
        where: "CPU, 2 threads",
        prompt: "Call me",
        text: " Ishmael.",
        data: ["text: 12 kB"],
      },
    },
    library,
  );

  test("says what the run was and how it ended", () => {
    const said = visible(page);
    expectSays(
      said,
      ...[
        "Book",
        "book.moe",
        "finished",
        "held-out loss",
        "parameters",
        "tokens per second",
        "2 threads",
        "Call me Ishmael.",
        "text: 12 kB",
        "adamw, rate cosine",
      ],
    );
  });

  test("draws the curves with the numbers of the records", () => {
    const { charts } = dataOf(page);
    expect(charts.map(({ id }) => id)).toEqual([
      "curve-0",
      "curve-1",
      "curve-2",
      "curve-3",
      "curve-4",
      "balance-0",
    ]);
    for (const { id } of charts) expectSays(page, `id="${id}"`);
    const held = charts[0]!.series.find(({ label }) => label === "held out")!;
    const evaluations = evaluationsOf(run.records);
    expect(held.y.filter((value) => value !== null)).toEqual(
      evaluations.map(({ metrics }) => Number(metrics["loss"]!.toPrecision(6))),
    );
    for (const { x, series } of charts) for (const { y } of series) expect(y.length).toBe(x.length);
  });

  test("has a section for every layer and a line for every expert", () => {
    for (let layer = 0; layer < 4; layer++) expectSays(page, `id="layer-block.${layer}.experts.router"`);
    expect(page.match(/data-strip="/g)).toHaveLength(4 * 10);
    const said = visible(page);
    expectSays(
      said,
      ...[
        "expert 7",
        "null 1",
        "max violation",
        "null rate",
        "drop rate",
        "active experts",
        "Kinds of tokens",
        "coloured by expert",
      ],
    );
  });

  test("counts the nulls where the routing has them", () => {
    const { load, experts } = run.routing.routers[0]!;
    const nulls =
      load.slice(experts).reduce((sum, value) => sum + value, 0) /
      load.reduce((sum, value) => sum + value, 0);
    expectSays(visible(page), `${(100 * nulls).toFixed(1)} %`);
  });

  test("needs nothing from outside, and is well formed", () => {
    expectFree(withoutScripts(page), /<link|<img|\bsrc=|@import|url\(/);
    expectFree(page.replace(library.script, ""), /https?:/, /@import/);
    expectBalanced(page);
    expect(Buffer.byteLength(page)).toBeLessThan(500_000);
  });

  test("colours the text by the picks of the sample", () => {
    const { sample } = dataOf(page);
    expect(sample!.pieces.join("")).toBe(run.routing.sample!.pieces.join(""));
    expect(page.match(/id="sample-text"[^>]*>(.*?)<\/div>/s)![1]!.match(/<span>/g)).toHaveLength(
      sample!.pieces.length,
    );
    expect(sample!.experts).toEqual([8, 8, 8, 8]);
  });

  test("its scripts use nothing of the module that they were written in", () => {
    for (const script of [drawCharts, drawStrips, colourSample]) {
      const text = script.toString();
      expect(() => new Function(`return (${text})`)).not.toThrow();
      expectFree(text, /__vi|__name|import\b|require\(/);
    }
  });
});

describe("hostile and awkward runs", () => {
  const evil = `</script><img src=x onerror=alert(1)>"'&`;

  test("names and tokens stay text", () => {
    const made = madeRun(
      { name: evil, layers: 1 },
      `${evil} </script> <!-- `.repeat(60),
      charactersTokenizer(evil + "</script> <!-- "),
    );
    const records = made.records.map((record) =>
      record.kind === "phase" ? record : { ...record, metrics: { ...record.metrics, [evil]: 1 } },
    );
    const routing = {
      ...made.routing,
      routers: made.routing.routers.map((router) => ({
        ...router,
        facets: [
          ...router.facets,
          {
            kind: "classes" as const,
            modality: evil,
            classes: [{ label: evil, rows: 4, counts: [1, 2, 0, 0, 0, 0, 0, 1] }],
          },
        ],
      })),
    };
    const page = renderPage(
      {
        ...made,
        records,
        routing,
        about: { source: evil, text: evil, prompt: evil, state: evil, data: [evil] },
      },
      short,
    );
    expectFree(page, /<img/, /<!-- /);
    expect(page.match(/<\/script/g)).toHaveLength(3);
    expectBalanced(page);
    expect(dataOf(page).sample!.pieces.join("")).toContain("</script>");
  });

  const cases: readonly (readonly [string, RunData, readonly string[]])[] = [
    ["no records", { ...madeRun(), records: [] }, ["No step was recorded yet"]],
    ["no routers", madeRun({ layers: 0 }), ["This model has no router"]],
    [
      "no routing and no records",
      { program: madeProgram(), records: [], about: {} },
      ["Nothing was counted for this layer"],
    ],
    [
      "one step",
      { program: madeProgram(), records: madeRecords(madeProgram(), 1), about: { state: "interrupted" } },
      ["interrupted", "of 500", "was not collected in this run"],
    ],
    ["one expert", madeRun({ experts: 1, width: 1 }), ["One expert, so there is nothing to balance"]],
    [
      "a loss that is not finite",
      {
        ...madeRun({ steps: 3 }),
        records: madeRecords(madeProgram(), 3).map((record) => ({ ...record, metrics: { loss: NaN } })),
      },
      ["NaN"],
    ],
    ["drops", madeRun({ dropping: true }), ["of the picks were dropped"]],
    [
      "images and tables",
      madeImages(),
      ["By digit", "By day", "By place", "rain", "Experts at work on one row"],
    ],
  ];
  test.each(cases)("%s", (_, run, texts) => {
    const page = renderPage(run, short);
    expectBalanced(page);
    expectSays(visible(page), ...texts);
    expectFree(withoutScripts(page), /undefined/, /\[object/, /class="load[^"]*" style="[^"]*NaN/);
    expect(dataOf(page).charts.every(({ x }) => x.length > 0)).toBe(true);
  });

  test("256 experts in 24 layers stay below 2 MB, and show the busiest and the idlest", () => {
    const page = renderPage(
      madeRun(
        { layers: 24, experts: 256, width: 8, steps: 30 },
        "Call me Ishmael. Some years ago, never mind. ".repeat(12),
      ),
      library,
    );
    expect(Buffer.byteLength(page)).toBeLessThan(2_000_000);
    expectSays(visible(page), "62 of 256 are shown");
    expectBalanced(page);
  });

  test("the experts that are shown", () => {
    expect(chooseShown([1, 2, 3], 3, 8)).toEqual([0, 1, 2]);
    expect(chooseShown([5, 9, 1, 8, 7, 2], 6, 4)).toEqual([1, 2, 3, 4]);
    expect(chooseShown(undefined, 6, 4)).toEqual([0, 1, 2, 5]);
  });

  test("a strip says even, twice and nothing", () => {
    const program = madeProgram({ layers: 1, experts: 2, width: 1 });
    const record = (step: number, load: readonly number[]) => ({
      kind: "step" as const,
      step,
      metrics: {},
      rate: 0,
      norm: 0,
      seconds: 0,
      perSecond: 0,
      loads: { "block.0.experts.router": load },
    });
    const [layer] = layersOf({
      program,
      records: [record(1, [4, 4]), record(2, [8, 0]), record(3, [0, 0])],
      about: {},
    });
    const bytes = (expert: number): number[] => [...Buffer.from(encodeStrip(layer!, expert), "base64")];
    expect(bytes(0)).toEqual([128, 168, 0]);
    expect(bytes(1)).toEqual([128, 1, 0]);
  });
});

describe("collecting", () => {
  const text = "The whale, the whale! ".repeat(40);
  const program = {
    ...madeProgram({ layers: 2 }),
    entries: {
      evaluate: {
        name: "evaluate",
        inputs: [{ name: "text", type: "i32" as const, shape: [named("B"), named("T")] }],
        outputs: [],
        temporaries: [],
        dispatches: [],
        refusals: [],
      },
    },
  };
  const batchOf = (index: number): Int32Array =>
    bytesTokenizer()
      .encode(text)
      .slice(64 * index, 64 * index + 64);
  const session = {
    program,
    entries: ["evaluate"],
    sizes: { B: 2, T: 32 },
    seed: 1,
    run: (_: string, inputs: { readonly text: Int32Array }) => {
      const { picks } = madeSeen(program, inputs.text, 2);
      return Object.fromEntries(program.routers.map((router, i) => [router.picks, picks[i]!]));
    },
  } as unknown as Session;
  const batches = (count: number) => ({
    examples: 2 * count,
    batches: count,
    batch: (index: number) => ({ text: batchOf(index) }),
  });
  const data = (held: number): Data => ({
    train: batches(5),
    held: batches(held),
    tokenizers: { text: bytesTokenizer() },
    labels: {},
    fingerprint: "",
    summary: [],
    close: () => {},
  });

  test("adds up the held-out batches", async () => {
    const report = (await collectRouting(session, data(3), { step: 7 }))!;
    expect(report).toMatchObject({ step: 7, batches: 3, examples: 6, held: true });
    const picks = [0, 1, 2].flatMap((index) => [...madeSeen(program, batchOf(index), 2).picks[1]!]);
    expect(report.routers[1]!.load).toEqual(
      Array.from({ length: 8 }, (_, expert) => picks.filter((pick) => pick === expert).length),
    );
    expect(report.routers[1]!.rowsPerExample).toBe(32);
    expect(report.sample!.pieces.join("")).toBe(text.slice(0, 32));
    expect(report.sample!.routers[0]!.picks).toEqual([
      ...madeSeen(program, batchOf(0), 2).picks[0]!.slice(0, 64),
    ]);
    const tokens = report.routers[0]!.facets.find((facet) => facet.kind === "tokens")!;
    const letters = [0, 1, 2].flatMap((index) => [...batchOf(index)]);
    expect(tokens.frequent.find(({ label }) => label === "h")!.rows).toBe(
      letters.filter((byte) => byte === 104).length,
    );
    expect(tokens.kinds.reduce((sum, { rows }) => sum + rows, 0)).toBe(letters.length);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  test("takes training data where nothing is held out, and as many batches as asked", async () => {
    expect(await collectRouting(session, data(0), { batches: 2 })).toMatchObject({ batches: 2, held: false });
  });

  test("has nothing to say without routers, or without the entry", async () => {
    expect(
      await collectRouting(
        { ...session, program: { ...program, routers: [] } } as unknown as Session,
        data(1),
      ),
    ).toBeUndefined();
    expect(
      await collectRouting({ ...session, program, entries: ["train"] } as unknown as Session, data(1)),
    ).toBeUndefined();
  });
});

describe("the file", () => {
  const inFolder = async (act: (folder: string) => Promise<void>): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), "report-"));
    try {
      await act(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test("is written beside the run, and again from what the folder holds", () =>
    inFolder(async (folder) => {
      const run = madeRun({ steps: 20 });
      writeFileSync(join(folder, "program.json"), JSON.stringify(run.program));
      writeFileSync(
        join(folder, "metrics.jsonl"),
        `${run.records.map(encodeRecord).join("")}{"kind":"step","st`,
      );
      const path = await writeReport(folder, { routing: run.routing, state: "finished" });
      expect(path).toBe(join(folder, "report.html"));
      const first = readFileSync(path, "utf8");
      await writeReport(folder, { state: "finished" });
      expect(readFileSync(path, "utf8")).toBe(first);
      expectSays(first, "Kinds of tokens");
      writeFileSync(join(folder, "routing.json"), "{");
      await writeReport(folder);
      expectSays(readFileSync(path, "utf8"), "was not collected in this run");
    }));

  test("a folder without a model is refused in one sentence", () =>
    inFolder(async (folder) => {
      await expect(writeReport(folder)).rejects.toThrow(UserError);
      writeFileSync(join(folder, "program.json"), "[]");
      await expect(writeReport(folder)).rejects.toThrow(/is not a compiled model/);
    }));
});
