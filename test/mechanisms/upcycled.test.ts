// Recipes that make one model of others: BAM's experts from branches of a dense model, pruning by use, pruning layer by layer (EMO). In: the
// gallery's programs with few steps, the last of which changes nothing. Asked: every tensor, against copies, columns and means made by loops.

import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors, type StoredTensor } from "../../runtime/safetensors.ts";
import { testShell, type TestShell } from "../helpers/cli.ts";
import { largest, range, rowsOf, sum } from "../helpers/plain.ts";

type Stored = ReadonlyMap<string, StoredTensor>;
let shell: TestShell;
beforeAll(() => {
  shell = testShell();
  shell.write("book/corpus/part.txt", readFileSync("examples/book/corpus/moby-dick.txt").subarray(0, 40_000));
  cpSync("examples/tour", join(shell.folder, "tour"), { recursive: true });
});
afterAll(() => shell.remove());

/** Trains a program of the gallery with other settings; where its phases ended. */
async function trained(
  name: string,
  changes: readonly (readonly [RegExp, string])[],
): Promise<(phase?: string) => Stored> {
  const text = changes.reduce(
    (before, [from, to]) => {
      expect(before).toMatch(from);
      return before.replaceAll(from, to);
    },
    readFileSync(`examples/gallery/${name}.moe`, "utf8"),
  );
  shell.write(`gallery/${name}.moe`, text);
  const { code, err } = await shell.run(["train", `gallery/${name}.moe`, "--threads", "1", "--out", name]);
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  return (phase) => {
    const path = join(name, ...(phase === undefined ? [] : ["phases", phase]), "last.safetensors");
    return decodeSafetensors(readFileSync(join(shell.folder, path)), path).tensors;
  };
}
const numbers = (tensors: Stored, name: string): number[] => [...tensors.get(name)!.values];
const learned = (tensors: Stored): string[] =>
  [...tensors.keys()].filter((name) => !/^(adam|sgd)\b/.test(name) && !name.endsWith("router.w"));
const still = "optimizer sgd { rate = 0 }";

