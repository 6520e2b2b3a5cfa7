// The walk that finds names: through a module's text in the elaborator's order, with its scopes. In: a parsed module and the library
// that its imports come from. Out: `Names`. It runs nothing and checks nothing: what it does not understand has no meaning.

import { resolvePath } from "../../compiler/resolve.ts";
import type {
  Argument,
  Choice,
  Definition,
  Expression,
  Name,
  Span,
  Statement,
  TrainDeclaration,
  Type,
} from "../../grammar/syntax.ts";
import { childrenOf } from "../../grammar/walk.ts";
import { builtinNamed, inExpressions, type Builtin } from "./builtins.ts";
import {
  argumentOf,
  declaredIn,
  definitionOf,
  type Meaning,
  type Names,
  type Scope,
  type SymbolKind,
  type Use,
} from "./names.ts";
import { partsOfChoice, partsOfSetting } from "./parts.ts";
import type { Library, Source } from "./source.ts";

export function namesIn(source: Source, library: Library): Names {
  const walk = new Walk(source, library);
  walk.module();
  walk.uses.sort((a, b) => a.span.start - b.span.start || a.span.end - b.span.end);
  return { source, uses: walk.uses, scopes: walk.scopes };
}

/** One walk over a module; a class because it collects. */
class Walk {
  readonly uses: Use[] = [];
  readonly scopes: Scope[] = [];
  private readonly source: Source;
  private readonly library: Library;
  private readonly top: Scope;
  /** Bodies of models, for the modalities that `train` names. */
  private readonly models = new Map<string, Scope>();
  /** Indices on the left of bindings of the body that is walked: they name axes, which a later `over` may mean. */
  private axes = new Map<string, Meaning[]>();

  constructor(source: Source, library: Library) {
    this.source = source;
    this.library = library;
    this.top = { span: { start: 0, end: source.text.length }, names: new Map() };
    this.scopes.push(this.top);
  }

  module(): void {
    const { syntax, path } = this.source;
    for (const { from, fromSpan, names } of syntax.imports) {
      const at = resolvePath(from, path);
      const imported = at === path ? undefined : this.library.open(at);
      this.use(fromSpan, { kind: "module", name: from, module: at, span: { start: 0, end: 0 } }, "read");
      for (const name of names) {
        const meaning = imported === undefined ? undefined : declaredIn(imported, name.text);
        if (meaning === undefined) continue;
        this.use(name.span, meaning, "read");
        if (!this.top.names.has(name.text)) this.top.names.set(name.text, meaning);
      }
    }
    for (const declaration of syntax.declarations) {
      if (declaration.node === "train" || declaration.name.text === "") continue;
      const own = declaredIn(this.source, declaration.name.text)!;
      // Of two with one name, the first counts.
      if (!this.top.names.has(own.name)) this.top.names.set(own.name, own);
      this.use(declaration.name.span, own, "declaration");
    }
    for (const declaration of syntax.declarations) {
      if (declaration.node === "dim") this.expression(declaration.value, this.top);
      if (declaration.node === "definition") this.definition(declaration);
    }
    for (const declaration of syntax.declarations) if (declaration.node === "train") this.train(declaration);
  }

  private use(span: Span, meaning: Meaning, role: Use["role"]): void {
    if (span.end > span.start) this.uses.push({ span, meaning, role });
  }

  private open(span: Span, outer: Scope, definition?: Definition): Scope {
    const inside = definition ?? outer.definition;
    const scope = { span, names: new Map(), outer, ...(inside === undefined ? {} : { definition: inside }) };
    this.scopes.push(scope);
    return scope;
  }

