// Tabs: one view at a time, moved between with arrow keys as the ARIA practices have it. In: names, titles, elements. Out: the tab in sight.

import { tabs, type Tab } from "./state.ts";
import { find, make } from "./dom.ts";

const titles: Readonly<Record<Tab, string>> = {
  drawing: "Drawing",
  routing: "Routing",
  plan: "Plan",
  kernels: "Kernels",
  training: "Training",
};

export interface Tabs {
  readonly now: () => Tab;
  readonly show: (tab: Tab) => void;
}

export function openTabs(panels: Readonly<Record<Tab, HTMLElement>>, changed: (tab: Tab) => void): Tabs {
  let now: Tab = "drawing";
  const buttons = new Map(
    tabs.map((name) => {
      const button = make(
        "button",
        { ...{ type: "button", role: "tab", id: `tab-${name}` }, "aria-controls": `view-${name}` },
        titles[name],
      );
      button.addEventListener("click", () => show(name));
      return [name, button] as const;
    }),
  );
  const show = (tab: Tab): void => {
    now = tab;
    for (const name of tabs) {
      const button = buttons.get(name)!;
      button.setAttribute("aria-selected", String(name === tab));
      button.tabIndex = name === tab ? 0 : -1;
      find(`view-${name}`).hidden = name !== tab;
    }
    changed(tab);
  };
  for (const name of tabs)
    find("views").append(
      make(
        "div",
        { ...{ id: `view-${name}`, role: "tabpanel", class: "view" }, "aria-labelledby": `tab-${name}` },
        panels[name],
      ),
    );
  find("tabs").append(...buttons.values());
  find("tabs").addEventListener("keydown", (event) => {
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      Home: -tabs.indexOf(now),
      End: tabs.length - 1 - tabs.indexOf(now),
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(now) + step + tabs.length) % tabs.length]!;
    show(next);
    buttons.get(next)!.focus();
  });
  return { now: () => now, show };
}
