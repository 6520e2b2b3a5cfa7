// Resolve: from the path of one module to a Model: every module that it reaches through imports, parsed, with its names.
// In: a host that reads texts. Out: modules, and diagnostics M01xx (names) and M07xx (modules). Bodies are not looked into,
// but for one question: whether an imported name is used at all.

import { error, type Diagnostic } from "../grammar/diagnostic.ts";
import { parse } from "../grammar/parse.ts";
import type { Declaration, Import, Module, Name } from "../grammar/syntax.ts";
import { didYouMean } from "./diagnostics/suggest.ts";
import type { Entity, Host, LoadedModule, Model } from "./model.ts";

/** A module while its imports are being read. */
interface Opened extends LoadedModule {
  readonly names: Map<string, Entity>;
  readonly missing: Set<string>;
}

/** `./b.moe` seen from `models/a.moe` is `models/b.moe`; `std.norms` is itself. */
export function resolvePath(from: string, importer: string): string {
  if (!from.startsWith("./") && !from.startsWith("../")) return from;
  const parts = importer.split("/").slice(0, -1);
  for (const part of from.split("/")) {
    if (part === "..") {
      if (parts.length === 0 || parts.at(-1) === "..") parts.push("..");
      else parts.pop();
    } else if (part !== "." && part !== "") parts.push(part);
  }
  return (importer.startsWith("/") ? "/" : "") + parts.filter((part) => part !== "").join("/");
}

const nameOf = (declaration: Declaration): Name =>
  declaration.node === "train" ? declaration.model : declaration.name;

/** Every name that a module's text mentions, apart from the lists of its imports. */
function mentionedNames(module: Module): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach(visit);
    const node = value as { readonly node?: unknown; readonly text?: unknown };
    if (typeof node.text === "string") names.add(node.text);
    Object.values(value).forEach(visit);
  };
  visit(module.declarations);
  return names;
}

/** Reads a module and all that it imports. Never throws on any text; a missing main module is a diagnostic too. */
export function loadModel(host: Host, path: string): Model {
  const diagnostics: Diagnostic[] = [];
  const modules = new Map<string, Opened>();
  const open: string[] = [];

  const declare = (module: Opened): void => {
    for (const declaration of module.syntax.declarations) {
      if (declaration.node === "train") continue;
      const name = nameOf(declaration);
      const before = module.names.get(name.text);
      if (before !== undefined) {
        const first = before.kind === "definition" ? before.definition.name : before.declaration.name;
        const imported = before.module !== module;
        diagnostics.push({
          ...error(
            "M0102",
            `\`${name.text}\` is declared twice`,
            module.path,
            name.span,
            "declared again here",
            "rename one of them",
          ),
          related: imported ? [] : [{ module: module.path, span: first.span, label: "first declared here" }],
        });
        continue;
      }
      module.names.set(
        name.text,
        declaration.node === "definition"
          ? { kind: "definition", definition: declaration, module }
          : { kind: "dim", declaration, module },
      );
    }
  };

  const take = (
    module: Opened,
    statement: Import,
    from: Opened | undefined,
    mentioned: ReadonlySet<string>,
  ): void => {
    for (const name of statement.names) {
      const own = from?.syntax.declarations.find(
        (each) => each.node !== "train" && nameOf(each).text === name.text,
      );
      const entity = from?.names.get(name.text);
      if (from !== undefined && (entity === undefined || own === undefined || entity.module !== from)) {
        const exported = from.syntax.declarations
          .filter((each) => each.node !== "train")
          .map((each) => nameOf(each).text);
        const otherwise =
          exported.length === 0
            ? `\`${statement.from}\` declares nothing`
            : `it has ${exported.map((each) => `\`${each}\``).join(", ")}`;
        diagnostics.push(
          error(
            "M0703",
            `\`${statement.from}\` has no \`${name.text}\``,
            module.path,
            name.span,
            "not declared there",
            didYouMean(name.text, exported, otherwise),
          ),
        );
        module.missing.add(name.text);
        continue;
      }
      if (entity === undefined) {
        module.missing.add(name.text);
        continue;
      }
      if (module.names.has(name.text)) {
        diagnostics.push(
          error(
            "M0102",
            `\`${name.text}\` is declared twice`,
            module.path,
            name.span,
            "imported again here",
            "import it once",
          ),
        );
        continue;
      }
      module.names.set(name.text, entity);
      if (!mentioned.has(name.text))
        diagnostics.push({
          ...error(
            "M0704",
            `\`${name.text}\` is imported and never used`,
            module.path,
            name.span,
            "never used",
            "remove it from the import",
          ),
          severity: "warning",
        });
    }
  };

  const load = (
    at: string,
    asked?: { readonly by: string; readonly statement: Import },
  ): Opened | undefined => {
    const before = modules.get(at);
    if (open.includes(at)) {
      const cycle = [...open.slice(open.indexOf(at)), at].join(" -> ");
      diagnostics.push(
        error(
          "M0702",
          "modules import each other in a circle",
          asked!.by,
          asked!.statement.fromSpan,
          cycle,
          "move what both need into a third module",
        ),
      );
      return undefined;
    }
    if (before !== undefined) return before;
    const text = host.read(at);
    if (text === undefined) {
      const std = at.startsWith("std.");
      if (asked !== undefined)
        diagnostics.push(
          error(
            "M0701",
            std ? `the standard library has no \`${at}\`` : `there is no module \`${asked.statement.from}\``,
            asked.by,
            asked.statement.fromSpan,
            std ? "no such module" : `looked for \`${at}\``,
            std
              ? "write one of std.attention, std.experts, std.losses, std.norms, std.positions, std.routers"
              : 'write the path from this file, like "./mine.moe"',
          ),
        );
      else
        diagnostics.push(
          error(
            "M0701",
            `there is no module \`${at}\``,
            at,
            { start: 0, end: 0 },
            "cannot be read",
            "give the path of a .moe file",
          ),
        );
      return undefined;
    }
    const { module: syntax, diagnostics: found } = parse(text, at);
    diagnostics.push(...found);
    const trains = syntax.declarations.filter((each) => each.node === "train");
    const module: Opened = {
      path: at,
      text,
      syntax,
      names: new Map(),
      missing: new Set(),
      trains,
      imports: syntax.imports,
    };
    modules.set(at, module);
    open.push(at);
    const mentioned = mentionedNames(syntax);
    for (const statement of syntax.imports) {
      const from = load(resolvePath(statement.from, at), { by: at, statement });
      take(module, statement, from, mentioned);
    }
    open.pop();
    declare(module);
    return module;
  };

  const main = load(path) ?? {
    path,
    text: "",
    syntax: { span: { start: 0, end: 0 }, imports: [], declarations: [], comments: [] },
    names: new Map(),
    missing: new Set(),
    trains: [],
    imports: [],
  };
  return { main, modules, diagnostics };
}
