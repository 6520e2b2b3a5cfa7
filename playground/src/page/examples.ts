// The examples of the menu: those written for the playground, the gallery, the tour, and the larger ones. In: the repository's files. Out:
// texts by name.

import type { ToyName } from "../data/toys.ts";

const texts = (files: Record<string, unknown>): ReadonlyMap<string, string> =>
  new Map(Object.entries(files).map(([path, text]) => [/([^/]+)\.moe$/.exec(path)![1]!, text as string]));

const own = texts(
  import.meta.glob("../../examples/*.moe", { query: "?raw", import: "default", eager: true }),
);
const gallery = texts(
  import.meta.glob("../../../examples/gallery/*.moe", { query: "?raw", import: "default", eager: true }),
);
const tour = texts(
  import.meta.glob("../../../examples/tour/*.moe", { query: "?raw", import: "default", eager: true }),
);
const larger = texts(
  import.meta.glob(
    ["../../../examples/digits/*.moe", "../../../examples/weather/*.moe", "../../../examples/book/*.moe"],
    {
      query: "?raw",
      import: "default",
      eager: true,
    },
  ),
);

export interface Example {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}
export interface Group {
  readonly title: string;
  readonly examples: readonly Example[];
}

const titles: Readonly<Record<string, string>> = {
  plane: "Plane: a line for each expert",
  spiral: "Spiral: two of eight experts",
  letters: "Letters: a language model",
  strokes: "Strokes: handwritten digits",
};
const named = (prefix: string, from: ReadonlyMap<string, string>, order: readonly string[] = []): Example[] =>
  [...from]
    .map(([name, text]) => ({ id: `${prefix}${name}`, title: titles[name] ?? inWords(name), text }))
    .sort((a, b) => rank(order, a.id) - rank(order, b.id) || (a.id < b.id ? -1 : 1));
const rank = (order: readonly string[], id: string): number =>
  order.includes(id) ? order.indexOf(id) : order.length;
const inWords = (name: string): string => {
  const words = name.replaceAll("-", " ");
  return words[0]!.toUpperCase() + words.slice(1);
};

export const groups: readonly Group[] = [
  { title: "To play with", examples: named("", own, ["plane", "spiral", "letters", "strokes"]) },
  { title: "Gallery", examples: named("gallery/", gallery) },
  { title: "Tour", examples: named("tour/", tour) },
  { title: "Larger", examples: named("examples/", larger) },
];

const all = new Map(groups.flatMap(({ examples }) => examples.map((each) => [each.id, each] as const)));
export const isExample = (id: string): boolean => all.has(id);
export const textOf = (id: string): string => all.get(id)?.text ?? "";

/** The toy data that an example is for. */
export const toyOf = (id: string): ToyName | undefined => toys.get(id);
const toys = new Map<string, ToyName>([
  ["plane", "moons"],
  ["spiral", "spirals"],
]);
