// `data text = bytes("corpus/*.txt")`: where a modality's examples come from. In: the expression. Out: runtime/program.ts `DataSource`.

import type { Expression } from "../../grammar/syntax.ts";
import type { DataSource } from "../../runtime/program.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { report, type Elaboration } from "./elaboration.ts";

const readers = ["bytes", "characters", "pairs", "csv", "jsonl", "idx"] as const;
type Reader = (typeof readers)[number];
const isReader = (name: string): name is Reader => (readers as readonly string[]).includes(name);

export function textOf(of: Elaboration, expression: Expression, what: string): string | undefined {
  if (expression.node === "string") return expression.value;
  report(of, "M0607", expression.span, `${what} is written in quotes`, {
    label: "not a text",
    help: 'write it like "corpus/*.txt"',
  });
  return undefined;
}

/** `bytes("corpus/*.txt")`, `csv("data.csv", "a", "b", stream = other)`; a bare text is read as bytes. */
export function sourceOf(of: Elaboration, modality: string, expression: Expression): DataSource | undefined {
  if (expression.node === "string") return { modality, reader: "bytes", path: expression.value };
  const callee =
    expression.node === "call" && expression.callee.node === "name" ? expression.callee.text : undefined;
  if (expression.node !== "call" || callee === undefined || !isReader(callee)) {
    report(of, "M0608", expression.span, "data is read by bytes, characters, pairs, csv, jsonl or idx", {
      label: "not one of them",
      help: didYouMean(callee ?? "", readers, 'write `bytes("corpus/*.txt")`'),
    });
    return undefined;
  }
  const [path, ...columns] = expression.arguments;
  const file = path === undefined ? undefined : textOf(of, path.value, "the path of a file");
  if (path === undefined)
    report(of, "M0608", expression.span, `\`${callee}\` needs a file`, {
      label: "no path",
      help: `write \`${callee}("path")\``,
    });
  if (file === undefined) return undefined;
  const names: string[] = [];
  let stream: string | undefined;
  for (const { name: option, value } of columns) {
    if (option !== undefined) {
      stream = option.text === "stream" && value.node === "name" ? value.text : undefined;
      if (stream !== undefined) continue;
      return void report(
        of,
        "M0608",
        option.span,
        option.text === "stream"
          ? "a stream of data is called by a name"
          : `\`${callee}\` has no option \`${option.text}\``,
        {
          label: option.text === "stream" ? "not named" : "not known",
          help: `data that are read apart, in an order of their own, are written like \`${callee}("path", stream = unlabelled)\``,
        },
      );
    }
    const column = value.node === "name" ? value.text : textOf(of, value, "the name of a column");
    if (column === undefined) return undefined;
    names.push(column);
  }
  if ((callee === "csv" || callee === "jsonl") && names.length === 0) {
    report(of, "M0608", expression.span, `\`${callee}\` needs a column`, {
      label: "no column",
      help: `write \`${callee}("file", "column")\``,
    });
    return undefined;
  }
  return {
    modality,
    reader: callee,
    path: file,
    ...(names.length === 0 ? {} : { columns: names }),
    ...(stream === undefined ? {} : { stream }),
  };
}
