// Native libraries, called from Node through `koffi`. In: names of files and the functions wanted of them. Out: the functions; or undefined where no
// such file loads. Loads nothing until asked: who does not use CUDA needs neither koffi nor a driver. Node only.

import { createRequire } from "node:module";
import { UserError } from "../errors.ts";

/** What is used of koffi. Its own types are not there where it is not installed, and the build must not need them. */
interface Koffi {
  load(file: string): { func(declaration: string): unknown };
  address(value: ArrayBufferView): bigint;
}
export type Native = (...args: readonly unknown[]) => number;

let loaded: Koffi | undefined;

export function koffi(): Koffi {
  if (loaded !== undefined) return loaded;
  try {
    loaded = createRequire(import.meta.url)("koffi") as Koffi;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    throw new UserError("R0701", `Node cannot call the CUDA driver here: ${reason}`, {
      help: "install the package `koffi` beside moelang, or run on the CPU",
    });
  }
  return loaded;
}

/** The functions of the first file that loads; `names` are C declarations. */
export function openLibrary<Name extends string>(
  files: readonly string[],
  declarations: Readonly<Record<Name, string>>,
): Readonly<Record<Name, Native>> | undefined {
  for (const file of files) {
    let library: ReturnType<Koffi["load"]>;
    try {
      library = koffi().load(file);
    } catch (error) {
      if (error instanceof UserError) throw error;
      continue;
    }
    return lazily(declarations, (declaration) => library.func(declaration) as Native);
  }
  return undefined;
}

/** Each function is looked up when it is first called: an old library lacks new ones. */
function lazily<Name extends string>(
  declarations: Readonly<Record<Name, string>>,
  find: (declaration: string) => Native,
): Readonly<Record<Name, Native>> {
  const functions: Partial<Record<Name, Native>> = {};
  for (const name of Object.keys(declarations) as Name[])
    functions[name] = (...args) => {
      let found: Native;
      try {
        found = find(declarations[name]);
      } catch {
        throw new UserError("R0702", `the CUDA driver has no ${name}: it is too old`, {
          help: "install a current driver from NVIDIA, or run on the CPU",
        });
      }
      functions[name] = found;
      return found(...args);
    };
  return functions as Record<Name, Native>;
}

/** Where a value lies: typed arrays are how numbers get to a native function and back. */
export const addressOf = (value: ArrayBufferView): bigint => koffi().address(value);
