// The page: joins the editor, the compiler's worker, the views and the run of training. In: the address, which may hold a state. Out: a
// page that stays smooth: whatever takes long is in a worker, and whatever is typed makes older work void.

import { openEditor } from "./editor/editor.ts";
import { longestText, mainPath, type CompileAnswer, type Problem } from "./messages.ts";
import { keepAddress } from "./page/address.ts";
import { CompileClient, LanguageClient } from "./page/clients.ts";
import { find, option } from "./page/dom.ts";
import { groups, isExample, textOf, toyOf } from "./page/examples.ts";
import { openLibrary } from "./page/library.ts";
import { openOutline } from "./page/outline.ts";
import { openProblems } from "./page/problems.ts";
import { openRun } from "./page/run.ts";
import { BadLink, defaults, fromLink, type State, type Tab } from "./page/state.ts";
import { openTabs } from "./page/tabs.ts";
import { followTheme } from "./page/theme.ts";
import { drawingView } from "./views/drawing.ts";
import { kernelsView } from "./views/kernels.ts";
import { planView } from "./views/plan.ts";
import { routingView } from "./views/routing.ts";
import { trainingView } from "./views/training.ts";
import type { Compiled, View } from "./views/view.ts";

const example = find<HTMLSelectElement>("example");
const modelChoice = find<HTMLSelectElement>("model");
const hints = find<HTMLInputElement>("hints");
const train = find<HTMLButtonElement>("train");
/** `took`: of the compiler; changes with every key, so that it is not read out. */
function say(text: string, took?: string): void {
  if (find("verdict").textContent !== text) find("verdict").textContent = text;
  if (took !== undefined) find("took").textContent = took;
}

/** What was done, or was not, when somebody asked for it: for a while, beside what is said of the text. */
function tell(text: string): void {
  clearTimeout(telling);
  find("notice").textContent = text;
  telling = setTimeout(() => (find("notice").textContent = ""), toldFor);
}
let telling: ReturnType<typeof setTimeout> | undefined;
/** Milliseconds in which a sentence is read at ease. */
const toldFor = 8000;

/** Inside of another page, which says its theme: the text, the views, and training at once. */
const embedding = new URLSearchParams(location.search).get("embed");
document.documentElement.classList.toggle("embed", embedding !== null);
let trainsAtOnce = embedding !== null;

let compiled: Compiled | undefined;
let current: Extract<CompileAnswer, { kind: "checked" }> | undefined;
let model: string | undefined;
let exampleNow = defaults.example;
/** When the text was last changed: what the time from a key to the drawing is counted from. */
let touched = performance.now();

// Views.

const drawing = drawingView();
const routing = routingView();
const plan = planView();
const kernels = kernelsView(() => compile());
const training = trainingView({
  changed: () => remember(),
  replaced: () => startTraining(),
  paused: () => (run.state() === "paused" ? run.goOn() : run.pause()),
});
const views: Readonly<Record<Tab, View>> = { drawing, routing, plan, kernels, training };
const panels = Object.fromEntries(Object.entries(views).map(([name, { element }]) => [name, element]));
const tabs = openTabs(panels as Record<Tab, HTMLElement>, (tab) => {
  views[tab].show(compiled);
  showNone();
  if (tab === "kernels") compile();
  remember();
});

// The text.

const language = new LanguageClient(() => tell("The editor's help took too long and was started anew."));
const editor = openEditor(find("editor"), language, {
  changed() {
    touched = performance.now();
    compileSoon();
    remember();
  },
  go: (to) => library.go(to),
  format: formatText,
});
const problems = openProblems(
  ({ from, to }) => {
    closeReader();
    editor.select(from, to);
  },
  ({ edits }) => {
    // From the end, so that earlier places stay where they are.
    for (const { span, text } of [...edits].sort((a, b) => b.span.start - a.span.start))
      editor.edit(span.start, span.end, text);
    find("editor").querySelector<HTMLElement>(".cm-content")?.focus();
  },
);

function formatText(): void {
  const before = editor.text();
  void language.ask({ ask: "format", text: before }).then((answer) => {
    if (answer === undefined || editor.text() !== before) return;
    if ("failed" in answer) return tell("A text with mistakes is not formatted.");
    if (answer.from !== answer.to || answer.insert !== "") editor.edit(answer.from, answer.to, answer.insert);
  });
}

