// Progress of a run: a bar on a terminal, plain lines elsewhere, nothing when asked to be quiet. In: what the training loop
// reports. Out: standard error. Nothing of a run depends on it.

import type { EvaluationRecord } from "../runtime/metrics.ts";
import type { Progress } from "../runtime/train.ts";
import { duration, loss, whole } from "./numbers.ts";
import { paintWith } from "./paint.ts";
import type { Shell } from "./shell.ts";

export interface ProgressView {
  step(progress: Progress): void;
  evaluation(record: EvaluationRecord): void;
  /** A line that stays, above the bar. */
  note(text: string): void;
  /** Leaves the terminal as it was. */
  end(): void;
}

const silent: ProgressView = { step: () => {}, evaluation: () => {}, note: () => {}, end: () => {} };

/** `steps`: of the whole run. */
export async function progressView(shell: Shell, steps: number, quiet: boolean): Promise<ProgressView> {
  if (quiet) return silent;
  return shell.live === undefined ? lines(shell) : bar(shell, shell.live, steps);
}

/** "loss 3.412  held-out 3.501  12,400 tokens/s  1 m 12 s left" */
function facts({ metrics, perSecond, unit, secondsLeft }: Progress, held: number | undefined): string {
  return [
    `loss ${loss(metrics["loss"] ?? NaN)}`,
    ...(held === undefined ? [] : [`held-out ${loss(held)}`]),
    `${whole(perSecond)} ${unit}/s`,
    `${duration(secondsLeft)} left`,
  ].join("  ");
}

/** Milliseconds between two lines that say nothing but that the run goes on. */
const lineEvery = 10_000;

function lines(shell: Shell): ProgressView {
  let held: number | undefined;
  let latest: Progress | undefined;
  let printed = performance.now();
  const print = (): void => {
    if (latest === undefined) return;
    const { step, steps } = latest;
    shell.err(`step ${String(step).padStart(String(steps).length)}/${steps}  ${facts(latest, held)}\n`);
    printed = performance.now();
  };
  return {
    step(progress) {
      latest = progress;
      if (progress.step === 1 || performance.now() - printed > lineEvery) print();
    },
    evaluation({ metrics }) {
      held = metrics["loss"];
      print();
    },
    note: (text) => shell.err(`${text}\n`),
    end: () => {},
  };
}

async function bar(shell: Shell, terminal: NodeJS.WriteStream, steps: number): Promise<ProgressView> {
  const { SingleBar } = (await import("cli-progress")).default;
  const paint = paintWith(shell.colour.err);
  const size = Math.max(8, Math.min(24, shell.columns - 88));
  let held: number | undefined;
  const view = new SingleBar({
    format: "{bar} {percentage}%  step {value}/{total}  {facts}",
    formatBar: (progress) => {
      const done = Math.round(size * progress);
      return paint.cyan("\u2501".repeat(done)) + paint.dim("\u2501".repeat(size - done));
    },
    stream: terminal,
    hideCursor: true,
    // The loop never waits for timers: every update draws by itself, at most so many times a second.
    synchronousUpdate: true,
    fps: 8,
    gracefulExit: false,
    linewrap: false,
    stopOnComplete: false,
  });
  let started = false;
  return {
    step(progress) {
      const payload = { facts: facts(progress, held) };
      if (!started) view.start(steps, progress.step, payload);
      started = true;
      view.update(progress.step, payload);
    },
    evaluation({ metrics }) {
      held = metrics["loss"];
    },
    note(text) {
      // Over the bar, which is drawn again below it.
      if (started) terminal.write("\r\u001B[K");
      terminal.write(`${text}\n`);
    },
    end() {
      if (started) view.stop();
      started = false;
    },
  };
}
