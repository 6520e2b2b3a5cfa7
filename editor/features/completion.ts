// Completion: what may stand where the cursor is. In: the names of the module as it was last read, its text, the cursor. Out: items
// with what they insert; a name of the standard library that is not imported yet brings its import along.

import { optimizerDefaults } from "../../compiler/build/optimizer.ts";
import { scheduleParameters } from "../../compiler/elaborate/schedules.ts";
import type { Definition, Span } from "../../grammar/syntax.ts";
import { builtins, inExpressions, type Builtin } from "./builtins.ts";
import { cursorAt, type Place } from "./cursor.ts";
import { headerOf, showHeader } from "./headers.ts";
import { importEdit } from "./imports.ts";
import { definitionOf, inSight, isDefinition, type Meaning, type Names, type SymbolKind } from "./names.ts";
import { exportsOf, modelsIn, type Library } from "./source.ts";
import {
  chooseForms,
  declarationForms,
  plainText,
  settingForms,
  statementForms,
  type Form,
} from "./words.ts";

export interface Item {
  readonly label: string;
  readonly kind: SymbolKind | "word" | "option" | "snippet" | "file" | "axis";
  readonly detail?: string;
  readonly doc?: string;
  /** What is inserted instead of the label; with places to fill in when `isSnippet`. */
  readonly insert?: string;
  readonly isSnippet?: boolean;
  /** Earlier ones first. */
  readonly order: number;
  readonly alsoEdit?: { readonly span: Span; readonly text: string };
}

export interface Surroundings {
  readonly library: Library;
  /** Import paths of the standard library. */
  readonly std: readonly string[];
  /** Files that may be imported, as the text would write them. */
  readonly files: readonly string[];
}

export function completionAt(
  names: Names,
  text: string,
  offset: number,
  around: Surroundings,
): readonly Item[] {
  const { where, start } = cursorAt(text, offset);
  // Names as they are known before the word that is being typed.
  return itemsAt(where, names, start, around);
}

function itemsAt(where: Place, names: Names, offset: number, around: Surroundings): readonly Item[] {
  switch (where.place) {
    case "none":
      return [];
    case "top":
      return declarationForms.map(formItem);
    case "setting":
      return settingForms.map(formItem);
    case "choose":
      return chooseForms.map(formItem);
    case "statement":
      return [
        ...statementForms.filter(({ kinds }) => kinds?.includes(where.kind) ?? true).map(formItem),
        // A line begins with a word of the language more often than with a name.
        ...expressionItems(names, offset, around).map((item) => ({ ...item, order: item.order + 3 })),
      ];
    case "words":
      return where.words.map((word, i) => ({ label: word, kind: "word", order: i }));
    case "import path":
      return [
        ...around.std.map((path): Item => ({ label: path, kind: "module", order: 0 })),
        ...around.files.map((path): Item => ({ label: path, kind: "file", insert: `"${path}"`, order: 1 })),
      ];
    case "import names": {
      const from = importedSource(names, where.from, around.library);
      return from === undefined
        ? []
        : exportsOf(from).map((each): Item => ({
            label: each.name.text,
            kind: each.node === "dim" ? "dim" : each.kind,
            ...(each.doc === undefined ? {} : { doc: each.doc }),
            ...(each.node === "dim" ? {} : { detail: showHeader(headerOf(each, from)) }),
            order: 0,
          }));
    }
    case "type":
      return [
        { label: "int", kind: "word", insert: "int [$1]", isSnippet: true, order: 1 },
        { label: "bool", kind: "word", insert: "bool [$1]", isSnippet: true, order: 1 },
        { label: "gates", kind: "word", insert: "gates[${1:N}]", isSnippet: true, order: 1 },
        { label: "[D]", kind: "snippet", insert: "[${1:D}]", isSnippet: true, order: 0 },
      ];
    case "null kind":
      return builtinItems(["null expert"]);
    case "modality":
      return builtinItems(["modality"]);
    case "reader":
      return builtinItems(["reader"]);
    case "optimiser":
      return Object.keys(optimizerDefaults).map((name) => ({
        label: name,
        kind: "builtin",
        insert: `${name} { rate = \${1:1e-3} }`,
        isSnippet: true,
        detail: builtins.find((each) => each.name === name)?.signature ?? name,
        order: 0,
      }));
    case "model":
      return modelsIn(names.source).map(({ name }) => ({ label: name.text, kind: "model", order: 0 }));
    case "modality name":
      return modalities(names, offset).map((name) => ({ label: name, kind: "modality", order: 0 }));
    case "axes":
      return axisItems(names, offset);
    case "options":
      return optionItems(where, names, offset);
    case "member":
      return memberItems(where.of, names, offset);
    case "expression": {
      const named = where.callee === undefined ? [] : argumentItems(where.callee, names, offset);
      const first = where.initialiser === true ? builtinItems(["initialiser"]) : [];
      return [...named, ...first, ...expressionItems(names, offset, around)];
    }
    default:
      return where satisfies never;
  }
}

