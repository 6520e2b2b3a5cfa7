// Hover: what stands under the pointer, as Markdown: how it is declared, what it is here, and its documentation. In: the names of
// a module, a place, what the compiler found (if it has). Out: text and the span that it is about. The cost of a definition is
// asked for apart, because it takes a whole compilation.

import { catalogue } from "../../compiler/diagnostics/catalogue.ts";
import type { Definition, Expression, Span, Statement } from "../../grammar/syntax.ts";
import { noteAt, type Checked } from "./checked.ts";
import { headerOf, showHeader } from "./headers.ts";
import { isDefinition, useAt, type Meaning, type Names, type Use } from "./names.ts";
import type { Library, Source } from "./source.ts";
import { formHelp } from "./words.ts";

export interface Hover {
  readonly span: Span;
  /** The line that is shown as code. */
  readonly code: string;
  readonly doc: string;
  /** The definition under the pointer: what has a cost. */
  readonly costs?: Meaning;
}

export function hoverAt(
  names: Names,
  offset: number,
  library: Library,
  checked?: Checked,
): Hover | undefined {
  const use = useAt(names, offset);
  if (use === undefined) return wordAt(names.source.text, offset);
  const { meaning, span } = use;
  const code = codeOf(use, library, noteAt(checked, span));
  const costs = isDefinition(meaning) && meaning.kind !== "function" ? { costs: meaning } : {};
  return { span, code, doc: docOf(meaning, library), ...costs };
}

/** Several lines of Markdown. */
export const showHover = ({ code, doc }: Pick<Hover, "code" | "doc">): string =>
  [`\`\`\`moe\n${code}\n\`\`\``, doc].filter((part) => part !== "").join("\n\n");

function codeOf({ meaning }: Use, library: Library, note: string | undefined): string {
  const { kind, name, definition, module, builtin } = meaning;
  if (builtin !== undefined) return builtin.signature;
  if (kind === "module") return `import ${name.includes("/") ? `"${name}"` : name}`;
  const source = module === undefined ? undefined : library.open(module);
  if (isDefinition(meaning) && definition !== undefined && source !== undefined)
    return showHeader(headerOf(definition, source));
  const written = (span: Span | undefined): string =>
    span === undefined || source === undefined
      ? ""
      : source.text.slice(span.start, span.end).replace(/\s+/g, " ");
  const typed = meaning.type === undefined ? "" : `: ${written(meaning.type.span)}`;
  const isNumber = kind === "dim" || kind === "static" || kind === "size";
  const bound =
    (isNumber || kind === "input") && meaning.value !== undefined ? ` = ${written(meaning.value.span)}` : "";
  const declared = `${words[kind] ?? kind} ${name}${typed}${bound}`.trim();
  if (note === undefined || ` = ${note}` === bound || note === name || `: ${note}` === typed) return declared;
  return isNumber || kind === "counter"
    ? `${declared} // ${note}`
    : typed === ""
      ? `${declared}: ${note}`
      : `${declared} // ${note}`;
}

const words: Partial<Readonly<Record<Meaning["kind"], string>>> = {
  parameter: "param",
  counter: "repeat",
  index: "index",
  variable: "",
};

/** What the kind of a name means, where it has no documentation of its own. */
const kindDocs: Partial<Readonly<Record<Meaning["kind"], string>>> = {
  static: "A static: known when the model is compiled.",
  input: "An input.",
  size: "A size that the inputs bind.",
  index: "An index: a named axis in index notation; as a value, its position.",
  counter: "The number of the turn, from 0.",
  loss: "A loss: added to what training makes small, and reported under this name.",
  metric: "A metric: reported, never trained on.",
  member: "A member.",
};

const memberDocs: Readonly<Record<string, string>> = {
  next: "The token that follows each position: what a language model predicts.",
  vocab: "How many ids the tokens have.",
  length: "How many positions one sequence has.",
  count: "How many classes there are.",
  weight: "The weight of each pick.",
  picks: "`int [K]`: the expert of each pick, -1 for none.",
  chosen: "`[N]`: 1 for the experts that this token takes, else 0.",
  load: "`[N]`: picks of each expert in the batch.",
};

function docOf(meaning: Meaning, library: Library): string {
  const { kind, name, definition, module, doc, builtin } = meaning;
  if (builtin !== undefined) return builtin.doc;
  if (kind === "member") return memberDocs[name] ?? kindDocs.member!;
  if (kind === "module") return module === undefined ? "" : (library.open(module)?.syntax.doc ?? "");
  const source = module === undefined ? undefined : library.open(module);
  const own =
    isDefinition(meaning) && meaning.kind !== "model" && definition !== undefined && source !== undefined
      ? ownParameters(definition, source)
      : undefined;
  const parameters = own === undefined ? "" : `\n\nParameters of its own: \`${own}\``;
  const from = module?.startsWith("std.") === true && isDefinition(meaning) ? `\n\n*${module}*` : "";
  const owner =
    !isDefinition(meaning) && definition !== undefined
      ? ` In \`${definition.kind} ${definition.name.text}\`.`
      : "";
  const what =
    kind === "input" && meaning.value !== undefined ? "An input that may be left out." : kindDocs[kind];
  return `${doc ?? `${what ?? ""}${what === undefined ? owner.trim() : owner}`}${parameters}${from}`.trim();
}

/** How many numbers a body's own `param` lines hold, as the text would write it: `3 * D * H`. Without those of what it applies. */
function ownParameters({ body }: Definition, { text }: Source): string | undefined {
  const terms = new Map<string, number>();
  const visit = (statements: readonly Statement[], times: readonly string[]): void => {
    for (const statement of statements) {
      if (statement.node === "repeat") visit(statement.body, [factor(statement.count), ...times]);
      if (statement.node !== "param") continue;
      const factors = [...times, ...statement.type.axes.map(factor)].filter((each) => each !== "1");
      const term = factors.sort(numbersFirst).join(" * ");
      terms.set(term === "" ? "1" : term, (terms.get(term === "" ? "1" : term) ?? 0) + 1);
    }
  };
  const factor = ({ span }: Expression): string => {
    const written = text.slice(span.start, span.end).replace(/\s+/g, " ");
    return /[-+/ ]/.test(written) ? `(${written})` : written;
  };
  visit(body, []);
  if (terms.size === 0) return undefined;
  return [...terms].map(([term, count]) => (count === 1 ? term : `${count} * ${term}`)).join(" + ");
}

const numbersFirst = (a: string, b: string): number =>
  Number(/^\d/.test(b)) - Number(/^\d/.test(a)) || (a < b ? -1 : a > b ? 1 : 0);

/** A word of the language: how what it begins is written. */
function wordAt(text: string, offset: number): Hover | undefined {
  const before = /[A-Za-z_]*$/.exec(text.slice(Math.max(0, offset - 40), offset))![0];
  const after = /^[A-Za-z_]*/.exec(text.slice(offset, offset + 40))![0];
  const word = before + after;
  const help = formHelp(word);
  if (help === undefined) return undefined;
  const start = offset - before.length;
  return { span: { start, end: start + word.length }, ...help };
}

/** The page of a diagnostic, for a link or a command. */
export const pageOf = (code: string): string | undefined => {
  const page = catalogue.find((each) => each.code === code);
  return page === undefined ? undefined : `**${page.code}: ${page.title}**\n\n${page.explanation}`;
};
