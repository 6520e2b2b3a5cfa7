// What routing costs: the time of a routed layer follows the work that is chosen, not the experts that there are.
// Run: npx esbuild bench/routed.ts --bundle --platform=node --format=esm --outfile=dist/routed.mjs --packages=external
//      node dist/routed.mjs [threads] [rounds] [width] [hidden] [the layer whose dispatches are listed]
// Layers of SwiGLU experts, k = 2, 2,048 tokens: 8 to 256 experts, eight null experts beside eight, and a dense layer of the same
// multiply-adds. Prints milliseconds of `forward` and `train` (with all gradients), ratios to eight experts, and in brackets
// the ratio of the multiply-adds: the router's are in proportion to the experts. Then where the time of one layer goes.
// The machine may be shared: layers take turns, and every dispatch counts with its best time.

import { openSession } from "../runtime/session.ts";
import { inputsOf, profile, type DispatchTime } from "./profile.ts";
import { compileText } from "./programs.ts";

const tokens = 2048;
const [threads = 1, rounds = 20, width = 128, hidden = 128] = process.argv.slice(2, 6).map(Number);
const listed = process.argv[6];

const layer = (pool: string): string => `
import std.experts { SwiGLU }

router Spread(D, N, k = 2)(x: [D]) -> gates[N] {
  param w: [D, N] = normal(1)
  p = softmax(x @ w)
  choose top k of p
  weight p
}

model Layer {
  dim D = ${width}
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
  layer(`pool = SwiGLU(D, ${hidden}) * ${experts}${nulls > 0 ? ` + zero * ${nulls}` : ""}
  routed = pool(y) by Spread`);

const layers: readonly (readonly [string, string])[] = [
  ["8 experts", routed(8)],
  ["64 experts", routed(64)],
  ["128 experts", routed(128)],
  ["256 experts", routed(256)],
  ["8 experts, 8 null experts", routed(8, 8)],
  ["dense, the same multiply-adds", layer(`routed = SwiGLU(D, ${2 * hidden})(y)`)],
];

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

const sumOf = (each: (typeof prepared)[number], entry: string, of: (index: number) => number): number =>
  each.dispatches.reduce((sum, dispatch, i) => sum + (dispatch.entry === entry ? of(i) : 0), 0);

for (const each of prepared) {
  const parts = ["forward", "train"].map((entry) => {
    const time = sumOf(each, entry, (i) => each.best[i]!);
    const base = sumOf(prepared[0]!, entry, (i) => prepared[0]!.best[i]!);
    const work = sumOf(each, entry, (i) => each.dispatches[i]!.multiplyAdds);
    const baseWork = sumOf(prepared[0]!, entry, (i) => prepared[0]!.dispatches[i]!.multiplyAdds);
    const ratio = `${(time / base).toFixed(2)} [${(work / baseWork).toFixed(2)}]`;
    return `${entry} ${time.toFixed(2).padStart(7)} ms ${ratio}`;
  });
  console.log(`${each.name.padEnd(32)} ${parts.join("   ")}`);
  if (listed !== undefined && each.name.startsWith(listed))
    for (const [i, { entry, kernel, multiplyAdds }] of each.dispatches.entries())
      if (each.best[i]! > 0.02)
        console.log(
          `    ${each.best[i]!.toFixed(3)} ms  ${multiplyAdds > 0 ? `${((2 * multiplyAdds) / each.best[i]! / 1e6).toFixed(1)} GFLOP/s` : ""}  ${entry} ${kernel}`,
        );
  each.session.dispose();
}
