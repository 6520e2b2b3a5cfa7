// Workspace: every module that the server may be asked about: texts that are open in the editor, files on the disk, the standard
// library; parsed and with their names found, once for each text. In: documents and folders. Out: sources, names, positions. Node only.

import { TextDocument } from "vscode-languageserver-textdocument";
import type { Position, Range } from "vscode-languageserver";
import type { Span } from "../../grammar/syntax.ts";
import { stdlib } from "../../stdlib/sources.ts";
import { namesIn } from "../features/name-walk.ts";
import { type Names } from "../features/names.ts";
import { openLibrary, type Library, type Source } from "../features/source.ts";
import { addressOf, moeFilesBelow, pathOf, readModule } from "./files.ts";

/** Texts from the disk are taken to be what they were for so long; the editor tells of changes too. */
const freshFor = 2000;

export const stdPaths: readonly string[] = Object.keys(stdlib);

export class Workspace {
  readonly library: Library;
  folders: readonly string[] = [];
  /** Open documents by path of the module. */
  private readonly open = new Map<string, TextDocument>();
  private readonly disk = new Map<string, { readonly text: string | undefined; readonly at: number }>();
  private readonly found = new Map<
    string,
    { readonly names: Names; readonly from: readonly (Source | undefined)[] }
  >();
  private readonly documents = new WeakMap<Source, TextDocument>();
  private files: readonly string[] | undefined;

  constructor() {
    this.library = openLibrary({ read: (path) => this.read(path) });
  }

  opened(document: TextDocument): void {
    this.open.set(pathOf(document.uri), document);
  }

  closed(address: string): void {
    this.open.delete(pathOf(address));
    this.found.delete(pathOf(address));
  }

  /** Files came, went or changed. */
  changed(): void {
    this.disk.clear();
    this.files = undefined;
  }

  openPaths(): readonly string[] {
    return [...this.open.keys()];
  }

  /** Texts that the worker cannot read from the disk. */
  openTexts(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.open].map(([path, document]) => [path, document.getText()]));
  }

  private read(path: string): string | undefined {
    const document = this.open.get(path);
    if (document !== undefined) return document.getText();
    if (Object.hasOwn(stdlib, path)) return stdlib[path];
    const before = this.disk.get(path);
    if (before !== undefined && Date.now() - before.at < freshFor) return before.text;
    const text = readModule(path);
    this.disk.set(path, { text, at: Date.now() });
    return text;
  }

  /** The names of a module by the address of its document. */
  names(address: string): Names | undefined {
    return this.namesOf(pathOf(address));
  }

  namesOf(path: string): Names | undefined {
    const source = this.library.open(path);
    if (source === undefined) return undefined;
    const before = this.found.get(path);
    // What its names mean depends on the modules that it imports as well.
    if (
      before?.names.source === source &&
      before.from.every((each) => each === undefined || this.library.open(each.path) === each)
    )
      return before.names;
    const names = namesIn(source, this.library);
    const from = names.uses.flatMap(({ meaning }) =>
      meaning.kind === "module" && meaning.module !== undefined ? [this.library.open(meaning.module)] : [],
    );
    if (!from.includes(undefined)) this.found.set(path, { names, from });
    return names;
  }

  /** Names of every module that may use what this one declares. */
  allNames(around: string): readonly Names[] {
    this.files ??= this.folders.flatMap((folder) => moeFilesBelow(folder));
    const paths = new Set([around, ...this.open.keys(), ...this.files]);
    const found = [...paths].flatMap((path) => this.namesOf(path) ?? []);
    const imported = found.flatMap(({ uses }) =>
      uses.flatMap(({ meaning }) =>
        meaning.kind === "module" && meaning.module !== undefined ? [meaning.module] : [],
      ),
    );
    const others = [...new Set(imported)].filter((path) => !paths.has(path));
    return [...found, ...others.flatMap((path) => this.namesOf(path) ?? [])];
  }

  /** Files beside a module, as its imports would write them. */
  filesBeside(path: string): readonly string[] {
    this.files ??= this.folders.flatMap((folder) => moeFilesBelow(folder));
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    return this.files
      .filter((file) => file !== path && file.startsWith(folder))
      .map((file) => `./${file.slice(folder.length)}`);
  }

  documentOf(source: Source): TextDocument {
    const open = this.open.get(source.path);
    if (open !== undefined && open.getText() === source.text) return open;
    const before = this.documents.get(source);
    if (before !== undefined) return before;
    const document = TextDocument.create(addressOf(source.path), "moe", 0, source.text);
    this.documents.set(source, document);
    return document;
  }

  offsetAt(source: Source, position: Position): number {
    return this.documentOf(source).offsetAt(position);
  }

  rangeOf(source: Source, { start, end }: Span): Range {
    const document = this.documentOf(source);
    return { start: document.positionAt(start), end: document.positionAt(end) };
  }
}
