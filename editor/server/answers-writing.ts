// Answers to who writes: completion and formatting. In: the server. Out: handlers registered.

import {
  CompletionItemKind as Kind,
  InsertTextFormat,
  MarkupKind,
  type CompletionItem,
  type TextEdit,
} from "vscode-languageserver";
import { format } from "../../grammar/format.ts";
import { completionAt, type Item } from "../features/completion.ts";
import { cursorAt } from "../features/cursor.ts";
import { smallestEdit } from "../features/smallest-edit.ts";
import { guarded, type Server } from "./shared.ts";
import { stdPaths } from "./workspace.ts";

const kinds: Readonly<Record<Item["kind"], Kind>> = {
  expert: Kind.Class,
  router: Kind.Class,
  moe: Kind.Class,
  layer: Kind.Class,
  chain: Kind.Class,
  function: Kind.Function,
  model: Kind.Module,
  dim: Kind.Constant,
  static: Kind.TypeParameter,
  size: Kind.TypeParameter,
  input: Kind.Variable,
  variable: Kind.Variable,
  parameter: Kind.Field,
  state: Kind.Property,
  modality: Kind.Interface,
  index: Kind.Variable,
  counter: Kind.Variable,
  loss: Kind.Value,
  metric: Kind.Value,
  member: Kind.Property,
  builtin: Kind.Function,
  module: Kind.Module,
  word: Kind.Keyword,
  option: Kind.Property,
  snippet: Kind.Snippet,
  file: Kind.File,
  axis: Kind.EnumMember,
};

/** After a blank only words that the grammar asks for are offered: everything else waits for its first letter. */
const afterBlank: ReadonlySet<string> = new Set([
  ...["words", "choose", "null kind", "modality", "reader", "optimiser", "model", "modality name", "axes"],
  ...["import path", "import names", "options"],
]);

export function answerWriting(server: Server): void {
  const { connection, workspace } = server;

  connection.onCompletion(
    guarded(server, "completion", [], ({ textDocument, position, context }): CompletionItem[] => {
      const names = workspace.names(textDocument.uri);
      if (names === undefined) return [];
      const { source } = names;
      const offset = workspace.offsetAt(source, position);
      const { where, start } = cursorAt(source.text, offset);
      const typed = context?.triggerCharacter;
      if (typed === " " && !afterBlank.has(where.place)) return [];
      if ((typed === '"' || typed === "/") && where.place !== "import path") return [];
      const range = workspace.rangeOf(source, { start, end: offset });
      const files = workspace.filesBeside(source.path);
      const items = completionAt(names, source.text, offset, {
        library: workspace.library,
        std: stdPaths,
        files,
      });
      return items.map(({ label, kind, detail, doc, insert, isSnippet, order, alsoEdit }) => ({
        label,
        kind: kinds[kind],
        ...(detail === undefined ? {} : { detail }),
        ...(doc === undefined ? {} : { documentation: { kind: MarkupKind.Markdown, value: doc } }),
        insertTextFormat: isSnippet === true ? InsertTextFormat.Snippet : InsertTextFormat.PlainText,
        textEdit: { range, newText: insert ?? label },
        sortText: `${order}${label}`,
        ...(kind === "file" ? { filterText: insert ?? label } : {}),
        ...(alsoEdit === undefined
          ? {}
          : {
              additionalTextEdits: [
                { range: workspace.rangeOf(source, alsoEdit.span), newText: alsoEdit.text },
              ],
            }),
        // A name with `=` behind is followed by its value.
        ...(insert?.endsWith(" = ") === true
          ? { command: { title: "", command: "editor.action.triggerSuggest" } }
          : {}),
      }));
    }),
  );

  connection.onDocumentFormatting(
    guarded(server, "formatting", null, ({ textDocument }): TextEdit[] | null => {
      const source = workspace.names(textDocument.uri)?.source;
      if (source === undefined || source.path.startsWith("std.")) return null;
      const { text, diagnostics } = format(source.text, source.path);
      if (diagnostics.some(({ severity }) => severity === "error")) return null;
      return text === source.text
        ? []
        : [smallestEdit(source.text, text)].map(({ start, end, insert }) => ({
            range: workspace.rangeOf(source, { start, end }),
            newText: insert,
          }));
    }),
  );
}
