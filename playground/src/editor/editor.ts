// The editor: CodeMirror with the language of `.moe` files, and a second one that shows modules of the library and changes nothing. In:
// the places for both, the language worker. Out: a few verbs. Knows nothing of compiling: it is told what was found.

import { closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, indentService, indentUnit } from "@codemirror/language";
import { lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorSelection, EditorState, type Extension } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { mainPath, type Defined, type Found, type Hint, type Problem } from "../messages.ts";
import { CostClient, type LanguageClient } from "../page/clients.ts";
import { completing, defining, hovering, signing } from "./asking.ts";
import { coloured, setColours } from "./colours.ts";
import { hinted, setHints } from "./hints.ts";
import { noticed } from "./notice.ts";
import { referring } from "./references.ts";
import { renaming } from "./renaming.ts";

export interface Editor {
  readonly text: () => string;
  readonly cursor: () => number;
  /** Replaces the text as one step that can be undone. */
  readonly replace: (text: string) => void;
  readonly edit: (from: number, to: number, insert: string) => void;
  readonly select: (from: number, to: number) => void;
  readonly show: (problems: readonly Problem[], found: Found) => void;
  readonly showHints: (hints: readonly Hint[]) => void;
}

const language: Extension = [
  EditorState.languageData.of(() => [
    { commentTokens: { line: "//" }, closeBrackets: { brackets: ["(", "[", "{", '"'] } },
  ]),
  indentUnit.of("  "),
  // As deep as the line before, one step more behind an open bracket, one less before a closing one.
  indentService.of((context, at) => {
    if (at === 0) return 0;
    const before = context.lineAt(at, -1);
    const line = before.text.slice(0, Math.max(0, at - before.from));
    const after = before.text.slice(Math.max(0, at - before.from)).trimStart();
    const depth = /^ */.exec(line)![0].length;
    const opens = /[([{]\s*$/.test(line) ? 2 : 0;
    return Math.max(0, depth + opens - (/^[)\]}]/.test(after) ? 2 : 0));
  }),
];

/** Above so many characters the editor does without colours. */
const mostColoured = 60_000;

function colouring(client: LanguageClient, path: string): Extension {
  const ask = (view: EditorView): void => {
    const { doc } = view.state;
    if (doc.length > mostColoured) return;
    void client.ask({ ask: "colours", path, text: doc.toString() }).then((colours) => {
      if (colours !== undefined && view.state.doc === doc) view.dispatch({ effects: setColours.of(colours) });
    });
  };
  return [coloured, EditorView.updateListener.of(({ view, docChanged }) => void (docChanged && ask(view)))];
}

export function openEditor(
  into: HTMLElement,
  client: LanguageClient,
  heard: { readonly changed: () => void; readonly go: (to: Defined) => void; readonly format: () => void },
): Editor {
  let found: { readonly doc: EditorState["doc"]; readonly of: Found; readonly isWell: boolean } | undefined;
  const costs = new CostClient();
  const asking = {
    client,
    path: mainPath,
    found: () => (found?.doc === view.state.doc ? found.of : undefined),
    costs: () => (found?.doc === view.state.doc && found.isWell ? costs : undefined),
    go: heard.go,
  };
  const format = (): boolean => {
    heard.format();
    return true;
  };
  const view: EditorView = new EditorView({
    parent: into,
    state: EditorState.create({
      extensions: [
        lineNumbers(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        highlightSelectionMatches(),
        EditorState.allowMultipleSelections.of(true),
        language,
        colouring(client, mainPath),
        hinted,
        signing(asking),
        completing(asking),
        hovering(asking),
        defining(asking),
        noticed,
        referring(asking),
        renaming(asking),
        keymap.of([
          { key: "Mod-s", run: format },
          { key: "Shift-Alt-f", run: format },
          ...closeBracketsKeymap,
          ...completionKeymap,
          ...lintKeymap,
          ...searchKeymap,
          ...historyKeymap,
          ...defaultKeymap,
          indentWithTab,
        ]),
        EditorView.contentAttributes.of({
          "aria-label": "Text of the model",
          "aria-describedby": "keys",
          spellcheck: "false",
          autocapitalize: "off",
        }),
        EditorView.updateListener.of(({ docChanged }) => void (docChanged && heard.changed())),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    cursor: () => view.state.selection.main.head,
    replace: (text) =>
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: text },
        selection: EditorSelection.cursor(0),
        scrollIntoView: true,
      }),
    edit: (from, to, insert) => view.dispatch({ changes: { from, to, insert }, userEvent: "input" }),
    select(from, to) {
      const { length } = view.state.doc;
      const range = EditorSelection.range(Math.min(from, length), Math.min(to, length));
      view.dispatch({ selection: range, effects: EditorView.scrollIntoView(range, { y: "center" }) });
      view.focus();
    },
    show(problems, of) {
      found = {
        doc: view.state.doc,
        of,
        isWell: problems.every(({ severity }) => severity !== "error"),
      };
      view.dispatch(setDiagnostics(view.state, problems.map(shown)));
    },
    showHints: (hints) => view.dispatch({ effects: setHints.of(hints) }),
  };
}

const shown = ({ from, to, severity, code, message, fixes }: Problem): Diagnostic => ({
  ...{ from, to, severity, message, source: code },
  actions: fixes.slice(0, 3).map(({ title, edits }) => ({
    name: title,
    apply: (view) =>
      view.dispatch({
        changes: edits.map(({ span, text }) => ({ from: span.start, to: span.end, insert: text })),
        userEvent: "input.fix",
      }),
  })),
});

/** A module of the library, to be read. */
export interface Reader {
  /** `stay`: the focus stays where it is. */
  readonly open: (to: Defined & { readonly text: string }, stay: boolean) => void;
}

export function openReader(
  into: HTMLElement,
  client: LanguageClient,
  heard: { readonly go: (to: Defined) => void; readonly close: () => void },
): Reader {
  const view: EditorView = new EditorView({ parent: into });
  return {
    open({ path, text, from, to }, stay) {
      const asking = { client, path, found: () => undefined, costs: () => undefined, go: heard.go };
      view.setState(
        EditorState.create({
          doc: text,
          selection: EditorSelection.range(from, to),
          extensions: [
            lineNumbers(),
            drawSelection(),
            EditorState.readOnly.of(true),
            coloured,
            hovering(asking),
            defining(asking),
            noticed,
            referring(asking),
            keymap.of([
              {
                key: "Escape",
                run() {
                  heard.close();
                  return true;
                },
              },
              ...searchKeymap,
              ...defaultKeymap,
            ]),
            EditorView.contentAttributes.of({ "aria-label": `${path}, read only` }),
          ],
        }),
      );
      view.dispatch({ effects: EditorView.scrollIntoView(from, { y: "start", yMargin: 24 }) });
      if (!stay) view.focus();
      void client.ask({ ask: "colours", path, text }).then((colours) => {
        if (colours !== undefined && view.state.doc.toString() === text)
          view.dispatch({ effects: setColours.of(colours) });
      });
    },
  };
}
