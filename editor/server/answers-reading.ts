// Answers to who reads: hover, signature help, inlay hints, colours, outline, folding. In: the server. Out: handlers registered.

import { setTimeout as delay } from "node:timers/promises";
import {
  FoldingRangeKind,
  InlayHintKind,
  MarkupKind,
  SemanticTokensBuilder,
  SymbolKind as Kind,
  type DocumentSymbol,
  type Hover,
  type SemanticTokens,
} from "vscode-languageserver";
import type { Checked } from "../features/checked.ts";
import type { Costed } from "../features/costs.ts";
import { hoverAt, showHover } from "../features/hover.ts";
import { hintsIn } from "../features/inlay.ts";
import { foldsOf, outlineOf, type Entry } from "../features/outline.ts";
import { colour, tokenModifiers, tokenTypes } from "../features/semantic.ts";
import { signatureAt } from "../features/signature.ts";
import type { Source } from "../features/source.ts";
import type { Span } from "../../grammar/syntax.ts";
import { guarded, type Server } from "./shared.ts";
import type { Workspace } from "./workspace.ts";

/** How long a hover waits for the compiler before it says what it knows. */
const patience = 1000;
/** A cost takes a compilation down to kernels: what is not there in time is there when one asks again. */
const costPatience = 2000;
const computing = "*The cost is being computed: ask again in a moment.*";

const within = <R, O = undefined>(milliseconds: number, promise: Promise<R>, otherwise?: O): Promise<R | O> =>
  Promise.race([promise, delay(milliseconds, otherwise as O, { ref: false })]);

