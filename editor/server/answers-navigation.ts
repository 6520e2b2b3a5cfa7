// Answers to who goes about: definition, references, highlights, rename, symbols of the workspace, texts of the standard library. In:
// the server. Out: handlers registered.

import {
  DocumentHighlightKind,
  LSPErrorCodes,
  ResponseError,
  type Location,
  type Position,
  type TextEdit,
  type WorkspaceEdit,
} from "vscode-languageserver";
import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Span } from "../../grammar/syntax.ts";
import { stdlib } from "../../stdlib/sources.ts";
import { useAt, type Names } from "../features/names.ts";
import { placesIn, referencesTo, rename, renameable } from "../features/references.ts";
import { exportsOf } from "../features/source.ts";
import { symbolKinds } from "./answers-reading.ts";
import { addressOf, pathOf } from "./files.ts";
import { guarded, type Server } from "./shared.ts";

/** The request with which an editor asks for the text of a library module. */
export const moduleTextRequest = "moe/moduleText";

export function answerNavigation(server: Server): void {
  const { connection, workspace, client } = server;

  const at = (
    uri: string,
    position: Position,
  ): { readonly names: Names; readonly offset: number } | undefined => {
    const names = workspace.names(uri);
    return names === undefined ? undefined : { names, offset: workspace.offsetAt(names.source, position) };
  };
  const location = (module: string, span: Span): Location | undefined => {
    const source = workspace.library.open(module);
    if (source === undefined) return undefined;
    return { uri: shownAddress(module, client.stdDocuments), range: workspace.rangeOf(source, span) };
  };

  connection.onDefinition(
    guarded(server, "definition", null, ({ textDocument, position }): Location | null => {
      const here = at(textDocument.uri, position);
      const use = here === undefined ? undefined : useAt(here.names, here.offset);
      const { module, span } = use?.meaning ?? {};
      return module === undefined || span === undefined ? null : (location(module, span) ?? null);
    }),
  );

  connection.onReferences(
    guarded(server, "references", [], ({ textDocument, position, context }) => {
      const here = at(textDocument.uri, position);
      const use = here === undefined ? undefined : useAt(here.names, here.offset);
      if (here === undefined || use === undefined) return [];
      return referencesTo(use.meaning, workspace.allNames(here.names.source.path))
        .filter(({ role }) => context.includeDeclaration || role !== "declaration")
        .flatMap(({ module, span }) => location(module, span) ?? []);
    }),
  );

  connection.onDocumentHighlight(
    guarded(server, "highlights", [], ({ textDocument, position }) => {
      const here = at(textDocument.uri, position);
      const use = here === undefined ? undefined : useAt(here.names, here.offset);
      if (here === undefined || use === undefined) return [];
      const { names } = here;
      return placesIn(names, use.meaning).map(({ span, role }) => ({
        range: workspace.rangeOf(names.source, span),
        kind: role === "read" ? DocumentHighlightKind.Read : DocumentHighlightKind.Write,
      }));
    }),
  );

  const refuse = (why: string): never => {
    throw new ResponseError(LSPErrorCodes.RequestFailed, why);
  };
  connection.onPrepareRename(
    guarded(server, "rename", null, ({ textDocument, position }) => {
      const here = at(textDocument.uri, position);
      if (here === undefined) return null;
      const found = renameable(here.names, here.offset);
      if ("refused" in found) return refuse(found.refused);
      const { span, meaning } = found.use;
      return { range: workspace.rangeOf(here.names.source, span), placeholder: meaning.name };
    }),
  );
  connection.onRenameRequest(
    guarded(server, "rename", null, ({ textDocument, position, newName }): WorkspaceEdit | null => {
      const here = at(textDocument.uri, position);
      if (here === undefined) return null;
      const modules = workspace.allNames(here.names.source.path);
      const result = rename(here.names, here.offset, newName, modules, workspace.library);
      if ("refused" in result) return refuse(result.refused);
      const changes: Record<string, TextEdit[]> = {};
      for (const { module, span } of result.edits) {
        const source = workspace.library.open(module);
        if (source === undefined) continue;
        (changes[addressOf(module)] ??= []).push({
          range: workspace.rangeOf(source, span),
          newText: newName,
        });
      }
      return { changes };
    }),
  );

  connection.onWorkspaceSymbol(
    guarded(server, "workspace symbols", [], ({ query }) => {
      const wanted = query.toLowerCase();
      return workspace.allNames(workspace.openPaths()[0] ?? "").flatMap(({ source }) =>
        exportsOf(source)
          .filter(({ name }) => name.text.toLowerCase().includes(wanted))
          .flatMap((each) => {
            const found = location(source.path, each.name.span);
            const kind = symbolKinds[each.node === "dim" ? "dim" : each.kind];
            return found === undefined ? [] : [{ name: each.name.text, kind, location: found }];
          }),
      );
    }),
  );

  connection.onRequest(moduleTextRequest, ({ uri }: { readonly uri: string }): string | null => {
    const path = pathOf(uri);
    return Object.hasOwn(stdlib, path) ? stdlib[path]! : null;
  });
}

/** Where an editor finds a module: library modules as documents of their own scheme, or as the files of the installed package. */
function shownAddress(module: string, stdDocuments: boolean): string {
  if (stdDocuments || !Object.hasOwn(stdlib, module)) return addressOf(module);
  const file = new URL(`../stdlib/${module.slice("std.".length)}.moe`, import.meta.url);
  const up = new URL(`../../stdlib/${module.slice("std.".length)}.moe`, import.meta.url);
  const found = [file, up].find((each) => each.protocol === "file:" && existsSync(each));
  return found === undefined ? addressOf(module) : pathToFileURL(fileURLToPath(found)).href;
}
