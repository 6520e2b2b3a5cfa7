// format: a module's text in the one style: two spaces, 80 columns, comments where they are. A text with errors comes back as
// it is, with its diagnostics. `parse(format(x)) = parse(x)`, spans aside, and `format(format(x)) = format(x)`.

import type { Diagnostic } from "./diagnostic.ts";
import { layOut } from "./layout.ts";
import { parseLayout } from "./parse.ts";
import { codeAfter, cursorOver, noText, type Cursor } from "./print-comments.ts";
import { doc, layOutDoc, type Doc } from "./print-doc.ts";
import { assigned, bracketed, breaking, item, nameDoc, nameItem, typeDoc } from "./print-expression.ts";
import { sequenceDoc, type Gap } from "./print-sequence.ts";
import { settingsDoc } from "./print-settings.ts";
import { blockDoc } from "./print-statements.ts";
import type { Declaration, Definition, Import, Input, Module, Static, TrainDeclaration } from "./syntax.ts";

const width = 80;

export interface Formatted {
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
}

export function format(text: string, module = "module.moe"): Formatted {
  const layout = layOut(text);
  const { module: parsed, diagnostics } = parseLayout(layout, text, module);
  if (diagnostics.some(({ severity }) => severity === "error")) return { text, diagnostics };
  return { text: print(parsed, cursorOver(text, layout.comments)), diagnostics };
}

/** A tree that has no text behind it, in the same style; its comments are not printed, its documentation is. */
export function printModule(module: Module): string {
  return print(module, noText());
}

function print(module: Module, cursor: Cursor): string {
  // A tree without text has no order among imports and declarations but this one.
  const items: (Import | Declaration)[] = [...module.imports, ...module.declarations];
  if (cursor.text !== undefined) items.sort((a, b) => a.span.start - b.span.start);
  const head =
    cursor.text === undefined && module.doc !== undefined
      ? module.doc.split("\n").map((line) => `/// ${line}`.trimEnd())
      : [];
  const lines = sequenceDoc(items, 0, module.span.end, cursor, (one) => itemDoc(one, cursor), gapBetween);
  const body = lines === undefined ? "" : layOutDoc([lines, doc.hardline], width);
  return head.length === 0 ? body : `${head.join("\n")}\n${body === "" ? "" : `\n${body}`}`;
}

function gapBetween(before: Import | Declaration, after: Import | Declaration): Gap {
  const runs =
    "from" in before ? "from" in after : !("from" in after) && before.node === "dim" && after.node === "dim";
  return runs ? "kept" : "blank";
}

function itemDoc(one: Import | Declaration, cursor: Cursor): Doc {
  if ("from" in one) return importDoc(one, cursor);
  switch (one.node) {
    case "definition":
      return definitionDoc(one, cursor);
    case "dim":
      return ["dim ", nameDoc(one.name, cursor), assigned(one.value, cursor)];
    case "train":
      return trainDoc(one, cursor);
    default:
      return one satisfies never;
  }
}

function importDoc({ from, names, span }: Import, cursor: Cursor): Doc {
  const source = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(from) ? from : `"${from}"`;
  return [
    "import ",
    source,
    " ",
    bracketed("{", names.map(nameItem), "}", span.end - 1, cursor, undefined, doc.line),
  ];
}

function definitionDoc(definition: Definition, cursor: Cursor): Doc {
  const { kind, name, statics, inputs, result, body } = definition;
  const parts: Doc[] = [kind, " ", nameDoc(name, cursor)];
  let end = name.span.end;
  /** Past `()`, which may stand there and says nothing. */
  const skipEmpty = (): void => {
    const at = codeAfter(cursor, end);
    if (cursor.text?.[at] === "(") end = codeAfter(cursor, at + 1) + 1;
  };
  const list = (entries: readonly (Static | Input)[]): Doc => {
    const closeAt = codeAfter(cursor, entries.at(-1)!.span.end);
    end = closeAt + 1;
    const items = entries.map((entry) => item(entry.span.start, () => entryDoc(entry, cursor)));
    return (parts.length > 3 ? bracketed : breaking)("(", items, ")", closeAt, cursor);
  };
  if (statics.length > 0) parts.push(list(statics));
  else skipEmpty();
  if (inputs.length > 0) parts.push(list(inputs));
  else skipEmpty();
  if (result !== undefined) {
    parts.push(" -> ", typeDoc(result, cursor));
    end = result.span.end;
  }
  // The first list breaks when the header is too long; the rest stays together behind it.
  return [doc.group(parts), " ", blockDoc(body, end, cursor)];
}

function entryDoc(entry: Static | Input, cursor: Cursor): Doc {
  const name = nameDoc(entry.name, cursor);
  const head = "type" in entry ? [name, ": ", typeDoc(entry.type, cursor)] : name;
  return entry.value === undefined ? head : [head, assigned(entry.value, cursor)];
}

function trainDoc({ model, settings, span }: TrainDeclaration, cursor: Cursor): Doc {
  const body = settingsDoc(settings, model.span.end, span.end - 1, cursor);
  return ["train ", nameDoc(model, cursor), " ", body];
}
