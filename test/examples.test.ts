// The examples: each trains on its real data through the command line, and together with the small programs beside this
// file they use every construct of the language. What there is to use is read from grammar/syntax.ts and from the tables of
// the compiler, so that a new construct without a program is found.

import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { optimizerDefaults } from "../compiler/build/optimizer.ts";
import { formulas } from "../compiler/elaborate/element-wise.ts";
import { builtinNames } from "../compiler/elaborate/functions.ts";
import { reductions } from "../compiler/elaborate/reduce.ts";
import { routerNames } from "../compiler/elaborate/router.ts";
import { scheduleNames } from "../compiler/elaborate/schedules.ts";
import { parse } from "../grammar/parse.ts";
import { testShell } from "./helpers/cli.ts";

const programsIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".moe") && !/(^|\/)(node_modules|runs)\//.test(file))
    .map((file) => `${folder}/${file}`)
    .sort();
const examples = programsIn("examples");

describe("each example trains, and is measured", () => {
  const shell = testShell();
  afterAll(() => shell.remove());
  // The data of examples/app are a string in its program.
  test.each(examples.filter((path) => !path.startsWith("examples/app/")))("%s", async (path) => {
    const settings = ["--steps", "2", "--set", "batch 2 of 16", "--set", "evaluate every 2 on 5%"];
    const out = path.split("/").at(-1)!.replace(".moe", "");
    const batch = /batch \d+$/m.test(readFileSync(path, "utf8")) ? ["--set", "batch 2"] : [];
    const line = ["train", resolve(path), "--out", out, "--threads", "1", "--json", ...settings, ...batch];
    const trained = await shell.run(line);
    expect({ code: trained.code, err: trained.err }).toEqual({ code: 0, err: "" });
    const { state, heldOut } = JSON.parse(trained.out) as { state: string; heldOut: { loss: number } };
    expect(state).toBe("finished");
    expect(heldOut.loss).toBeGreaterThan(0);
    expect(heldOut.loss).toBeLessThan(20);
  });
});

describe("every construct is in a program", () => {
  const used = new Set<string>();
  const note = (value: unknown, key: string): void => {
    if (typeof value === "string") used.add(key === "text" ? `name ${value}` : value);
    else if (typeof value === "object" && value !== null)
      for (const [inner, part] of Object.entries(value)) note(part, inner);
  };
  for (const path of [...examples, ...programsIn("test/programs")])
    for (const declaration of parse(readFileSync(path, "utf8"), path).module.declarations)
      note(declaration, "declaration");

  test("of the grammar", () => {
    const code = readFileSync("grammar/syntax.ts", "utf8").replaceAll(/\/\*\*[^]*?\*\/|\/\/.*/g, "");
    const forms = [...code.matchAll(/"([^"]+)"/g)]
      .map((match) => match[1]!)
      .filter((form) => form !== "broken");
    expect(forms.filter((form) => !used.has(form))).toEqual([]);
  });

  test("of the compiler's tables", () => {
    const names = [
      ...Object.keys(formulas),
      ...builtinNames,
      ...reductions,
      ...scheduleNames,
      ...routerNames,
      ...Object.keys(optimizerDefaults),
      ...["dispatch", "combine", "orthogonal", "identity", "copy"],
      ...["tokens", "image", "category", "features", "number", "next"],
      ...["bytes", "characters", "pairs", "csv", "idx"],
      ...["training", "inference", "step", "inf", "pi", "true"],
    ];
    expect(names.filter((name) => !used.has(`name ${name}`))).toEqual([]);
  });
});
