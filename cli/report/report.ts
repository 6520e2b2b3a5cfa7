// The report of a run: `report.markup` in its folder. Node only.
// In: a folder with program.json and metrics.jsonl, and routing.json where routing was collected before. Out: the page's
// path. The page is a file of its own: no network, no other file. Whoever trains calls it at the end:
//
//     const routing = await collectRouting(session, data, { step: result.step });   // collect.ts
//     const path = await writeReport(folder, { ...(routing === undefined ? {} : { routing }), state: result.reason, ... });

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { UserError } from "../../runtime/errors.ts";
import { decodeRecords } from "../../runtime/metrics.ts";
import type { Program } from "../../runtime/program.ts";
import { writeWhole } from "../files.ts";
import { renderPage, type Library } from "./page.ts";
import { routingVersion, type RoutingReport } from "./routing.ts";
import type { ReportAbout } from "./run.ts";

export interface ReportOptions extends ReportAbout {
  /** Kept in the folder as routing.json; without it, the one that is there is used. */
  readonly routing?: RoutingReport;
}

/** Errors: C0301 the folder has no readable program. */
export async function writeReport(
  folder: string,
  { routing: given, ...about }: ReportOptions = {},
): Promise<string> {
  if (given !== undefined) writeWhole(join(folder, "routing.json"), `${JSON.stringify(given)}\n`);
  const program = readProgram(join(folder, "program.json"));
  const metrics = join(folder, "metrics.jsonl");
  const records = existsSync(metrics) ? decodeRecords(readFileSync(metrics, "utf8")) : [];
  const routing = given ?? readRouting(join(folder, "routing.json"));
  const path = join(folder, "report.html");
  const page = renderPage(
    { program, records, about, ...(routing === undefined ? {} : { routing }) },
    chartLibrary(),
  );
  writeWhole(path, page);
  return path;
}

function readProgram(path: string): Program {
  try {
    const program = JSON.parse(readFileSync(path, "utf8")) as Program;
    if (program.format === "moe-program") return program;
  } catch {
    // Said below.
  }
  throw new UserError("C0301", `${path} is not a compiled model`, {
    file: path,
    help: "give the folder that `moe train` made",
  });
}

/** Undefined when there is none, or one of another version: the page then says that nothing was collected. */
function readRouting(path: string): RoutingReport | undefined {
  try {
    const routing = JSON.parse(readFileSync(path, "utf8")) as RoutingReport;
    return routing.version === routingVersion && Array.isArray(routing.routers) ? routing : undefined;
  } catch {
    return undefined;
  }
}

/** uPlot as its package ships it for pages. */
export function chartLibrary(): Library {
  const dist = dirname(createRequire(import.meta.url).resolve("uplot"));
  const read = (name: string): string => readFileSync(join(dist, name), "utf8");
  return { script: read("uPlot.iife.min.js"), style: read("uPlot.min.css") };
}
