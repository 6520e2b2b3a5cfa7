// References: Shift and F12 marks every place that means what is under the cursor; F8 and Shift and F8, or the buttons below the text,
// go from one to the next, Escape ends it. In: the language worker, which module is shown. Out: an extension.

import { StateEffect, StateField, type Extension } from "@codemirror/state";
import {
  closeHoverTooltips,
  Decoration,
  EditorView,
  keymap,
  showPanel,
  type Command,
  type DecorationSet,
  type Panel,
} from "@codemirror/view";
import { make } from "../page/dom.ts";
import type { Places, Range } from "../messages.ts";
import type { Asking } from "./asking.ts";
import { notice } from "./notice.ts";

interface Marked {
  readonly name: string;
  readonly marks: DecorationSet;
}

const setPlaces = StateEffect.define<Places | null>();
const mark = Decoration.mark({ class: "place" });

const field = StateField.define<Marked | null>({
  create: () => null,
  update(shown, { effects, docChanged, changes }) {
    for (const effect of effects)
      if (effect.is(setPlaces)) {
        if (effect.value === null) return null;
        const { name, places } = effect.value;
        return { name, marks: Decoration.set(places.map(({ from, to }) => mark.range(from, to), true)) };
      }
    if (shown === null || !docChanged) return shown;
    const marks = shown.marks.map(changes);
    return marks.size === 0 ? null : { name: shown.name, marks };
  },
  provide: (self) => [
    EditorView.decorations.from(self, (shown) => shown?.marks ?? Decoration.none),
    showPanel.from(self, (shown) => (shown === null ? null : panelOf)),
  ],
});

const placesIn = ({ state }: EditorView): readonly Range[] => {
  const places: Range[] = [];
  state.field(field)?.marks.between(0, state.doc.length, (from, to) => void places.push({ from, to }));
  return places;
};

/** Round and round. */
const step =
  (by: 1 | -1): Command =>
  (view) => {
    const places = placesIn(view);
    if (places.length === 0) return false;
    const { from, to } = view.state.selection.main;
    const next =
      by === 1
        ? (places.find((place) => place.from > from) ?? places[0]!)
        : (places.findLast((place) => place.to < to) ?? places.at(-1)!);
    view.dispatch({
      selection: { anchor: next.from, head: next.to },
      effects: EditorView.scrollIntoView(next.from, { y: "nearest", yMargin: 40 }),
    });
    return true;
  };

const close: Command = (view) => {
  if (view.state.field(field) === null) return false;
  view.dispatch({ effects: setPlaces.of(null) });
  return true;
};

function panelOf(view: EditorView): Panel {
  const button = (label: string, sign: string, act: Command): HTMLElement => {
    const made = make("button", { type: "button", "aria-label": label, title: label }, sign);
    made.addEventListener("click", () => act(view));
    return made;
  };
  const told = make("span", { role: "status" });
  const end = button("Close the references", "×", (of) => {
    of.focus();
    return close(of);
  });
  const buttons = [button("Previous place", "↑", step(-1)), button("Next place", "↓", step(1)), end];
  const tell = (): void => {
    const places = placesIn(view);
    const { head } = view.state.selection.main;
    const now = places.findIndex(({ from, to }) => from <= head && head <= to);
    const many = `${places.length} place${places.length === 1 ? "" : "s"}`;
    const text = `${view.state.field(field)?.name ?? ""}: ${now < 0 ? many : `${now + 1} of ${many}`}`;
    if (told.textContent !== text) told.textContent = text;
  };
  tell();
  const dom = make("div", { class: "places", role: "group", "aria-label": "References" }, told, ...buttons);
  return { dom, update: tell };
}

export function refer(view: EditorView, { client, path }: Asking): void {
  const { doc } = view.state;
  const at = view.state.selection.main.head;
  void client.ask({ ask: "places", path, text: doc.toString(), at }).then((found) => {
    if (view.state.doc !== doc) return;
    if (found === undefined || found.places.length === 0) return notice(view, "There is no name here.");
    view.dispatch({ effects: [closeHoverTooltips, setPlaces.of(found)] });
  });
}

export const referring = (asking: Asking): Extension => [
  field,
  keymap.of([
    {
      key: "Shift-F12",
      run(view) {
        refer(view, asking);
        return true;
      },
    },
    { key: "F8", run: step(1), shift: step(-1) },
    { key: "Escape", run: close },
  ]),
];
