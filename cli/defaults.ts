// Defaults: a module's text with everything written out that was left out: initialisers, statics that have defaults, scopes of
// choices, the whole recipe. In: a loaded model and its compiled program. Out: text that compiles to the same program.
// Works by inserting into the text, so that comments and the author's own words stay.
// A static whose default depends on others (`H = 4 * D`) is left out: at the place of use its names may mean something else.

import type { Entity, LoadedModule } from "../compiler/model.ts";
import type { Argument, Definition, Expression, Name, Statement, Static, Type } from "../grammar/syntax.ts";
import { childrenOf } from "../grammar/walk.ts";
import type { Training } from "../runtime/program.ts";
import { fillRecipe } from "./defaults-recipe.ts";

export interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** `training`: of the model whose recipe is shown. */
export function withDefaults(module: LoadedModule, model: string, training: Training | undefined): string {
  const insertions: Insertion[] = [];
  for (const declaration of module.syntax.declarations) {
    if (declaration.node === "definition") fillDefinition(module, declaration, insertions);
    if (declaration.node === "train" && declaration.model.text === model && training !== undefined)
      fillRecipe(module, declaration, training, insertions);
  }
  // From the end, so that offsets stay true; at one place, the first that was asked for comes first.
  const ordered = insertions.map((each, i) => ({ ...each, i })).sort((a, b) => b.at - a.at || b.i - a.i);
  return ordered.reduce((text, { at, text: more }) => text.slice(0, at) + more + text.slice(at), module.text);
}

interface Walk {
  readonly module: LoadedModule;
  readonly insertions: Insertion[];
  /** Names of tensors: what is called with them is run, not configured. */
  readonly tensors: ReadonlySet<string>;
  /** Names that hide those of the module. */
  readonly hidden: ReadonlySet<string>;
}

interface Node {
  readonly node: string;
  readonly span: { readonly start: number; readonly end: number };
}
const isNode = (value: object): value is Node => typeof (value as Partial<Node>).node === "string";

function fillDefinition(module: LoadedModule, definition: Definition, insertions: Insertion[]): void {
  const walk: Walk = { module, insertions, ...namesIn(module, definition) };
  for (const { value } of [...definition.statics, ...definition.inputs]) visit(walk, value);
  visit(walk, definition.body);
}

/** Names that a body binds. */
function namesIn(
  module: LoadedModule,
  { statics, inputs, body }: Definition,
): Pick<Walk, "tensors" | "hidden"> {
  const others = new Set(statics.map(({ name }) => name.text));
  const tensors = new Set(inputs.map(({ name }) => name.text));
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (isNode(value)) {
      const { name, value: bound } = value as { readonly name?: Name; readonly value?: Expression };
      if (name !== undefined && ["param", "state", "modality"].includes(value.node)) tensors.add(name.text);
      if (name !== undefined && value.node === "dim") others.add(name.text);
      // An instance that is bound to a name (`norm = RMSNorm(D)`) is no tensor.
      if (name !== undefined && value.node === "bind" && bound !== undefined)
        (makesDefinition(module, bound, tensors) ? others : tensors).add(name.text);
    }
    Object.values(value).forEach(collect);
  };
  collect(body);
  return { tensors, hidden: new Set([...others, ...tensors]) };
}

/** Whether an expression is a definition, an instance or a pool, by its text alone. */
function makesDefinition(
  module: LoadedModule,
  expression: Expression,
  tensors: ReadonlySet<string>,
): boolean {
  switch (expression.node) {
    case "name":
      return definitionOf(module, expression.text) !== undefined;
    case "call":
      return (
        makesDefinition(module, expression.callee, tensors) &&
        !expression.arguments.some(({ value }) => mentions(value, tensors))
      );
    case "configure":
      return makesDefinition(module, expression.callee, tensors);
    case "binary":
      return [expression.left, expression.right].some((side) => makesDefinition(module, side, tensors));
    case "group":
      return makesDefinition(module, expression.inner, tensors);
    default:
      return false;
  }
}

function mentions(expression: Expression, tensors: ReadonlySet<string>): boolean {
  if (expression.node === "name") return tensors.has(expression.text);
  // `text.vocab` is a number, whatever `text` is.
  if (expression.node === "member" && ["vocab", "count"].includes(expression.name.text)) return false;
  return childrenOf(expression).some((child) => mentions(child, tensors));
}

function definitionOf(module: LoadedModule, name: string): Definition | undefined {
  const entity: Entity | undefined = module.names.get(name);
  return entity?.kind === "definition" ? entity.definition : undefined;
}

