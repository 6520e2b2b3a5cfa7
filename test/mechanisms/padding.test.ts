// Routers of std that are told which tokens are padding: they do for the others what they would do if padding were not there. It
// chooses nobody, takes no place, and counts in no loss and no load; where a released code counts it, so does its router.

import { describe, expect, test } from "vitest";
import { buildText, numbers, runBuilt, valuesOf, type Ran } from "../helpers/elaborate.ts";
import { softmax } from "../helpers/plain.ts";

const [D, N, B] = [3, 4, 2];
/** Ids from 12 on are padding; their rows of the table are numbers like any other. */
const real = [0, 4, 7, 2, 9, 1, 3, 8, 11, 5];
const padded = [12, 0, 4, 13, 7, 2, 9, 14, 1, 12, 3, 15, 8, 11, 5, 13];
const there = padded.map((id) => (id < 12 ? 1 : 0));

interface Case {
  readonly module: string;
  readonly router: string;
  readonly statics?: string;
  /** Those of the run without padding, where places follow from the number of tokens. */
  readonly alone?: string;
  readonly mode?: "training" | "inference";
}

/** What the last run was given. */
const values = new Map<string, readonly number[]>();

/** Weights of all experts for each token as `logits`; losses, loads and states of a step. */
function run({ module, router, mode = "training" }: Case, statics: string, ids: readonly number[]): Ran {
  const text = `import ${module} { ${router} }
model M {
  modality text = tokens(vocab = 16)
  param table: [16, ${D}]
  there = if text < 12 then 1 else 0
  gates = ${router} { N = ${N}${statics} }(table[text], there = there)
  weight = gates.weight
  one = one_hot(gates.picks, ${N})
  logits[t, n] = sum(one[t, k, n] * weight[t, k] over k)
}
`;
  const built = buildText(text, { mode });
  const tensors = valuesOf(built.built);
  tensors.set("table", numbers(16 * D, 3, 2));
  values.clear();
  for (const [name, value] of tensors) values.set(name, value);
  return runBuilt(built, { text: ids }, { B, T: ids.length / B }, tensors);
}

const rowsOf = (data: readonly number[]): number[][] =>
  Array.from({ length: data.length / N }, (_, i) => data.slice(N * i, N * i + N));
const close = (found: readonly number[], wanted: readonly number[]): void => {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 10));
};

describe("padding is as if it were absent", () => {
  test.each<Case>([
    { module: "std.routers", router: "TopK", statics: ", z_loss = 0.1" },
    { module: "std.routers", router: "TopK", statics: ", k = 1, renormalise = false" },
    {
      module: "std.routers",
      router: "Switch",
      statics: ", epsilon = 0, factor = 0.5, z_loss = 0.1",
      alone: ", epsilon = 0, factor = 0.8, z_loss = 0.1",
    },
    {
      module: "std.routers",
      router: "RandomSecond",
      statics: ", factor = 1, z_loss = 0.1",
      alone: ", factor = 1.6, z_loss = 0.1",
      mode: "inference",
    },
    { module: "std.routers", router: "LossFree", statics: ", k = 2" },
    {
      module: "std.routers",
      router: "GroupLimited",
      statics: ", k = 2, groups = 2, kept = 1, alpha = 0.1, z_loss = 0.1",
    },
    {
      module: "std.routers",
      router: "GroupLimited",
      statics: ", k = 2, groups = 2, kept = 2, alpha = 0.1, unbiased = false",
    },
    {
      module: "std.capacity",
      router: "KeptTopK",
      statics: ", factor = 0.5, least = 1",
      alone: ", factor = 0.8, least = 1",
    },
    {
      module: "std.capacity",
      router: "KeptTopK",
      statics: ", factor = 0.5, least = 1, probs = false",
      alone: ", factor = 0.8, least = 1, probs = false",
    },
  ])("$router$statics", (one) => {
    const { statics = "", alone = statics } = one;
    const found = run(one, statics, padded);
    const wanted = run(one, alone, real);
    const rows = rowsOf(found["logits"]!.data);
    close(rows.filter((_, t) => there[t] === 1).flat(), wanted["logits"]!.data);
    expect(rows.filter((_, t) => there[t] === 0).flat()).toEqual(Array<number>(6 * N).fill(0));
    expect(wanted["loss"]!.data[0] === 0).toBe(one.router === "LossFree");
    const load = Object.entries(wanted).find(([name]) => name.startsWith("load"))![1].data;
    // Where places are full, loads are even.
    if (alone === statics) expect(new Set(load).size).toBeGreaterThan(1);
    for (const name of Object.keys(wanted))
      if (!name.startsWith("logits") && !name.startsWith("picks"))
        close(found[name]!.data, wanted[name]!.data);
  });

  test("the same routers without the input choose for padding, and count it", () => {
    const one = { module: "std.routers", router: "TopK" };
    const blind = run(
      one,
      ", balance = 1",
      padded.map((id) => id % 12),
    );
    const seeing = run(one, ", balance = 1", padded);
    expect(blind["loss"]!.data[0]).not.toBeCloseTo(seeing["loss"]!.data[0]!, 3);
  });
});

describe("released codes that count padding", () => {
  test("DrawnPlaces: it takes no place, and is in the mean of the probabilities and in the shares", () => {
    const one: Case = { module: "std.capacity", router: "DrawnPlaces" };
    const statics = ", drawn = false, least = 1, balance = 1, factor =";
    const found = run(one, `${statics} 0.5`, padded);
    const wanted = run(one, `${statics} 0.8`, real);
    const rows = rowsOf(found["logits"]!.data);
    close(rows.filter((_, t) => there[t] === 1).flat(), wanted["logits"]!.data);
    expect(rows.filter((_, t) => there[t] === 0).flat()).toEqual(Array<number>(6 * N).fill(0));

    const [table, w] = [values.get("table")!, [...values].find(([name]) => name.endsWith(".w"))![1]];
    const p = padded.map((id) =>
      softmax(
        Array.from({ length: N }, (_, e) =>
          Array.from({ length: D }, (_, d) => table[D * id + d]! * w[N * d + e]!).reduce((a, b) => a + b),
        ),
      ),
    );
    const best = p.map((row) => row.indexOf(Math.max(...row)));
    const balance = Array.from({ length: N }, (_, e) => {
      const share = best.filter((choice, t) => choice === e && there[t] === 1).length / padded.length;
      return N * share * (p.reduce((sum, row) => sum + row[e]!, 0) / padded.length);
    });
    expect(found["loss"]!.data[0]).toBeCloseTo(
      balance.reduce((a, b) => a + b),
      10,
    );
  });
});