const library = openLibrary(() => editor, language);
const closeReader = (): void => library.close();

openOutline({
  ask() {
    const { path, text } = library.reading() ?? { path: mainPath, text: editor.text() };
    return language.ask({ ask: "outline", path, text });
  },
  cursor: () => library.reading()?.from ?? editor.cursor(),
  choose: ({ from, to }) => library.go({ path: mainPath, ...library.reading(), from, to }),
});

// Compiling.

/** Nothing is being waited for any more. */
function settle(): void {
  clearTimeout(pending);
  find("views").classList.remove("pending");
}

const compiler = new CompileClient((answer) => {
  if (answer.kind !== "checked" || isBad(answer.problems) || answer.model === undefined) settle();
  switch (answer.kind) {
    case "checked":
      current = answer;
      editor.show(answer.problems, answer.found);
      editor.showHints(hints.checked ? answer.hints : []);
      problems.show(answer.problems);
      showModels(answer.models, answer.model);
      // What is drawn stays as it was until there is something newer to draw.
      find("views").classList.toggle("stale", isBad(answer.problems));
      if (isBad(answer.problems)) {
        const since = compiled === undefined ? "" : " The views show the last text without.";
        say(`${verdict(answer.problems)}${since}`, "");
      } else if (answer.model === undefined) {
        show(undefined);
        say(`${verdict(answer.problems)} There is no model to compile.`, "");
      } else say(verdict(answer.problems), "Compiling …");
      offerTraining();
      break;
    case "compiled": {
      show(answer);
      performance.clearMeasures();
      performance.measure("from the key to the drawing", { start: touched });
      say(verdict(current?.problems ?? []), `Compiled in ${answer.took.toFixed(0)} ms.`);
      if (trainsAtOnce && !train.disabled) train.click();
      trainsAtOnce = false;
      break;
    }
    case "code":
      kernels.fill(answer.of, answer.texts);
      break;
    case "failed":
      problems.fail(answer.message);
      say("Not compiled.", "");
      break;
    case "done":
      break;
    default:
      answer satisfies never;
  }
});

const isBad = (found: readonly Problem[]): boolean => found.some(({ severity }) => severity === "error");
function verdict(found: readonly Problem[]): string {
  const of = (severity: Problem["severity"]): number =>
    found.filter((each) => each.severity === severity).length;
  const parts = [
    ...(of("error") > 0 ? [`${of("error")} error${of("error") === 1 ? "" : "s"}`] : []),
    ...(of("warning") > 0 ? [`${of("warning")} warning${of("warning") === 1 ? "" : "s"}`] : []),
  ];
  return parts.length === 0 ? "No mistakes." : `${parts.join(", ")}.`;
}

function compile(): void {
  const text = editor.text();
  if (text.length > longestText)
    return problems.fail(
      `the text has ${text.length} characters, more than the ${longestText} that this page looks at`,
    );
  const code = tabs.now() === "kernels" ? { code: kernels.kind() } : {};
  clearTimeout(pending);
  pending = setTimeout(() => {
    say("", "Compiling …");
    find("views").classList.add("pending");
  }, longWait);
  compiler.compile({ text, ...(model === undefined ? {} : { model }), ...code });
}

/** A compilation that takes longer, in milliseconds, is told of. */
const longWait = 500;
let pending: ReturnType<typeof setTimeout> | undefined;
let soon: ReturnType<typeof setTimeout> | undefined;
function compileSoon(): void {
  clearTimeout(soon);
  soon = setTimeout(compile, 40);
}

/** Instead of views with nothing in them. Training keeps what it has. */
function showNone(): void {
  const isEmpty = compiled === undefined && current !== undefined && tabs.now() !== "training";
  find("none").hidden = !isEmpty;
  find("views").classList.toggle("none", isEmpty);
}

function show(next: Compiled | undefined): void {
  compiled = next;
  views[tabs.now()].show(next);
  showNone();
  find("views").classList.remove("stale");
  offerTraining();
}

function showModels(models: readonly string[], chosen: string | undefined): void {
  find("model-field").hidden = models.length < 2;
  if (models.join() !== [...modelChoice.options].map(({ value }) => value).join())
    modelChoice.replaceChildren(...models.map((name) => option(name, name)));
  if (chosen !== undefined) modelChoice.value = chosen;
}

