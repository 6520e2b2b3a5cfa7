// The guide is a test: every program compiles, is in style, and trains as it stands there, with the playground's data; every number and
// every effect that the page tells is measured again.

import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { checkModule } from "../compiler/compile.ts";
import { format } from "../grammar/format.ts";
import { isExample } from "../playground/src/page/examples.ts";
import { fromLink, toLink } from "../playground/src/page/state.ts";
import { mainPath } from "../playground/src/messages.ts";
import { hostOf } from "../playground/src/work/host.ts";
import type { ShapedBatch } from "../runtime/model-data.ts";
import { livePrograms, liveSettings } from "../site/live.ts";
import { guideSteps, lettersOf, loadOf, picksOf, trained, type Outcome, type Step } from "./helpers/guide.ts";

const steps = guideSteps();
const opened: Outcome[] = [];
afterAll(() => opened.forEach(({ model }) => model.dispose()));

const percent = (share: number): string => `${Math.round(100 * share)} %`;
const right = ({ held }: Outcome): number => held["accuracy"]!;
const loss = ({ held }: Outcome): string => held["loss"]!.toFixed(2);
const perPoint = ({ plan }: Outcome): string => String(plan.flops.forward!);
const inAll = ({ plan }: Outcome): string => String(plan.parameters.total);
const load = async (outcome: Outcome): Promise<string> => (await loadOf(outcome)).join(" ");
const largest = async (outcome: Outcome): Promise<number> => Math.max(...(await loadOf(outcome)));

/** `about 19 %`: the same but for two of the last digit. */
function says(cell: string, found: string): boolean {
  const [, about] = /^about (.*)$/.exec(cell) ?? [];
  if (about === undefined) return cell === found;
  const unit = 10 ** -(about.match(/\.(\d+)/)?.[1]?.length ?? 0);
  const same = about.replace(/[\d.]+/, "") === found.replace(/[\d.]+/, "");
  return same && Math.abs(parseFloat(about) - parseFloat(found)) < 2.5 * unit;
}

/** The table of a step says what was measured. */
function expectTable({ table }: Step, rows: readonly (readonly string[])[]): void {
  const said = rows.map((row, i) =>
    row.map((found, j) => (says(table[i]?.[j] ?? "", found) ? table[i]![j]! : found)),
  );
  expect(table).toEqual(said);
}

test("ten steps, each with a program that is well, in style, and one model", () => {
  expect(steps.map(({ title }) => title.split(".")[0])).toEqual(
    Array.from({ length: 10 }, (_, i) => String(i + 1)),
  );
  for (const { title, program } of steps) {
    expect({ title, found: checkModule(hostOf(program), mainPath) }).toEqual({ title, found: [] });
    expect(format(program, mainPath).text, title).toBe(program);
    expect(program.match(/^model /gm), title).toHaveLength(1);
  }
});

test("links of the programs open them in the playground", () => {
  const live = livePrograms(readFileSync("docs/guide.md", "utf8"));
  expect(live.map(({ program }) => program)).toEqual(steps.map(({ program }) => program));
  for (const { state } of live) expect(fromLink(toLink(state), isExample)).toEqual(state);
  expect(() => liveSettings("<!-- live toy=cubes -->")).toThrow("toy=cubes");
  expect(liveSettings("<!-- lively -->")).toBeUndefined();
});

/** The share of letters in the first halves of texts that go elsewhere when the second halves are those of the next text. */
async function changedByFuture({ model, sample }: Outcome): Promise<number> {
  const batch = sample[0]!;
  const [texts, length] = batch["text"]!.shape as readonly [number, number];
  const half = length / 2;
  const other = lettersOf(batch).map((letter, i, all) =>
    i % length < half ? letter : all[(i + length) % (texts * length)]!,
  );
  const changed: ShapedBatch = { ...batch, text: { shape: [texts, length], values: other } };
  const [before, after] = [await picksOf(model, batch), await picksOf(model, changed)];
  const first = before.map((_, i) => i).filter((i) => i % length < half);
  const moved = first.filter((i) => String([...before[i]!].sort()) !== String([...after[i]!].sort()));
  return moved.length / first.length;
}