  private find(name: string, scope: Scope): Meaning | undefined {
    for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
      const meaning = at.names.get(name);
      if (meaning !== undefined) return meaning;
    }
    return undefined;
  }

  private declare(scope: Scope, name: Name, kind: SymbolKind, more: Partial<Meaning> = {}): void {
    if (name.text === "") return;
    const meaning: Meaning = {
      kind,
      name: name.text,
      module: this.source.path,
      span: name.span,
      ...(scope.definition === undefined ? {} : { definition: scope.definition }),
      ...more,
    };
    scope.names.set(name.text, meaning);
    this.use(name.span, meaning, "declaration");
  }

  private definition(definition: Definition): void {
    const { statics, inputs, result, body, span } = definition;
    const scope = this.open(span, this.top, definition);
    this.axes = new Map();
    for (const each of statics) {
      if (each.value !== undefined) this.expression(each.value, scope);
      this.declare(scope, each.name, "static", each.value === undefined ? {} : { value: each.value });
    }
    for (const { type } of inputs)
      for (const axis of type.axes) {
        if (axis.node === "name" && this.find(axis.text, scope) === undefined)
          this.declare(scope, { text: axis.text, span: axis.span }, "size");
        else this.expression(axis, scope);
      }
    for (const { name, type, value } of inputs) {
      if (value !== undefined) this.expression(value, scope);
      this.declare(scope, name, "input", { type, ...(value === undefined ? {} : { value }) });
    }
    if (result !== undefined)
      for (const axis of result.axes) {
        const isNew =
          result.element === "gates" && axis.node === "name" && this.find(axis.text, scope) === undefined;
        if (isNew && axis.node === "name") this.declare(scope, { text: axis.text, span: axis.span }, "size");
        else this.expression(axis, scope);
      }
    if (definition.kind === "model") this.models.set(definition.name.text, scope);
    this.statements(body, scope);
  }

  private statements(body: readonly Statement[], scope: Scope): void {
    for (const statement of body) this.statement(statement, scope);
  }

  private statement(statement: Statement, scope: Scope): void {
    const documented = statement.doc === undefined ? {} : { doc: statement.doc };
    switch (statement.node) {
      case "dim":
        this.expression(statement.value, scope);
        return this.declare(scope, statement.name, "dim", { value: statement.value, ...documented });
      case "param":
      case "state": {
        this.type(statement.type, scope);
        if (statement.init !== undefined) this.expression(statement.init, scope, ["initialiser"]);
        const kind = statement.node === "param" ? "parameter" : "state";
        return this.declare(scope, statement.name, kind, { type: statement.type, ...documented });
      }
      case "modality": {
        this.expression(statement.value, scope, ["modality"]);
        return this.declare(scope, statement.name, "modality", { value: statement.value, ...documented });
      }
      case "bind":
        return this.bind(statement, scope);
      case "choose":
        this.choice(statement.choice, scope);
        if (statement.only !== undefined) this.expression(statement.only, scope);
        return;
      case "weight":
        return this.expression(statement.value, scope);
      case "capacity":
        this.expression(statement.value, scope);
        if (statement.groups !== undefined) this.expression(statement.groups, scope);
        if (statement.of !== undefined) this.expression(statement.of, scope);
        return;
      case "loss":
      case "metric":
        this.expression(statement.value, scope);
        if (statement.name !== undefined) this.reported(statement.node, statement.name, scope, statement.doc);
        return;
      case "after":
        return this.statements(statement.body, this.open(statement.span, scope));
      case "repeat": {
        this.expression(statement.count, scope);
        const inside = this.open(statement.span, scope);
        if (statement.index !== undefined) this.declare(inside, statement.index, "counter");
        return this.statements(statement.body, inside);
      }
      case "if":
        this.expression(statement.condition, scope);
        this.statements(statement.then, scope);
        return this.statements(statement.otherwise, scope);
      case "shared":
      case "routed":
        this.expression(statement.pool, scope);
        if (statement.weight !== undefined) this.expression(statement.weight, scope);
        if (statement.node === "routed" && statement.modality !== undefined)
          this.read(statement.modality, scope);
        return;
      case "null":
        if (statement.count !== undefined) this.expression(statement.count, scope);
        return;
      case "router":
        return this.expression(statement.router, scope);
      case "result":
        return this.expression(statement.value, scope);
      default:
        statement satisfies never;
    }
  }

  /** What a report calls it; nothing in the text can refer to it. */
  private reported(kind: "loss" | "metric", name: Name, scope: Scope, doc: string | undefined): void {
    const inside = scope.definition === undefined ? {} : { definition: scope.definition };
    const documented = doc === undefined ? {} : { doc };
    const where = { module: this.source.path, span: name.span };
    this.use(name.span, { kind, name: name.text, ...where, ...inside, ...documented }, "declaration");
  }

  private bind(statement: Extract<Statement, { node: "bind" }>, scope: Scope): void {
    const { name, indices, operator, value, doc } = statement;
    if (indices === undefined) this.expression(value, scope);
    else {
      for (const { size } of indices) if (size !== undefined) this.expression(size, scope);
      const inside = this.open(statement.span, scope);
      for (const { name: index } of indices) {
        this.declare(inside, index, "index");
        const meaning = inside.names.get(index.text);
        if (meaning !== undefined) this.axes.set(index.text, [...(this.axes.get(index.text) ?? []), meaning]);
      }
      this.expression(value, inside);
    }
    const before = this.find(name.text, scope);
    const isAgain =
      before !== undefined && before.definition === scope.definition && rebindable.has(before.kind);
    if (isAgain) return this.use(name.span, before, "write");
    if (operator !== "=") return before === undefined ? undefined : this.use(name.span, before, "write");
    this.declare(scope, name, "variable", { value, ...(doc === undefined ? {} : { doc }) });
  }

  private type({ axes }: Type, scope: Scope): void {
    for (const axis of axes) this.expression(axis, scope);
  }

  private read(name: Name, scope: Scope): void {
    const meaning = this.find(name.text, scope);
    if (meaning !== undefined) this.use(name.span, meaning, "read");
  }

  /** An axis by the index that named it. Which of several of one name, only values could tell: they become one. */
  private axis(name: Name): void {
    const [first, ...others] = this.axes.get(name.text)!;
    this.use(name.span, first!, "read");
    this.axes.set(name.text, [first!]);
    if (others.length === 0) return;
    this.uses.forEach((use, i) => {
      if (others.includes(use.meaning)) this.uses[i] = { ...use, meaning: first! };
    });
  }

  private builtin(span: Span, builtin: Builtin | undefined): void {
    if (builtin !== undefined) this.use(span, { kind: "builtin", name: builtin.name, builtin }, "read");
  }

  private choice(choice: Choice, scope: Scope): void {
    if (choice.form === "best")
      this.builtin(choice.by.reduce.span, builtinNamed(choice.by.reduce.text, ["reduction"]));
    for (const part of partsOfChoice(choice)) this.expression(part, scope);
  }

  /** `first`: groups of built-in names that are looked at before those of expressions. */
  private expression(expression: Expression, scope: Scope, first: readonly Builtin["group"][] = []): void {
    switch (expression.node) {
      case "name": {
        const special = first.length > 0 ? builtinNamed(expression.text, first) : undefined;
        const meaning = special === undefined ? this.find(expression.text, scope) : undefined;
        if (meaning !== undefined) return this.use(expression.span, meaning, "read");
        const inRouter =
          scope.definition?.kind === "router" ? builtinNamed(expression.text, ["router"]) : undefined;
        return this.builtin(
          expression.span,
          special ?? inRouter ?? builtinNamed(expression.text, inExpressions),
        );
      }
      case "call": {
        this.expression(expression.callee, scope, first);
        const inside = this.overScope(expression, scope);
        this.arguments(expression.callee, expression.arguments, inside);
        for (const name of expression.over) {
          if (inside.names.get(name.text)?.span?.start === name.span.start) continue;
          if (this.find(name.text, inside) !== undefined) this.read(name, inside);
          else if (this.axes.has(name.text)) this.axis(name);
          else this.builtin(name.span, builtinNamed(name.text, ["router"]));
        }
        return;
      }
      case "configure":
        this.expression(expression.callee, scope);
        return this.arguments(expression.callee, expression.options, scope);
      case "member": {
        this.expression(expression.of, scope);
        const member: Meaning = { kind: "member", name: expression.name.text };
        const of = expression.of.node === "name" ? this.find(expression.of.text, scope) : undefined;
        return this.use(
          expression.name.span,
          of?.value === undefined ? member : { ...member, value: of.value },
          "read",
        );
      }
      default:
        for (const child of childrenOf(expression)) this.expression(child, scope);
    }
  }

  /** Names after `over` that stand in brackets inside are indices, unless they are already. */
  private overScope(call: Extract<Expression, { node: "call" }>, scope: Scope): Scope {
    if (call.over.length === 0) return scope;
    const used = new Set<string>();
    const visit = (expression: Expression): void => {
      if (expression.node === "index")
        for (const index of expression.indices) if (index.node === "name") used.add(index.text);
      childrenOf(expression).forEach(visit);
    };
    for (const { value } of call.arguments) visit(value);
    const fresh = call.over.filter(({ text }) => used.has(text) && this.find(text, scope)?.kind !== "index");
    if (fresh.length === 0) return scope;
    const inside = this.open(call.span, scope);
    for (const name of fresh) this.declare(inside, name, "index");
    return inside;
  }

  private arguments(callee: Expression, list: readonly Argument[], scope: Scope): void {
    const named = list.some(({ name }) => name !== undefined);
    const of = named ? this.definitionOf(callee, scope) : undefined;
    for (const { name, value } of list) {
      if (name !== undefined) {
        const meaning = of === undefined ? undefined : argumentOf(of, name.text);
        this.use(name.span, meaning ?? { kind: "static", name: name.text }, "read");
      }
      this.expression(value, scope);
    }
  }

  private definitionOf(expression: Expression, scope: Scope): Meaning | undefined {
    return definitionOf(expression, (name) => this.find(name, scope));
  }

  private train({ model, settings }: TrainDeclaration): void {
    this.model(model);
    this.settings(settings, model.text);
  }

  private model({ text, span }: Name): void {
    const meaning = this.top.names.get(text);
    if (meaning !== undefined) this.use(span, meaning, "read");
  }

  private settings(settings: TrainDeclaration["settings"], model: string): void {
    const asked = settings.find((setting) => setting.setting === "model");
    const trained = asked?.name.text ?? model;
    const inside = this.models.get(trained);
    for (const setting of settings) {
      if (setting.setting === "phase") {
        this.settings(setting.settings, trained);
        continue;
      }
      if (setting.setting === "model") {
        this.model(setting.name);
        const of = this.top.names.get(setting.name.text);
        for (const { name } of setting.options)
          if (name !== undefined) {
            const meaning = of === undefined ? undefined : argumentOf(of, name.text);
            this.use(name.span, meaning ?? { kind: "static", name: name.text }, "read");
          }
      }
      if (setting.setting === "data") {
        const modality = inside?.names.get(setting.modality.text);
        if (modality !== undefined) this.use(setting.modality.span, modality, "read");
        const { source } = setting;
        if (source.node === "call" && source.callee.node === "name")
          this.builtin(source.callee.span, builtinNamed(source.callee.text, ["reader"]));
      }
      if (setting.setting === "optimizer") {
        this.builtin(setting.name.span, builtinNamed(setting.name.text, ["optimiser"]));
        for (const { name } of setting.options)
          if (name !== undefined) this.use(name.span, { kind: "static", name: name.text }, "read");
      }
      for (const part of partsOfSetting(setting)) this.expression(part, this.top);
    }
  }
}

/** Names of a body that a second binding binds again: one thing with one name, in turns of `repeat` above all. */
const rebindable: ReadonlySet<SymbolKind> = new Set([
  ...(["variable", "input", "state", "parameter", "modality", "dim", "static", "size", "counter"] as const),
]);
