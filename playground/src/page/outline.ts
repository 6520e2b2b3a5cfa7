// The outline: definitions and their statements in a list below the file's name, opened by its button or Ctrl or Command, Shift and O;
// arrow keys and first letters move in it, Enter chooses, Escape leaves. In: who knows the entries. Out: the entry that was chosen.

import type { Outlined } from "../messages.ts";
import { find, make } from "./dom.ts";

export function openOutline(heard: {
  readonly ask: () => Promise<readonly Outlined[] | undefined>;
  /** The list opens at the entry that is there. */
  readonly cursor: () => number;
  readonly choose: (entry: Outlined) => void;
}): void {
  const button = find<HTMLButtonElement>("outline");
  const list = find("entries");
  let entries: readonly Outlined[] = [];
  let options: readonly HTMLElement[] = [];
  let now = 0;
  let before: HTMLElement | undefined;

  const move = (to: number): void => {
    if (options.length === 0) return;
    options[now]?.setAttribute("aria-selected", "false");
    now = Math.max(0, Math.min(to, options.length - 1));
    const option = options[now]!;
    option.setAttribute("aria-selected", "true");
    list.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };
  const close = (): void => {
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
  };
  const choose = (i: number): void => {
    const entry = entries[i];
    close();
    if (entry !== undefined) heard.choose(entry);
  };
  const open = async (): Promise<void> => {
    const found = await heard.ask();
    if (found === undefined) return;
    before = document.activeElement instanceof HTMLElement ? document.activeElement : undefined;
    entries = found;
    options = entries.map(({ name, detail, level }, i) => {
      const told = make("span", { class: "detail" }, detail);
      const option = make(
        "div",
        { id: `entry-${i}`, role: "option", "aria-selected": "false", style: `--level: ${level}` },
        ...[name, " ", told],
      );
      option.addEventListener("click", () => choose(i));
      return option;
    });
    const none = make("p", { class: "note" }, "Nothing is defined in this text yet.");
    list.replaceChildren(...(options.length === 0 ? [none] : options));
    list.removeAttribute("aria-activedescendant");
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    list.focus({ preventScroll: true });
    const cursor = heard.cursor();
    move(
      Math.max(
        0,
        entries.findLastIndex(({ from }) => from <= cursor),
      ),
    );
  };

  // Pressing the button takes the focus from the list, which closes it: a click on an open list's button must not open it again.
  let wasOpen = false;
  button.addEventListener("pointerdown", () => (wasOpen = !list.hidden));
  button.addEventListener("click", () => {
    if (!wasOpen) void open();
    wasOpen = false;
  });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || !event.shiftKey || event.key.toLowerCase() !== "o") return;
    event.preventDefault();
    if (list.hidden) void open();
  });
  list.addEventListener("focusout", close);
  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps: Readonly<Record<string, () => void>> = {
      ArrowDown: () => move(now + 1),
      ArrowUp: () => move(now - 1),
      Home: () => move(0),
      End: () => move(options.length - 1),
      Enter: () => choose(now),
      " ": () => choose(now),
      Escape() {
        close();
        before?.focus({ preventScroll: true });
      },
    };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      return step();
    }
    if (event.key.length !== 1) return;
    const begins = ({ name }: Outlined): boolean => name.toLowerCase().startsWith(event.key.toLowerCase());
    const next = entries.findIndex((entry, i) => i > now && begins(entry));
    const found = next < 0 ? entries.findIndex(begins) : next;
    if (found >= 0) move(found);
  });
}
