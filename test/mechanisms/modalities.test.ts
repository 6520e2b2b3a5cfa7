// Experts of modalities that choose their tokens, and layers that most tokens skip, against plain loops: in training, where whole batches are
// chosen from, and at inference, where a second router decides for each token. What must hold exactly of both.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  columnOf,
  counts,
  dot,
  largest,
  mean,
  sigmoid,
  softmax,
  softplus,
  stopped,
  times,
  type Rows,
} from "../helpers/plain.ts";
import { gated, noiseRows, rms, silu } from "../helpers/plain-networks.ts";

/** Cross-entropy of logits with 0 or 1, the mean of all. */
const crossEntropy = (z: Rows, target: Rows): number =>
  mean(z.flatMap((row, t) => row.map((value, e) => softplus(value) - target[t]![e]! * value)));

interface Choice {
  readonly picks: Rows;
  readonly weight: Rows;
  readonly auxiliary: number;
}
/** Each of n experts takes its `room` best of all tokens; at inference, those that the second router foretells. */
function chosen(
  { matrix }: Pick<Given, "matrix">,
  x: Rows,
  n: number,
  room: number,
  training: boolean,
  stop: (x: Rows) => Rows,
  noise: readonly number[] = [],
): Choice {
  const a = x.map((row, t) =>
    times(row, matrix("w", n)).map((value, e) => sigmoid(value + (noise[n * t + e] ?? 0))),
  );
  const hidden = x[0]!.length / 2;
  const foretold = stop(x).map((row) => times(times(row, matrix("see", hidden)).map(silu), matrix("say", n)));
  const taken = x.map(() => new Array<number>(n).fill(0));
  if (training) for (let e = 0; e < n; e++) for (const t of largest(columnOf(a, e), room)) taken[t]![e] = 1;
  else foretold.forEach((row, t) => row.forEach((value, e) => (taken[t]![e] = value > 0 ? 1 : 0)));
  return {
    picks: taken.map((row) => row.map((there, e) => (there > 0 ? e : -1))),
    weight: taken.map((row, t) => row.map((there, e) => there * a[t]![e]!)),
    auxiliary: crossEntropy(foretold, taken),
  };
}

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

describe("a block that most tokens skip", () => {
  const text = "import std.depth { SkippedBlock }";
  const turned = ([a, b]: readonly number[], t: number): number[] => [
    a! * Math.cos(t) - b! * Math.sin(t),
    b! * Math.cos(t) + a! * Math.sin(t),
  ];
  /** The tokens that are kept, taken out of their sequences, run through a plain block at the places where they stood, and put back. */
  const formula =
    (training: boolean, weighed: boolean, stop = stopped()) =>
    (given: Given): Wanted => {
      const { x, length, matrix, tensor } = given;
      const made = chosen(
        { matrix: (name, columns) => matrix(`choice.${name}`, columns) },
        x,
        1,
        Math.ceil(0.5 * x.length),
        training,
        stop,
      );
      const kept = x.flatMap((_, t) => (made.picks[t]![0] === 0 ? [t] : []));
      const project = matrix("enter.w", 12);
      const three = new Map(
        kept.map((t) => {
          const flat = times(rms(x[t]!, tensor("rmsnorm.0.gain")), project);
          return [t, [0, 1, 2].map((i) => [0, 1].map((h) => flat.slice(4 * i + 2 * h, 4 * i + 2 * h + 2)))];
        }),
      );
      const out = x.map((row) => [...row]);
      for (const t of kept) {
        const seen = kept.filter((s) => s <= t && Math.floor(s / length) === Math.floor(t / length));
        const mixed = [0, 1].flatMap((h) => {
          const q = turned(three.get(t)![0]![h]!, t % length);
          const share = softmax(
            seen.map((s) => dot(q, turned(three.get(s)![1]![h]!, s % length)) / Math.sqrt(2)),
          );
          return [0, 1].map((c) =>
            dot(
              share,
              seen.map((s) => three.get(s)![2]![h]![c]!),
            ),
          );
        });
        const attended = times(mixed, matrix("leave.w", 4));
        const h = x[t]!.map((value, d) => value + attended[d]!);
        const fed = gated(given, "network", 2)(rms(h, tensor("rmsnorm.1.gain")));
        const g = weighed ? made.weight[t]![0]! : 1;
        out[t] = x[t]!.map((value, d) => value + g * (attended[d]! + fed[d]!));
      }
      return { out, ...(training ? { losses: { auxiliary: made.auxiliary } } : {}) };
    };
  test.each([
    ["training", true],
    ["training", false],
    ["inference", true],
  ] as const)("in %s, weighed: %s", (mode, weighed) => {
    const mechanism: Mechanism = {
      text,
      apply: `SkippedBlock(4, 2, heads = 2, share = 0.5, gated = ${weighed})(x)`,
      width: 4,
      length: 4,
      mode,
      on: weighed && mode === "training" ? "gpu" : "wasm",
    };
    runMechanism(mechanism, formula(mode === "training", weighed));
  });
  const run = (x: Rows, mode: "training" | "inference"): Rows =>
    runMechanism({
      text,
      apply: "SkippedBlock(4, 2, heads = 2, share = 0.5)(x)",
      width: 4,
      batch: 1,
      length: 6,
      mode,
      on: "double",
      tensors: { x, "choice.w": [1, 0, 0, 0] },
    }).out;
  test("a token that skips comes out as it went in", () => {
    const x = noiseRows(3, 6, 4);
    const out = run(x, "training");
    const skipped = largest(columnOf(x, 0), 6).slice(3);
    for (const t of skipped) expect(out[t]).toEqual(x[t]!.map(Math.fround));
    expect(out.filter((row, t) => row.every((value, d) => value === Math.fround(x[t]![d]!)))).toHaveLength(3);
  });
  test("a later token changes who skips in training, and nothing before it at inference", () => {
    const x = [...noiseRows(3, 5, 4), [-9, 1, 1, 1]];
    const changed = [...x.slice(0, 5), [9, -1, 2, 1]];
    expect(run(changed, "training").slice(0, 5)).not.toEqual(run(x, "training").slice(0, 5));
    expect(run(changed, "inference").slice(0, 5)).toEqual(run(x, "inference").slice(0, 5));
  });
});
