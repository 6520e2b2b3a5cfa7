// Asking: completion, hovers with costs, signatures and definitions of an editor, answered by the language worker. In: a client, which module the
// editor shows. Out: extensions. An answer to a text that has changed meanwhile is dropped.

import {
  autocompletion,
  snippetCompletion,
  startCompletion,
  type Completion,
  type CompletionContext,
  type CompletionResult,
} from "@codemirror/autocomplete";
import { StateEffect, StateField, type Extension } from "@codemirror/state";
import {
  EditorView,
  hoverTooltip,
  keymap,
  repositionTooltips,
  showTooltip,
  type Tooltip,
} from "@codemirror/view";
import type { Item } from "../../../editor/features/completion.ts";
import type { CostClient, LanguageClient } from "../page/clients.ts";
import { make } from "../page/dom.ts";
import type { Defined, Found } from "../messages.ts";
import { fromMarkdown } from "./markdown.ts";
import { refer } from "./references.ts";
import { rename } from "./renaming.ts";

export interface Asking {
  readonly client: LanguageClient;
  readonly path: string;
  /** What the compiler found in the text as it is now. */
  readonly found: () => Found | undefined;
  /** Asked while the compiler finds no mistake in the text as it is now. */
  readonly costs: () => CostClient | undefined;
  readonly go: (to: Defined) => void;
}

const kinds: Partial<Readonly<Record<Item["kind"], string>>> = {
  ...{ expert: "class", router: "class", moe: "class", layer: "class", chain: "class", model: "class" },
  ...{ function: "function", builtin: "function", dim: "constant", static: "constant", size: "constant" },
  ...{ word: "keyword", snippet: "text", option: "property", parameter: "property", state: "property" },
  ...{ module: "namespace", member: "property", axis: "enum" },
};

/** Places to fill in, as this editor writes them. */
const asSnippet = (text: string): string =>
  text
    .replace(/\$\{(\d+)\|([^,|]*)[^}]*\}/g, "${$1:$2}")
    .replace(/\$0/g, "${}")
    .replace(/\$(\d)/g, "${$1}");

function completionOf({ label, kind, detail, doc, insert, isSnippet, order, alsoEdit }: Item): Completion {
  const shown: Completion = {
    label,
    type: kinds[kind] ?? "variable",
    boost: Math.max(-99, -10 * order),
    ...(detail === undefined ? {} : { detail: detail.length > 60 ? `${detail.slice(0, 59)}…` : detail }),
    ...(doc === undefined || doc === "" ? {} : { info: () => fromMarkdown(doc) }),
  };
  if (isSnippet === true && insert !== undefined) return snippetCompletion(asSnippet(insert), shown);
  const text = insert ?? label;
  return {
    ...shown,
    apply(view, _, from, to) {
      const more =
        alsoEdit === undefined
          ? []
          : [{ from: alsoEdit.span.start, to: alsoEdit.span.end, insert: alsoEdit.text }];
      const changes = view.state.changes([...more, { from, to, insert: text }]);
      view.dispatch({
        changes,
        selection: { anchor: changes.mapPos(to, 1) },
        userEvent: "input.complete",
      });
      // A name with `=` behind is followed by its value.
      if (text.endsWith(" = ")) startCompletion(view);
    },
  };
}

export function completing({ client }: Asking): Extension {
  const source = async (context: CompletionContext): Promise<CompletionResult | null> => {
    const { state, pos, explicit } = context;
    const asked = { ask: "complete", text: state.doc.toString(), at: pos, explicit } as const;
    const found = await client.ask(asked);
    if (found === undefined || context.aborted) return null;
    return { from: found.from, options: found.items.map(completionOf), validFor: /^\w*$/ };
  };
  return autocompletion({ override: [source], icons: false, activateOnTypingDelay: 80 });
}

/** For fingers, which have no keys for them; the style hides them from who points with a mouse. */
function buttons(view: EditorView, at: number, asking: Asking): HTMLElement {
  const button = (title: string, act: () => void): HTMLElement => {
    const made = make("button", { type: "button" }, title);
    made.addEventListener("click", () => {
      view.dispatch({ selection: { anchor: at } });
      act();
    });
    return made;
  };
  const references = button("References", () => refer(view, asking));
  const others = view.state.readOnly ? [] : [button("Rename", () => rename(view, asking.client))];
  return make("div", { class: "acts" }, references, ...others);
}

