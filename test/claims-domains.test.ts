// Claims about domains: what experts tell of a value, changes that are compared, recipes in phases, and made data that are what they say.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { documents } from "../claims/data-documents.ts";
import { changedFunction, clusters, days, groupedTasks, trails, views } from "../claims/data-tables.ts";
import { drawsOf } from "../claims/draws.ts";
import { meaningOf } from "../claims/meaning.ts";
import { measureArm, valueOf, type Measured } from "../claims/measure.ts";
import { Specialisation, toldShare } from "../claims/specialisation.ts";
import { comparisonText, weigh } from "../claims/table.ts";
import { trainArm } from "../claims/train.ts";
import type { Results } from "../claims/results.ts";
import type { RouterInfo } from "../runtime/program.ts";
import { tinyClaim, writeTinyClaim } from "./helpers/claims.ts";

const scratch = mkdtempSync(join(tmpdir(), "moe-claims-domains-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("specialisation", () => {
  test.each<[string, number[][], number]>([
    ["an expert for each value", [[5, 0], [0, 5]], 1], // prettier-ignore
    ["two experts for each value", [[2, 3, 0, 0], [0, 0, 1, 4]], 1], // prettier-ignore
    ["experts that do not care", [[2, 4], [3, 6]], 0], // prettier-ignore
    ["one value", [[3, 4]], 0],
    ["nothing picked", [], 0],
    // I = ln 2 - H(1/4), H(value) = ln 2.
    ["three times of four", [[3, 1], [1, 3]], 1 + (0.25 * Math.log2(0.25) + 0.75 * Math.log2(0.75))], // prettier-ignore
  ])("%s", (_what, counts, share) => {
    expect(toldShare(counts)).toBeCloseTo(share, 12);
  });

  const router = (name: string): RouterInfo => ({
    name,
    experts: 2,
    nulls: 1,
    load: `${name} load`,
    picks: `${name} picks`,
    width: 1,
    pool: [],
  });
  test("values of tokens and of their documents; padding and nulls do not count; the mean over routers", () => {
    const told = new Specialisation([router("sure"), router("blind")]);
    const batch = {
      text: Int32Array.of(7, 8, 7, -1),
      "text.next": Int32Array.of(8, 7, -1, -1),
      domain: Int32Array.of(0, 1),
      weight: Float32Array.of(1, 2),
    };
    // Two documents of two tokens; the third token takes the null expert.
    told.add(batch, { "sure picks": Int32Array.of(0, 0, 2, 1), "blind picks": Int32Array.of(0, 0, 2, 0) });
    const shares = told.shares();
    expect(Object.keys(shares).sort()).toEqual(["domain", "text"]);
    expect(shares["domain"]).toBeCloseTo(1 / 2, 12);
    expect(shares["text"]).toBe(0);
    // Counts of another batch are added: now the text tells, too.
    told.add(batch, { "sure picks": Int32Array.of(0, 1, 0, 2), "blind picks": Int32Array.of(1, 1, 1, 2) });
    expect(told.shares()["text"]).toBeGreaterThan(0);
  });
});

describe("changes", () => {
  const run = (error: number): Measured & { hash: string } => ({
    hash: "",
    metrics: { error },
    violation: 0,
    nulls: 0,
    calls: 0,
    arithmetic: 0,
    parameters: 0,
    steps: 0,
    seconds: 0,
  });
  test("are the arm less another, against the other less another", () => {
    const claim = {
      ...tinyClaim,
      comparisons: [
        {
          measure: "metric error",
          arm: "two as one",
          against: "one",
          from: { arm: "two", against: "two" },
          expect: "higher",
        },
      ],
    } as const;
    const results: Results = {
      one: { 1: run(5), 2: run(6), 3: run(7) },
      two: { 1: run(4), 2: run(4), 3: run(4) },
      "two as one": { 1: run(8), 2: run(9), 3: run(10) },
    };
    const marks = { hash: "", simple: "" };
    const [compared] = weigh(claim, results, { one: marks, two: marks, "two as one": marks }).comparisons;
    expect(compared).toMatchObject({ effect: { mean: 3, arm: 5, against: 2 }, verdict: "shows" });
    expect(comparisonText(claim.comparisons[0])).toBe("error: (two as one − two) − (one − two)");
  });
  test("a measure that was not taken is said to be missing", () => {
    expect(() => valueOf(run(1), "specialisation domain")).toThrow("there is no specialisation domain");
  });
});

