// What the kernel benches share: inputs that any model can take, and the best time of each dispatch.
// In: programs, sessions. Out: inputs, times. Deliberately absent: which programs are measured, and ratios.

import type { Program } from "../runtime/program.ts";
import type { Session } from "../runtime/session.ts";
import { evaluate } from "../runtime/size.ts";

/** Inputs of an entry that any model can take: small numbers, tokens within the vocabulary. */
export function inputsOf(program: Program, entry: string, sizes: Readonly<Record<string, number>>) {
  let seed = 1;
  const random = (): number => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff) * 2 - 1;
  const tokens = program.modalities.find(({ kind }) => kind === "tokens")?.count ?? 2;
  return Object.fromEntries(
    program.entries[entry]!.inputs.filter(({ name }) => !name.startsWith("$")).map(
      ({ name, type, shape }) => {
        const length = shape.reduce((count, size) => count * evaluate(size, sizes), 1);
        return [
          name,
          type === "f32"
            ? Float32Array.from({ length }, random)
            : Int32Array.from({ length }, () => Math.floor(((random() + 1) / 2) * tokens)),
        ];
      },
    ),
  );
}

export interface DispatchTime {
  readonly entry: string;
  readonly label: string;
  readonly kernel: string;
  readonly multiplyAdds: number;
  /** The best of all runs. */
  readonly milliseconds: number;
}

/** Runs `once` again and again; what each dispatch took at best. */
export function profile(session: Session, runs: number, once: (run: number) => void): DispatchTime[] {
  const best: number[] = [];
  let before: number[] = [];
  for (let run = 0; run < runs; run++) {
    once(run);
    const sums = session.timings().map(({ milliseconds }) => milliseconds);
    sums.forEach((sum, i) => (best[i] = Math.min(best[i] ?? Infinity, sum - (before[i] ?? 0))));
    before = sums;
  }
  const timings = session.timings();
  // Layers repeat: the same work counts with the best time that it took anywhere.
  const like = ({ entry, kernel, label, multiplyAdds, runs: count }: (typeof timings)[number]): string =>
    `${entry} ${kernel} ${label.replaceAll(/\.\d+/g, "")} ${multiplyAdds / count}`;
  const bestLike = new Map<string, number>();
  for (const [i, timing] of timings.entries()) {
    const key = like(timing);
    if (timing.multiplyAdds > 0) bestLike.set(key, Math.min(bestLike.get(key) ?? Infinity, best[i]!));
  }
  return timings.map((timing, i) => ({
    entry: timing.entry,
    label: timing.label,
    kernel: timing.kernel,
    multiplyAdds: timing.multiplyAdds / timing.runs,
    milliseconds: bestLike.get(like(timing)) ?? best[i]!,
  }));
}
