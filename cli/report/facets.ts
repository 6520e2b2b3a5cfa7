// Facets: the ways to say what each expert of one router sees, as far as the data have them: tokens, classes, places in an
// image, features of a table row. In: all picks of a router and the data of the same examples. Out: counts.
// A row of the router belongs to one token (text), to one place of an example (patches), or to a whole example.

import type { Data } from "../../runtime/data/data.ts";
import type { Modality, Program } from "../../runtime/program.ts";
import { counted, countValues, featureMeans, mergeValues, mostTelling, type ValueCount } from "./count.ts";
import type { Facet } from "./routing.ts";
import { tokenKind, tokenKinds, tokenLabel } from "./tokens.ts";

/** What is known of the data, besides the batches. */
export type DataNames = Pick<Data, "tokenizers" | "labels">;

export interface FacetInput {
  readonly program: Program;
  readonly names: DataNames;
  readonly picks: Int32Array;
  readonly width: number;
  /** With nulls. */
  readonly experts: number;
  readonly rows: number;
  readonly rowsPerExample: number;
  readonly load: readonly number[];
  /** All values of a modality, in the order of the rows. */
  readonly values: (modality: string) => Int32Array | Float32Array;
  readonly tokensPerExpert: number;
}

const mostFrequent = 32;
const mostClasses = 64;
const mostFeatures = 64;
const mostPlaces = 4096;

export function facetsOf(input: FacetInput): Facet[] {
  if (input.rows === 0) return [];
  const facets: Facet[] = [];
  for (const modality of input.program.modalities) {
    const facet = facetOf(input, modality);
    if (facet !== undefined) facets.push(facet);
  }
  const places = facets.some(({ kind }) => kind === "tokens") ? undefined : placesOf(input);
  return places === undefined ? facets : [...facets, places];
}

function facetOf(input: FacetInput, modality: Modality): Facet | undefined {
  const { rows, rowsPerExample } = input;
  const values = input.values(modality.name);
  const examples = rows / rowsPerExample;
  switch (modality.kind) {
    case "tokens":
      return values.length === rows ? tokensFacet(input, modality, values) : undefined;
    case "category":
      return values.length === examples ? classesFacet(input, modality, values) : undefined;
    case "features":
    case "number": {
      const features = modality.kind === "number" ? 1 : (modality.count ?? 1);
      if (values.length !== examples * features || features > mostFeatures) return undefined;
      return featuresFacet(input, modality, values, features);
    }
    case "image":
      return undefined;
    default:
      return modality.kind satisfies never;
  }
}

function tokensFacet(input: FacetInput, modality: Modality, ids: ArrayLike<number>): Facet {
  const { picks, width, experts, rows, load, names, tokensPerExpert } = input;
  const tokenizer = names.tokenizers[modality.name];
  const bytesOf = (id: number): Uint8Array => tokenizer?.bytes(id) ?? new Uint8Array(0);
  const labelOf = (id: number): string => (tokenizer === undefined ? `token ${id}` : tokenLabel(bytesOf(id)));
  const byToken = countValues(picks, width, experts, (row) => ids[row]!);
  // Padding is no token.
  byToken.delete(-1);
  const all = [...byToken.values()];
  const frequent = all.toSorted((a, b) => b.rows - a.rows || a.value - b.value).slice(0, mostFrequent);
  const kinds =
    tokenizer === undefined
      ? new Map<number, ValueCount>()
      : mergeValues(all, experts, (id) => tokenKind(bytesOf(id)));
  return {
    kind: "tokens",
    modality: modality.name,
    distinct: byToken.size,
    kinds: tokenKinds.flatMap((label, kind) => {
      const found = kinds.get(kind);
      return found === undefined ? [] : [counted(label, found)];
    }),
    frequent: experts > 64 ? [] : frequent.map((value) => counted(labelOf(value.value), value)),
    telling: Array.from({ length: experts }, (_, expert) =>
      mostTelling(all, expert, load[expert]!, rows, tokensPerExpert).map(({ value, count }) => ({
        label: labelOf(value.value),
        rows: value.rows,
        count,
      })),
    ),
  };
}

function classesFacet(input: FacetInput, modality: Modality, ids: ArrayLike<number>): Facet {
  const { picks, width, experts, rowsPerExample, names } = input;
  const labels = names.labels[modality.name] ?? [];
  const found = countValues(picks, width, experts, (row) => ids[Math.floor(row / rowsPerExample)]!);
  const classes = [...found.values()]
    .sort((a, b) => b.rows - a.rows || a.value - b.value)
    .slice(0, mostClasses);
  classes.sort((a, b) => a.value - b.value);
  return {
    kind: "classes",
    modality: modality.name,
    classes: classes.map((value) => counted(labels[value.value] ?? String(value.value), value)),
  };
}

function featuresFacet(
  input: FacetInput,
  modality: Modality,
  values: ArrayLike<number>,
  features: number,
): Facet {
  const { picks, width, experts, rowsPerExample, program } = input;
  const columns = program.training?.data.find((source) => source.modality === modality.name)?.columns ?? [];
  return {
    kind: "features",
    modality: modality.name,
    names: Array.from(
      { length: features },
      (_, i) => columns[i] ?? (features === 1 ? modality.name : `${modality.name} ${i}`),
    ),
    means: featureMeans(
      picks,
      width,
      experts,
      features,
      (row, feature) => values[Math.floor(row / rowsPerExample) * features + feature]!,
    ),
  };
}

function placesOf({ program, picks, width, experts, rowsPerExample }: FacetInput): Facet | undefined {
  if (rowsPerExample <= 1 || !Number.isInteger(rowsPerExample) || rowsPerExample > mostPlaces)
    return undefined;
  const found = countValues(picks, width, experts, (row) => row % rowsPerExample);
  const image = program.modalities.find(({ kind }) => kind === "image")?.shape;
  const [height, across] = gridOf(rowsPerExample, image?.[0], image?.[1]);
  return {
    kind: "places",
    height,
    width: across,
    counts: Array.from({ length: rowsPerExample }, (_, place) => [...(found.get(place)?.counts ?? [])]),
  };
}

/** The grid of so many patches of an image, or its lines; without an image, or when none fits, one row of positions. */
export function gridOf(places: number, height = 0, width = 0): readonly [number, number] {
  for (let rows = 1; rows <= places; rows++)
    if (
      places % rows === 0 &&
      height % rows === 0 &&
      width % (places / rows) === 0 &&
      rows * width === (places / rows) * height
    )
      return [rows, places / rows];
  return places === height ? [height, 1] : [1, places];
}
