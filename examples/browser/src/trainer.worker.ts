// The worker: loads the compiled model, trains it on the book and tells the page how it goes. Work here never makes the
// page wait. A browser may take a GPU away at any time: what was learned is kept every few steps, and training goes on from there.

import { UserError } from "moelang/runtime";
import story, { type Story } from "../story.moe";
import book from "../../book/corpus/moby-dick.txt?url";
import type { Device, FromWorker, Loads, ToWorker } from "./messages.ts";

const tell = (message: FromWorker): void => postMessage(message);
/** Lets messages in. */
const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** In steps. The experts' loads are told when the weights are kept. */
const keptEvery = 10;
const textEvery = 50;
/** A GPU that is lost once more than this is left alone. */
const mostLosses = 2;

let prompt = "";
let paused = false;
let wake: (() => void) | undefined;

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  switch (data.kind) {
    case "start":
      prompt = data.prompt;
      run(data.device).catch((problem: unknown) => tell({ kind: "problem", message: inWords(problem) }));
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
  let model = await story.load({ device });
  const { train, held } = await model.data({ text: await read(book) });
  const { steps = 0, batch: rows = 0, length = 0 } = model.program.training ?? {};
  tell({ kind: "ready", on: model.session.where, steps });
  let kept = await model.saveWeights({ optimiser: true });
  let losses = 0;
  let seen = 0;
  let busy = 0;
  const next = async (): Promise<void> => {
    const started = performance.now();
    const { step, loss, accuracy } = await model.trainStep(train.batch(model.step));
    busy += performance.now() - started;
    seen += rows * length;
    tell({ kind: "step", step, loss, accuracy, bytesPerSecond: (1000 * seen) / busy });
    if (step % keptEvery === 1) {
      tell({ kind: "loads", step, loads: await loadsOf(model, held.batch(0)) });
      kept = await model.saveWeights({ optimiser: true });
    }
    if (step % textEvery === 0 || step === steps) await speak(model);
  };
  while (model.step < steps) {
    if (paused) await new Promise<void>((resolve) => (wake = resolve));
    try {
      await next();
    } catch (problem) {
      if (!(problem instanceof UserError) || problem.code !== "R0605") throw problem;
      model.dispose();
      model = await reopen(++losses > mostLosses ? "cpu" : device, kept);
      tell({ kind: "lost", message: sentence(problem.message), step: model.step, on: model.session.where });
    }
    await breathe();
  }
  tell({ kind: "done" });
}

/** On the device again, or where that does not come back, on the CPU. */
async function reopen(device: Device, weights: Uint8Array): Promise<Story> {
  if (device !== "cpu")
    try {
      return await story.load({ device, weights });
    } catch (problem) {
      if (!(problem instanceof UserError)) throw problem;
    }
  return story.load({ device: "cpu", weights });
}

async function read(place: string): Promise<string> {
  const answer = await fetch(place);
  if (!answer.ok) throw new Error(`the server answers ${answer.status} where the book should be`);
  return answer.text();
}

function inWords(problem: unknown): string {
  if (!(problem instanceof Error)) return sentence(String(problem));
  const help = problem instanceof UserError ? problem.help : undefined;
  return [problem.message, help].flatMap((text) => (text === undefined ? [] : sentence(text))).join(" ");
}

const sentence = (text: string): string =>
  `${text.slice(0, 1).toUpperCase()}${text.slice(1).replace(/\.+$/, "")}.`;

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
