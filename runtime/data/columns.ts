// Columns of tables to rows of a modality. In: the cells of one row after another (texts of CSV, values of JSON), with
// the place they stand at. Out: a row store of numbers or category ids, or the texts of a token modality. One collector per
// modality; does not read files.

import { UserError } from "../errors.ts";
import type { Modality } from "../program.ts";
import type { RowStore } from "./data.ts";
import { byCodeUnits } from "./folder.ts";

export interface Place {
  readonly file: string;
  readonly line: number;
  /** Names of the columns that the cells are from. */
  readonly columns: readonly string[];
}

export interface Collector {
  /** Cells of one row. */
  add(cells: readonly unknown[], place: Place): void;
  /** For all but tokens. */
  finish(): { readonly store: RowStore; readonly labels?: readonly string[] };
  /** For tokens. */
  readonly texts: readonly string[];
}

export function collectorOf(modality: Modality): Collector {
  switch (modality.kind) {
    case "tokens":
      return textCollector(modality);
    case "category":
      return categoryCollector(modality);
    case "image":
    case "features":
    case "number":
      return numberCollector(modality);
    default:
      return modality.kind satisfies never;
  }
}

/** How many numbers one example of a modality has; undefined when it does not say. */
export const widthOf = ({ kind, shape, count }: Modality): number | undefined =>
  kind === "image" ? shape?.reduce((a, b) => a * b, 1) : kind === "features" ? count : 1;

const at = ({ file, line }: Place): string => `${file}, line ${line}`;
const details = ({ file, line }: Place, help: string) => ({ file, line, help });

function numberCollector(modality: Modality): Collector {
  const expected = widthOf(modality);
  let width = expected;
  let rows = 0;
  let values = new Float32Array(1024);
  return {
    texts: [],
    add(cells, place) {
      // A JSON value may be a list of numbers, or lists of lists for an image.
      const flat = cells.some(Array.isArray) ? (cells.flat(4) as unknown[]) : cells;
      width ??= flat.length;
      if (flat.length !== width)
        throw new UserError(
          "R0116",
          `${at(place)}: \`${modality.name}\` takes ${width} ${width === 1 ? "number" : "numbers"}, here are ${flat.length}`,
          details(place, "name as many columns as the modality is wide, or change its width"),
        );
      const base = rows++ * width;
      if (base + width > values.length) {
        const grown = new Float32Array(2 * values.length + width);
        grown.set(values);
        values = grown;
      }
      flat.forEach((cell, i) => (values[base + i] = numberOf(cell, place, i)));
    },
    finish: () => ({ store: arrayStore(values.slice(0, rows * (width ?? 0)), width ?? 0) }),
  };
}

const numberPattern = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function numberOf(cell: unknown, place: Place, index: number): number {
  if (typeof cell === "number" && Number.isFinite(cell)) return cell;
  if (typeof cell === "boolean") return Number(cell);
  if (typeof cell === "string") {
    const text = cell.trim();
    const value = numberPattern.test(text) ? Number(text) : NaN;
    if (Number.isFinite(value)) return value;
  }
  const column = place.columns.length === 1 ? place.columns[0] : place.columns[index];
  const shown =
    typeof cell === "string" && cell.trim() === "" ? "empty" : shorten(JSON.stringify(cell) ?? "missing");
  throw new UserError(
    "R0113",
    `${at(place)}: ${shown} in column \`${column ?? "?"}\` is not a number`,
    details(place, "mend the cell or drop the row; columns with names belong in a category"),
  );
}

const shorten = (text: string): string => (text.length > 40 ? `${text.slice(0, 37)}...` : text);

function categoryCollector({ name, count }: Modality): Collector {
  const found = new Map<string, number>();
  let ids = new Int32Array(1024);
  let rows = 0;
  let last: Place | undefined;
  return {
    texts: [],
    add(cells, place) {
      const cell = cells.length === 1 ? cells[0] : undefined;
      const label =
        typeof cell === "string"
          ? cell.trim()
          : typeof cell === "number" || typeof cell === "boolean"
            ? String(cell)
            : "";
      if (label === "")
        throw new UserError(
          "R0114",
          `${at(place)}: \`${name}\` needs one category in column \`${place.columns.join("`, `")}\`, here is ${shorten(JSON.stringify(cells.length === 1 ? cell : cells) ?? "nothing")}`,
          details(place, "fill the cell, or drop the row"),
        );
      let id = found.get(label);
      if (id === undefined) {
        if (count !== undefined && found.size === count)
          throw new UserError(
            "R0114",
            `${at(place)}: ${shorten(JSON.stringify(label))} is one more category than the ${count} of \`${name}\``,
            details(place, "raise the number of classes, or mend the cell"),
          );
        found.set(label, (id = found.size));
      }
      if (rows === ids.length) {
        const grown = new Int32Array(2 * rows);
        grown.set(ids);
        ids = grown;
      }
      ids[rows++] = id;
      last = place;
    },
    finish() {
      if (last === undefined) throw new Error(`internal: ${name} has no rows`);
      const { order, labels } = orderLabels([...found.keys()], count);
      const renamed = new Int32Array(found.size);
      order.forEach((label, id) => (renamed[found.get(label)!] = labels === undefined ? Number(label) : id));
      const out = ids.slice(0, rows).map((id) => renamed[id]!);
      const all = labels ?? Array.from({ length: count! }, (_, id) => String(id));
      return { store: arrayStore(out, 1), labels: all };
    },
  };
}

/** Whole numbers from 0 to count - 1 are ids already (no labels then); other labels are numbered in sorted order. */
function orderLabels(
  found: readonly string[],
  count: number | undefined,
): { order: string[]; labels?: string[] } {
  const whole = found.every((label) => /^-?\d{1,15}$/.test(label));
  const order = [...found].sort(whole ? (a, b) => Number(a) - Number(b) : byCodeUnits);
  const direct =
    whole && count !== undefined && order.every((label) => Number(label) >= 0 && Number(label) < count);
  return direct ? { order } : { order, labels: order };
}

function textCollector({ name }: Modality): Collector {
  const texts: string[] = [];
  return {
    texts,
    add(cells, place) {
      const [cell] = cells;
      if (cells.length !== 1 || typeof cell !== "string")
        throw new UserError(
          "R0116",
          `${at(place)}: \`${name}\` takes one text, here is ${shorten(JSON.stringify(cells.length === 1 ? cell : cells) ?? "nothing")}`,
          details(place, "name one column of text"),
        );
      texts.push(cell);
    },
    finish: () => {
      throw new Error("internal: texts are no rows");
    },
  };
}

/** Rows that lie in memory. `scale` multiplies when they are read. */
export function arrayStore(
  values: Float32Array | Int32Array | Uint8Array,
  width: number,
  type: "f32" | "i32" = values instanceof Int32Array ? "i32" : "f32",
  scale = 1,
): RowStore {
  return {
    rows: width === 0 ? 0 : values.length / width,
    width,
    type,
    read(row, into, at) {
      if (scale === 1) into.set(values.subarray(row * width, (row + 1) * width), at);
      else for (let i = 0; i < width; i++) into[at + i] = values[row * width + i]! * scale;
    },
    close: () => undefined,
  };
}