describe("BAM", () => {
  let merged: Stored;
  let branches: readonly Stored[];
  beforeAll(async () => {
    const at = await trained("attention-experts", [
      [/steps 80/g, "steps 2"],
      [/batch 4 of 64/g, "batch 2 of 16"],
      [/phase mixed \{/g, `phase mixed {\n    ${still}`],
    ]);
    merged = at();
    branches = ["seed", "prose", "programs"].map(at);
  }, 120_000);
  /** What the three branches become by the rule, and that they were not alike. */
  const expectFrom = (name: string, rule: (parts: readonly number[][]) => number[]): void => {
    const parts = branches.map((branch) => numbers(branch, name));
    for (const part of parts.slice(1)) expect(part, name).not.toEqual(parts[0]);
    expect(numbers(merged, name), name).toEqual(rule(parts));
  };
  const beside =
    (columns: number) =>
    (parts: readonly number[][]): number[] =>
      range(parts[0]!.length / columns).flatMap((row) =>
        parts.flatMap((part) => part.slice(row * columns, (row + 1) * columns)),
      );

  test("expert e is the feed-forward layer of model e, the seed among them", () => {
    for (const layer of [0, 1])
      for (const part of ["gate", "up", "down"])
        expectFrom(`reader.attendandmix.${layer}.pool.${part}`, (parts) => parts.flat());
  });
  test("attention expert e has the queries and the output of model e; its keys and values where they are its own", () => {
    for (const layer of [0, 1]) {
      const name = `reader.attendandmix.${layer}.attentionexperts`;
      expectFrom(`${name}.query`, beside(32));
      expectFrom(`${name}.out`, (parts) => parts.flat());
      if (layer === 1) for (const own of ["key", "value"]) expectFrom(`${name}.${own}`, beside(32));
    }
  });
  test("all else is the mean, shared keys and values too; routers begin afresh", () => {
    const experts = /pool|query|\.out$|experts\.(key|value)$/;
    const others = learned(merged).filter((name) => !experts.test(name));
    expect(others.filter((name) => name.includes("shared_"))).toHaveLength(2);
    expect(others).toContain("table");
    for (const name of others)
      expectFrom(name, (parts) =>
        parts[0]!.map((_, i) => Math.fround(sum(parts.map((part) => part[i]!)) / 3)),
      );
    const router = merged.get("reader.attendandmix.0.router.w")!;
    expect(router.shape).toEqual([32, 3]);
    // Small, so that experts are nearly alike at first.
    expect(Math.max(...router.values.map(Math.abs))).toBeLessThan(0.1);
  });
});

test("checkpoints merged by weights are what smaller steps since the first would have left", async () => {
  const at = await trained("merged", [
    [/steps (140|20)\b/g, "steps 2"],
    [/batch 8 of 64/g, "batch 2 of 16"],
  ]);
  const [first, second, third, last] = ["first", "second", "third", "last"].map(at) as [
    Stored,
    Stored,
    Stored,
    Stored,
  ];
  const merged = at();
  const names = learned(merged).filter((name) => !name.endsWith(".bias"));
  expect(names).toContain("table");
  for (const name of names) {
    const [a, b, c, d] = [first, second, third, last].map((tensors) => numbers(tensors, name)) as number[][];
    expect(d, name).not.toEqual(a);
    // A rate that falls to 9, 7 and 4 tenths.
    numbers(merged, name).forEach((value, i) => {
      const steps = 0.9 * (b![i]! - a![i]!) + 0.7 * (c![i]! - b![i]!) + 0.4 * (d![i]! - c![i]!);
      expect(value).toBeCloseTo(a![i]! + steps, 6);
    });
  }
}, 120_000);

/** The best places of a vector in their order. */
const places = (used: readonly number[], count: number): number[] =>
  largest(used, count).sort((a, b) => a - b);
function expectTaken(from: Stored, to: Stored, used: string, pool: RegExp, router: string): void {
  const kept = places(numbers(from, used), 4);
  const parts = learned(from).filter((name) => pool.test(name));
  expect(parts.length).toBeGreaterThan(2);
  for (const name of parts) {
    const { shape } = from.get(name)!;
    const experts = rowsOf(
      numbers(from, name),
      shape.slice(1).reduce((a, b) => a * b, 1),
    );
    expect(numbers(to, name), name).toEqual(kept.flatMap((e) => [...experts[e]!]));
  }
  const rows = rowsOf(numbers(from, router), from.get(router)!.shape[1]!);
  expect(numbers(to, router), router).toEqual(rows.flatMap((row) => kept.map((e) => row[e]!)));
}

test("pruning by use keeps the experts that were chosen most, and their columns of the router", async () => {
  const at = await trained("pruned", [
    [/steps 150/g, "steps 6"],
    [/steps 100/g, `steps 1\n    ${still}`],
    [/batch 8 of 64/g, "batch 4 of 32"],
  ]);
  const [wide, cut] = [at("wide"), at()];
  for (const layer of [0, 1]) {
    // Two picks for each of 128 tokens a step, older ones counting less.
    const picks = sum(range(6).map((age) => 256 * 0.98 ** age));
    expect(sum(numbers(wide, `used.${layer}`))).toBeCloseTo(picks, 1);
    expectTaken(wide, cut, `used.${layer}`, new RegExp(`^pool\\.${layer}\\.`), `topk.${layer}.w`);
    expect(sum(numbers(cut, `used.${layer}`))).toBe(256);
  }
}, 120_000);

test("pruning layer by layer: each is measured behind those that are cut already", async () => {
  const at = await trained("pruned-by-layer", [
    [/steps 150/g, "steps 3"],
    [/batch 8 of 64/g, "batch 2 of 32"],
  ]);
  const phases = ["measure", "first"].map(at);
  const [whole, first, second] = [phases[0]!, phases[1]!, at()];
  const name = (layer: number): string => `blocks.documentpools.${layer}`;
  const take = (from: Stored, to: Stored, layer: number): void =>
    expectTaken(from, to, `${name(layer)}.mass`, new RegExp(`^${name(layer)}\\.pool\\.`), `${name(layer)}.w`);
  take(whole, first, 0);
  take(first, second, 1);
  const same = (from: Stored, to: Stored, part: RegExp): void => {
    const names = learned(from).filter((each) => part.test(each) && !each.endsWith(".mass"));
    expect(names.length).toBeGreaterThan(0);
    for (const each of names) expect(numbers(to, each), each).toEqual(numbers(from, each));
  };
  same(whole, first, /documentpools\.1/);
  same(first, second, /documentpools\.0/);
  same(whole, second, /table|causalattention|rmsnorm|fixed/);
  // A step adds 1 in all; four of them measure anew what stands behind the layer that was cut.
  for (const tensors of [whole, first, second])
    for (const layer of [0, 1]) expect(sum(numbers(tensors, `${name(layer)}.mass`))).toBeCloseTo(4, 4);
  expect(numbers(first, `${name(1)}.mass`)).not.toEqual(numbers(whole, `${name(1)}.mass`));
}, 120_000);