const formItem = ({ word, snippet, doc }: Form): Item => ({
  label: word,
  kind: "word",
  insert: snippet,
  isSnippet: true,
  detail: plainText(snippet).split("\n")[0]!,
  doc,
  order: 2,
});

function importedSource(names: Names, from: string, library: Library): ReturnType<Library["open"]> {
  const use = names.uses.find(({ meaning }) => meaning.kind === "module" && meaning.name === from);
  if (use?.meaning.module !== undefined) return library.open(use.meaning.module);
  if (from.startsWith("std.")) return library.open(from);
  return library.open(relativeTo(from, names.source.path));
}

const relativeTo = (from: string, importer: string): string =>
  [...importer.split("/").slice(0, -1), ...from.split("/").filter((part) => part !== ".")].join("/");

const callables: ReadonlySet<Builtin["group"]> = new Set([
  "reduction",
  "element-wise",
  "function",
  "initialiser",
  "schedule",
]);

function builtinItems(groups: readonly Builtin["group"][]): readonly Item[] {
  return builtins
    .filter(({ group }) => groups.includes(group))
    .map(({ name, group, signature, doc }): Item => {
      const call =
        callables.has(group) || group === "reader" || (group === "modality" && signature.includes("("));
      const inside =
        group === "reader" ? '"$1"' : group === "modality" && name === "tokens" ? "vocab = ${1:256}" : "$1";
      return {
        label: name,
        kind: "builtin",
        detail: signature,
        doc,
        ...(call ? { insert: `${name}(${inside})`, isSnippet: true } : {}),
        order: 4,
      };
    });
}

/** Everything that an expression may begin with. */
function expressionItems(names: Names, offset: number, around: Surroundings): readonly Item[] {
  const sight = inSight(names, offset);
  const scope = names.scopes.findLast(({ span }) => span.start <= offset && offset <= span.end);
  const inRouter = scope?.definition?.kind === "router";
  const known = new Set(sight.map(({ name }) => name));
  const groups = inRouter ? [...inExpressions, "router" as const] : inExpressions;
  return onceEach([
    ...sight
      .filter((meaning) => meaning.kind !== "model" && meaning.name !== scope?.definition?.name.text)
      .map((meaning) => meaningItem(meaning, around.library)),
    ...builtinItems(groups).filter(({ label }) => !known.has(label)),
    {
      label: "if",
      kind: "snippet",
      insert: "if ${1:condition} then ${2:a} else ${3:b}",
      isSnippet: true,
      order: 5,
    },
    { label: "not", kind: "word", order: 5 },
    ...stdItems(names, known, around),
  ]);
}

/** Of two with one name, the first. */
function onceEach(items: readonly Item[]): readonly Item[] {
  const seen = new Set<string>();
  return items.filter(({ label }) => !seen.has(label) && seen.add(label));
}

function meaningItem(meaning: Meaning, library: Library): Item {
  const { kind, name, doc, definition, module } = meaning;
  const source = module === undefined ? undefined : library.open(module);
  if (isDefinition(meaning) && definition !== undefined && source !== undefined)
    return {
      label: name,
      kind,
      detail: showHeader(headerOf(definition, source)),
      ...(doc === undefined ? {} : { doc }),
      ...applied(definition),
      order: 1,
    };
  return { label: name, kind, ...(doc === undefined ? {} : { doc }), detail: kind, order: 0 };
}

/** A definition is mostly applied: to its inputs, when sizes come from them, else to its statics. */
function applied({ name, kind }: Definition): Partial<Item> {
  return kind === "function" ? { insert: `${name.text}($1)`, isSnippet: true } : {};
}

/** Definitions of the standard library that are not in sight. */
function stdItems(names: Names, known: ReadonlySet<string>, { std, library }: Surroundings): readonly Item[] {
  return std.flatMap((path) => {
    const source = library.open(path);
    if (source === undefined || path === names.source.path) return [];
    return exportsOf(source).flatMap((each): readonly Item[] => {
      if (each.node === "dim" || known.has(each.name.text)) return [];
      return [
        {
          label: each.name.text,
          kind: each.kind,
          detail: `${path}: ${showHeader(headerOf(each, source))}`,
          ...(each.doc === undefined ? {} : { doc: each.doc }),
          ...applied(each),
          order: 6,
          alsoEdit: importEdit(names.source, path, each.name.text),
        },
      ];
    });
  });
}

