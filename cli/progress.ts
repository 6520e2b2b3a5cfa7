// Progress of a run or of an evaluation: a bar on a terminal, plain lines elsewhere, nothing when asked to be quiet. In: what the loop
// reports. Out: standard error. Nothing of a run depends on it.

import type { EvaluationRecord } from "../runtime/metrics.ts";
import type { Progress } from "../runtime/train.ts";
import { duration, loss, whole } from "./numbers.ts";
import { paintWith } from "./paint.ts";
import type { Shell } from "./shell.ts";

/** What is shown of a step of training, or of a batch of an evaluation. */
export type Shown = Pick<Progress, "step" | "steps" | "metrics" | "perSecond" | "unit" | "secondsLeft">;

export interface ProgressView {
  step(progress: Shown): void;
  evaluation(record: EvaluationRecord): void;
  /** A line that stays, above the bar. */
  note(text: string): void;
  /** Leaves the terminal as it was. */
  end(): void;
}

const silent: ProgressView = { step: () => {}, evaluation: () => {}, note: () => {}, end: () => {} };

/** A run leaves its bar, or its first and last lines, as a record; of an evaluation only the result stays. */
export type Kind = "step" | "batch";

/** `steps`: of the whole run. */
export async function progressView(
  shell: Shell,
  steps: number,
  quiet: boolean,
  kind: Kind = "step",
): Promise<ProgressView> {
  if (quiet) return silent;
  return shell.live === undefined ? lines(shell, kind) : bar(shell, shell.live, steps, kind);
}

/** "loss 3.412  held-out 3.501  12,400 tokens/s  1 m 12 s left" */
function facts({ metrics, perSecond, unit, secondsLeft }: Shown, held: number | undefined): string {
  return [
    `loss ${loss(metrics["loss"] ?? NaN)}`,
    ...(held === undefined ? [] : [`held-out ${loss(held)}`]),
    `${whole(perSecond)} ${unit}/s`,
    `${duration(secondsLeft)} left`,
  ].join("  ");
}

/** Milliseconds between two lines that say nothing but that the run goes on. */
const lineEvery = 10_000;

function lines(shell: Shell, kind: Kind): ProgressView {
  let held: number | undefined;
  let latest: Shown | undefined;
  let printed = performance.now();
  const print = (): void => {
    if (latest === undefined) return;
    const { step, steps } = latest;
    shell.err(`${kind} ${String(step).padStart(String(steps).length)}/${steps}  ${facts(latest, held)}\n`);
    printed = performance.now();
  };
  return {
    step(progress) {
      latest = progress;
      if ((kind === "step" && progress.step === 1) || performance.now() - printed > lineEvery) print();
    },
    evaluation({ metrics }) {
      held = metrics["loss"];
      print();
    },
    note: (text) => shell.err(`${text}\n`),
    end: () => {},
  };
}

async function bar(
  shell: Shell,
  terminal: NodeJS.WriteStream,
  steps: number,
  kind: Kind,
): Promise<ProgressView> {
  const { SingleBar } = (await import("cli-progress")).default;
  const paint = paintWith(shell.colour.err);
  const size = Math.max(8, Math.min(24, shell.columns - 88));
  let held: number | undefined;
  const view = new SingleBar({
    format: `{bar} {percentage}%  ${kind} {value}/{total}  {facts}`,
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
    clearOnComplete: kind === "batch",
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
