// Writes every kernel of every example, for every target, as text: one folder for each program and target, with its kernels, what
// they are printed as for GPUs, and the dispatches of its entries. In: the folder to write to. What changed between two such folders
// is what a change did to the code that runs; scripts/kernels.mjs compares them.

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv } from "node:process";
import { openSources } from "../cli/sources.ts";
import { artifact } from "../compiler/artifact.ts";
import { planModel, type PlannedModel } from "../compiler/compile.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { targets } from "../compiler/target.ts";
import { sizeKey } from "../runtime/size.ts";
import { plainText } from "../runtime/webgpu/shader.ts";
import type { Shader } from "../runtime/artifact.ts";
import type { BufferRef, TargetName } from "../runtime/program.ts";

const folders = ["examples", "test/programs"];

const programs = folders.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".moe") && !/(^|\/)(node_modules|runs)\//.test(file))
    .map((file) => `${folder}/${file}`)
    .sort(),
);

const refName = (ref: BufferRef): string =>
  ref.kind === "temporary" ? `%${ref.index}` : `${ref.kind} ${ref.name}`;

/** Dispatches with what they bind, temporaries with their lengths and lives. */
function entriesText({ program }: PlannedModel): string {
  return Object.values(program.entries)
    .flatMap(({ name, temporaries, dispatches }) => [
      `entry ${name}`,
      ...temporaries.map(
        ({ label, type, length, first, last }, i) =>
          `  %${i} ${type}[${sizeKey(length)}] ${first}..${last} ${label}`,
      ),
      ...dispatches.map(
        ({ kernel, buffers, label }) =>
          `  ${program.kernels[kernel]!.name}(${buffers.map(refName).join(", ")})  ${label}`,
      ),
      "",
    ])
    .join("\n");
}

/** WebAssembly is bytes; its kernels say the same. */
function codeOf(planned: PlannedModel): readonly (readonly [name: string, text: string])[] {
  switch (planned.program.target) {
    case "wasm":
      return [];
    case "webgpu":
      return wgsl(artifact(planned, "webgpu").shaders);
    case "cuda":
      return [["code.cu", artifact(planned, "cuda").source]];
    default:
      return planned.program.target satisfies never;
  }
}

/** What differs where a device has subgroups is a file of its own. */
function wgsl(shaders: readonly Shader[]): readonly (readonly [name: string, text: string])[] {
  const others = shaders.flatMap((shader) => (typeof shader === "string" ? [] : [shader.subgroups]));
  return [
    ["code.wgsl", shaders.map(plainText).join("\n")],
    ["subgroups.wgsl", others.join("\n")],
  ];
}

const write = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

const into = argv[2]!;
let count = 0;
for (const path of programs)
  for (const target of Object.keys(targets) as TargetName[]) {
    const { planned } = planModel({ host: openSources("."), path, target });
    if (planned === undefined) continue;
    const folder = join(into, target, path.replace(/\.moe$/, ""));
    write(join(folder, "entries.txt"), entriesText(planned));
    for (const [name, text] of codeOf(planned)) write(join(folder, name), text);
    // Numbers would shift when a kernel comes or goes: equal names are told apart in order of their appearance.
    const seen = new Map<string, number>();
    for (const kernel of planned.kernels) {
      const before = seen.get(kernel.name) ?? 0;
      seen.set(kernel.name, before + 1);
      write(join(folder, `${kernel.name}${before === 0 ? "" : `.${before}`}.txt`), printKernel(kernel));
      count++;
    }
  }
console.log(`${count} kernels of ${programs.length} programs in ${into}`);
