// Printing the settings of a `train` block: Syntax -> document. Settings, rules and phases stand on lines of their own.

import { codeAfter, leading, trailing, type Cursor } from "./print-comments.ts";
import { doc, type Doc } from "./print-doc.ts";
import { assigned, expressionDoc, nameDoc, optionsDoc } from "./print-expression.ts";
import { bracedDoc } from "./print-statements.ts";
import type { Name, Setting } from "./syntax.ts";

const { group, indent, line } = doc;

/** `{ ... }` behind a header that ends at an offset. */
export const settingsDoc = (
  settings: readonly Setting[],
  headEnd: number,
  closeAt: number,
  cursor: Cursor,
): Doc => bracedDoc(settings, headEnd, closeAt, cursor, (setting) => settingDoc(setting, cursor));

export function settingDoc(setting: Setting, cursor: Cursor): Doc {
  const word = [leading(cursor, setting.span.start), setting.setting, " "];
  switch (setting.setting) {
    case "data":
      return [word, nameDoc(setting.modality, cursor), assigned(setting.source, cursor)];
    case "batch":
      return [
        word,
        expressionDoc(setting.size, cursor),
        setting.length === undefined ? "" : [" of ", expressionDoc(setting.length, cursor)],
      ];
    case "optimizer":
      return [word, configuredDoc(setting.name, setting, cursor)];
    case "evaluate":
      return [
        word,
        "every ",
        expressionDoc(setting.every, cursor),
        setting.share === undefined ? "" : [" on ", expressionDoc(setting.share, cursor)],
      ];
    case "checkpoint":
      return [word, "every ", expressionDoc(setting.every, cursor)];
    case "stop":
      return [word, "after ", expressionDoc(setting.after, cursor)];
    case "freeze":
      return [word, expressionDoc(setting.pattern, cursor)];
    case "rate":
      return [word, expressionDoc(setting.pattern, cursor), assigned(setting.factor, cursor)];
    case "model":
      return [word, configuredDoc(setting.name, setting, cursor)];
    case "start":
      return startDoc(setting, cursor);
    case "phase": {
      const head = [word, nameDoc(setting.name, cursor), " "];
      return [head, settingsDoc(setting.settings, setting.name.span.end, setting.span.end - 1, cursor)];
    }
    case "steps":
    case "accumulate":
    case "clip":
    case "seed":
      return [word, expressionDoc(setting.value, cursor)];
    default:
      return setting satisfies never;
  }
}

function configuredDoc(
  name: Name,
  setting: Extract<Setting, { setting: "optimizer" | "model" }>,
  cursor: Cursor,
): Doc {
  if (setting.options.length === 0) return nameDoc(name, cursor);
  return group([nameDoc(name, cursor), " ", optionsDoc(setting.options, setting.span.end - 1, cursor)]);
}

function startDoc(setting: Extract<Setting, { setting: "start" }>, cursor: Cursor): Doc {
  const { sources, rules, span } = setting;
  const from = sources.map(({ name, path, span: at }, i): Doc => [
    i === 0 ? " from " : [",", trailing(cursor, at.start), line],
    name === undefined ? expressionDoc(path, cursor) : [nameDoc(name, cursor), assigned(path, cursor)],
  ]);
  const head: Doc[] = [leading(cursor, span.start), "start", group(indent(from))];
  const headEnd = sources.at(-1)?.span.end ?? span.start + "start".length;
  if (rules.length === 0 && (cursor.text === undefined || cursor.text[codeAfter(cursor, headEnd)] !== "{"))
    return head;
  const block = bracedDoc(rules, headEnd, span.end - 1, cursor, ({ target, value }) => [
    expressionDoc(target, cursor),
    assigned(value, cursor),
  ]);
  return [head, " ", block];
}
