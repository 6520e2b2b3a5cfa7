// Where the time of a training step goes: a program of bench/programs, dispatch by dispatch.
// Run: npx esbuild bench/step.ts --bundle --platform=node --format=esm --outfile=dist/step.mjs --packages=external
//      node dist/step.mjs bench/programs/bytes.moe [threads] [steps]
// Prints milliseconds of `train` and `update`, the best of all steps, and every kernel with its share, its multiply-adds
// per second and its fraction of the peak of a bare multiply-add loop in the same run, times the threads. The machine may
// be shared, so dispatches count with the best time of any that does the same work.

import type { Program } from "../runtime/program.ts";
import { openSession } from "../runtime/session.ts";
import { preparePeak } from "./peak.ts";
import { inputsOf, profile, type DispatchTime } from "./profile.ts";
import { compileFile } from "./programs.ts";

export interface StepTimes {
  readonly dispatches: readonly DispatchTime[];
  /** Whole entries, the best of all steps. */
  readonly train: number;
  readonly update: number;
  /** Multiply-adds per second of one thread. */
  readonly peak: number;
}

export async function measureStep(path: string, threads: number, steps: number): Promise<StepTimes> {
  const { program, wasm } = compileFile(path);
  const recipe = program.training!;
  const defaults = Object.fromEntries(program.sizes.map(({ name, default: value }) => [name, value]));
  const sizes = {
    ...defaults,
    B: recipe.batch,
    ...(recipe.length === undefined ? {} : { T: recipe.length }),
  };
  const session = await openSession(program, wasm, {
    threads,
    sizes,
    entries: ["train", "update"],
    profile: true,
  });
  const inputs = inputsOf(program, "train", sizes);
  const peakOnce = preparePeak();
  let [train, update, peak] = [Infinity, Infinity, 0];
  const dispatches = profile(session, steps, (step) => {
    for (let i = 0; i < 2; i++) peak = Math.max(peak, peakOnce());
    const start = performance.now();
    const outputs = session.run("train", { ...inputs, ...drawOf(program, step) });
    const middle = performance.now();
    session.run("update", { $step: Int32Array.of(step) });
    const end = performance.now();
    if (!Number.isFinite(outputs["loss"]![0])) throw new Error(`the loss of step ${step} is not finite`);
    train = Math.min(train, middle - start);
    update = Math.min(update, end - middle);
  });
  session.dispose();
  return { dispatches, train, update, peak };
}

const drawOf = (program: Program, step: number) =>
  Object.fromEntries(
    program.entries["train"]!.inputs.filter(({ name }) => name === "$draw" || name === "$step").map(
      ({ name }) => [name, Int32Array.of(step)],
    ),
  );

interface Line {
  milliseconds: number;
  multiplyAdds: number;
  count: number;
}

function print({ dispatches, train, update, peak }: StepTimes, threads: number, rows: number): void {
  const all = peak * threads;
  const rate = (multiplyAdds: number, milliseconds: number): string =>
    multiplyAdds === 0
      ? ""
      : `${((2 * multiplyAdds) / milliseconds / 1e6).toFixed(1).padStart(7)} GFLOP/s  ${(multiplyAdds / (milliseconds / 1e3) / all).toFixed(2)}`;
  const whole = dispatches.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
  const quiet = (entry: string): number =>
    dispatches.filter((each) => each.entry === entry).reduce((sum, each) => sum + each.milliseconds, 0);
  console.log(`peak ${((2 * all) / 1e9).toFixed(1)} GFLOP/s on ${threads} threads`);
  console.log(`train  ${train.toFixed(1)} ms, ${quiet("train").toFixed(1)} ms of best dispatches`);
  console.log(`update ${update.toFixed(1)} ms, ${quiet("update").toFixed(1)} ms of best dispatches`);
  console.log(`whole  ${rate(whole, quiet("train") + quiet("update"))} of the peak`);
  const lines = new Map<string, Line>();
  for (const { entry, kernel, label, milliseconds, multiplyAdds } of dispatches) {
    const key = `${entry} ${kernel} (${label.replaceAll(/\.\d+/g, "")})`;
    const line = lines.get(key) ?? { milliseconds: 0, multiplyAdds: 0, count: 0 };
    line.milliseconds += milliseconds;
    line.multiplyAdds += multiplyAdds;
    line.count++;
    lines.set(key, line);
  }
  const sorted = [...lines].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
  for (const [key, { milliseconds, multiplyAdds, count }] of sorted.slice(0, rows))
    console.log(
      `${milliseconds.toFixed(2).padStart(8)} ms ${String(count).padStart(3)}x ${rate(multiplyAdds, milliseconds).padEnd(22)} ${key}`,
    );
}

if (process.argv[1]?.includes("step")) {
  const [path = "bench/programs/bytes.moe", threads = "1", steps = "12", rows = "40"] = process.argv.slice(2);
  print(await measureStep(path, Number(threads), Number(steps)), Number(threads), Number(rows));
}
