// Text: diagnostics as people read them. In: diagnostics and the modules' texts. Out: a picture of the lines for a
// terminal, one line each for GitHub, plain data for scripts. Lines and columns count from 1, columns in characters.

import type { Diagnostic, Place } from "./diagnostic.ts";

export type Sources = (module: string) => string | undefined;

export interface Position {
  readonly line: number;
  readonly column: number;
}

const lineBreak = /\r\n|\n|\r/g;

/** Offsets at which the lines of a text begin. */
function lineStarts(text: string): readonly number[] {
  return [0, ...[...text.matchAll(lineBreak)].map((match) => match.index + match[0].length)];
}

export function positionAt(text: string, offset: number): Position {
  return positionIn(text, lineStarts(text), offset);
}

/** The line of any offset, counted from 1; the text is looked through once. */
export function linesOf(text: string): (offset: number) => number {
  const starts = lineStarts(text);
  return (offset) => lineIn(starts, offset);
}

function lineIn(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return low + 1;
}

function positionIn(text: string, starts: readonly number[], offset: number): Position {
  const line = lineIn(starts, offset);
  return { line, column: widthOf(text.slice(starts[line - 1], offset)) + 1 };
}

/** Characters as a person counts them: an emoji is one. */
const widthOf = (text: string): number => [...text].length;

interface Paint {
  readonly bold: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly blue: (text: string) => string;
}
const ansi =
  (code: number) =>
  (text: string): string =>
    `\u001B[${code}m${text}\u001B[0m`;
const plain = (text: string): string => text;
const colours: Paint = { bold: ansi(1), red: ansi(31), yellow: ansi(33), blue: ansi(34) };
const none: Paint = { bold: plain, red: plain, yellow: plain, blue: plain };

interface Mark {
  readonly place: Place;
  readonly line: number;
  /** Characters before the mark, and under it. */
  readonly before: number;
  readonly width: number;
  readonly sign: "^" | "-";
}

/** The widest line that is shown whole; of a longer one the part around the mark is. */
const widest = 160;

/**
 *     error[M0304]: the expert returns a different width than the layer
 *       --> ffn.moe:11:10
 *        |
 *      9 | layer Ffn(x: [T, Model]) -> [T, Model] {
 *        |                             ---------- the layer returns `Model` (512)
 *     11 |   routed Narrow(Hidden) * 64
 *        |          ^^^^^^^^^^^^^^ this returns `Hidden` (1408)
 *        |
 *        = help: end `Narrow` with a projection to `Model`
 */
export function renderDiagnostic(diagnostic: Diagnostic, sources: Sources, colour = false): string {
  const paint = colour ? colours : none;
  const alarm = diagnostic.severity === "error" ? paint.red : paint.yellow;
  const out = [
    `${paint.bold(alarm(`${diagnostic.severity}[${diagnostic.code}]`))}${paint.bold(`: ${diagnostic.message}`)}`,
  ];
  const here = diagnostic.related.filter(({ module }) => module === diagnostic.at.module);
  const elsewhere = diagnostic.related.filter(({ module }) => module !== diagnostic.at.module);
  const frames = [[diagnostic.at, ...here], ...groupByModule(elsewhere)];
  const drawn = frames.map((places) => frameOf(places, sources(places[0]!.module), diagnostic.at));
  const margin = Math.max(...drawn.map(({ lines }) => lines), 1);
  const gutter = (text: string): string => paint.blue(`${text.padStart(margin)} |`);
  for (const [i, { arrow, rows }] of drawn.entries()) {
    out.push(`${" ".repeat(margin)}${paint.blue(i === 0 ? "--> " : "::: ")}${arrow}`);
    if (rows.length === 0) continue;
    out.push(gutter(""));
    for (const { number, text, sign } of rows)
      out.push(
        trimEnd(`${gutter(number)} ${sign === undefined ? text : (sign === "^" ? alarm : paint.blue)(text)}`),
      );
  }
  if (diagnostic.help !== undefined) {
    if (drawn.at(-1)!.rows.length > 0) out.push(gutter(""));
    out.push(`${" ".repeat(margin)} ${paint.blue("=")} help: ${diagnostic.help}`);
  }
  return out.join("\n");
}

const trimEnd = (text: string): string => text.replace(/ +$/, "");

function groupByModule(places: readonly Place[]): readonly (readonly Place[])[] {
  const groups = new Map<string, Place[]>();
  for (const place of places) groups.set(place.module, [...(groups.get(place.module) ?? []), place]);
  return [...groups.values()];
}

interface Row {
  readonly number: string;
  readonly text: string;
  /** Of a row that marks the one above it. */
  readonly sign?: "^" | "-";
}

interface Frame {
  readonly arrow: string;
  readonly rows: readonly Row[];
  /** Digits of the largest line number. */
  readonly lines: number;
}

