// Section: what one part of the bench found, and how it is printed. In: rows. Out: a table, Markdown for docs/bench.md, or JSON.

import { table } from "../cli/table.ts";
import type { Spread } from "./measure.ts";

export interface Goal {
  readonly least?: number;
  readonly most?: number;
}

export interface Row extends Spread {
  readonly name: string;
  /** Rows without a goal are there for comparison. */
  readonly goal?: Goal;
  /** Why the goal cannot be judged here: it is then neither met nor missed. */
  readonly unjudged?: string;
  /** What the number is of: nothing for a ratio, or `s`, `MB`. */
  readonly unit?: string;
  /** The plain numbers behind the ratio. */
  readonly note?: string;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
  /** What could not be measured, and why. */
  readonly skipped: readonly string[];
}

export const meets = ({ median, goal, unjudged }: Row): boolean | undefined =>
  goal === undefined || unjudged !== undefined
    ? undefined
    : median >= (goal.least ?? -Infinity) && median <= (goal.most ?? Infinity);

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

function goalText({ least, most }: Goal): string {
  if (least !== undefined && most !== undefined) return `${least} to ${most}`;
  return least === undefined ? `at most ${most}` : `at least ${least}`;
}

const header = ["", "median", "min", "max", "goal", "", ""];

const cells = (row: Row): string[] => {
  const met = meets(row);
  const unit = row.unit === undefined ? "" : ` ${row.unit}`;
  return [
    row.name,
    `${number(row.median)}${unit}`,
    number(row.min),
    number(row.max),
    row.goal === undefined ? "" : goalText(row.goal),
    met === undefined ? (row.unjudged ?? "") : met ? "met" : "missed",
    row.note ?? "",
  ];
};

export function printSection({ title, rows, skipped }: Section): string {
  const body = rows.length === 0 ? "" : table([header, ...rows.map(cells)], "lrrrlll", "  ");
  return `\n${title}\n${body}${skipped.map((reason) => `  skipped: ${reason}\n`).join("")}`;
}

export function markdownSection({ title, rows, skipped }: Section): string {
  const line = (each: readonly string[]): string => `| ${each.join(" | ")} |\n`;
  const body = [header, ["---", "--:", "--:", "--:", "---", "---", "---"], ...rows.map(cells)]
    .map(line)
    .join("");
  const missing = skipped.map((reason) => `\nSkipped: ${reason}\n`).join("");
  return `### ${title}\n\n${rows.length === 0 ? "" : body}${missing}`;
}
