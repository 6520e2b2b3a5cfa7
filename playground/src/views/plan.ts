// The plan: what `moe plan` says, as tiles and tables. In: a plan. Out: the pane.

import { foldedLabel } from "../../../cli/cost.ts";
import { bytes, count, flops, percent, whole } from "../../../cli/numbers.ts";
import type { Plan } from "../../../cli/planned.ts";
import { make } from "../page/dom.ts";
import type { View } from "./view.ts";

export function planView(): View {
  const element = make("div", { class: "plan" });
  return {
    element,
    show(compiled) {
      element.replaceChildren(...(compiled === undefined ? [] : contents(compiled.plan)));
    },
  };
}

function contents(plan: Plan): HTMLElement[] {
  const { parameters, flops: work, unit, sizes, memory, entries } = plan;
  const training = memory["training"];
  const share = parameters.total === 0 ? 1 : parameters.active / parameters.total;
  const tiles = [
    tile("parameters", count(parameters.total), parameters.total < 1000 ? "" : whole(parameters.total)),
    tile("active", count(parameters.active), `per ${unit}, ${percent(share)} at most`),
    ...(work.forward === undefined ? [] : [tile("forward", flops(work.forward), `per ${unit}`)]),
    ...(work.training === undefined ? [] : [tile("training", flops(work.training), `per ${unit}`)]),
    ...(training === undefined ? [] : [tile("memory to train", bytes(training.total), sizesText(sizes))]),
  ];
  const uses = Object.entries(memory).map(([use, each]) => [
    use,
    ...[each.parameters, each.gradients, each.optimiser, each.state, each.arena, each.total].map((size) =>
      size === 0 ? "" : bytes(size),
    ),
  ]);
  const runs = entries.map(({ name, kernels, bytes: moved, multiplyAdds }) => [
    name,
    whole(kernels),
    bytes(moved),
    multiplyAdds === 0 ? "" : count(multiplyAdds),
  ]);
  return [
    make("ul", { class: "tiles" }, ...tiles),
    section("Memory", table(["", "parameters", "gradients", "optimiser", "state", "values", "total"], uses)),
    section("Entries", table(["", "launches", "bytes moved", "multiply-adds"], runs)),
    kernels(plan),
    refusals(plan),
  ];
}

const words: Readonly<Record<string, string>> = { B: "batch", T: "length", C: "context" };
const sizesText = (sizes: Plan["sizes"]): string =>
  Object.entries(sizes)
    .map(([name, value]) => `${words[name] ?? name} ${whole(value)}`)
    .join(", ");

function kernels({ entries }: Plan): HTMLElement {
  const entry = entries.find(({ name }) => name === "train") ?? entries[0];
  const rows = (entry?.launches ?? []).map(({ label, times, bytes: size, multiplyAdds }) => [
    label,
    times === 1 ? "" : `${times} ×`,
    bytes(size),
    multiplyAdds === 0 ? "" : count(multiplyAdds),
  ]);
  return section(`Launches of ${entry?.name ?? ""}`, table(["", "", "bytes", "multiply-adds"], rows));
}

function refusals({ refusals: lists }: Plan): HTMLElement {
  const counts = new Map<string, number>();
  for (const refusal of Object.values(lists).flat()) {
    const text = foldedLabel(refusal).replace(/^: /, "");
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const items = [...counts].map(([text, times]) =>
    make("li", {}, text, ...(times === 1 ? [] : [make("b", {}, ` ×${times}`)])),
  );
  return section(
    "Refused fusions",
    items.length === 0
      ? make("p", { class: "note" }, "None: whatever could be one kernel is one.")
      : make("ul", { class: "refusals" }, ...items),
  );
}

export const tile = (title: string, value: string, note = ""): HTMLElement =>
  make("li", {}, make("span", {}, title), make("b", {}, value), make("small", {}, note));

const section = (title: string, content: HTMLElement): HTMLElement =>
  make("section", {}, make("h3", {}, title), content);

function table(head: readonly string[], rows: readonly (readonly string[])[]): HTMLElement {
  const line = (cells: readonly string[], tag: "td" | "th"): HTMLElement =>
    make(
      "tr",
      {},
      ...cells.map((cell, i) =>
        make(i === 0 ? "th" : tag, { scope: i === 0 && tag === "td" ? "row" : undefined }, cell),
      ),
    );
  const body = make("tbody", {}, ...rows.map((row) => line(row, "td")));
  const whole = make("table", {}, make("thead", {}, line(head, "th")), body);
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table" }, whole);
}