// The page shows what both sets of kernels give: processors without fused multiply-add round as the second does.
describe.each([
  ["as this engine runs them", true],
  ["without fused multiply-add", false],
])("%s", (_, fused) => {
  const run = async (step: Step, ...changes: readonly (readonly [string, string])[]): Promise<Outcome> => {
    const outcome = await trained(step, changes, fused);
    opened.push(outcome);
    return outcome;
  };

  test("1: one small expert is too simple, a larger one costs eight times as much", async () => {
    const small = await run(steps[0]!);
    const large = await run(steps[0]!, ["Small(2, 2, 2)", "Small(2, 16, 2)"]);
    expectTable(
      steps[0]!,
      [small, large].map((each, i) => [
        `\`H = ${[2, 16][i]}\``,
        ...[loss(each), percent(right(each)), inAll(each), perPoint(each)],
      ]),
    );
    expect(right(small)).toBeLessThan(0.93);
    expect(right(large)).toBeGreaterThan(0.97);
    expect(large.plan.flops.forward! / small.plan.flops.forward!).toBe(8);
  });

  test("2: six of them together are better than one, and all cost", async () => {
    const counts = [2, 6, 12];
    const outcomes = [];
    for (const n of counts) outcomes.push(await run(steps[1]!, ["* 6", `* ${n}`]));
    expectTable(
      steps[1]!,
      outcomes.map((each, i) => [
        `\`* ${counts[i]}\``,
        ...[loss(each), percent(right(each)), inAll(each), perPoint(each)],
      ]),
    );
    expect(right(outcomes[1]!)).toBeGreaterThan(0.96);
  });

  test("3: two of six cost half and are as good; one alone is not", async () => {
    const counts = [6, 2, 1];
    const outcomes = [];
    for (const k of counts) outcomes.push(await run(steps[2]!, ["k = 2", `k = ${k}`]));
    const rows = outcomes.map(async (each, i) => [
      `\`k = ${counts[i]}\``,
      ...[percent(right(each)), await load(each), perPoint(each), String(each.plan.parameters.active)],
    ]);
    expectTable(steps[2]!, await Promise.all(rows));
    const [all, two, one] = outcomes as [Outcome, Outcome, Outcome];
    expect(steps[2]!.prose).toContain(`of ${inAll(two)} |`);
    expect(two.plan.flops.forward!).toBeLessThan(all.plan.flops.forward! / 2);
    expect(right(two)).toBeGreaterThanOrEqual(right(all));
    expect(right(one)).toBeLessThan(0.9);
  });

  test("4: without balance one expert takes most; with it the load is even and all is better", async () => {
    const without = await run(steps[3]!, ["even = 0.2", "even = 0"]);
    const balanced = await run(steps[3]!);
    expectTable(steps[3]!, [
      ["`even = 0`", percent(right(without)), await load(without)],
      ["`even = 0.2`", percent(right(balanced)), await load(balanced)],
    ]);
    expect(await largest(without)).toBeGreaterThan(60);
    expect((await loadOf(without)).filter((each) => each === 0)).toHaveLength(4);
    expect(await largest(balanced)).toBeLessThan(30);
    expect(Math.min(...(await loadOf(balanced)))).toBeGreaterThan(5);
    expect(right(balanced)).toBeGreaterThan(right(without) + 0.05);
  });

  test("5: a bias keeps the load even without a loss; one that moves too fast does harm", async () => {
    const rates = ["0", "0.01", "0.1"];
    const outcomes = [];
    for (const rate of rates) outcomes.push(await run(steps[4]!, ["rate = 0.01", `rate = ${rate}`]));
    const rows = outcomes.map(async (each, i) => [
      `\`rate = ${rates[i]}\``,
      ...[percent(right(each)), await load(each)],
    ]);
    expectTable(steps[4]!, await Promise.all(rows));
    const [none, slow, fast] = outcomes as [Outcome, Outcome, Outcome];
    expect(await largest(slow)).toBeLessThan(22);
    expect(right(slow)).toBeGreaterThan(right(none) + 0.05);
    expect(right(fast)).toBeLessThan(right(slow) - 0.05);
  });

  test("6: places are enough when the load is even, and else most points are dropped", async () => {
    const even = await run(steps[5]!);
    const uneven = await run(steps[5]!, ["even = 0.2", "even = 0"]);
    const row = async (title: string, each: Outcome): Promise<readonly string[]> => [
      ...[title, percent(right(each)), percent(each.held["dropped"]!), await load(each)],
    ];
    expectTable(steps[5]!, [await row("`even = 0.2`", even), await row("`even = 0`", uneven)]);
    expect(even.held["dropped"]).toBeLessThan(0.05);
    expect(uneven.held["dropped"]).toBeGreaterThan(0.5);
    expect(right(uneven)).toBeLessThan(right(even) - 0.2);
  });

  test("7: the more null experts, the fewer points are worked for, and the more mistakes", async () => {
    const nulls = "  null zero * 4\n";
    const none = await run(steps[6]!, [nulls, ""]);
    const four = await run(steps[6]!);
    const twelve = await run(steps[6]!, ["zero * 4", "zero * 12"]);
    const row = (title: string, each: Outcome): readonly string[] => [
      ...[title, percent(right(each)), percent(each.held["helped"]!)],
    ];
    expectTable(steps[6]!, [
      row("without `null`", none),
      row("`null zero * 4`", four),
      row("`null zero * 12`", twelve),
    ]);
    expect(none.held["helped"]).toBeGreaterThan(four.held["helped"]! + 0.3);
    expect(four.held["helped"]).toBeGreaterThan(twelve.held["helped"]! + 0.2);
    expect(right(none)).toBeGreaterThan(right(four));
    expect(right(four)).toBeGreaterThan(right(twelve));
  });

  test("8: experts of letters take kinds of letters", async () => {
    const outcome = await run(steps[7]!);
    const seen = new Map<number, number[]>();
    let letters = 0;
    for (const batch of outcome.sample) {
      const picks = await picksOf(outcome.model, batch);
      lettersOf(batch).forEach((letter, i) => {
        const counts = seen.get(letter) ?? [0, 0, 0, 0];
        for (const expert of picks[i]!) counts[expert]! += 1;
        seen.set(letter, counts);
        letters += 1;
      });
    }
    const total = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
    const common = [...seen].filter(([, counts]) => total(counts) > letters / 200);
    const load = await loadOf(outcome);
    const rows = load.map((share, expert) => [
      `expert ${expert}`,
      String(share),
      common
        .filter(([, counts]) => counts[expert]! > 0.8 * total(counts))
        .sort((a, b) => total(b[1]) - total(a[1]))
        .map(([letter]) => `\`${letter === 32 ? "␣" : String.fromCharCode(letter)}\``)
        .join(" "),
    ]);
    expectTable(steps[7]!, rows);
    const [, said = ""] = /a held-out loss of (about [\d.]+) after/.exec(steps[7]!.prose) ?? [];
    expect(loss(outcome)).toSatisfy((found: string) => says(said, found));
    expect(outcome.held["loss"]).toBeLessThan(2.6);
    for (const [, , found] of rows) expect(found).not.toBe("");
  });

  test("9: what experts choose leaks from the future, and a bar does not", async () => {
    const bar = await run(steps[8]!);
    const leaks = await run(
      steps[8]!,
      ["for each expert in training", "for each expert"],
      ["  choose where p > bar in inference\n", ""],
    );
    const row = async (title: string, each: Outcome): Promise<readonly string[]> => [
      ...[title, loss(each), percent(await changedByFuture(each))],
    ];
    expectTable(steps[8]!, [
      await row("takes the best, always", leaks),
      await row("takes what is above a bar", bar),
    ]);
    expect(await changedByFuture(leaks)).toBeGreaterThan(0.02);
    expect(await changedByFuture(bar)).toBe(0);
    expect(await loadOf(leaks)).toEqual([25, 25, 25, 25]);
    const counts = (await Promise.all(bar.sample.map((batch) => picksOf(bar.model, batch)))).flat();
    const having = (is: (count: number) => boolean): string =>
      percent(counts.filter((picks) => is(picks.length)).length / counts.length);
    expect(steps[8]!.prose).toContain(
      `${having((n) => n === 0)} of the letters have no expert, ${having((n) => n === 1)} have one, ${having((n) => n > 1)} more than one`,
    );
  });

  test("10: a second round draws better spirals with few more parameters", async () => {
    const rounds = [1, 2];
    const outcomes = [];
    for (const n of rounds) outcomes.push(await run(steps[9]!, ["rounds = 2", `rounds = ${n}`]));
    expectTable(
      steps[9]!,
      outcomes.map((each, i) => [
        ...[`\`rounds = ${rounds[i]}\``, percent(right(each)), inAll(each), perPoint(each)],
      ]),
    );
    const [one, two] = outcomes as [Outcome, Outcome];
    expect(two.held["loss"]).toBeLessThan(one.held["loss"]! / 4);
    expect(two.plan.parameters.total).toBeLessThan(1.15 * one.plan.parameters.total);
  });
});
