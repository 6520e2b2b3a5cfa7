// Sources: modules as an editor sees them: parsed once for each text, however often they are asked for. In: a host that reads
// texts. Out: the syntax of a module and what it declares. No checking: that takes longer than a key press may.

import type { Host } from "../../compiler/model.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { pieceParser } from "../../grammar/parse-pieces.ts";
import type { Definition, DimDeclaration, Module } from "../../grammar/syntax.ts";

export interface Source {
  /** As the host knows it: `std.experts`, a file's path. */
  readonly path: string;
  readonly text: string;
  readonly syntax: Module;
  /** What could not be read. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface Library extends Host {
  /** A module, parsed; undefined when there is none. */
  open(path: string): Source | undefined;
}

/** Of each module the last text is kept; of the next one, only the declarations that changed are read. */
export function openLibrary(host: Host): Library {
  const parsed = new Map<string, Source>();
  const parsers = new Map<string, ReturnType<typeof pieceParser>>();
  return {
    read: (path) => host.read(path),
    open(path) {
      const text = host.read(path);
      if (text === undefined) {
        parsed.delete(path);
        parsers.delete(path);
        return undefined;
      }
      const before = parsed.get(path);
      if (before?.text === text) return before;
      const parse = parsers.get(path) ?? pieceParser();
      parsers.set(path, parse);
      const { module, diagnostics } = parse(text, path);
      const source = { path, text, syntax: module, diagnostics };
      parsed.set(path, source);
      return source;
    },
  };
}

/** What other modules may import. */
export const exportsOf = ({ syntax }: Source): readonly (Definition | DimDeclaration)[] =>
  syntax.declarations.filter((each) => each.node !== "train" && each.name.text !== "") as readonly (
    Definition | DimDeclaration
  )[];

/** Models of a module: what a `train` block may name. */
export const modelsIn = ({ syntax }: Source): readonly Definition[] =>
  syntax.declarations.filter(
    (each): each is Definition => each.node === "definition" && each.kind === "model",
  );