// Training.

const run = openRun(
  (message) => {
    training.hear(message);
    if (message.kind === "ready") training.status(`Training on ${message.on}.`);
    if (message.kind === "loads") routing.load(message.loads);
    if (message.kind === "problem") training.status("Stopped.");
  },
  (state) => {
    train.textContent = state === "idle" ? "Train" : "Stop";
    train.classList.toggle("running", state !== "idle");
    training.running(state);
    offerTraining();
  },
);

function offerTraining(): void {
  const can = compiled?.wanted.trains === true && !isBad(current?.problems ?? []);
  train.disabled = !can && run.state() === "idle";
  train.title = train.disabled
    ? compiled !== undefined && !compiled.wanted.trains
      ? "This model has no `train` block."
      : "There is no model without mistakes to train."
    : "";
}

train.addEventListener("click", () => {
  if (run.state() !== "idle") {
    run.stop();
    return training.status("Stopped.");
  }
  tabs.show("training");
  startTraining();
});

function startTraining(): void {
  run.stop();
  training.begin();
  training.status("Compiling …");
  const { model: name } = current ?? {};
  const asked = { text: editor.text(), ...training.settings(), base: document.baseURI };
  run.start(name === undefined ? asked : { ...asked, model: name });
}

// The menu.

const menu = (label: string, options: readonly HTMLOptionElement[]): void => {
  const group = document.createElement("optgroup");
  group.label = label;
  group.append(...options);
  example.append(group);
};
for (const { title, examples } of groups)
  menu(
    title,
    examples.map((each) => option(each.id, each.title)),
  );
void language.ask({ ask: "modules" }).then((paths = []) =>
  menu(
    "Standard library (to read)",
    paths.map((path) => option(`std:${path}`, path)),
  ),
);
example.addEventListener("change", () => {
  const { value } = example;
  if (value.startsWith("std:")) {
    example.value = exampleNow;
    const path = value.slice(4);
    return void language.ask({ ask: "module", path }).then((text) => {
      if (text !== undefined) library.go({ path, from: 0, to: 0, text }, true);
    });
  }
  run.stop();
  closeReader();
  exampleNow = value;
  model = undefined;
  routing.load(undefined);
  training.set({ ...training.settings(), toy: toyOf(value) ?? training.settings().toy });
  training.begin();
  training.status("Not trained yet.");
  editor.replace(textOf(value));
});
modelChoice.addEventListener("change", () => {
  model = modelChoice.value;
  compile();
  remember();
});
hints.addEventListener("change", () => editor.showHints(hints.checked ? (current?.hints ?? []) : []));
find("format").addEventListener("click", () => {
  closeReader();
  formatText();
});
find("back").addEventListener("click", closeReader);

// The address.

function stateNow(): State {
  const text = editor.text();
  return {
    example: exampleNow,
    ...(text === textOf(exampleNow) ? {} : { text }),
    ...(model === undefined ? {} : { model }),
    tab: tabs.now(),
    ...training.settings(),
  };
}

const address = keepAddress(stateNow, () => editor.text());
function remember(): void {
  address.remember();
}
find("share").addEventListener("click", () => address.share(tell));

const banner = find("banner");
banner.querySelector("button")!.addEventListener("click", () => (banner.hidden = true));

function load(): void {
  let state = defaults;
  banner.hidden = true;
  try {
    state = fromLink(location.hash.slice(1), isExample);
  } catch (problem) {
    if (!(problem instanceof BadLink)) throw problem;
    banner.querySelector("span")!.textContent =
      `This link cannot be read: ${problem.message}. The first example is shown instead.`;
    banner.hidden = false;
  }
  exampleNow = state.example;
  example.value = state.example;
  model = state.model;
  training.set(state);
  tabs.show(state.tab);
  editor.replace(state.text ?? textOf(state.example));
}

addEventListener("hashchange", load);
hints.checked = matchMedia("(min-width: 1100px)").matches;
const repaint = (): void => {
  routing.repaint();
  training.repaint();
};
followTheme(find<HTMLButtonElement>("theme"), repaint, embedding);
load();
