// The check's cases: the examples at small sizes, the small programs of the tests, routings at their edges, a training run, and the same in
// bf16 and f16. In: the project's folder. Out: texts of programs, and what is to be done with each.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Precision } from "../../runtime/program.ts";
import { edges, forced, layered, learner, learnerSizes, wide } from "../../test/helpers/device-texts.ts";
import type { Warpgroups } from "../../compiler/target.ts";
import { suffixOf, textOf, type Case } from "./manifest.ts";

/** One program, and the cases that run it. */
export interface Group {
  readonly name: string;
  /** A path below the project's folder, or the text itself. */
  readonly source: { readonly path: string } | { readonly text: string };
  readonly precision?: Precision;
  /** With the variant for warpgroups that multiply, or with bulk copies. */
  readonly warpgroups?: Warpgroups;
  readonly cases: readonly Omit<Case, "folder">[];
}

/** As in the tests: rounding in f32, in another order of summation. */
const f32Tolerance = 3e-5;
/** Through many layers, with weights as they begin. */
const deepTolerance = 1e-3;
/** Operands of contractions have 8 bits (bf16) or 11 (f16). */
const halfTolerance: Readonly<Record<Exclude<Precision, "f32">, number>> = { bf16: 4e-2, f16: 6e-3 };

/** In an order in which a check that is cut off has seen something of everything: short ones, then what only a GPU can show, then the rest. */
export function groupsOf(root: string): readonly Group[] {
  return [
    ...edgeGroups,
    ...halves("bf16"),
    curve("f32", 5e-3),
    ...halves("f16"),
    ...programs(root),
    ...examples(root),
  ];
}

const tokens = (text: string): boolean => text.includes("tokens(");

function examples(root: string): Group[] {
  const files = readdirSync(join(root, "examples"), { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(".moe") && !/(^|\/)(node_modules|runs|dist)\//.test(file))
    .sort()
    .map((file): Group => {
      const path = `examples/${file.replaceAll("\\", "/")}`;
      const sizes = tokens(readFileSync(join(root, path), "utf8")) ? { B: 2, T: 8 } : { B: 4 };
      const name = path.replace(/\.moe$/, "");
      return {
        name,
        source: { path },
        cases: [{ name, kind: "alike", sizes, start: "initial", tolerance: deepTolerance }],
      };
    });
}

function programs(root: string): Group[] {
  return readdirSync(join(root, "test/programs"))
    .sort()
    .map((file): Group => {
      const path = `test/programs/${file}`;
      const sizes = tokens(readFileSync(join(root, path), "utf8")) ? { B: 2, T: 5 } : { B: 6 };
      const name = `programs/${file.replace(/\.moe$/, "")}`;
      return {
        name,
        source: { path },
        cases: [{ name, kind: "alike", sizes, start: "noise", tolerance: f32Tolerance }],
      };
    });
}

const edgeGroups: readonly Group[] = edges.map(({ experts, nulls, k, scores }) => ({
  name: `edges-${experts}-${nulls}-${k}`,
  source: { text: forced(experts, nulls, `choose top ${k} of score`) },
  cases: Object.entries(scores).map(([name, rows]) => ({
    ...{ name: `routing: ${name}`, kind: "alike", start: "noise", tolerance: f32Tolerance },
    sizes: { B: rows.length },
    entries: ["forward", "train"],
    inputs: { score: rows.flat().map(textOf) },
  })),
}));

const curve = (precision: Precision, tolerance: number): Group => ({
  name: `learner-${precision}`,
  source: { text: learner() },
  precision,
  cases: [
    {
      ...{ name: `50 steps of training, ${precision}`, kind: "curve", start: "initial", tolerance },
      sizes: learnerSizes,
    },
  ],
});

const halves = (precision: "bf16" | "f16"): readonly Group[] => [
  {
    name: `layer-${precision}`,
    source: { text: layered },
    precision,
    cases: [1, 7, 200].map((batch) => ({
      ...{ name: `layer of ${batch} rows, ${precision}`, kind: "alike", start: "initial" },
      sizes: { B: batch },
      entries: ["forward", "train"],
      tolerance: halfTolerance[precision],
    })),
  },
  curve(precision, 5e-2),
  ...([false, true, "bulk"] as const).map((warpgroups): Group => ({
    name: `wide-${precision}${suffixOf(warpgroups, "-")}`,
    source: { text: wide },
    precision,
    warpgroups,
    cases: [40, 130].map((batch) => ({
      ...{ name: wideName(batch, precision, warpgroups), kind: "alike", start: "initial" },
      sizes: { B: batch },
      entries: ["forward", "train"],
      tolerance: halfTolerance[precision],
    })),
  })),
];

const wideName = (batch: number, precision: Precision, warpgroups: Warpgroups): string =>
  `wide layer of ${batch} rows, ${precision}${suffixOf(warpgroups, ", ")}`;
