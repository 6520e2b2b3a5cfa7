// What routing costs: the time of a routed layer follows the work that is chosen, not the experts that there are.
// Run: npx esbuild bench/routed.ts --bundle --platform=node --format=esm --outfile=dist/routed.mjs --packages=external
//      node dist/routed.mjs [threads] [rounds]
// Layers of SwiGLU experts, d = h = 128, k = 2, 2,048 tokens: 8 to 256 experts, eight null experts beside eight, and a dense
// layer of the same multiply-adds. Prints milliseconds of `forward` and `train` (with all gradients), and ratios to eight
// experts. The machine may be shared: layers take turns, and every dispatch counts with its best time.

import { openSession } from "../runtime/session.ts";
import { inputsOf, profile, type DispatchTime } from "./profile.ts";
import { compileText } from "./programs.ts";

const tokens = 2048;

const layer = (pool: string): string => `
import std.experts { SwiGLU }

router Spread(D, N, k = 2)(x: [D]) -> gates[N] {
  param w: [D, N] = normal(1)
  p = softmax(x @ w)
  choose top k of p
  weight p
}

model Layer {
  dim D = 128
  modality x = features(D)
  param gain: [D] = 1
  y = x * gain
  ${pool}
  logits = routed
  loss square(routed)
}

train Layer {
  data x = jsonl("layer.jsonl", "x")
  batch ${tokens}
  optimizer adamw { rate = 1e-3 }
  steps 100
}
`;
const routed = (experts: number, nulls = 0): string =>
  layer(`pool = SwiGLU(D, 128) * ${experts}${nulls > 0 ? ` + zero * ${nulls}` : ""}
  routed = pool(y) by Spread`);

const layers: readonly (readonly [string, string])[] = [
  ["8 experts", routed(8)],
  ["64 experts", routed(64)],
  ["128 experts", routed(128)],
  ["256 experts", routed(256)],
  ["8 experts, 8 null experts", routed(8, 8)],
  ["dense, the same multiply-adds", layer("routed = SwiGLU(D, 256)(y)")],
];

const [threads = 1, rounds = 20] = process.argv.slice(2).map(Number);
const prepared = await Promise.all(
  layers.map(async ([name, text]) => {
    const { program, wasm } = compileText(text);
    const sizes = { B: tokens };
    const entries = ["forward", "train"];
    const session = await openSession(program, wasm, { threads, sizes, entries, profile: true });
    const inputs = entries.map((entry) => inputsOf(program, entry, sizes));
    const run = (): DispatchTime[] =>
      profile(session, 1, () => entries.forEach((entry, i) => session.run(entry, inputs[i]!)));
    return { name, session, run, best: [] as number[], dispatches: [] as readonly DispatchTime[] };
  }),
);
for (const each of prepared) each.dispatches = each.run();
const previous = new Map(prepared.map((each) => [each, each.session.timings().map((t) => t.milliseconds)]));
for (let round = 0; round < rounds; round++)
  for (const each of prepared) {
    each.run();
    const sums = each.session.timings().map((timing) => timing.milliseconds);
    const before = previous.get(each)!;
    sums.forEach((sum, i) => (each.best[i] = Math.min(each.best[i] ?? Infinity, sum - before[i]!)));
    previous.set(each, sums);
  }

const timeOf = (each: (typeof prepared)[number], entry: string): number =>
  each.dispatches.reduce((sum, dispatch, i) => sum + (dispatch.entry === entry ? each.best[i]! : 0), 0);
for (const each of prepared) {
  const [forward, train] = ["forward", "train"].map((entry) => timeOf(each, entry)) as [number, number];
  const [base, baseTrain] = ["forward", "train"].map((entry) => timeOf(prepared[0]!, entry)) as [
    number,
    number,
  ];
  console.log(
    `${each.name.padEnd(32)} forward ${forward.toFixed(2).padStart(7)} ms (${(forward / base).toFixed(2)})   train ${train.toFixed(2).padStart(7)} ms (${(train / baseTrain).toFixed(2)})`,
  );
  if (process.argv[4] !== undefined && each.name.startsWith(process.argv[4]))
    for (const [i, { entry, kernel, multiplyAdds }] of each.dispatches.entries())
      if (each.best[i]! > 0.02)
        console.log(
          `    ${each.best[i]!.toFixed(3)} ms  ${multiplyAdds > 0 ? `${((2 * multiplyAdds) / each.best[i]! / 1e6).toFixed(1)} GFLOP/s` : ""}  ${entry} ${kernel}`,
        );
  each.session.dispose();
}
