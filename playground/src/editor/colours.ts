// Colours of the text: what the lexer and the names of the language say, as classes. In: triples from the worker. Out: decorations that
// move with the text until newer ones come.

import { RangeSetBuilder, StateEffect, StateField, type Extension } from "@codemirror/state";
import { Decoration, EditorView, type DecorationSet } from "@codemirror/view";
import { colourNames, type Colours } from "../messages.ts";

export const setColours = StateEffect.define<Colours>();

const marks = colourNames.map((name) => Decoration.mark({ class: `c-${name}` }));

const field = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(shown, transaction) {
    for (const effect of transaction.effects)
      if (effect.is(setColours)) return decorations(effect.value, transaction.state.doc.length);
    return shown.map(transaction.changes);
  },
  provide: (self) => EditorView.decorations.from(self),
});

export const coloured: Extension = field;

function decorations(colours: Colours, length: number): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  for (let i = 0; i + 2 < colours.length; i += 3) {
    const [from, to, kind] = [colours[i]!, colours[i + 1]!, colours[i + 2]!];
    if (to <= length) builder.add(from, to, marks[kind]!);
  }
  return builder.finish();
}
