// The compiler's own time and memory, each in a process of its own, and the memory of training against its prediction.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChild } from "../child.ts";
import { spread } from "../measure.ts";
import { compileFile, compileText } from "../programs.ts";
import type { Row, Section } from "../section.ts";

const megabyte = 1e6;

export function compilerSection(repeats: number): Section {
  const times = Array.from({ length: repeats }, (_, i) => i);
  const plans = times.map(() => runChild("plan", "bench/models/deepseek.moe"));
  const compiles = times.map(() => runChild("compile", "examples/book/book.moe"));
  const parameters = `${(plans[0]!.parameters! / 1e9).toFixed(0)} billion parameters`;
  return {
    name: "compiler",
    title: "The compiler, from the start of a process to its end",
    rows: [
      {
        name: "checking and planning DeepSeek-V3",
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

const tiny = `
model Tiny {
  modality x = features(4)
  param w: [4, 4]
  x @ w
}
`;

export function memorySection(repeats: number): Section {
  const rows = trained.flatMap(([name, path]): Row[] => {
    const folder = mkdtempSync(join(tmpdir(), "moe-bench-"));
    try {
      for (const [file, { program, wasm }] of [
        ["model", compileFile(path)],
        ["tiny", compileText(tiny)],
      ] as const) {
        writeFileSync(join(folder, `${file}.json`), JSON.stringify(program));
        writeFileSync(join(folder, `${file}.plain.wasm`), wasm.plain);
        writeFileSync(join(folder, `${file}.relaxed.wasm`), wasm.relaxed);
      }
      const children = Array.from({ length: repeats }, () => runChild("memory", folder));
      const { predicted, allocated } = children[0]!;
      const note = (bytes: number): string =>
        `${(bytes / megabyte).toFixed(1)} MB : ${(predicted! / megabyte).toFixed(1)} MB`;
      const growth = spread(children.map((child) => child.growth!));
      return [
        {
          name: `${name}, memory of the session : prediction`,
          ...spread(children.map((child) => child.allocated! / child.predicted!)),
          goal: { least: 0.9, most: 1.1 },
          note: note(allocated!),
        },
        {
          name: `${name}, growth of the process : prediction`,
          ...spread(children.map((child) => child.growth! / child.predicted!)),
          goal: { least: 0.9, most: 1.1 },
          note: note(growth.median),
        },
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  return { name: "memory", title: "Peak memory of training against the plan", rows, skipped: [] };
}
