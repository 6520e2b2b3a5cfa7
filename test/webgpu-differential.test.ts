// Every kind of kernel on WebGPU, in Chromium: whole programs, forward and with gradients, give what they give on the CPU of the same
// page, twice with the same bits. One browser, one bundle, one device without subgroups (the tests over Dawn run with them).
// Which programs: the examples and the small programs of the tests have 22 kinds of kernel between them, by the kind of cluster and by
// how a team works together (helpers/kernel-kinds.ts); the entries below have all of these, with the fewest kernels that a greedy
// search found, and the plans say that they do. Routings at their edges run besides, and fifty steps of training. MOE_RUNS=1 runs everything there is, every entry
// (MOE_RUNS=2/8 the second eighth, which is some hours less), and shows that no other kind has come up. Skipped where there is no Chromium, but not in continuous integration.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { groupsOf, type Group } from "../bench/gpu/cases.ts";
import { planModel } from "../compiler/compile.ts";
import { chromiumPath, pageWith } from "./helpers/browser.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { kernelKinds } from "./helpers/kernel-kinds.ts";
import { library, reachedBy } from "./helpers/library.ts";
import type { disagreements } from "./helpers/page-differential.ts";
import { partOf, wholeRuns } from "./helpers/runs.ts";

declare global {
  var disagreementsInPage: typeof disagreements;
}

const root = fileURLToPath(new URL("..", import.meta.url));

const groups = groupsOf(root).filter(({ precision = "f32" }) => precision === "f32");
const textOf = ({ source }: Group): string =>
  "text" in source ? source.text : readFileSync(`${root}/${source.path}`, "utf8");

const kinds = [
  "column: alone",
  "column: barrier",
  "column: each for itself",
  "contract: barrier",
  "contract: barrier in a loop",
  "copy: each for itself",
  "map: alone",
  "map: each for itself",
  "route: barrier",
  "row: add f32",
  "row: add i32",
  "row: alone",
  "row: barrier",
  "row: barrier in a loop",
  "row: each for itself",
  "row: max f32",
  "row: max f32 in a loop",
  "row: min i32",
  "row: min i32 in a loop",
  "scan: barrier",
  "stream: barrier",
  "stream: barrier in a loop",
];

/** Entries that have all kinds between them. */
const chosen: Readonly<Record<string, readonly string[]>> = {
  "examples/gallery/two-opinions": ["forward"],
  "examples/gallery/prompt-experts": ["forward"],
  "examples/gallery/text-adapters": ["forward"],
  "programs/attention-full": ["train"],
  "programs/capacity-batch-last": ["forward", "update"],
  "programs/capacity-given": ["forward"],
  "programs/column-of-one": ["forward", "train"],
  "programs/correlation": ["train"],
  "programs/states": ["update"],
  "programs/std-documents": ["train"],
};

function kindsOf(group: Group, entries?: readonly string[]): ReadonlySet<string> {
  const { planned } = planModel({
    host: hostOf({ "main.moe": textOf(group) }),
    path: "main.moe",
    target: "webgpu",
  });
  return kernelKinds({ lowered: planned!.lowered.filter(({ name }) => entries?.includes(name) !== false) });
}

test("the chosen entries have every kind of kernel", () => {
  const found = new Set<string>();
  for (const [name, entries] of Object.entries(chosen))
    for (const kind of kindsOf(
      groups.find((group) => group.name === name)!,
      entries,
    ))
      found.add(kind);
  expect([...found].sort()).toEqual(kinds);
}, 120_000);

test.runIf(wholeRuns)(
  "no program has another kind",
  () => {
    const found = new Set(groups.flatMap((group) => [...kindsOf(group)]));
    expect([...found].sort()).toEqual(kinds);
  },
  600_000,
);

test("every definition of the library is in a program that is run", () => {
  const reached = new Set(groups.flatMap((group) => [...reachedBy(textOf(group))]));
  expect(library.size).toBeGreaterThan(150);
  expect([...library.keys()].filter((name) => !reached.has(name))).toEqual([]);
});

const run = wholeRuns
  ? partOf(groups)
  : groups.filter(({ name }) => name in chosen || /^(edges|learner)-/.test(name));

describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  let page: Page;
  let close: () => Promise<void> = () => Promise.resolve();
  beforeAll(async () => {
    ({ page, close } = await pageWith(
      `import { disagreements } from "./test/helpers/page-differential.ts";
      globalThis.disagreementsInPage = disagreements;`,
      { webgpu: true },
    ));
  }, 90_000);
  afterAll(() => close());

  test.each(run.map((group) => [group.name, group] as const))(
    "%s",
    async (name, group) => {
      const entries = wholeRuns ? undefined : chosen[name];
      const cases = group.cases.map((each) => (entries === undefined ? each : { ...each, entries }));
      const found = await page.evaluate((program) => globalThis.disagreementsInPage(program, false), {
        text: textOf(group),
        cases,
      });
      expect(
        found.flatMap((told, at) => (told === null ? [] : [`${cases[at]?.name ?? name}: ${told}`])),
      ).toEqual([]);
    },
    wholeRuns ? 1_800_000 : 300_000,
  );
});
