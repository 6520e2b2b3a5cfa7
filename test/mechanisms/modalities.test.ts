// Experts of modalities that choose their tokens, against plain loops: in training, where whole batches are chosen from, and at inference, where a second
// router decides for each token. What must hold exactly of both.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import { chosen } from "../helpers/plain-choices.ts";
import { counts, stopped, type Rows } from "../helpers/plain.ts";
import { gated, noiseRows } from "../helpers/plain-networks.ts";

describe("experts of one modality choose among its tokens of the batch", () => {
  const text = "import std.modalities { ModalityChoice }";
  const gumbels = (u: readonly number[]): number[] => u.map((value) => -Math.log(-Math.log(value)));
  test.each([false, true])("in training, noise: %s", (noise) => {
    const apply = `ModalityChoice { N = 3, noise = ${noise} }(x)`;
    const mechanism: Mechanism = { text, apply, width: 4, experts: 3, length: 4, on: noise ? "gpu" : "wasm" };
    const stop = stopped();
    runMechanism(mechanism, (given) => {
      const { x, draws } = given;
      const [g, h] = draws.map(gumbels);
      const shift = noise ? g!.map((value, i) => value - h![i]!) : [];
      const { picks, weight, auxiliary } = chosen(given, x, 3, Math.floor(x.length / 3), true, stop, shift);
      return { out: weight, picks, load: counts(picks, 3), losses: { auxiliary } };
    });
  });
  test("at inference a second router decides, and the weight is the first one's", () => {
    const apply = "ModalityChoice { N = 3 }(x)";
    const mechanism: Mechanism = { text, apply, width: 4, experts: 3, length: 4, mode: "inference" };
    const { picks } = runMechanism(mechanism, (given) => {
      const { picks: own, weight } = chosen(given, given.x, 3, 0, false, stopped());
      return { out: weight, load: counts(own, 3) };
    });
    expect(new Set(picks.map((row) => row.filter((e) => e >= 0).length)).size).toBeGreaterThan(1);
  });
  test.each([
    [8, 3, 1, 2],
    [6, 4, 1, 1],
    [2, 4, 1, 1],
    [8, 2, 0.5, 2],
  ])(
    "of %d tokens each of %d experts takes exactly, at a share of %d: %d",
    (length, experts, share, wanted) => {
      for (const seed of [1, 2]) {
        const apply = `ModalityChoice { N = ${experts}, share = ${share} }(x)`;
        const { load } = runMechanism({
          text,
          apply,
          width: 4,
          experts,
          batch: 1,
          length,
          seed,
          on: "double",
        });
        expect(load).toEqual(new Array<number>(experts).fill(wanted));
      }
    },
  );
});

