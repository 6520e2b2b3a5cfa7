// Names: what a name in a module's text stands for, and questions about what the walk over it (name-walk.ts) has found: what stands
// here, what is in sight here, which definition an expression applies. In: `Names`. Out: meanings. By the text alone, so that it works
// on half a program.

import type { Definition, DefinitionKind, Expression, Name, Span, Type } from "../../grammar/syntax.ts";
import type { Builtin } from "./builtins.ts";
import { exportsOf, type Source } from "./source.ts";

export type SymbolKind =
  | DefinitionKind
  | "dim"
  | "static"
  | "input"
  | "size"
  | "variable"
  | "parameter"
  | "state"
  | "modality"
  | "index"
  | "counter"
  | "loss"
  | "metric"
  | "member"
  | "builtin"
  | "module";

/** Something that has a name. */
export interface Meaning {
  readonly kind: SymbolKind;
  readonly name: string;
  /** Where it is declared; absent: built in. */
  readonly module?: string;
  readonly span?: Span;
  /** The definition, of a definition; around it, of what stands in one. */
  readonly definition?: Definition;
  /** What it is bound to. */
  readonly value?: Expression;
  readonly type?: Type;
  readonly doc?: string;
  readonly builtin?: Builtin;
}

export interface Use {
  readonly span: Span;
  readonly meaning: Meaning;
  readonly role: "declaration" | "write" | "read";
}

export interface Scope {
  readonly span: Span;
  readonly names: Map<string, Meaning>;
  readonly outer?: Scope;
  readonly definition?: Definition;
}

export interface Names {
  readonly source: Source;
  /** In the order of the text. */
  readonly uses: readonly Use[];
  /** Outer ones first. */
  readonly scopes: readonly Scope[];
}

/** The same for every occurrence of one thing, in whatever module it is used. */
export const keyOf = ({ module, span, name }: Meaning): string =>
  `${module ?? ""}#${span?.start ?? ""}#${name}`;

/** What a module declares under a name. */
export function declaredIn(source: Source, name: string): Meaning | undefined {
  const found = exportsOf(source).find((each) => each.name.text === name);
  if (found === undefined) return undefined;
  const common = {
    name,
    module: source.path,
    span: found.name.span,
    ...(found.doc === undefined ? {} : { doc: found.doc }),
  };
  return found.node === "dim"
    ? { ...common, kind: "dim", value: found.value }
    : { ...common, kind: found.kind, definition: found };
}

/** What an argument of that name gives: a static or an input of a definition, wherever that stands. */
export function argumentOf({ definition, module }: Meaning, name: string): Meaning | undefined {
  if (definition === undefined || module === undefined) return undefined;
  const isNamed = (each: { readonly name: Name }): boolean => each.name.text === name;
  const input = definition.inputs.find(isNamed);
  const found = input ?? definition.statics.find(isNamed);
  if (found === undefined) return undefined;
  return {
    kind: input === undefined ? "static" : "input",
    name,
    module,
    span: found.name.span,
    definition,
    ...(input === undefined ? {} : { type: input.type }),
    ...(found.value === undefined ? {} : { value: found.value }),
  };
}

const definitionKinds: ReadonlySet<string> = new Set([
  "expert",
  "router",
  "moe",
  "layer",
  "chain",
  "function",
  "model",
]);
export const isDefinition = ({ kind }: Meaning): boolean => definitionKinds.has(kind);

/** The use under a place in the text; between two, the one that ends there. */
export function useAt(names: Names, offset: number): Use | undefined {
  return (
    names.uses.find(({ span }) => span.start <= offset && offset < span.end) ??
    names.uses.find(({ span }) => span.end === offset)
  );
}

/** Names in sight at a place, the nearest first. */
export function inSight({ scopes }: Names, offset: number): readonly Meaning[] {
  const found = new Map<string, Meaning>();
  const around = scopes.filter(({ span }) => span.start <= offset && offset <= span.end);
  for (const { names } of around.toReversed())
    for (const [name, meaning] of names)
      if (!found.has(name) && isBefore(meaning, offset)) found.set(name, meaning);
  return [...found.values()];
}

const ordered: ReadonlySet<SymbolKind> = new Set(["variable", "parameter", "state", "modality"]);
const isBefore = ({ kind, span }: Meaning, offset: number): boolean =>
  !ordered.has(kind) || span === undefined || span.end < offset;

/** The definition that an expression applies or configures: `TopK`, `TopK { k = 2 }`, a name that is bound to one of them. */
export function definitionOf(
  expression: Expression,
  find: (name: string) => Meaning | undefined,
  depth = 0,
): Meaning | undefined {
  if (depth > 8) return undefined;
  switch (expression.node) {
    case "name": {
      const meaning = find(expression.text);
      if (meaning === undefined || isDefinition(meaning)) return meaning;
      const isAlias = meaning.kind === "variable" || meaning.kind === "static";
      return isAlias && meaning.value !== undefined
        ? definitionOf(meaning.value, find, depth + 1)
        : undefined;
    }
    case "group":
      return definitionOf(expression.inner, find, depth + 1);
    case "call":
    case "configure":
      return definitionOf(expression.callee, find, depth + 1);
    default:
      return undefined;
  }
}
