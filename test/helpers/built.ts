// A built model in a folder, as `moe build` leaves it: program, wasm modules, generated module.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { docsOf } from "../../cli/module/docs.ts";
import { moduleText } from "../../cli/module/module.ts";
import type { Artifact } from "../../compiler/artifact.ts";
import { compile, type Compiled } from "../../compiler/compile.ts";
import { stdlib } from "../../stdlib/sources.ts";

/** Compiles a `.moe` file; diagnostics fail the test. */
export function compileFile(path: string): Compiled {
  const host = {
    read: (module: string) => stdlib[module] ?? readFileSync(join(dirname(path), module), "utf8"),
  };
  const { compiled, diagnostics } = compile({ host, path: path.split("/").at(-1)! });
  if (compiled === undefined)
    throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return compiled;
}

export async function writeBuilt(
  folder: string,
  { program, wasm }: Artifact,
  compiled?: Compiled,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const files = new Map<string, string | Uint8Array>([
    ["program.json", JSON.stringify(program)],
    ["model.wasm", wasm.plain],
    ["model.relaxed.wasm", wasm.relaxed],
  ]);
  const { js, dts } = await moduleText(program, {
    files,
    source: `${program.name.toLowerCase()}.moe`,
    version: "0.1.0",
    sourceHash: "0123456789abcdef",
    ...(compiled === undefined ? {} : { docs: docsOf(compiled.model, program.name) }),
  });
  const name = program.name.toLowerCase();
  writeFileSync(join(folder, `${name}.js`), js);
  writeFileSync(join(folder, `${name}.d.ts`), dts);
  for (const [file, content] of files) writeFileSync(join(folder, file), content);
}
