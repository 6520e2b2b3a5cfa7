// What programs take from the standard library. In: texts of modules. Out: which definitions they reach, by name (`std.routers.TopK`), those
// that definitions use themselves included; and the programs in an order in which few of them reach all.

import { stdlib } from "../../stdlib/sources.ts";

/** Definitions of a module of the library, and what each of them names. */
function definitions(module: string, text: string): (readonly [name: string, uses: readonly string[]])[] {
  const heads = [...text.matchAll(/^(?:expert|router|moe|layer|chain|function) (\w+)/gm)];
  const imported = importsOf(text);
  return heads.map(({ 1: name, index }, at) => {
    const words = new Set(
      text
        .slice(index, heads[at + 1]?.index)
        .replaceAll(/\/\/.*/g, "")
        .match(/\w+/g),
    );
    const own = heads.map((head) => head[1]!).filter((other) => other !== name && words.has(other));
    const others = imported.filter((other) => words.has(other.split(".").at(-1)!));
    return [`${module}.${name}`, [...own.map((other) => `${module}.${other}`), ...others]];
  });
}

const importsOf = (text: string): string[] =>
  [...text.matchAll(/^import (std\.[\w.]+) \{([^}]*)\}/gm)].flatMap(([, module, names]) =>
    names!.match(/\w+(?= as )|\w+/g)!.map((name) => `${module}.${name}`),
  );

/** Every definition, and what each of them names. */
export const library: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(stdlib).flatMap(([module, text]) => definitions(module, text)),
);

export function reachedBy(text: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const reach = (name: string): void => {
    if (reached.has(name)) return;
    reached.add(name);
    for (const other of library.get(name) ?? []) reach(other);
  };
  for (const name of importsOf(text)) reach(name);
  return reached;
}

/** Each in turn the one that reaches most of what none before it does; those that add nothing, at the end and as they were. */
export function libraryFirst<T extends { readonly text: string }>(programs: readonly T[]): readonly T[] {
  const reached = new Map(programs.map((program) => [program, reachedBy(program.text)]));
  const missing = new Set(library.keys());
  const gain = (program: T): number =>
    [...reached.get(program)!].reduce((sum, name) => sum + (missing.has(name) ? 1 : 0), 0);
  const first: T[] = [];
  for (;;) {
    const best = programs.reduce((a, b) => (gain(b) > gain(a) ? b : a));
    if (gain(best) === 0) break;
    first.push(best);
    for (const name of reached.get(best)!) missing.delete(name);
  }
  return [...first, ...programs.filter((program) => !first.includes(program))];
}
