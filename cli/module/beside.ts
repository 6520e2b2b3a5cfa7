// The types of a `.moe` file that is imported as it is: `small.d.moe.ts`, which TypeScript (`allowArbitraryExtensions`) reads for
// `import … from "./small.moe"`. In: the text. Out: the file, written only when it changes, so that nobody who watches runs in circles.

import { existsSync, readFileSync } from "node:fs";
import { UserError } from "../../runtime/errors.ts";
import { holdsText, writeWhole } from "../files.ts";

export const typesBeside = (module: string): string => module.replace(/\.moe$/, ".d.moe.ts");

const ours = "// Made by moelang ";

/** Nothing that somebody else wrote is overwritten. False when it was there already. */
export function writeTypes(path: string, text: string, help: string): boolean {
  if (holdsText(path, text)) return false;
  if (existsSync(path) && !readFileSync(path, "utf8").startsWith(ours))
    throw new UserError("C0202", `${path} is there already, and moelang did not make it`, {
      file: path,
      help,
    });
  writeWhole(path, text, path);
  return true;
}