/** Everything below a value: statements, expressions, lists of them. */
function visit(walk: Walk, value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (isNode(value)) {
    if (value.node === "call" || value.node === "configure" || value.node === "name") {
      const chain = chainOf(value as Expression);
      const definition =
        chain.name === undefined || walk.hidden.has(chain.name.text)
          ? undefined
          : definitionOf(walk.module, chain.name.text);
      if (definition !== undefined) fillChain(walk, chain, definition);
      if (chain.name !== undefined)
        return chain.layers.forEach(({ list }) => list.forEach(({ value }) => visit(walk, value)));
    }
    fillStatement(walk, value);
  }
  Object.values(value).forEach((each) => visit(walk, each));
}

function fillStatement({ module, insertions }: Walk, node: Node): void {
  const put = (at: number, text: string): void => void insertions.push({ at, text });
  if (node.node === "param" || node.node === "state") {
    const { type, init } = node as unknown as { readonly type: Type; readonly init?: Expression };
    if (init !== undefined) return;
    const [first] = type.axes;
    const rows = first === undefined ? "" : module.text.slice(first.span.start, first.span.end);
    const random = node.node === "param" && type.axes.length >= 2;
    put(type.span.end, random ? ` = normal(1 / sqrt(${rows}))` : " = 0");
  }
  if (node.node === "capacity") {
    const { value, groups } = node as unknown as Extract<Statement, { node: "capacity" }>;
    const tail = module.text.slice((groups ?? value).span.end, node.span.end);
    const word = groups === undefined ? "" : (/^\s*groups/.exec(tail)?.[0] ?? "");
    const rest = tail.slice(word.length);
    const scope = /^\s*per\s+\w+/.exec(rest)?.[0];
    const drop = /\bdrop\b/.test(rest) ? "" : " drop last";
    const at = node.span.end - rest.length + (scope?.length ?? 0);
    put(at, `${scope === undefined ? " per batch" : ""}${drop}`);
  }
  if (node.node === "choose") {
    const text = module.text.slice(node.span.start, node.span.end);
    const each = /\bfor\s+each\s+expert\b(?!\s+per\b)/.exec(text);
    if (each !== null) put(node.span.start + each.index + each[0].length, " per sequence");
  }
}

/** `Name(statics) { options }(inputs)`, from the inside out. */
interface Chain {
  readonly name?: Extract<Expression, { node: "name" }>;
  readonly layers: readonly {
    readonly kind: "call" | "configure";
    readonly list: readonly Argument[];
    readonly end: number;
  }[];
}

function chainOf(expression: Expression): Chain {
  if (expression.node === "name") return { name: expression, layers: [] };
  if (expression.node !== "call" && expression.node !== "configure") return { layers: [] };
  const inner = chainOf(expression.callee);
  const list = expression.node === "call" ? expression.arguments : expression.options;
  return { ...inner, layers: [...inner.layers, { kind: expression.node, list, end: expression.span.end }] };
}

/** Adds the statics that have defaults and were not given. */
function fillChain(
  { module, insertions, tensors }: Walk,
  { name, layers }: Chain,
  definition: Definition,
): void {
  const given = new Set<string>();
  let end = name!.span.end;
  let options: Chain["layers"][number] | undefined;
  for (const layer of layers) {
    // The list of inputs ends the statics: the definition is run.
    if (layer.kind === "call" && isInputs(layer.list, definition, given, tensors)) break;
    const free = definition.statics.filter((each) => !given.has(each.name.text));
    let next = 0;
    for (const argument of layer.list) {
      const taken = argument.name?.text ?? free[next++]?.name.text;
      if (taken !== undefined) given.add(taken);
    }
    end = layer.end;
    if (layer.kind === "configure") options = layer;
  }
  const missing = definition.statics.filter((each) => !given.has(each.name.text) && isPlain(each));
  if (missing.length === 0) return;
  const home = [...module.names.values()].find(
    (entity) => entity.kind === "definition" && entity.definition === definition,
  )!.module;
  const text = missing
    .map(({ name, value }) => `${name.text} = ${home.text.slice(value!.span.start, value!.span.end)}`)
    .join(", ");
  if (options === undefined) insertions.push({ at: end, text: ` { ${text} }` });
  else {
    const last = options.list.at(-1);
    insertions.push(
      last === undefined ? { at: options.end - 1, text } : { at: last.span.end, text: `, ${text}` },
    );
  }
}

/** Whether a list in parentheses gives tensors rather than statics. */
function isInputs(
  list: readonly Argument[],
  { statics, inputs }: Definition,
  given: ReadonlySet<string>,
  tensors: ReadonlySet<string>,
): boolean {
  const named = list.flatMap(({ name }) => name?.text ?? []);
  if (named.length > 0) return named.every((name) => inputs.some((input) => input.name.text === name));
  return (
    given.size >= statics.length || list.some(({ value }) => mentions(value, tensors)) || list.length === 0
  );
}

/** A default that means the same everywhere: a number or a truth value. */
function isPlain({ value }: Static): boolean {
  if (value === undefined) return false;
  const free = (expression: Expression): boolean =>
    (expression.node === "name" && expression.text !== "true" && expression.text !== "false") ||
    childrenOf(expression).some(free);
  return !free(value);
}
