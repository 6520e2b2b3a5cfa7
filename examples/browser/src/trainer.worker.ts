// The worker: loads the compiled model, trains it on the book and tells the page how it goes. Work here never makes the
// page wait.

import story, { type Story } from "../story.moe";
import book from "../../book/corpus/moby-dick.txt?url";
import type { Device, FromWorker, Loads, ToWorker } from "./messages.ts";

const tell = (message: FromWorker): void => postMessage(message);
/** Lets messages in. */
const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

const loadsEvery = 10;
const textEvery = 50;

let prompt = "";
let paused = false;
let wake: (() => void) | undefined;

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  switch (data.kind) {
    case "start":
      prompt = data.prompt;
      run(data.device).catch((problem: unknown) =>
        tell({ kind: "problem", message: problem instanceof Error ? problem.message : String(problem) }),
      );
      break;
    case "pause":
      paused = true;
      break;
    case "go on":
      paused = false;
      wake?.();
      break;
    case "prompt":
      prompt = data.prompt;
      break;
    default:
      data satisfies never;
  }
});

async function run(device: Device): Promise<void> {
  const model = await story.load({ device });
  const text = await (await fetch(book)).text();
  const { train, held } = await model.data({ text });
  const { steps = 0, batch: rows = 0, length = 0 } = model.program.training ?? {};
  tell({ kind: "ready", on: model.session.where, steps });
  let seen = 0;
  let busy = 0;
  for (let step = 0; step < steps; step++) {
    if (paused) await new Promise<void>((resolve) => (wake = resolve));
    const started = performance.now();
    const batch = train.batch(step);
    const { loss, accuracy } = await model.trainStep(batch);
    busy += performance.now() - started;
    seen += rows * length;
    tell({ kind: "step", step: step + 1, loss, accuracy, bytesPerSecond: (1000 * seen) / busy });
    if (step % loadsEvery === 0)
      tell({ kind: "loads", step: step + 1, loads: await loadsOf(model, held.batch(0)) });
    if (step % textEvery === textEvery - 1) await speak(model);
    await breathe();
  }
  await speak(model);
  tell({ kind: "done" });
}

async function loadsOf(model: Story, batch: Parameters<Story["routes"]>[0]): Promise<Loads> {
  const loads: Record<string, readonly number[]> = {};
  for (const [router, { load }] of Object.entries(await model.routes(batch))) {
    const counts = [...load.values];
    const sum = counts.reduce((a, b) => a + b, 0);
    loads[router] = counts.map((count) => count / Math.max(1, sum));
  }
  return loads;
}

async function speak(model: Story): Promise<void> {
  const asked = prompt;
  let text = "";
  for await (const piece of model.generate(asked === "" ? " " : asked, {
    tokens: 160,
    temperature: 0.7,
    seed: 1,
  }))
    text += piece;
  tell({ kind: "text", prompt: asked, text });
}