const phased = (first: number, rules = "", start = ""): string => `
model Phased(H = 4) {
  modality x = features(4)
  modality y = number
  modality sign = category(2)
  param into: [4, 4]
  param out: [4]
  logits = sum((x @ into) * out)
  loss error = square(logits - y)
}

train Phased {
  data x = csv("../rows.csv", "a", "b", "c", "d")
  data y = csv("../rows.csv", "y")
  data sign = csv("../rows.csv", "sign")
  batch 8
  optimizer adamw { rate = 1e-2 }
  evaluate every 12 on 20%

  phase learn {
    steps ${first}
  }

  phase rest {
    steps 2
    ${rules}
    freeze "into"
  }

  phase end {
    steps 1
    ${start}
    freeze "into"
  }
}
`;
function phasedFile(text: string): string {
  const folder = mkdtempSync(join(scratch, "phases-"));
  writeTinyClaim(folder, text);
  const rows = Array.from({ length: 40 }, (_, i) =>
    [1, 2, 3, 4]
      .map((k) => Math.sin(i * k).toFixed(4))
      .concat(Math.cos(i).toFixed(4), String(i % 2))
      .join(),
  );
  writeFileSync(join(folder, "rows.csv"), `a,b,c,d,y,sign\n${rows.join("\n")}\n`);
  return join(folder, "tiny", "models.moe");
}

describe("phases", () => {
  const into = async (file: string): Promise<number[]> =>
    Array.from((await trainArm(file, "Phased", 3)).tensors.get("into")!);

  test("go on from the one before, or from one that is named", async () => {
    const file = phasedFile(phased(3));
    const trained = await trainArm(file, "Phased", 3);
    expect(trained.steps).toBe(6);
    const learned = await into(file);
    // Frozen after the first phase: twice as long a first phase is another matrix.
    expect(learned).not.toEqual(await into(phasedFile(phased(6))));
    const doubled = await into(
      phasedFile(phased(3, 'start { "into" = concat(slice("into", 2, 2), slice("into", 0, 2)) }')),
    );
    expect(doubled).toEqual([...learned.slice(8), ...learned.slice(0, 8)]);
    const back = phased(
      3,
      'start { "into" = concat(slice("into", 2, 2), slice("into", 0, 2)) }',
      'start from learn { "*" = "*" }',
    );
    expect(await into(phasedFile(back))).toEqual(learned);
    const measured = await measureArm(file, "Phased", 3, trained);
    expect(measured.metrics["error"]).toBeGreaterThan(0);
    // There are no routers to tell anything.
    expect(measured.specialisation).toEqual({});
  });

  test("each counts in what a run means; where a rule stands does not", async () => {
    const hashOf = async (text: string): Promise<string> =>
      (await meaningOf(phasedFile(text), "Phased")).hash;
    const plain = await hashOf(phased(3));
    expect(await hashOf(phased(4))).not.toBe(plain);
    const ruled = await hashOf(phased(3, 'start { "into" = fresh }'));
    expect(ruled).not.toBe(plain);
    expect(await hashOf(`// A line more.\n${phased(3, 'start { "into" = fresh }')}`)).toBe(ruled);
    await expect(hashOf(phased(3, 'start from "runs/base"'))).rejects.toThrow(
      "a claim starts from runs/base",
    );
  });
});

describe("multiply-adds", () => {
  const models = (imports: string, before: string, body: string): string => `${imports}
${before}
model One {
  modality x = features(4)
  modality y = number
  param out: [4]
  z = x
  repeat 2 {
${body}
  }
  logits = sum(z * out)
  loss error = square(logits - y)
}

train One {
  data x = csv("../rows.csv", "a", "b", "c", "d")
  data y = csv("../rows.csv", "y")
  batch 8
  optimizer adamw { rate = 1e-2 }
  steps 4
  evaluate every 4 on 20%
}
`;
  const expert = 2 * 4 * 4;
  test.each<[string, string, (calls: number) => number]>([
    [
      "pools of a loop in the model, with nulls: each router's rows meet its own",
      models(
        "import std.experts { Silu }\nimport std.routers { NullAware }",
        "",
        "    pool = Silu(4, 4) * 3 + zero * 2\n    z = z + pool(z) by NullAware { k = 3 }",
      ),
      (calls) => 2 * 4 * 5 + calls * expert,
    ],
    [
      "gates that send nothing themselves meet no expert",
      models(
        "import std.experts { Silu }\nimport std.routers { TopK }",
        "router Same(N)(picks: int [K]) -> gates[N] {\n  choose given picks\n}",
        "    pool = Silu(4, 4) * 3\n    gate = TopK { N = 3, k = 2 }(z)\n    z = z + pool(z) by Same(gate.picks)",
      ),
      // Both gates of a layer report the same picks.
      (calls) => 2 * 4 * 3 + (calls / 2) * expert,
    ],
  ])("%s", async (_what, text, wanted) => {
    const folder = mkdtempSync(join(scratch, "arithmetic-"));
    writeTinyClaim(folder, text);
    const file = join(folder, "tiny", "models.moe");
    const { arithmetic, calls } = await measureArm(file, "One", 7, await trainArm(file, "One", 7));
    expect(calls).toBeGreaterThan(0);
    expect(arithmetic).toBeCloseTo(wanted(calls), 6);
  });
});

