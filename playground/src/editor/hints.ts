// Hints: sizes that nobody wrote, shown in the line. In: places with texts. Out: widgets that move with the text.

import { StateEffect, StateField, type Extension } from "@codemirror/state";
import { Decoration, EditorView, WidgetType, type DecorationSet } from "@codemirror/view";
import type { Hint } from "../messages.ts";
import { make } from "../page/dom.ts";

export const setHints = StateEffect.define<readonly Hint[]>();

class HintWidget extends WidgetType {
  private readonly text: string;
  constructor(text: string) {
    super();
    this.text = text;
  }
  override eq(other: HintWidget): boolean {
    return other.text === this.text;
  }
  toDOM(): HTMLElement {
    return make("span", { class: "hint", "aria-hidden": "true" }, this.text);
  }
}

const field = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(shown, transaction) {
    for (const effect of transaction.effects)
      if (effect.is(setHints)) {
        const { length } = transaction.state.doc;
        const there = effect.value.filter(({ at }) => at <= length);
        return Decoration.set(
          there.map(({ at, text }) => Decoration.widget({ widget: new HintWidget(text), side: 1 }).range(at)),
          true,
        );
      }
    return shown.map(transaction.changes);
  },
  provide: (self) => EditorView.decorations.from(self),
});

export const hinted: Extension = field;
