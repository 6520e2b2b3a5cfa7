// A run: one worker that trains one text, from the click on Train to the end. In: what to train. Out: messages, and which of its states
// it is in. Stopping ends the worker, so nothing that trains can be in the way of the page.

import type { FromTrainer, ToTrainer, TrainAsked } from "../messages.ts";
import { startWorker } from "./clients.ts";

export type RunState = "idle" | "starting" | "training" | "paused";

export interface Run {
  readonly state: () => RunState;
  readonly start: (asked: TrainAsked) => void;
  readonly pause: () => void;
  readonly goOn: () => void;
  readonly stop: () => void;
}

export function openRun(hear: (message: FromTrainer) => void, changed: (state: RunState) => void): Run {
  let worker: Worker | undefined;
  let state: RunState = "idle";
  const be = (next: RunState): void => {
    state = next;
    changed(next);
  };
  const send = (message: ToTrainer): void => worker?.postMessage(message);
  const stop = (): void => {
    worker?.terminate();
    worker = undefined;
    if (state !== "idle") be("idle");
  };
  return {
    state: () => state,
    stop,
    start(asked) {
      stop();
      const own = startWorker("trainer");
      worker = own;
      own.addEventListener("message", ({ data }: MessageEvent<FromTrainer>) => {
        if (worker !== own) return;
        if (data.kind === "ready" && state === "starting") be("training");
        hear(data);
        if (data.kind === "done" || data.kind === "problem") stop();
      });
      own.addEventListener("error", (event) => {
        event.preventDefault();
        if (worker !== own) return;
        const text =
          "error: training stopped: the tab found no more memory, or the page could not be loaded whole\n  = help: make the model or its batch smaller, or load the page again";
        hear({ kind: "problem", text });
        stop();
      });
      be("starting");
      send({ kind: "train", asked });
    },
    pause() {
      send({ kind: "pause" });
      be("paused");
    },
    goOn() {
      send({ kind: "go on" });
      be("training");
    },
  };
}
