// Training: its settings, and what one sees of it: the plane and its experts, the loss, the loads, a text. In: messages of the trainer.
// Out: the pane, and what was set. It draws; starting and ending workers is another's (page/run.ts).

import { duration, loss as shownLoss, percent, whole } from "../../../cli/numbers.ts";
import { toyCount, toyNames, toyPoints, toyTitles, type ToyName } from "../data/toys.ts";
import type { Device, FromTrainer, Routing, Wanted } from "../messages.ts";
import { make, option } from "../page/dom.ts";
import type { RunState } from "../page/run.ts";
import { seedOf } from "../page/state.ts";
import { lossCurve } from "./curve.ts";
import { loadsChart } from "./loads.ts";
import { tile } from "./plan.ts";
import { planePicture } from "./plane.ts";
import { placeName } from "./routing.ts";
import type { Compiled, View } from "./view.ts";

export interface Settings {
  readonly toy: ToyName;
  readonly seed: number;
  readonly device: Device;
  readonly prompt: string;
}

export interface TrainingView extends View {
  readonly settings: () => Settings;
  readonly set: (settings: Settings) => void;
  /** Clears what an earlier run left. */
  readonly begin: () => void;
  readonly hear: (message: FromTrainer) => void;
  readonly status: (text: string) => void;
  /** Whether a run goes on: what it began with stays in sight, whatever is typed meanwhile. */
  readonly running: (state: RunState) => void;
  readonly repaint: () => void;
}

const sources: Readonly<Record<Wanted["kind"], string>> = {
  plane: `${toyCount} points of the plane, in the file points.csv`,
  text: "The first chapters of Moby Dick",
  digits: "1,200 handwritten digits of MNIST",
  weather: "The weather of Seattle and New York, 2012 to 2015",
  other: "The model names files that this page may not have",
};

const devices: readonly (readonly [Device, string])[] = [
  ["auto", "the best there is"],
  ["webgpu", "GPU (WebGPU)"],
  ["cpu", "CPU (WebAssembly)"],
];

const field = (title: string, control: HTMLElement): HTMLElement =>
  make("label", { class: "field" }, make("span", { class: "label" }, title), control);

