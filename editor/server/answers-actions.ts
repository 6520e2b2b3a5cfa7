// Answers to who mends: quick fixes, all safe fixes at once, unused imports, and lenses that draw and train. In: the server. Out:
// handlers registered.

import {
  CodeActionKind,
  type CodeAction,
  type CodeLens,
  type Range,
  type TextEdit,
} from "vscode-languageserver";
import { fixesFor, type Fix } from "../features/fixes.ts";
import { withoutNames } from "../features/imports.ts";
import { modelsIn, type Source } from "../features/source.ts";
import { shown } from "./checks.ts";
import { addressOf } from "./files.ts";
import { guarded, type Server } from "./shared.ts";
import { stdPaths } from "./workspace.ts";

const overlap = (a: Range, b: Range): boolean => before(a.start, b.end) && before(b.start, a.end);
const before = (a: Range["start"], b: Range["start"]): boolean =>
  a.line < b.line || (a.line === b.line && a.character <= b.character);

export function answerActions(server: Server): void {
  const { connection, workspace, checks, client } = server;

  const editsOf = (source: Source, { edits }: Pick<Fix, "edits">): TextEdit[] =>
    edits.map(({ span, text }) => ({ range: workspace.rangeOf(source, span), newText: text }));

  connection.onCodeAction(
    guarded(server, "code actions", [], async ({ textDocument, range, context }): Promise<CodeAction[]> => {
      const source = workspace.names(textDocument.uri)?.source;
      if (source === undefined || source.path.startsWith("std.")) return [];
      const checked = await checks.of(source.path);
      if (checked === undefined || workspace.library.open(source.path) !== source) return [];
      const uri = addressOf(source.path);
      const wants = (kind: string): boolean =>
        context.only === undefined ||
        context.only.some((only) => kind === only || kind.startsWith(`${only}.`));
      const found = checks.found(source.path);
      const actions: CodeAction[] = [];
      if (wants(CodeActionKind.QuickFix))
        for (const diagnostic of found) {
          const as = shown(diagnostic, workspace);
          if (as === undefined || !overlap(as.range, range)) continue;
          for (const fix of fixesFor(diagnostic, source, workspace.library, stdPaths))
            actions.push({
              title: fix.title,
              kind: CodeActionKind.QuickFix,
              diagnostics: [as],
              isPreferred: fix.preferred,
              edit: { changes: { [uri]: editsOf(source, fix) } },
            });
        }
      const unused = new Set(found.filter(({ code }) => code === "M0704").map(({ at }) => at.span.start));
      const imports = source.syntax.imports
        .filter(({ names }) => names.some(({ span }) => unused.has(span.start)))
        .map((statement) => withoutNames(source, statement, unused));
      if (wants(CodeActionKind.SourceOrganizeImports) && imports.length > 0)
        actions.push({
          title: "Remove all unused imports",
          kind: CodeActionKind.SourceOrganizeImports,
          edit: { changes: { [uri]: editsOf(source, { edits: imports }) } },
        });
      const safe = found
        .filter(({ code }) => code !== "M0704")
        .flatMap((diagnostic) =>
          fixesFor(diagnostic, source, workspace.library, stdPaths).filter((fix) => fix.safe),
        );
      if (wants(CodeActionKind.SourceFixAll) && safe.length + imports.length > 0)
        actions.push({
          title: "Apply all safe fixes",
          kind: CodeActionKind.SourceFixAll,
          edit: {
            changes: {
              [uri]: [...safe.flatMap((fix) => editsOf(source, fix)), ...editsOf(source, { edits: imports })],
            },
          },
        });
      return actions;
    }),
  );

  connection.onCodeLens(
    guarded(server, "lenses", [], ({ textDocument }): CodeLens[] => {
      const source = workspace.names(textDocument.uri)?.source;
      if (source === undefined || !client.commands) return [];
      const uri = addressOf(source.path);
      const lens = (span: Range, title: string, command: string, model: string): CodeLens => ({
        range: span,
        command: { title, command, arguments: [uri, model] },
      });
      return [
        ...modelsIn(source).map(({ name }) =>
          lens(workspace.rangeOf(source, name.span), "Draw", "moe.openDrawing", name.text),
        ),
        ...source.syntax.declarations.flatMap((each) =>
          each.node === "train" && each.model.text !== ""
            ? [lens(workspace.rangeOf(source, each.model.span), "Train", "moe.train", each.model.text)]
            : [],
        ),
      ];
    }),
  );
}
