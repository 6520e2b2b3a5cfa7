// Tables of claims: for the terminal and for docs/claims.md. In: claims with their results. Out: text. No number comes from anywhere else.

import { markdownTable } from "./markdown.ts";
import { valueOf } from "./measure.ts";
import { standingOf, type Hashes, type Results, type Standing } from "./results.ts";
import { overall, pairedEffect, predictionText, verdictOf, type Effect, type Verdict } from "./statistics.ts";
import type { Claim, Comparison, Measure } from "./claim.ts";

export interface Weighed {
  readonly claim: Claim;
  readonly standing: Standing;
  /** Empty when runs are missing. */
  readonly comparisons: readonly {
    readonly comparison: Comparison;
    readonly effect: Effect;
    readonly verdict: Verdict;
  }[];
  readonly verdict?: Verdict;
  readonly results: Results;
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** How far arms may be apart in what their training takes, as a share of the least. */
const tolerance = 0.02;

/** Errors: internal, when training took more arithmetic in one arm than in another. Steps are chosen by hand, and picks are known afterwards. */
function checkArithmetic(claim: Claim, results: Results): void {
  if (claim.at !== "equal arithmetic") return;
  const spent = claim.arms
    .filter(({ weights }) => weights === undefined)
    .map(({ name }) => ({ name, took: meanOf(claim.seeds.map((seed) => results[name]![seed]!.spent!)) }));
  const least = Math.min(...spent.map(({ took }) => took));
  const far = spent.find(({ took }) => took > least * (1 + tolerance));
  if (far === undefined) return;
  const ratio = (far.took / least).toFixed(3);
  throw new Error(`internal: ${far.name} of ${claim.name} took ${ratio} times the arithmetic of the least`);
}

export function weigh(claim: Claim, results: Results, hashes: Hashes): Weighed {
  const standing = standingOf(claim, results, hashes);
  if (standing === "incomplete") return { claim, standing, comparisons: [], results };
  checkArithmetic(claim, results);
  const values = (arm: string, measure: Measure): number[] =>
    claim.seeds.map((seed) => valueOf(results[arm]![seed]!, measure));
  const comparisons = claim.comparisons.map((comparison) => {
    const { arm, against, measure, from } = comparison;
    const side = (name: string, base: string | undefined): number[] => {
      const before = base === undefined ? undefined : values(base, measure);
      return values(name, measure).map((value, i) => value - (before?.[i] ?? 0));
    };
    const effect = pairedEffect(side(arm, from?.arm), side(against, from?.against));
    return { comparison, effect, verdict: verdictOf(comparison, effect) };
  });
  return {
    claim,
    standing,
    comparisons,
    verdict: overall(comparisons.map(({ verdict }) => verdict)),
    results,
  };
}

export const number = (value: number): string =>
  value === 0 ? "0" : Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(4).replace(/\.?0+$/, "");

/** The interval to two digits, the mean to as many places. */
export function effectText({ mean, reach }: Effect): string {
  const places = reach === 0 ? 4 : Math.max(0, 1 - Math.floor(Math.log10(reach)));
  const sign = mean > 0 ? "+" : mean < 0 ? "−" : "";
  return `${sign}${Math.abs(mean).toFixed(places)} ± ${reach.toFixed(places)}`;
}

const measureText = (measure: Measure): string =>
  measure === "violation"
    ? "MaxVio"
    : measure.replace("metric ", "").replace("specialisation ", "specialisation by ");

/** An arm, or its change from another. */
const sideText = (comparison: Comparison, side: "arm" | "against"): string => {
  const { [side]: name, from } = comparison;
  return from === undefined ? name : `(${name} − ${from[side]})`;
};

/** What is compared, in a line. */
export const comparisonText = (comparison: Comparison): string =>
  `${measureText(comparison.measure)}: ${sideText(comparison, "arm")} − ${sideText(comparison, "against")}`;

const marked = ({ standing, verdict }: Weighed): string =>
  standing === "incomplete" ? "not run" : standing === "stale" ? `${verdict!} (stale)` : verdict!;

/** A line for each comparison. */
export const summaryTable = (weighed: readonly Weighed[]): string =>
  markdownTable(
    ["claim", "verdict", "what is compared", "predicted", "effect", ""],
    "llllrl",
    weighed.flatMap((each) => {
      const { claim, comparisons } = each;
      const head = `[${claim.title}](#${claim.name})`;
      if (comparisons.length === 0) return [[head, marked(each), "", "", "", ""]];
      return comparisons.map(({ comparison, effect, verdict }, i) => [
        i === 0 ? head : "",
        i === 0 ? `**${marked(each)}**` : "",
        comparisonText(comparison),
        predictionText(comparison),
        effectText(effect),
        comparisons.length === 1 ? "" : verdict,
      ]);
    }),
  );

/** Measures that the claim compares, then cost. */
function armTable({ claim, results }: Weighed): string {
  const measures = [...new Set(claim.comparisons.map(({ measure }) => measure))];
  const shown = measures.filter((measure) => measure !== "arithmetic" && measure !== "calls");
  const columns: readonly Measure[] = [...shown, "calls", "arithmetic"];
  const equal = claim.at === "equal arithmetic";
  const rows = claim.arms.map(({ name }) => {
    const runs = claim.seeds.map((seed) => results[name]![seed]!);
    return [
      name,
      ...columns.map((measure) => number(meanOf(runs.map((run) => valueOf(run, measure))))),
      String(runs[0]!.parameters),
      number(meanOf(runs.map(({ steps }) => steps))),
      ...(equal ? [`${number(meanOf(runs.map(({ spent }) => spent! / 1e9)))} G`] : []),
      `${number(meanOf(runs.map(({ seconds }) => seconds)))} s`,
    ];
  });
  return markdownTable(
    [
      "arm",
      ...columns.map((measure) =>
        measure === "calls"
          ? "expert calls / token"
          : measure === "arithmetic"
            ? "multiply-adds / token"
            : measureText(measure),
      ),
      "parameters",
      "steps",
      ...(equal ? ["multiply-adds of training"] : []),
      "time of a run",
    ],
    `l${"r".repeat(columns.length + (equal ? 4 : 3))}`,
    rows,
  );
}

export function claimSection(weighed: Weighed): string {
  const { claim, standing, comparisons } = weighed;
  const facts = [
    `**The paper.** ${claim.says} ${claim.paper} (${claim.source})`,
    `**Here.** ${claim.data}${claim.choices === undefined ? "" : ` ${claim.choices}`}${claim.at === undefined ? "" : " Arms train for the same arithmetic, not for the same steps."} Seeds: ${claim.seeds.join(", ")}. The models are in [claims/${claim.name}/models.moe](../claims/${claim.name}/models.moe).`,
  ];
  if (standing === "incomplete")
    return [...facts, `Not run: \`npm run claims -- ${claim.name}\`.`].join("\n\n");
  const lines = comparisons.map(
    ({ comparison, effect, verdict }) =>
      `- ${measureText(comparison.measure)} of ${sideText(comparison, "arm")}, predicted ${predictionText(comparison)} than ${sideText(comparison, "against")}: ${number(effect.arm)} against ${number(effect.against)}, ${effectText(effect)} (SE ${number(effect.standardError)}): **${verdict}**`,
  );
  const stale =
    standing === "stale"
      ? [
          `*Stale: what these numbers were measured with has changed since. \`npm run claims -- ${claim.name}\` measures again.*`,
        ]
      : [];
  return [...facts, ...stale, lines.join("\n"), armTable(weighed)].join("\n\n");
}

export const claimsPage = (weighed: readonly Weighed[]): string =>
  [
    summaryTable(weighed),
    ...weighed.map(
      (each) => `<a id="${each.claim.name}"></a>\n\n## ${each.claim.title}\n\n${claimSection(each)}`,
    ),
  ].join("\n\n");