export function answerReading(server: Server): void {
  const { connection, workspace, checks, compiler } = server;

  /** Costs of what was checked, kept as long as the text is as it was. */
  const costs = new WeakMap<Checked, Map<string, Promise<string | undefined>>>();
  const costOf = (checked: Checked, of: Costed): Promise<string | undefined> => {
    const known = costs.get(checked) ?? new Map<string, Promise<string | undefined>>();
    costs.set(checked, known);
    const key = `${of.module}#${of.name}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const asked = compiler.cost(checked.path, workspace.openTexts(), of);
    known.set(key, asked);
    // Another question may have taken its place.
    void asked.then((cost) => (cost === undefined ? known.delete(key) : undefined));
    return asked;
  };

  connection.onHover(
    guarded(server, "hover", null, async ({ textDocument, position }): Promise<Hover | null> => {
      const names = workspace.names(textDocument.uri);
      if (names === undefined) return null;
      const { source } = names;
      const offset = workspace.offsetAt(source, position);
      if (hoverAt(names, offset, workspace.library) === undefined) return null;
      const isOwn = workspace.openPaths().includes(source.path) && !source.path.startsWith("std.");
      const checked = isOwn ? await within(patience, checks.of(source.path)) : undefined;
      const hover = hoverAt(names, offset, workspace.library, checked);
      if (hover === undefined) return null;
      const { costs: costed } = hover;
      const isWell = checked?.diagnostics.every(({ severity }) => severity !== "error") === true;
      const cost =
        checked === undefined || costed?.module === undefined || !isWell
          ? undefined
          : await within(
              costPatience,
              costOf(checked, { module: costed.module, name: costed.name }),
              computing,
            );
      const value = [showHover(hover), cost ?? ""].filter((part) => part !== "").join("\n\n");
      return { contents: { kind: MarkupKind.Markdown, value }, range: workspace.rangeOf(source, hover.span) };
    }),
  );

  connection.onSignatureHelp(
    guarded(server, "signature help", null, ({ textDocument, position }) => {
      const names = workspace.names(textDocument.uri);
      if (names === undefined) return null;
      const offset = workspace.offsetAt(names.source, position);
      const found = signatureAt(names, names.source.text, offset, workspace.library);
      if (found === undefined) return null;
      const { label, parameters, active, doc } = found;
      const documentation =
        doc === undefined ? {} : { documentation: { kind: MarkupKind.Markdown, value: doc } };
      const signature = { label, parameters: parameters.map((each) => ({ label: each })), ...documentation };
      return { signatures: [signature], activeSignature: 0, activeParameter: active };
    }),
  );

  connection.languages.inlayHint.on(
    guarded(server, "inlay hints", [], async ({ textDocument, range }) => {
      const source = workspace.names(textDocument.uri)?.source;
      if (source === undefined || source.path.startsWith("std.")) return [];
      const checked: Checked | undefined = await checks.of(source.path);
      // The text may have changed while it was being checked: the editor asks again.
      if (checked === undefined || workspace.library.open(source.path) !== source) return [];
      const document = workspace.documentOf(source);
      const span = { start: document.offsetAt(range.start), end: document.offsetAt(range.end) };
      return hintsIn(source, checked, span).map(({ at, text, kind }) => ({
        position: document.positionAt(at),
        label: text,
        kind: kind === "type" ? InlayHintKind.Type : InlayHintKind.Parameter,
      }));
    }),
  );

  const colours = (uri: string, range?: Span): SemanticTokens => {
    const names = workspace.names(uri);
    const builder = new SemanticTokensBuilder();
    if (names === undefined) return builder.build();
    const document = workspace.documentOf(names.source);
    for (const { span, type, modifiers } of colour(names)) {
      if (range !== undefined && (span.end < range.start || span.start > range.end)) continue;
      const { line, character } = document.positionAt(span.start);
      const bits = modifiers.reduce((sum, each) => sum | (1 << tokenModifiers.indexOf(each)), 0);
      builder.push(line, character, span.end - span.start, tokenTypes.indexOf(type), bits);
    }
    return builder.build();
  };
  const none: SemanticTokens = { data: [] };
  connection.languages.semanticTokens.on(
    guarded(server, "semantic tokens", none, ({ textDocument }) => colours(textDocument.uri)),
  );
  connection.languages.semanticTokens.onRange(
    guarded(server, "semantic tokens", none, ({ textDocument, range }) => {
      const names = workspace.names(textDocument.uri);
      if (names === undefined) return none;
      const document = workspace.documentOf(names.source);
      return colours(textDocument.uri, {
        start: document.offsetAt(range.start),
        end: document.offsetAt(range.end),
      });
    }),
  );

  connection.onDocumentSymbol(
    guarded(server, "document symbols", [], ({ textDocument }) => {
      const source = workspace.names(textDocument.uri)?.source;
      return source === undefined
        ? []
        : outlineOf(source).map((entry) => documentSymbol(entry, source, workspace));
    }),
  );

  connection.onFoldingRanges(
    guarded(server, "folding", [], ({ textDocument }) => {
      const source = workspace.names(textDocument.uri)?.source;
      if (source === undefined) return [];
      return foldsOf(source).flatMap(({ kind, ...span }) => {
        const { start, end } = workspace.rangeOf(source, span);
        // The closing brace stays in sight.
        const endLine = kind === "region" ? end.line - 1 : end.line;
        if (endLine <= start.line) return [];
        const known = {
          comment: FoldingRangeKind.Comment,
          imports: FoldingRangeKind.Imports,
          region: undefined,
        }[kind];
        return [{ startLine: start.line, endLine, ...(known === undefined ? {} : { kind: known }) }];
      });
    }),
  );
}

export const symbolKinds: Readonly<Record<Entry["kind"], Kind>> = {
  expert: Kind.Class,
  router: Kind.Class,
  moe: Kind.Class,
  layer: Kind.Class,
  chain: Kind.Class,
  function: Kind.Function,
  model: Kind.Module,
  train: Kind.Event,
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
  loss: Kind.Number,
  metric: Kind.Number,
  member: Kind.Property,
  builtin: Kind.Function,
  module: Kind.Namespace,
  choose: Kind.Operator,
};

function documentSymbol(entry: Entry, source: Source, workspace: Workspace): DocumentSymbol {
  return {
    name: entry.name,
    detail: entry.detail,
    kind: symbolKinds[entry.kind],
    range: workspace.rangeOf(source, entry.span),
    selectionRange: workspace.rangeOf(source, entry.nameSpan),
    children: entry.children.map((child) => documentSymbol(child, source, workspace)),
  };
}
