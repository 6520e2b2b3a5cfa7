// The drawing of the model: the same picture as `moe graph` makes, one part at a time, fitted to the pane. In: an SVG. Out: the pane;
// it scrolls, grows and shrinks with + and -, and says what is under the pointer.

import { make } from "../page/dom.ts";
import type { View } from "./view.ts";

const words: Readonly<Record<string, string>> = { model: "Model", "": "All" };
const margin = 14;

export function drawingView(): View {
  const parts = make("div", { class: "chips", role: "group", "aria-label": "Parts of the drawing" });
  const smaller = make("button", { type: "button", class: "icon", "aria-label": "Smaller" }, "−");
  const larger = make("button", { type: "button", class: "icon", "aria-label": "Larger" }, "+");
  const stage = make("div", {
    ...{ class: "stage", tabindex: "0", role: "group" },
    "aria-label": "Drawing; scrolls with the arrow keys, plus and minus change its size",
  });
  const told = make("p", { class: "about", "aria-live": "polite" });
  const bar = make("div", { class: "tools" }, parts, make("span", { class: "room" }), smaller, larger);
  const element = make("div", { class: "drawing" }, bar, stage, told);
  let part = "model";
  let zoom = 1;
  let drawn = "";

  const fit = (): void => {
    const svg = stage.querySelector("svg");
    if (svg === null) return;
    const group = part === "" ? null : svg.querySelector<SVGGElement>(`#part-${part}`);
    for (const each of svg.querySelectorAll<SVGGElement>("g[id^=part-]"))
      each.style.display = group === null || each === group ? "" : "none";
    for (const text of svg.querySelectorAll<SVGTextElement>(":scope > text"))
      text.style.display = group === null ? "" : "none";
    const box = group?.getBBox() ?? svg.getBBox();
    const move = group?.transform.baseVal.consolidate()?.matrix;
    const [x, y] = [box.x + (move?.e ?? 0) - margin, box.y + (move?.f ?? 0) - margin];
    const [width, height] = [box.width + 2 * margin, box.height + 2 * margin];
    if (box.width === 0) return;
    const scale = zoom * Math.min(1.15, stage.clientWidth / width);
    svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    svg.setAttribute("width", String(Math.floor(width * scale)));
    svg.setAttribute("height", String(Math.floor(height * scale)));
  };
  const resize = (factor: number): void => {
    zoom = Math.max(0.5, Math.min(4, zoom * factor));
    fit();
  };
  smaller.addEventListener("click", () => resize(0.8));
  larger.addEventListener("click", () => resize(1.25));
  stage.addEventListener("keydown", ({ key }) => {
    if (key === "+" || key === "=") resize(1.25);
    if (key === "-") resize(0.8);
    if (key === "0") resize(1 / zoom);
  });
  stage.addEventListener("pointermove", ({ target }) => {
    const about = (target as Element).closest("[data-about]")?.getAttribute("data-about") ?? "";
    if (told.textContent !== about) told.textContent = about;
  });
  stage.addEventListener("pointerleave", () => (told.textContent = ""));
  new ResizeObserver(fit).observe(stage);

  const chip = (name: string): HTMLButtonElement => {
    const button = make(
      "button",
      { type: "button", "aria-pressed": String(name === part) },
      words[name] ?? name,
    );
    button.addEventListener("click", () => {
      part = name;
      zoom = 1;
      for (const each of parts.children) each.setAttribute("aria-pressed", String(each === button));
      fit();
      stage.scrollTo(0, 0);
    });
    return button;
  };

  return {
    element,
    show(compiled) {
      const { drawing = "", parts: names = [] } = compiled ?? {};
      if (drawing === drawn) return fit();
      drawn = drawing;
      if (!["", ...names].includes(part)) part = "model";
      // The drawing escapes whatever comes from the text of the model.
      stage.innerHTML = drawing;
      parts.replaceChildren(...[...names, ""].map(chip));
      fit();
    },
  };
}
