// The kernels as text: for WebGPU, for CUDA, and as the compiler has them before either. In: texts, asked for when they are looked at.
// Out: the pane.

import { plural } from "../../../cli/numbers.ts";
import type { CodeKind, Kernel } from "../messages.ts";
import { copied, make, option } from "../page/dom.ts";
import type { View } from "./view.ts";

export interface KernelsView extends View {
  readonly kind: () => CodeKind;
  readonly fill: (of: CodeKind, texts: readonly Kernel[]) => void;
}

const kinds: readonly (readonly [CodeKind, string])[] = [
  ["wgsl", "WGSL"],
  ["cuda", "CUDA"],
  ["kernels", "Kernel level"],
];

/** `changed`: another kind of code is wanted. */
export function kernelsView(changed: () => void): KernelsView {
  let kind: CodeKind = "wgsl";
  let texts: readonly Kernel[] = [];
  const chips = make(
    "div",
    { class: "chips", role: "group", "aria-label": "Kind of code" },
    ...kinds.map(([name, title]) => {
      const button = make("button", { type: "button", "aria-pressed": String(name === kind) }, title);
      button.addEventListener("click", () => {
        kind = name;
        for (const each of chips.children) each.setAttribute("aria-pressed", String(each === button));
        changed();
      });
      return button;
    }),
  );
  const which = make("select", { id: "kernel", "aria-label": "Kernel" });
  const copy = make("button", { type: "button" }, "Copy");
  const text = make("pre", { class: "code", tabindex: "0", "aria-label": "Code of the kernel" });
  const element = make(
    "div",
    { class: "kernels" },
    make("div", { class: "tools" }, chips, which, make("span", { class: "room" }), copy),
    text,
  );
  const put = (): void => {
    text.textContent = texts[which.selectedIndex]?.text ?? "";
    text.scrollTo(0, 0);
    copy.textContent = "Copy";
  };
  which.addEventListener("change", put);
  copy.addEventListener("click", () => {
    // What cannot be copied is at least selected.
    getSelection()?.selectAllChildren(text);
    void copied(text.textContent ?? "").then((done) => done && (copy.textContent = "Copied"));
  });
  return {
    element,
    kind: () => kind,
    show: (compiled) => {
      if (compiled === undefined) text.textContent = "";
    },
    fill(of, given) {
      if (of !== kind) return;
      const before = texts[which.selectedIndex]?.name;
      texts = given;
      which.replaceChildren(...texts.map(({ name }, i) => option(String(i), `${i}  ${name}`)));
      which.hidden = texts.length < 2;
      which.title = plural(texts.length, "kernel");
      const again = texts.findIndex(({ name }) => name === before);
      which.selectedIndex = Math.max(0, again);
      put();
    },
  };
}
