// Checks: when what is checked, and what the editor is told. In: modules that changed. Out: diagnostics of them and of the open
// modules that import them, published together; what the compiler found, for those who wait for it. Waits until typing pauses.

import {
  DiagnosticSeverity,
  DiagnosticTag,
  type Connection,
  type Diagnostic as Shown,
} from "vscode-languageserver";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { Checked } from "../features/checked.ts";
import type { Source } from "../features/source.ts";
import type { Compiler } from "./compiler.ts";
import { addressOf } from "./files.ts";
import type { Client } from "./shared.ts";
import type { Workspace } from "./workspace.ts";

/** A pause in typing, in milliseconds. */
const pause = 150;

interface Checking {
  /** The text that is checked. */
  readonly source: Source;
  readonly result: Promise<Checked | undefined>;
}

interface Result {
  readonly source: Source;
  readonly checked: Checked;
  readonly version: number;
}

export class Checks {
  private readonly connection: Connection;
  private readonly workspace: Workspace;
  private readonly compiler: Compiler;
  private readonly client: Client;
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly current = new Map<string, Checking>();
  /** The last whole result of each open module, and the text that it is of. */
  private readonly results = new Map<string, Result>();
  private readonly published = new Set<string>();

  constructor(connection: Connection, workspace: Workspace, compiler: Compiler, client: Client) {
    this.connection = connection;
    this.workspace = workspace;
    this.compiler = compiler;
    this.client = client;
  }

  /** The text of an open module changed. */
  changed(path: string): void {
    this.schedule(path);
    this.changedBeside(path);
  }

  /** A module changed that open ones may import. */
  changedBeside(path: string): void {
    for (const [open, { checked }] of this.results)
      if (open !== path && checked.modules.includes(path)) {
        this.current.delete(open);
        this.schedule(open);
      }
  }

  all(): void {
    for (const path of this.workspace.openPaths()) {
      this.current.delete(path);
      this.schedule(path);
    }
  }

  closed(path: string): void {
    clearTimeout(this.timers.get(path));
    this.timers.delete(path);
    this.current.delete(path);
    this.results.delete(path);
    this.publish();
  }

  private schedule(path: string): void {
    // The library is shown, not written.
    if (path.startsWith("std.")) return;
    clearTimeout(this.timers.get(path));
    this.timers.set(
      path,
      setTimeout(() => {
        this.timers.delete(path);
        void this.of(path);
      }, pause),
    );
  }

  /** What the compiler found in a module as it is now; starts a check when none has begun. */
  async of(path: string): Promise<Checked | undefined> {
    const source = this.workspace.library.open(path);
    if (source === undefined) return undefined;
    const before = this.current.get(path);
    if (before?.source === source) return before.result;
    const { version } = this.workspace.documentOf(source);
    const result = this.compiler.check(path, this.workspace.openTexts());
    this.current.set(path, { source, result });
    const checked = await result;
    if (this.current.get(path)?.source !== source || !this.workspace.openPaths().includes(path))
      return checked;
    // A check that failed or was replaced may be asked for again.
    if (checked === undefined) this.current.delete(path);
    else {
      this.results.set(path, { source, checked, version });
      this.publish();
      if (this.client.refreshesHints)
        void this.connection.languages.inlayHint.refresh().catch(() => undefined);
    }
    return checked;
  }

  /** Diagnostics that stand in a module, whichever open module's check found them. */
  found(path: string): readonly Diagnostic[] {
    const seen = new Set<string>();
    return [...this.results.values()]
      .flatMap(({ checked }) => checked.diagnostics)
      .filter((diagnostic) => {
        const key = JSON.stringify([diagnostic.code, diagnostic.message, diagnostic.at]);
        return diagnostic.at.module === path && !seen.has(key) && seen.add(key);
      });
  }

  private publish(): void {
    const modules = new Set([
      ...this.published,
      ...this.results.keys(),
      ...[...this.results.values()].flatMap(({ checked }) => checked.diagnostics.map(({ at }) => at.module)),
    ]);
    for (const module of modules) {
      if (module.startsWith("std.")) continue;
      const own = this.results.get(module);
      // A newer text is being checked.
      if (own !== undefined && own.source !== this.workspace.library.open(module)) continue;
      const found = this.found(module);
      const uri = addressOf(module);
      if (found.length === 0) this.published.delete(module);
      else this.published.add(module);
      const diagnostics = found.flatMap((each) => shown(each, this.workspace) ?? []);
      void this.connection.sendDiagnostics({
        uri,
        diagnostics,
        ...(own === undefined ? {} : { version: own.version }),
      });
    }
  }
}

/** A diagnostic as the protocol has it. */
export function shown(diagnostic: Diagnostic, workspace: Workspace): Shown | undefined {
  const { code, severity, message, at, related, help } = diagnostic;
  const source = workspace.library.open(at.module);
  if (source === undefined) return undefined;
  const lines = [
    message,
    ...(at.label === "" ? [] : [at.label]),
    ...(help === undefined ? [] : [`help: ${help}`]),
  ];
  return {
    range: workspace.rangeOf(source, at.span),
    severity: severity === "error" ? DiagnosticSeverity.Error : DiagnosticSeverity.Warning,
    code,
    source: "moe",
    message: lines.join("\n"),
    ...(code === "M0704" ? { tags: [DiagnosticTag.Unnecessary] } : {}),
    relatedInformation: related.flatMap((place) => {
      const there = workspace.library.open(place.module);
      if (there === undefined) return [];
      const location = { uri: addressOf(place.module), range: workspace.rangeOf(there, place.span) };
      return [{ location, message: place.label }];
    }),
  };
}
