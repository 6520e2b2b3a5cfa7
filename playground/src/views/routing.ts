// The routing: for each router who chooses whom, with a cell for each expert in its colour; while the model trains, how much of the
// work each expert takes. In: routers, loads. Out: the pane.

import { percent, plural } from "../../../cli/numbers.ts";
import type { Loads, Routing } from "../messages.ts";
import { cssColour, expertColour } from "../page/colours.ts";
import { make } from "../page/dom.ts";
import type { View } from "./view.ts";

/** `block.0.experts.router` is the router of `block.0.experts`. */
export const placeName = (name: string): string =>
  name.replace(/(^|\.)router(?=\.|$)/, "").replace(/^\./, "") || "model";

export interface RoutingView extends View {
  readonly load: (loads: Loads | undefined) => void;
  /** Draws again in the colours of another theme. */
  readonly repaint: () => void;
}

export function routingView(): RoutingView {
  const element = make("div", { class: "routing" });
  let shown: readonly Routing[] = [];
  let loads: Loads | undefined;
  const draw = (): void => {
    if (shown.length === 0) {
      element.replaceChildren(
        make("p", { class: "empty" }, "This model has no router: every token passes all of it."),
      );
      return;
    }
    element.replaceChildren(...shown.map((router) => card(router, loads?.[router.name])));
  };
  return {
    element,
    show(compiled) {
      shown = compiled?.routing ?? [];
      draw();
    },
    load(next) {
      loads = next;
      draw();
    },
    repaint: draw,
  };
}

function card(
  { name, experts, nulls, width, words, dropping }: Routing,
  shares: readonly number[] | undefined,
): HTMLElement {
  const facts = [
    plural(experts, "expert"),
    ...(nulls > 0 ? [plural(nulls, "null expert")] : []),
    `at most ${plural(width, "pick")} of a token`,
    ...(dropping ? ["a capacity may drop picks"] : []),
  ];
  const most = Math.max(1e-9, ...(shares ?? []));
  const even = 1 / (experts + nulls);
  const cells = Array.from({ length: experts + nulls }, (_, i) => {
    const share = shares?.[i];
    const height = share === undefined ? 100 : Math.max(2, (100 * share) / Math.max(most, 1.5 * even));
    const title = `${i < experts ? `expert ${i}` : `null expert ${i - experts}`}${share === undefined ? "" : `: ${percent(share)}`}`;
    const bar = make("i", {
      style: `height:${height.toFixed(1)}%;background:${cssColour(expertColour(i, experts))}`,
    });
    const number = experts <= 16 && i < experts ? [make("b", {}, String(i))] : [];
    return make("span", { title, class: i < experts ? "expert" : "expert null" }, bar, ...number);
  });
  const spread = shares === undefined ? "" : `busiest ${percent(most)}, an even share is ${percent(even)}`;
  return make(
    "article",
    { class: "card" },
    make("h3", {}, placeName(name)),
    make("p", { class: "choice" }, words),
    make(
      "div",
      {
        class: "experts",
        role: "img",
        "aria-label": `${facts.join(", ")}${spread === "" ? "" : `; ${spread}`}`,
      },
      ...cells,
    ),
    make("p", { class: "note" }, [facts.join(" · "), ...(spread === "" ? [] : [spread])].join(" · ")),
  );
}