export function hovering(asking: Asking): Extension {
  const { client, path, found, costs } = asking;
  return hoverTooltip(
    async (view, at): Promise<Tooltip | null> => {
      const { doc } = view.state;
      const known = found();
      const asked = { ask: "hover", path, text: doc.toString(), at } as const;
      const told = await client.ask(known === undefined ? asked : { ...asked, found: known });
      if (told === undefined || view.state.doc !== doc) return null;
      const create = (): { dom: HTMLElement } => {
        const dom = fromMarkdown(told.text);
        const costing = costs();
        if (told.costs !== undefined && costing !== undefined) {
          const cost = make("div", { class: "cost", role: "status" }, "The cost is being computed …");
          dom.append(cost);
          void costing.ask({ text: doc.toString(), of: told.costs }).then((answer) => {
            if (answer === undefined) cost.remove();
            else cost.replaceChildren(...fromMarkdown(answer).childNodes);
            repositionTooltips(view);
          });
        }
        if (told.isName) dom.append(buttons(view, told.from, asking));
        return { dom };
      };
      return { pos: told.from, end: told.to, above: true, create };
    },
    { hoverTime: 250 },
  );
}

/** F12, or a click with Ctrl or Command. */
export function defining({ client, path, go }: Asking): Extension {
  const define = (view: EditorView, at: number): void => {
    const asked = { ask: "define", path, text: view.state.doc.toString(), at } as const;
    void client.ask(asked).then((found) => (found === undefined ? undefined : go(found)));
  };
  return [
    keymap.of([
      {
        key: "F12",
        run: (view) => {
          define(view, view.state.selection.main.head);
          return true;
        },
      },
    ]),
    EditorView.domEventHandlers({
      mousedown(event, view) {
        if (!(event.ctrlKey || event.metaKey) || event.button !== 0) return false;
        const at = view.posAtCoords({ x: event.clientX, y: event.clientY });
        if (at === null) return false;
        event.preventDefault();
        define(view, at);
        return true;
      },
    }),
  ];
}

const setSignature = StateEffect.define<Tooltip | null>();
const signature = StateField.define<Tooltip | null>({
  create: () => null,
  update(shown, transaction) {
    for (const effect of transaction.effects) if (effect.is(setSignature)) return effect.value;
    return transaction.docChanged && shown !== null
      ? { ...shown, pos: transaction.changes.mapPos(shown.pos) }
      : shown;
  },
  provide: (self) => showTooltip.from(self),
});

/** What is being called, while one types inside its brackets. */
export function signing({ client }: Asking): Extension {
  return [
    signature,
    EditorView.updateListener.of(({ view, state, docChanged, selectionSet }) => {
      const open = state.field(signature) !== null;
      if (!docChanged && !(selectionSet && open)) return;
      const at = state.selection.main.head;
      // Asked for only where a bracket may be open.
      if (!open && !/[({,]/.test(state.sliceDoc(Math.max(0, at - 2), at))) return;
      const { doc } = state;
      void client.ask({ ask: "sign", text: doc.toString(), at }).then((found) => {
        if (view.state.doc !== doc) return;
        if (found === undefined && view.state.field(signature) === null) return;
        const parts = found?.parameters.map((each, i) =>
          make("span", { class: i === found.active ? "active" : undefined }, each),
        );
        const create = (): { dom: HTMLElement } => ({
          dom: make(
            "div",
            { class: "told signature" },
            ...parts!.flatMap((each, i) => (i === 0 ? [each] : [", ", each])),
          ),
        });
        const tooltip = found === undefined || parts!.length === 0 ? null : { pos: at, above: true, create };
        view.dispatch({ effects: setSignature.of(tooltip) });
      });
    }),
    keymap.of([
      {
        key: "Escape",
        run(view) {
          if (view.state.field(signature) === null) return false;
          view.dispatch({ effects: setSignature.of(null) });
          return true;
        },
      },
    ]),
  ];
}
