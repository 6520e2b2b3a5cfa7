// A notice: a sentence at the cursor that says why something cannot be done there. In: the sentence, as Markdown. Out: a tooltip that
// goes with Escape and with whatever one does next.

import { StateEffect, StateField, type Extension } from "@codemirror/state";
import { EditorView, keymap, showTooltip, type Tooltip } from "@codemirror/view";
import { fromMarkdown } from "./markdown.ts";

const setNotice = StateEffect.define<Tooltip | null>();

const field = StateField.define<Tooltip | null>({
  create: () => null,
  update(shown, { effects, docChanged, selection }) {
    for (const effect of effects) if (effect.is(setNotice)) return effect.value;
    return docChanged || selection !== undefined ? null : shown;
  },
  provide: (self) => showTooltip.from(self),
});

export function notice(view: EditorView, text: string): void {
  const create = (): { dom: HTMLElement } => {
    const dom = fromMarkdown(text);
    dom.setAttribute("role", "alert");
    return { dom };
  };
  view.dispatch({ effects: setNotice.of({ pos: view.state.selection.main.head, above: true, create }) });
}

export const noticed: Extension = [
  field,
  keymap.of([
    {
      key: "Escape",
      run(view) {
        if (view.state.field(field) === null) return false;
        view.dispatch({ effects: setNotice.of(null) });
        return true;
      },
    },
  ]),
];