function frameOf(places: readonly Place[], text: string | undefined, at: Place): Frame {
  const [head] = places;
  if (text === undefined) return { arrow: head!.module, rows: [], lines: 1 };
  const starts = lineStarts(text);
  const lineText = (line: number): string =>
    text.slice(starts[line - 1], starts[line] ?? text.length).replace(/[\r\n]+$/, "");
  const marks = places.map((place): Mark => {
    const { line, column } = positionIn(text, starts, Math.min(place.span.start, text.length));
    const rest = widthOf(lineText(line)) - (column - 1);
    const width = Math.max(1, Math.min(widthOf(text.slice(place.span.start, place.span.end)), rest));
    return { place, line, before: column - 1, width, sign: place === at ? "^" : "-" };
  });
  const rows = [...new Set(marks.map(({ line }) => line))]
    .sort((a, b) => a - b)
    .flatMap((line) =>
      rowsOf(
        line,
        lineText(line),
        marks.filter((mark) => mark.line === line),
      ),
    );
  const first = marks[0]!;
  return {
    arrow: `${head!.module}:${first.line}:${first.before + 1}`,
    rows,
    lines: String(Math.max(...marks.map(({ line }) => line))).length,
  };
}

/** A line and under it a row for each mark, the rightmost first. */
function rowsOf(line: number, text: string, marks: readonly Mark[]): readonly Row[] {
  const characters = [...text].map((character) => (/\p{C}/u.test(character) ? " " : character));
  const leftmost = Math.min(...marks.map(({ before }) => before));
  const cut = characters.length > widest ? Math.max(0, leftmost - widest / 2) : 0;
  const shown = characters.slice(cut, cut + widest);
  const prefix = cut > 0 ? "..." : "";
  const suffix = cut + widest < characters.length ? "..." : "";
  const rows = [...marks]
    .sort((a, b) => b.before - a.before)
    .map(({ before, width, sign, place }): Row => {
      const room = Math.max(1, Math.min(width, cut + widest - before));
      const label = place.label === "" ? "" : ` ${place.label}`;
      return {
        number: "",
        text: `${" ".repeat(prefix.length + before - cut)}${sign.repeat(room)}${label}`,
        sign,
      };
    });
  return [{ number: String(line), text: `${prefix}${shown.join("")}${suffix}` }, ...rows];
}

/** All diagnostics, an empty line between them: errors before warnings, those of one module by their place. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: Sources,
  colour = false,
): string {
  const modules = [...new Set(diagnostics.map(({ at }) => at.module))];
  const late = ({ severity }: Diagnostic): number => (severity === "warning" ? 1 : 0);
  const sorted = [...diagnostics].sort(
    (a, b) =>
      late(a) - late(b) ||
      modules.indexOf(a.at.module) - modules.indexOf(b.at.module) ||
      a.at.span.start - b.at.span.start,
  );
  return sorted.map((diagnostic) => renderDiagnostic(diagnostic, sources, colour)).join("\n\n");
}

export interface PlaceData {
  readonly module: string;
  readonly label: string;
  readonly start: number;
  readonly end: number;
  readonly from?: Position;
  readonly to?: Position;
}

export interface DiagnosticData {
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly at: PlaceData;
  readonly related: readonly PlaceData[];
  readonly help?: string;
  readonly fix?: Diagnostic["fix"];
}

/** Plain data for `--json`, with lines and columns where the text is known. */
export function toJson(diagnostic: Diagnostic, sources: Sources): DiagnosticData {
  const { code, severity, message, at, related, help, fix } = diagnostic;
  const placeData = ({ module, label, span }: Place): PlaceData => {
    const text = sources(module);
    const data = { module, label, start: span.start, end: span.end };
    return text === undefined
      ? data
      : { ...data, from: positionAt(text, span.start), to: positionAt(text, span.end) };
  };
  return {
    ...{ code, severity, message, at: placeData(at), related: related.map(placeData) },
    ...(help === undefined ? {} : { help }),
    ...(fix === undefined ? {} : { fix }),
  };
}

/** A workflow command, shown by GitHub beside the line. */
export function toGitHub(diagnostic: Diagnostic, sources: Sources): string {
  const { at, help } = toJson(diagnostic, sources);
  const place =
    at.from === undefined || at.to === undefined
      ? []
      : [
          `line=${at.from.line}`,
          `endLine=${at.to.line}`,
          `col=${at.from.column}`,
          `endColumn=${at.to.column}`,
        ];
  const properties = [
    `file=${escapeProperty(at.module)}`,
    ...place,
    `title=${escapeProperty(diagnostic.code)}`,
  ];
  const message = help === undefined ? diagnostic.message : `${diagnostic.message}; ${help}`;
  return `::${diagnostic.severity} ${properties.join(",")}::${escapeData(message)}`;
}

const escapeData = (text: string): string =>
  text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
const escapeProperty = (text: string): string =>
  escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
