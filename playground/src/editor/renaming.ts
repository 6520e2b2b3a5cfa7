// Renaming: F2 opens a field at the name under the cursor; Enter renames every place that means it, Escape leaves. In: the language
// worker. Out: an extension; a refused name keeps the field open and says why.

import { StateEffect, StateField, type Extension } from "@codemirror/state";
import {
  closeHoverTooltips,
  EditorView,
  keymap,
  repositionTooltips,
  showTooltip,
  type Tooltip,
} from "@codemirror/view";
import type { LanguageClient } from "../page/clients.ts";
import { make } from "../page/dom.ts";
import type { Asking } from "./asking.ts";
import { fromMarkdown } from "./markdown.ts";
import { notice } from "./notice.ts";

const setField = StateEffect.define<Tooltip | null>();

const field = StateField.define<Tooltip | null>({
  create: () => null,
  update(shown, { effects, docChanged }) {
    for (const effect of effects) if (effect.is(setField)) return effect.value;
    return docChanged ? null : shown;
  },
  provide: (self) => showTooltip.from(self),
});

export const renaming = ({ client }: Asking): Extension => [
  field,
  keymap.of([
    {
      key: "F2",
      run(view) {
        rename(view, client);
        return true;
      },
    },
  ]),
];

export function rename(view: EditorView, client: LanguageClient): void {
  const { doc } = view.state;
  const at = view.state.selection.main.head;
  void client.ask({ ask: "renameable", text: doc.toString(), at }).then((found) => {
    if (found === undefined || view.state.doc !== doc) return;
    if ("refused" in found) return notice(view, `Nothing to rename: ${found.refused}.`);
    const create = (): ReturnType<Tooltip["create"]> => fieldOf(view, client, at, found.name);
    view.dispatch({ effects: [closeHoverTooltips, setField.of({ pos: found.from, create })] });
  });
}

function fieldOf(
  view: EditorView,
  client: LanguageClient,
  at: number,
  name: string,
): ReturnType<Tooltip["create"]> {
  const { doc } = view.state;
  const input = make("input", {
    ...{ "aria-label": `New name of ${name}`, "aria-describedby": "why-not", value: name },
    ...{ autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "done" },
  });
  const why = make("div", { id: "why-not", role: "alert" });
  const row = make("div", {}, input, make("button", { type: "submit" }, "Rename"));
  const form = make("form", { class: "rename", "aria-label": "Rename" }, row, why);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) view.dispatch({ effects: setField.of(null) });
  };
  const leave = (): void => {
    close();
    view.focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const to = input.value.trim();
    if (to === name) return leave();
    void client.ask({ ask: "rename", text: doc.toString(), at, to }).then((renamed) => {
      if (renamed === undefined || !isOpen || view.state.doc !== doc) return;
      if ("refused" in renamed) {
        input.setAttribute("aria-invalid", "true");
        why.replaceChildren(...fromMarkdown(`Not renamed: ${renamed.refused}.`).childNodes);
        return repositionTooltips(view);
      }
      leave();
      view.dispatch({
        changes: renamed.places.map((place) => ({ ...place, insert: to })),
        userEvent: "rename",
      });
    });
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    leave();
  });
  // Later: what takes the field away takes its focus, too, in the middle of an update.
  form.addEventListener("focusout", ({ relatedTarget }) => {
    if (!form.contains(relatedTarget as Node | null)) setTimeout(close);
  });
  return {
    dom: form,
    mount() {
      input.focus({ preventScroll: true });
      input.select();
    },
    destroy: () => void (isOpen = false),
  };
}
