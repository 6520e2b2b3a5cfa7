// The script of every page: the search box, the theme, the list of pages on a phone. The index is loaded when somebody searches.

import MiniSearch from "minisearch";
import { searchOptions, type Found } from "./search.ts";

const up = document.body.dataset["up"] ?? "";
const input = document.querySelector<HTMLInputElement>("#search")!;
const list = document.querySelector<HTMLOListElement>("#found")!;
const menu = document.querySelector<HTMLButtonElement>("#menu")!;

let index: Promise<MiniSearch> | undefined;
const load = (): Promise<MiniSearch> =>
  (index ??= fetch(`${up}assets/search.json`)
    .then((answer) => answer.text())
    .then((json) => MiniSearch.loadJSON(json, searchOptions)));

const element = (name: string, text: string, className = ""): HTMLElement => {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
};

async function search(): Promise<void> {
  const query = input.value.trim();
  const found = query === "" ? [] : ((await load()).search(query) as unknown as Found[]).slice(0, 12);
  // Somebody who types on has another question by now.
  if (query !== input.value.trim()) return;
  list.replaceChildren(
    ...found.map(({ at, title, page, group, start }) => {
      const link = document.createElement("a");
      link.href = up + at;
      const place = title === page ? group : `${group} · ${page}`;
      link.append(element("strong", title), element("small", place), element("span", start));
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
  if (query !== "" && found.length === 0) list.append(element("li", "nothing found", "none"));
  list.hidden = query === "";
}

input.addEventListener("input", () => void search());
input.addEventListener("focus", () => void (input.value !== "" && search()));
document.addEventListener("click", ({ target }) => {
  if (!(target instanceof Element) || target.closest(".search") === null) list.hidden = true;
});
document.addEventListener("keydown", (event) => {
  const typing = document.activeElement instanceof HTMLInputElement;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    input.focus();
  } else if (event.key === "Escape") {
    list.hidden = true;
    input.blur();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const links = [...list.querySelectorAll("a")];
    if (list.hidden || links.length === 0) return;
    event.preventDefault();
    const at = links.findIndex((link) => link === document.activeElement);
    const next = event.key === "ArrowDown" ? at + 1 : at - 1;
    (links[next] ?? input).focus();
  } else if (event.key === "Enter" && document.activeElement === input) list.querySelector("a")?.click();
});

const isDark = (): boolean => {
  const { theme } = document.documentElement.dataset;
  return theme === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
};
menu.addEventListener("click", () => {
  const open = document.body.classList.toggle("open");
  menu.setAttribute("aria-expanded", String(open));
});
document.querySelector<HTMLButtonElement>("#theme")!.addEventListener("click", () => {
  const root = document.documentElement;
  root.dataset["theme"] = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset["theme"]);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  tellFrames();
});
/** Programs that run follow the page. */
function tellFrames(): void {
  for (const { contentWindow } of document.querySelectorAll<HTMLIFrameElement>("figure.live iframe"))
    contentWindow?.postMessage({ theme: isDark() ? "dark" : "light" }, location.origin);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tellFrames);

// Live programs: the button puts the playground in the place of the program.
for (const figure of document.querySelectorAll<HTMLElement>("figure.live")) {
  const button = figure.querySelector<HTMLButtonElement>(".run")!;
  const { program, playground, state } = figure.dataset;
  const frame = document.createElement("iframe");
  frame.title = `${program ?? "The program"} in the playground`;
  // As high as what is in it, so that there is one page to scroll.
  frame.addEventListener("load", () => {
    const inside = frame.contentDocument?.body;
    if (inside === undefined) return;
    new ResizeObserver(() => (frame.style.height = `${inside.scrollHeight}px`)).observe(inside);
  });
  button.hidden = false;
  button.addEventListener("click", () => {
    const runs = figure.classList.toggle("running");
    button.textContent = runs ? "Back" : "Run";
    if (!runs) return frame.remove();
    frame.src = `${playground}?embed=${isDark() ? "dark" : "light"}#${state}`;
    figure.append(frame);
  });
}
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest" });
