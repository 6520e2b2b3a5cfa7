// The page: buttons, numbers, pictures. The model lives in a worker.

import { lossCurve } from "./curve.ts";
import { loadsView } from "./loads.ts";
import type { Device, FromWorker, ToWorker } from "./messages.ts";

const element = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const device = element<HTMLSelectElement>("device");
const start = element<HTMLButtonElement>("start");
const again = element<HTMLButtonElement>("again");
const state = element("state");
const problem = element("problem");
const prompt = element<HTMLInputElement>("prompt");
const curve = lossCurve(element("curve"));
const loads = loadsView(element("routers"));

const devices: readonly (readonly [Device, string])[] = [
  ["auto", "the best there is"],
  ["webgpu", "GPU (WebGPU)"],
  ["cpu", "CPU (WebAssembly)"],
];
for (const [value, label] of devices) device.add(new Option(label, value));

let worker: Worker | undefined;
let running = false;
let on = "";
const send = (message: ToWorker): void => worker?.postMessage(message);

function show(now: string, button: string): void {
  state.textContent = now;
  start.textContent = button;
}

function warn(text: string): void {
  problem.textContent = text;
  problem.hidden = false;
}

function stop(): void {
  worker?.terminate();
  worker = undefined;
  running = false;
  device.disabled = false;
  start.disabled = false;
}

function begin(): void {
  problem.hidden = true;
  curve.clear();
  loads.clear();
  element("text").textContent = "";
  worker = new Worker(new URL("./trainer.worker.ts", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => hear(data));
  worker.addEventListener("error", ({ message }) => hear({ kind: "problem", message }));
  running = true;
  device.disabled = true;
  show("Loading …", "Pause");
  send({ kind: "start", device: device.value as Device, prompt: prompt.value });
}

function hear(message: FromWorker): void {
  switch (message.kind) {
    case "ready":
      on = message.on;
      show(`Training on ${on}, ${message.steps} steps.`, "Pause");
      break;
    case "step":
      element("step").textContent = String(message.step);
      element("loss").textContent = message.loss.toFixed(3);
      element("accuracy").textContent = `${(100 * message.accuracy).toFixed(0)} %`;
      element("speed").textContent = Math.round(message.bytesPerSecond).toLocaleString("en");
      curve.add(message.step, message.loss);
      break;
    case "loads":
      loads.add(message.loads);
      break;
    case "text": {
      const given = document.createElement("b");
      given.textContent = message.prompt;
      element("text").replaceChildren(given, message.text);
      break;
    }
    case "done":
      show(`Done, on ${on}.`, "Train");
      start.disabled = true;
      device.disabled = false;
      running = false;
      break;
    case "lost":
      on = message.on;
      curve.back(message.step);
      warn(`${message.message} Training goes on after step ${message.step}.`);
      show(`Training on ${on}.`, "Pause");
      break;
    case "problem":
      stop();
      warn(message.message);
      show("Stopped.", "Train");
      break;
    default:
      message satisfies never;
  }
}

start.addEventListener("click", () => {
  if (worker === undefined) return begin();
  running = !running;
  send({ kind: running ? "go on" : "pause" });
  show(running ? `Training on ${on}.` : "Paused.", running ? "Pause" : "Go on");
});
again.addEventListener("click", () => {
  stop();
  begin();
});
prompt.addEventListener("input", () => send({ kind: "prompt", prompt: prompt.value }));