describe("made data", () => {
  test("draws: every whole number comes, different ones differ, weights count", () => {
    const draws = drawsOf(99);
    expect(new Set(Array.from({ length: 100 }, () => draws.whole(3)))).toEqual(new Set([0, 1, 2]));
    expect(new Set(draws.different(5, 5)).size).toBe(5);
    const counts = [0, 0, 0];
    for (let i = 0; i < 2000; i++) counts[draws.among([1, 0, 3])]!++;
    expect(counts[1]).toBe(0);
    expect(counts[2]! / 2000).toBeCloseTo(0.75, 1);
  });

  const settings = { documents: 200, length: 40, domains: 3, common: 0, stream: 77 };
  const rowsOf = (table: string): [string, number][] =>
    table
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => [line.split(",")[0]!, Number(line.split(",")[1])]);
  test("documents: in a domain a letter has four successors among thirteen letters; domains differ", () => {
    const rows = rowsOf(documents(settings));
    expect(rows).toHaveLength(200);
    const successors = [0, 1, 2].map((domain) => {
      const after = new Map<string, Set<string>>();
      for (const [text, own] of rows)
        if (own === domain)
          for (let i = 1; i < text.length; i++)
            after.set(text[i - 1]!, (after.get(text[i - 1]!) ?? new Set()).add(text[i]!));
      return after;
    });
    for (const after of successors) {
      expect(Math.max(...[...after.values()].map(({ size }) => size))).toBe(4);
      expect(new Set([...after.values()].flatMap((set) => [...set])).size).toBeLessThanOrEqual(13);
    }
    const [first, second] = successors.map((after) => [...(after.keys() ?? [])].sort().join(""));
    expect(first).not.toBe(second);
    const counts = [0, 1, 2].map((domain) => rows.filter(([, own]) => own === domain).length);
    expect(counts[0]).toBeGreaterThan(counts[2]!);
  });

  test("documents of one domain are other ones, from the same chains", () => {
    const even = { ...settings, even: true };
    const all = documents(even);
    const longer = rowsOf(documents({ ...even, documents: 400 }));
    const only = rowsOf(documents({ ...even, only: { domain: 1, after: 200 } }));
    expect(only).toEqual(longer.slice(200).filter(([, domain]) => domain === 1));
    expect(rowsOf(all)).toEqual(longer.slice(0, 200));
  });

  test("documents: letters of a blurred domain follow any other, those of the others do not", () => {
    const rows = rowsOf(documents({ ...settings, common: 0, domains: 2, even: true, blurred: [0, 0.5] }));
    const [sharp, blurred] = [0, 1].map((domain) => {
      const pairs = rows.flatMap(([text, own]) =>
        own === domain ? [...text.slice(1)].map((letter, i) => text[i]! + letter) : [],
      );
      return new Set(pairs).size / new Set(pairs.map(([from]) => from)).size;
    });
    expect(sharp).toBeLessThanOrEqual(4);
    expect(blurred).toBeGreaterThan(12);
  });

  const parsed = (text: string): Record<string, number | number[]>[] =>
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, number | number[]>);
  test("clusters: labels are those of the cluster, but for the noise", () => {
    const rows = parsed(
      clusters({ rows: 500, width: 3, classes: 4, clusters: 2, spread: 0.1, noise: 0.2, stream: 5 }),
    );
    expect(rows.every((row) => row["class"] === (row["cluster"] as number) % 4)).toBe(true);
    // A fifth is drawn from all four, so that 3 / 4 of it is wrong.
    expect(rows.filter((row) => row["said"] !== row["class"]).length / 500).toBeCloseTo(0.15, 1);
  });

  test.each<[string, () => string, string, number]>([
    ["tasks in groups", () => groupedTasks(4, 6), "x", 6],
    ["a changed function", () => changedFunction(4, 5), "changed", 5],
    ["views", () => views(4, 5, 3), "content", 20],
    ["trails", () => trails(4, 6, 4), "picture", 36],
    ["days", () => days(4, 7), "came", 7],
  ])("%s: the same in every run, as wide as they say", (_what, make, column, width) => {
    expect(make()).toBe(make());
    const rows = parsed(make());
    expect(rows).toHaveLength(4);
    expect(rows.every((row) => (row[column] as number[]).length === width)).toBe(true);
  });
});
