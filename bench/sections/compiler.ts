// The compiler's own time and memory, each in a process of its own, and the memory of training against its prediction.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { count } from "../../cli/numbers.ts";
import { runChild } from "../child.ts";
import { spread } from "../measure.ts";
import { compileFile } from "../programs.ts";
import type { Row, Section } from "../section.ts";

const megabyte = 1e6;

export function compilerSection(
  repeats: number,
  [name, large] = ["DeepSeek-V3", "bench/models/deepseek.moe"],
): Section {
  const times = Array.from({ length: repeats }, (_, i) => i);
  const plans = times.map(() => runChild("plan", large!));
  const compiles = times.map(() => runChild("compile", "examples/book/book.moe"));
  const parameters = `${count(plans[0]!.parameters!)} parameters`;
  return {
    name: "compiler",
    title: "The compiler, from the start of a process to its end",
    rows: [
      {
        name: `checking and planning ${name}`,
        ...spread(plans.map(({ wall }) => wall)),
        unit: "s",
        goal: { most: 3 },
        note: parameters,
      },
      {
        name: "its peak resident memory",
        ...spread(plans.map(({ peak }) => peak / megabyte)),
        unit: "MB",
        goal: { most: 500 },
      },
      {
        name: "compiling examples/book",
        ...spread(compiles.map(({ wall }) => wall)),
        unit: "s",
        goal: { most: 1 },
        note: `${spread(compiles.map(({ seconds }) => seconds)).median.toFixed(2)} s without the start of Node`,
      },
    ],
    skipped: [],
  };
}

const trained = [
  ["examples/book", "examples/book/book.moe"],
  ["language model of the comparisons", "bench/models/language.moe"],
] as const;

export function memorySection(
  repeats: number,
  models: readonly (readonly [string, string])[] = trained,
): Section {
  const rows = models.flatMap(([name, path]): Row[] => {
    const folder = mkdtempSync(join(tmpdir(), "moe-bench-"));
    try {
      const { program, wasm } = compileFile(path);
      writeFileSync(join(folder, "program.json"), JSON.stringify(program));
      writeFileSync(join(folder, "plain.wasm"), wasm.plain);
      writeFileSync(join(folder, "relaxed.wasm"), wasm.relaxed);
      const children = Array.from({ length: repeats }, () => runChild("memory", folder));
      const predicted = children[0]!.predicted!;
      const allocated = children[0]!.allocated!;
      const row = (what: string, ratios: readonly number[], note: string): Row => ({
        name: `${name}, ${what} : prediction`,
        ...spread(ratios),
        goal: { least: 0.9, most: 1.1 },
        note,
      });
      const shown = (bytes: number): string => `${(bytes / megabyte).toFixed(1)} MB`;
      const before = spread(children.map((child) => child.before!)).median;
      const most = spread(children.map((child) => child.most!)).median;
      return [
        row(
          "memory of the session",
          children.map((child) => child.allocated! / predicted),
          `${shown(allocated)} : ${shown(predicted)}`,
        ),
        row(
          "growth of the process by training",
          children.map((child) => (child.most! - child.before!) / predicted),
          `${shown(most - before)} : ${shown(predicted)}`,
        ),
        row(
          "the whole process",
          children.map((child) => child.most! / (child.before! + predicted)),
          `${shown(most)} : ${shown(before + predicted)}, of which engine, code and threads ${shown(before)}`,
        ),
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  return { name: "memory", title: "Peak memory of training against the plan", rows, skipped: [] };
}