/** `changed`: any setting; `replaced`: one that makes a run that goes on another run; `paused`: the button was pressed. */
export function trainingView(heard: {
  readonly changed: () => void;
  readonly replaced: () => void;
  readonly paused: () => void;
}): TrainingView {
  const toy = make("select", { id: "toy" }, ...toyNames.map((name) => option(name, toyTitles[name])));
  const seed = make("input", { id: "seed", type: "number", min: "0", max: "999999", step: "1", value: "1" });
  const device = make("select", { id: "device" }, ...devices.map(([name, title]) => option(name, title)));
  const prompt = make("input", { id: "prompt", maxlength: "80", spellcheck: "false" });
  const router = make("select", { id: "router" });
  const [toyField, promptField] = [field("Data", toy), field("Goes on from", prompt)];
  const routerField = field("Router", router);
  const data = make("p", { class: "note", id: "data" });
  const status = make("p", { class: "note", id: "run", role: "status" }, "Not trained yet.");
  const pause = make("button", { type: "button", id: "pause", hidden: true }, "Pause");
  const notices = make("div", { id: "notices", role: "log" });
  const tiles = make("ul", { class: "tiles" });
  const text = make("pre", {
    class: "spoken",
    id: "spoken",
    tabindex: "0",
    "aria-label": "What the model writes",
  });

  let compiled: Compiled | undefined;
  let steps = 0;
  let perSecond = 0;
  let values: Readonly<Record<string, number>> = {};
  let held: Readonly<Record<string, number>> = {};
  let done = 0;
  let where = "";
  let active = false;
  /** The routers that the charts are of. */
  let charted: readonly Routing[] = [];

  const curve = lossCurve();
  const loads = loadsChart();
  const expertsOf = (name: string): number => charted.find((each) => each.name === name)?.experts ?? 1;
  const plane = planePicture(() => router.value || undefined, expertsOf);
  const planeBlock = make(
    "figure",
    { class: "block map" },
    make(
      "figcaption",
      {},
      make("b", {}, "Who takes what"),
      make("span", { class: "note" }, "a colour for each expert; the line parts the classes"),
    ),
    plane.element,
    routerField,
  );
  const curveBlock = make(
    "figure",
    { class: "block" },
    make(
      "figcaption",
      {},
      make("b", {}, "Loss"),
      make("span", { class: "note" }, "each step, and the running mean"),
    ),
    curve.element,
  );
  const loadsBlock = make(
    "figure",
    { class: "block" },
    make(
      "figcaption",
      {},
      make("b", {}, "Who works"),
      make("span", { class: "note" }, "shares of the picks over time"),
    ),
    loads.element,
  );
  const textBlock = make(
    "figure",
    { class: "block wide" },
    make("figcaption", {}, make("b", {}, "What it would write now"), promptField),
    text,
  );
  const element = make(
    "div",
    { class: "training" },
    make("div", { class: "tools settings" }, toyField, field("Seed", seed), field("Runs on", device)),
    make("div", { class: "lines" }, data, make("span", { class: "room" }), status, pause),
    notices,
    tiles,
    make(
      "div",
      { class: "blocks" },
      planeBlock,
      make("div", { class: "stack" }, curveBlock, loadsBlock),
      textBlock,
    ),
  );

  const settings = (): Settings => ({
    toy: toyNames.find((name) => name === toy.value) ?? "moons",
    seed: seedOf(seed.valueAsNumber),
    device: devices.find(([name]) => name === device.value)?.[0] ?? "auto",
    prompt: prompt.value,
  });
  const showPoints = (): void => {
    const isPlane = compiled?.wanted.kind === "plane";
    planeBlock.hidden = !isPlane;
    element.classList.toggle("plain", !isPlane);
    toyField.hidden = !isPlane;
    const { toy: name, seed: from } = settings();
    plane.points(isPlane ? toyPoints(name, toyCount, from) : undefined);
  };
  for (const control of [toy, seed])
    control.addEventListener("change", () => {
      plane.regions(undefined);
      showPoints();
    });
  for (const control of [toy, seed, device, prompt]) control.addEventListener("change", heard.changed);
  for (const control of [toy, seed, device])
    control.addEventListener("change", () => {
      if (active) heard.replaced();
    });
  router.addEventListener("change", () => plane.paint());
  pause.addEventListener("click", heard.paused);

  const showTiles = (): void => {
    const { loss, ...others } = values;
    const metrics = Object.entries(others).filter(([name]) => name !== "loss");
    const accuracy = (name: string, value: number): string =>
      /accuracy|foretold/.test(name) && value <= 1 ? percent(value) : shownLoss(value);
    tiles.replaceChildren(
      tile("step", whole(done), steps === 0 ? "" : `of ${whole(steps)}`),
      tile(
        "loss",
        loss === undefined ? "–" : shownLoss(loss),
        held["loss"] === undefined ? "" : `held out ${shownLoss(held["loss"])}`,
      ),
      ...metrics
        .slice(0, 3)
        .map(([name, value]) =>
          tile(
            name.replace(/^.*\.router\./, ""),
            accuracy(name, value),
            held[name] === undefined ? "" : `held out ${accuracy(name, held[name])}`,
          ),
        ),
      tile("steps / s", perSecond === 0 ? "–" : whole(perSecond)),
    );
  };

  /** Empty charts for the routers of the model. */
  const chart = (): void => {
    charted = compiled?.routing ?? [];
    loads.start(charted);
    plane.regions(undefined);
    router.replaceChildren(...charted.map(({ name }) => option(name, placeName(name))));
    routerField.hidden = charted.length < 2;
    loadsBlock.hidden = charted.length === 0;
  };

  const notice = (content: string, kind: "notice" | "problem"): void => {
    notices.append(
      kind === "problem"
        ? make("pre", { class: "problem" }, content)
        : make("p", { class: "notice" }, content),
    );
  };

  return {
    element,
    settings,
    set(given) {
      toy.value = given.toy;
      seed.value = String(given.seed);
      device.value = given.device;
      prompt.value = given.prompt;
    },
    show(next) {
      compiled = next;
      data.textContent =
        next === undefined
          ? ""
          : next.wanted.trains
            ? `${sources[next.wanted.kind]}.`
            : "This model has no `train` block: write one to train it.";
      textBlock.hidden = next?.wanted.kind !== "text";
      if (!active && JSON.stringify(next?.routing) !== JSON.stringify(charted)) chart();
      showPoints();
      if (tiles.childElementCount === 0) showTiles();
    },
    begin() {
      notices.replaceChildren();
      [values, held, done, perSecond, steps] = [{}, {}, 0, 0, compiled?.wanted.steps ?? 0];
      curve.start(steps);
      chart();
      text.textContent = "";
      showTiles();
    },
    hear(message) {
      switch (message.kind) {
        case "ready":
          [steps, where] = [message.steps, message.on];
          curve.start(steps);
          loads.start(charted);
          data.textContent = `${message.summary.join("; ")}.`;
          showTiles();
          break;
        case "notice":
          notice(message.text, "notice");
          break;
        case "steps":
          done = message.last;
          values = { loss: message.losses.at(-1)!, ...message.metrics };
          perSecond = message.perSecond;
          curve.add(message.losses);
          showTiles();
          break;
        case "held":
          held = message.metrics;
          showTiles();
          break;
        case "loads":
          loads.add(message.loads);
          break;
        case "regions":
          plane.regions(message.regions);
          break;
        case "text":
          text.replaceChildren(make("b", {}, message.prompt), message.text);
          break;
        case "done":
          status.textContent = `Done in ${duration(message.seconds)} on ${where}.`;
          break;
        case "problem":
          notice(message.text, "problem");
          break;
        default:
          message satisfies never;
      }
    },
    running(state) {
      active = state !== "idle";
      pause.hidden = state !== "training" && state !== "paused";
      pause.textContent = state === "paused" ? "Go on" : "Pause";
    },
    status: (said) => (status.textContent = said),
    repaint() {
      for (const each of [plane, curve, loads]) each.paint();
    },
  };
}
