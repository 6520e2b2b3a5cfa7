// The claims: runs what is missing or stale, prints what shows, and on request rewrites docs/claims.md. Started by scripts/claims.mjs
// (npm run claims).

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { writeWhole } from "../cli/files.ts";
import { table } from "../cli/table.ts";
import { claims } from "./list.ts";
import { withResults } from "./page.ts";
import { prepareData } from "./data.ts";
import { readResults } from "./results.ts";
import { hashesOf, runClaims } from "./run.ts";
import { predictionText } from "./statistics.ts";
import { comparisonText, effectText, weigh, type Weighed } from "./table.ts";
import { work, Workers } from "./workers.ts";
import type { Claim } from "./claim.ts";

const folder = "claims";
const page = "docs/claims.md";

interface Options {
  readonly list?: boolean;
  readonly write?: boolean;
  readonly run: boolean;
  readonly jobs: string;
}

const weighAll = async (chosen: readonly Claim[]): Promise<readonly Weighed[]> => {
  const all: Weighed[] = [];
  for (const claim of chosen)
    all.push(weigh(claim, readResults(folder, claim), await hashesOf(folder, claim)));
  return all;
};

async function main(names: readonly string[], options: Options): Promise<void> {
  const unknown = names.find((name) => claims.every((claim) => claim.name !== name));
  if (unknown !== undefined) {
    console.error(`there is no claim "${unknown}": choose from ${claims.map(({ name }) => name).join(", ")}`);
    process.exitCode = 2;
    return;
  }
  const chosen = names.length === 0 ? claims : claims.filter(({ name }) => names.includes(name));
  prepareData(folder);
  if (options.run && options.list !== true) {
    const workers = new Workers(process.argv[1]!);
    const failed = await runClaims(chosen, {
      folder,
      jobs: Math.max(1, Number(options.jobs) || 1),
      execute: workers.execute,
      say: (line) => console.log(line),
    });
    workers.close();
    if (failed > 0) process.exitCode = 1;
  }
  const weighed = await weighAll(chosen);
  process.stdout.write(options.list === true ? listed(weighed) : printed(weighed));
  // The page is always of all claims.
  if (options.write === true) {
    const all = names.length === 0 ? weighed : await weighAll(claims);
    writeWhole(page, await withResults(readFileSync(page, "utf8"), all));
  }
}

const listed = (weighed: readonly Weighed[]): string =>
  table(
    weighed.map(({ claim, standing, verdict }) => [claim.name, standing, verdict ?? "", claim.title]),
    "llll",
  );

const printed = (weighed: readonly Weighed[]): string =>
  weighed
    .map(({ claim, standing, verdict, comparisons }) => {
      const head = `\n${claim.title} (${claim.name}): ${verdict ?? "not run"}${standing === "stale" ? ", stale" : ""}\n`;
      const rows = comparisons.map(({ comparison, effect, verdict: each }) => [
        comparisonText(comparison),
        predictionText(comparison),
        effectText(effect),
        each,
      ]);
      return head + table(rows, "llrl", "  ");
    })
    .join("");

if (process.argv[2] === "--worker") work(folder, claims);
else
  await new Command("claims")
    .description("Tries what papers say, small: the same data and steps, several seeds, paired.")
    .argument("[names...]", "claims; default: all")
    .option("--list", "show the claims and how they stand, run nothing")
    .option("--no-run", "show the results that there are")
    .option("--write", `rewrite the results of ${page}`)
    .option("--jobs <n>", "runs side by side, each on one thread", "2")
    .action(main)
    .parseAsync();
