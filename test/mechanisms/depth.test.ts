// Layers that most tokens skip, with one network or experts of modalities inside, against a plain block over the tokens that are kept. What must hold
// exactly.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import { chosen } from "../helpers/plain-choices.ts";
import { columnOf, dot, largest, softmax, stopped, times, type Rows } from "../helpers/plain.ts";
import { gated, noiseRows, rms } from "../helpers/plain-networks.ts";

describe("a block that most tokens skip", () => {
  const text = "import std.depth { SkippedBlock }";
  const turned = ([a, b]: readonly number[], t: number): number[] => [
    a! * Math.cos(t) - b! * Math.sin(t),
    b! * Math.cos(t) + a! * Math.sin(t),
  ];
  /** The tokens that are kept, taken out of their sequences, run through a plain block at the places where they stood, and put back. */
  /** What the tokens that are kept get behind attention, of what they are there; and a loss. */
  type Network = (
    given: Given,
    u: ReadonlyMap<number, number[]>,
    training: boolean,
  ) => { out: (t: number) => number[]; auxiliary: number };
  const one: Network = (given, u) => ({ out: (t) => gated(given, "network", 2)(u.get(t)!), auxiliary: 0 });
  const formula =
    (training: boolean, weighed: boolean, network: Network, stop = stopped()) =>
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
      const attended = new Map(
        kept.map((t) => {
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
          return [t, times(mixed, matrix("leave.w", 4))];
        }),
      );
      const u = kept.map((t): [number, number[]] => {
        const h = x[t]!.map((value, d) => value + attended.get(t)![d]!);
        return [t, rms(h, tensor("rmsnorm.1.gain"))];
      });
      const { out: fed, auxiliary } = network(given, new Map(u), training);
      const out = x.map((row, t) => {
        if (!attended.has(t)) return [...row];
        const g = weighed ? made.weight[t]![0]! : 1;
        const said = fed(t);
        return row.map((value, d) => value + g * (attended.get(t)![d]! + said[d]!));
      });
      return { out, ...(training ? { losses: { auxiliary: made.auxiliary + auxiliary } } : {}) };
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
    runMechanism(mechanism, formula(mode === "training", weighed, one));
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

  /** Each expert takes a half of an even share of its modality's tokens, the first three of each sequence or the others, among those that are kept. */
  const ofModalities =
    (P: number, stops = [stopped(), stopped()]): Network =>
    (given, u, training) => {
      const { x, length } = given;
      const made = (["first", "second"] as const).map((kind, index) => {
        const mine = x.flatMap((_, t) => (t % length < P === (kind === "first") ? [t] : []));
        const n = index + 1;
        const choice = chosen(
          { matrix: (name, columns) => given.matrix(`router.${index}.${name}`, columns) },
          mine.map((t) => u.get(t) ?? [0, 0, 0, 0]),
          n,
          Math.max(1, Math.floor((0.5 * mine.length) / n)),
          training,
          stops[index]!,
          [],
          mine.map((t) => u.has(t)),
        );
        const out = (t: number): number[] => {
          const y = [0, 0, 0, 0];
          choice.weight[mine.indexOf(t)]!.forEach((share, e) => {
            if (share > 0)
              gated(given, `of_${kind}`, 2, e)(u.get(t)!).forEach((value, d) => (y[d]! += share * value));
          });
          return y;
        };
        return { mine, out, auxiliary: choice.auxiliary };
      });
      return {
        out: (t) => made.find(({ mine }) => mine.includes(t))!.out(t),
        auxiliary: made[0]!.auxiliary + made[1]!.auxiliary,
      };
    };
  test.each([
    ["training", true],
    ["training", false],
    ["inference", true],
  ] as const)("with experts of modalities inside (MoMa), in %s, weighed: %s", (mode, weighed) => {
    const mechanism: Mechanism = {
      text: text.replace("SkippedBlock", "SkippedModalities"),
      apply: `SkippedModalities(4, 2, P = 3, heads = 2, share = 0.5, first = 1, second = 2, noise = false, gated = ${weighed})(x)`,
      width: 4,
      length: 6,
      mode,
      on: weighed && mode === "training" ? "gpu" : "wasm",
    };
    const training = mode === "training";
    runMechanism(mechanism, formula(training, weighed, ofModalities(3)));
  });
});
