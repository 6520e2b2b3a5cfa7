// Pages: all that `moe explain` knows, from the three catalogues: of the language, of the runtime, of the command line.
// In: nothing. Out: one page for each code, in order.

import { runtimeCodes, type RuntimeCode } from "../runtime/error-codes.ts";
import { commandCodes } from "./codes.ts";

export interface Page {
  readonly code: string;
  /** What codes that begin alike are about. */
  readonly group: string;
  readonly title: string;
  readonly text: string;
  readonly failing?: string;
  readonly fixed?: string;
}

/** By the letter and the first two digits. */
const groups: Readonly<Record<string, string>> = {
  M00: "Syntax",
  M01: "Names",
  M02: "Kinds",
  M03: "Sizes",
  M04: "Types",
  M05: "Routing",
  M06: "Models and training",
  M07: "Modules",
  R01: "Data",
  R02: "Checkpoints",
  R03: "Runs",
  R04: "Generation",
  R05: "Sessions",
  R06: "Sessions on WebGPU",
  R07: "Sessions on CUDA",
  C01: "Files that are read",
  C02: "Files that are written",
  C03: "Run folders",
  C04: "The command line",
};

export async function pages(): Promise<readonly Page[]> {
  const { catalogue } = await import("../compiler/diagnostics/catalogue.ts");
  const language = catalogue.map(({ code, title, explanation, failing, fixed }): Page => ({
    ...{ code, group: groupOf(code), title, text: explanation },
    ...(failing === undefined ? {} : { failing }),
    ...(fixed === undefined ? {} : { fixed }),
  }));
  const others = (codes: Readonly<Record<string, RuntimeCode>>): Page[] =>
    Object.entries(codes).map(([code, { title, text }]) => ({ code, group: groupOf(code), title, text }));
  const byCode = (a: Page, b: Page): number => (a.code < b.code ? -1 : 1);
  return [language.sort(byCode), others(runtimeCodes).sort(byCode), others(commandCodes).sort(byCode)].flat();
}

const groupOf = (code: string): string => groups[code.slice(0, 3)] ?? "Others";