describe("two modalities in one sequence", () => {
  const P = 2;
  const text = "import std.modalities { ModalityExperts }";
  const apply = "ModalityExperts(4, 2, P = 2, first = 2, second = 3, noise = false)(x)";
  const formula =
    (training: boolean, stops = [stopped(), stopped()]) =>
    (given: Given): Wanted => {
      const { x, length } = given;
      const of = (
        kind: "first" | "second",
        n: number,
        index: number,
      ): { out: (t: number) => number[]; auxiliary: number } => {
        const mine = x.flatMap((_, t) => (t % length < P === (kind === "first") ? [t] : []));
        const made = chosen(
          { matrix: (name, columns) => given.matrix(`router.${index}.${name}`, columns) },
          mine.map((t) => x[t]!),
          n,
          Math.max(1, Math.floor(mine.length / n)),
          training,
          stops[index]!,
        );
        return {
          auxiliary: made.auxiliary,
          out: (t) => {
            const y = [0, 0, 0, 0];
            made.weight[mine.indexOf(t)]!.forEach((share, e) => {
              if (share > 0)
                gated(given, `of_${kind}`, 2, e)(x[t]!).forEach((value, d) => (y[d]! += share * value));
            });
            return y;
          },
        };
      };
      const [a, b] = [of("first", 2, 0), of("second", 3, 1)];
      return {
        out: x.map((_, t) => (t % length < P ? a : b).out(t)),
        ...(training ? { losses: { auxiliary: a.auxiliary + b.auxiliary } } : {}),
      };
    };
  test.each(["training", "inference"] as const)("each has its experts and its router, in %s", (mode) => {
    const mechanism: Mechanism = {
      text,
      apply,
      width: 4,
      length: 5,
      mode,
      on: mode === "training" ? "gpu" : "wasm",
    };
    runMechanism(mechanism, formula(mode === "training"));
  });

  const run = (x: Rows, mode: "training" | "inference"): Rows =>
    runMechanism({
      text,
      apply,
      width: 4,
      batch: 1,
      length: 8,
      mode,
      on: "double",
      tensors: { x, "router.1.w": noiseRows(1, 4, 3) },
    }).out;
  test("a later token changes what experts choose in training, and nothing at inference", () => {
    const x = noiseRows(2, 8, 4);
    const changed = [...x.slice(0, 7), x[7]!.map((value) => -9 * value)];
    const before = (rows: Rows): Rows => rows.slice(0, 7);
    expect(before(run(changed, "training"))).not.toEqual(before(run(x, "training")));
    expect(before(run(changed, "inference"))).toEqual(before(run(x, "inference")));
  });
  test("an expert sees exactly its share of tokens, all of its modality", () => {
    // Expert i says the i-th unit vector, so that a column of the output is what it wrote.
    const unit = [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((d) => (i === d ? 1 : 0)));
    for (const seed of [1, 2, 3]) {
      const { out } = runMechanism({
        text: `${text}
expert Mark(D, H)(x: [D]) -> [D] {
  param mark: [D]
  mark + 0 * x
}`,
        apply: "ModalityExperts(4, 2, P = 3, first = 2, second = 2, Ffn = Mark)(x)",
        width: 4,
        batch: 2,
        length: 7,
        seed,
        on: "double",
        tensors: { "of_first.mark": unit.slice(0, 2), "of_second.mark": unit.slice(2) },
      });
      const seen = unit.map((_, i) => out.flatMap((row, t) => (row[i]! > 0 ? [t % 7 < 3] : [])));
      // 6 and 8 tokens of the batch, two experts each.
      expect(seen).toEqual([
        [true, true, true],
        [true, true, true],
        [false, false, false, false],
        [false, false, false, false],
      ]);
    }
  });
  test("a modality that is absent takes nothing away from the other", () => {
    const alone = (P: number): Rows =>
      runMechanism({
        text,
        apply: `ModalityExperts(4, 2, P = ${P}, first = 2, second = 3, noise = false)(x)`,
        width: 4,
        batch: 1,
        length: 6 + P,
        on: "double",
        tensors: {
          x: [...noiseRows(7, P, 4), ...noiseRows(2, 6, 4)],
          "router.1.w": noiseRows(1, 4, 3),
          "of_second.gate": noiseRows(3, 12, 2),
          "of_second.up": noiseRows(4, 12, 2),
          "of_second.down": noiseRows(5, 6, 4),
        },
      }).out.slice(P);
    expect(alone(0)).toEqual(alone(2));
    const first = (second: number): Rows =>
      runMechanism({
        text,
        apply: "ModalityExperts(4, 2, P = 6, first = 2, second = 3, noise = false)(x)",
        width: 4,
        batch: 1,
        length: 6 + second,
        on: "double",
        tensors: {
          x: [...noiseRows(2, 6, 4), ...noiseRows(7, second, 4)],
          "router.0.w": noiseRows(1, 4, 2),
          "of_first.gate": noiseRows(3, 8, 2),
          "of_first.up": noiseRows(4, 8, 2),
          "of_first.down": noiseRows(5, 4, 4),
        },
      }).out.slice(0, 6);
    expect(first(0)).toEqual(first(2));
  });
});
