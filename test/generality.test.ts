// The cost of generality. A router, a chain, a layer in a file of the user's makes the program that the same text in `std` makes: kernels, what
// they bind, what is planned. And what does no work costs none: null experts, dropped tokens, layers that tokens skip, groups that
// are masked. Their times are rows of the bench (bench/sections/generality.ts).

import { describe, expect, test } from "vitest";
import {
  entryModel,
  libraryEntries,
  plainEntry,
  userModel,
  userPrefix,
  type LayerShape,
  type LibraryEntry,
} from "../bench/entries.ts";
import { costOf } from "../cli/cost.ts";
import { planModel, type PlannedModel } from "../compiler/compile.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { withDefaults } from "../runtime/arena-plan.ts";
import type { TargetName } from "../runtime/program.ts";
import { hostOf, numbers } from "./helpers/elaborate.ts";
import { executedMultiplyAdds } from "./helpers/executed.ts";

function planned(files: Readonly<Record<string, string>>, target: TargetName = "wasm"): PlannedModel {
  const { planned: found, diagnostics } = planModel({ host: hostOf(files), path: "layer.moe", target });
  if (found === undefined)
    throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return found;
}

/** All that runs and all that it binds, as text: without lines of the source, and without the name of the user's file. */
function programText({ program, kernels }: PlannedModel): string {
  const costs = Object.keys(program.entries).map((name) => {
    const { bytes, multiplyAdds } = costOf(program, name, withDefaults(program));
    return `${name}: ${bytes} bytes, ${multiplyAdds} multiply-adds`;
  });
  const bound = JSON.stringify(program, (key, value: unknown) => (key === "place" ? undefined : value), 1);
  return [...costs, ...kernels.map(printKernel), bound]
    .join("\n")
    .replaceAll(new RegExp(userPrefix, "gi"), "");
}

const shape: LayerShape = { batch: 16, length: 128, width: 32, hidden: 32 };
const skipped: LibraryEntry = {
  name: "SkippedBlock",
  module: "depth",
  use: "y = SkippedBlock(D, H, share = 0.25)(x)",
};

describe("the same text costs the same in `std` and in a file of the user's", () => {
  test.each([plainEntry, ...libraryEntries, skipped].map((entry) => [entry.name, entry] as const))(
    "%s",
    (_, entry) => {
      for (const target of ["wasm", "webgpu", "cuda"] as const) {
        const standard = programText(planned({ "layer.moe": entryModel(entry, shape) }, target));
        const own = programText(planned(userModel(entry, shape), target));
        expect(own === standard, `for ${target}`).toBe(true);
      }
    },
  );
});

/** One layer, and numbers of a token that its router reads. */
interface Case {
  readonly pool: string;
  readonly choose: string;
  readonly numbersOf: (token: number) => readonly number[];
}

const tokens = 48;
const half = tokens / 2;
const expert = "SwiGLU(D, H)";
const given: Case = { pool: `${expert} * 2`, choose: "choose given int(r)", numbersOf: () => [0, 1] };
const ofTokens = (count: string): Case => ({
  pool: `${expert} * 2`,
  choose: `choose top ${count} tokens of r for each expert per batch`,
  numbersOf: (token) => [token, tokens - token],
});
const four = `${expert} * 4`;

/** Layers in which every token has two experts, and the same where half of that work is not to be done. */
const idle: readonly (readonly [string, Case, Case])[] = [
  [
    "null experts",
    given,
    {
      ...given,
      pool: `${expert} * 2 + zero * 2`,
      numbersOf: (token) => (token % 2 === 0 ? [0, 1] : [2, 3]),
    },
  ],
  ["dropped tokens", given, { ...given, choose: `${given.choose}\n  capacity ${half}` }],
  ["tokens that skip a layer", ofTokens("tokens"), ofTokens("tokens / 2")],
  [
    "masked groups",
    { pool: four, choose: "choose top 2 of r", numbersOf: () => [2, 1, 0, 0] },
    {
      pool: four,
      choose: "choose top 2 of r in the best 1 of 2 groups by max(r) only where r > 0",
      numbersOf: (token) => (token % 2 === 0 ? [2, 1, -1, -1] : [-2, -1, -1, -1]),
    },
  ],
];

const idleModel = ({ pool, choose, numbersOf }: Case, width: number, hidden: number): string => `
import std.experts { SwiGLU }
router R(N)(r: [${choose.startsWith("choose given") ? 2 : "N"}]) -> gates[N] {
  ${choose}
  weight softmax(r)
}
model M {
  dim D = ${width}
  dim H = ${hidden}
  modality x = features(D)
  modality r = features(${numbersOf(0).length})
  param gain: [D] = 1
  pool = ${pool}
  y = pool(x * gain) by R(r)
  loss square(y)
  logits = y
}
train M {
  data x = csv("none.csv", "x")
  data r = csv("none.csv", "r")
  batch ${tokens}
  optimizer sgd { rate = 0 }
  steps 1
}
`;

describe.each(idle)("%s cost nothing", (_, busy, idling) => {
  const entries = ["forward", "train"] as const;

  test("in planned bytes and multiply-adds: what is more knows nothing of the experts' sizes", () => {
    const more = (width: number, hidden: number) => {
      const [with_, without] = [idling, busy].map((each) => {
        const { program } = planned({ "layer.moe": idleModel(each, width, hidden) });
        return entries.map((entry) => costOf(program, entry, { B: tokens }));
      });
      return with_!.map(({ bytes, multiplyAdds }, i) => ({
        bytes: bytes - without![i]!.bytes,
        multiplyAdds: multiplyAdds - without![i]!.multiplyAdds,
      }));
    };
    const [small, large] = [more(32, 32), more(64, 160)];
    entries.forEach((entry, i) => {
      expect(small[i]!.multiplyAdds, entry).toBeLessThanOrEqual(0);
      expect(large[i]!.multiplyAdds, entry).toBeLessThanOrEqual(0);
      // The choice itself: some numbers for each token.
      expect(small[i]!.bytes, entry).toBeLessThanOrEqual(4 * 32 * tokens);
      expect(large[i]!.bytes, entry).toBeLessThanOrEqual(small[i]!.bytes);
    });
  });

  test("in multiply-adds that are executed: half of the rows are half of the work", () => {
    const [width, hidden] = [8, 12];
    const executed = (each: Case): readonly number[] => {
      const { program, lowered } = planned({ "layer.moe": idleModel(each, width, hidden) });
      const inputs = new Map<string, readonly number[]>([
        ["x", numbers(tokens * width, 1)],
        ["r", Array.from({ length: tokens }, (_, token) => each.numbersOf(token)).flat()],
        ...["$step", "$draw", "$seed"].map((name) => [name, [0]] as const),
      ]);
      const tensors = new Map(
        program.tensors.map(({ name, shape }) => [
          name,
          numbers(
            shape.reduce((a, b) => a * b, 1),
            name.length,
          ),
        ]),
      );
      return entries.map((entry) => {
        const one = lowered.find(({ name }) => name === entry)!;
        const counts = executedMultiplyAdds(one, { sizes: { B: tokens }, inputs, tensors });
        // The router has none: all contractions are the experts'.
        return one.dispatches.reduce(
          (sum, { kernel }, i) => sum + (kernel.multiplyAdds === undefined ? 0 : counts[i]!),
          0,
        );
      });
    };
    const [all, some] = [executed(busy), executed(idling)];
    expect(all[0]).toBe(2 * tokens * 3 * width * hidden);
    expect(some).toEqual(all.map((count) => count / 2));
  });
});