function modalities(names: Names, offset: number): readonly string[] {
  // In `train` those of its model, in a body those in sight.
  const here = names.source.syntax.declarations.find(
    ({ span }) => span.start <= offset && offset <= span.end,
  );
  const model =
    here?.node === "train" ? here.model.text : here?.node === "definition" ? here.name.text : undefined;
  const bodies = modelsIn(names.source).filter(
    ({ name }) => model === undefined || here?.node !== "train" || name.text === model,
  );
  return [
    ...new Set(
      bodies.flatMap(({ body }) =>
        body.flatMap((each) => (each.node === "modality" ? [each.name.text] : [])),
      ),
    ),
  ];
}

const axisKinds: ReadonlySet<SymbolKind> = new Set(["size", "static", "dim", "index"]);

function axisItems(names: Names, offset: number): readonly Item[] {
  const where = ["tokens", "sequence", "batch"].map((label): Item => ({
    label,
    kind: "axis",
    detail: "axes outside the definition",
    order: 1,
  }));
  const own = inSight(names, offset)
    .filter(({ kind }) => axisKinds.has(kind))
    .map(({ name, kind }): Item => ({ label: name, kind, order: 0 }));
  return [...own, ...where];
}

/** The definition that a name in the text stands for at a place. */
export function calledAt(names: Names, name: string, offset: number): Meaning | undefined {
  const sight = inSight(names, offset);
  const find = (text: string): Meaning | undefined => sight.find((each) => each.name === text);
  return definitionOf({ node: "name", text: name, span: { start: 0, end: 0 } }, find);
}

function optionItems(
  { callee, given, of }: Extract<Place, { place: "options" }>,
  names: Names,
  offset: number,
): readonly Item[] {
  if (of === "optimiser") {
    const options = Object.entries(optimizerDefaults).find(([name]) => name === callee)?.[1] ?? {};
    return Object.entries(options)
      .filter(([name]) => !given.includes(name))
      .map(([name, value], i) => ({
        label: name,
        kind: "option",
        insert: `${name} = `,
        detail: value === undefined ? "must be given" : `default ${value}`,
        order: i,
      }));
  }
  const statics = calledAt(names, callee, offset)?.definition?.statics ?? [];
  return statics
    .filter(({ name }) => !given.includes(name.text))
    .map(({ name, value }, i) => ({
      label: name.text,
      kind: "option",
      insert: `${name.text} = `,
      detail:
        value === undefined
          ? "no default"
          : value.node === "number"
            ? `default ${value.value}`
            : "has a default",
      order: i,
    }));
}

/** Named arguments of schedules and of instances. */
function argumentItems(callee: string, names: Names, offset: number): readonly Item[] {
  const list = Object.entries(scheduleParameters).find(([name]) => name === callee)?.[1] ?? [];
  const parameters = list.filter((each) => each.default !== undefined).map(({ name }) => name);
  const called = calledAt(names, callee, offset)?.definition;
  const optional = [...(called?.statics ?? []), ...(called?.inputs ?? [])].filter(
    ({ value }) => value !== undefined,
  );
  return [...parameters, ...optional.map(({ name }) => name.text)].map((name) => ({
    label: `${name} =`,
    kind: "option",
    insert: `${name} = `,
    order: 3,
  }));
}

const gateMembers = ["weight", "picks", "chosen", "load"];
const modalityMembers: Readonly<Record<string, readonly string[]>> = {
  tokens: ["next", "vocab", "length"],
  category: ["count"],
};

function memberItems(of: string, names: Names, offset: number): readonly Item[] {
  const meaning = inSight(names, offset).find(({ name }) => name === of);
  const value = meaning?.value;
  const item = (label: string): Item => ({ label, kind: "member", order: 0 });
  if (meaning?.kind === "modality") {
    const callee = value?.node === "call" ? value.callee : value;
    return (modalityMembers[callee?.node === "name" ? callee.text : ""] ?? []).map(item);
  }
  const isGates = value !== undefined && calledAt(names, rootOf(value), offset)?.kind === "router";
  return isGates || meaning?.type?.element === "gates" ? gateMembers.map(item) : [];
}

function rootOf(expression: NonNullable<Meaning["value"]>): string {
  if (expression.node === "name") return expression.text;
  return expression.node === "call" || expression.node === "configure" ? rootOf(expression.callee) : "";
}
