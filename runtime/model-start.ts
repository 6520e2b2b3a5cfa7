// What a generated module's model starts from, where its recipe says `start from`. In: the recipe's rules, and a file for each source,
// which the caller gives because a module knows no folder of runs. Out: first values of tensors. A run's folder stands for its best
// checkpoint, or the last, as it does for `moe train`.

import { decodeStored } from "./checkpoint.ts";
import { savedTensors } from "./arena-plan.ts";
import { UserError } from "./errors.ts";
import { inside, isFile, isFolder, readBytes, weightsTrouble, type BytesSource } from "./model-files.ts";
import type { Program, Start } from "./program.ts";
import type { Values } from "./session-values.ts";
import type { StartSource } from "./start.ts";

/** A file for each source of the recipe, by its name there; or nothing of them: every tensor begins with its initialiser. */
export type StartFiles = Readonly<Record<string, BytesSource>> | "fresh";

/** What the sources are called: as the recipe writes them, `phase NAME` for an earlier phase. */
export const startNames = ({ sources }: Start): readonly string[] =>
  sources.length === 0
    ? ["the phase before"]
    : sources.map((source) => (typeof source === "string" ? source : `phase ${source.phase}`));

/** `start: { "runs/base": ... }`, for messages. */
const wanted = (start: Start): string =>
  `\`start: { ${startNames(start)
    .map((name) => `${JSON.stringify(name)}: ...`)
    .join(", ")} }\``;

/** Why a model that was loaded without its start does not train. */
export const unstarted = (program: Program, start: Start): UserError =>
  new UserError(
    "R0310",
    `the recipe of ${program.name} starts from ${startNames(start).join(", ")}, which it was not given`,
    {
      help: `load it with ${wanted(start)}, with \`start: "fresh"\`, or with \`weights\` of its own`,
    },
  );

/** Errors: R0310 what is given is not what the recipe names; those of reading files and of `startValues`. */
export async function readStart(
  program: Program,
  given: StartFiles,
  seed: number,
): Promise<ReadonlyMap<string, Values>> {
  const start = program.training?.start;
  if (start === undefined)
    throw new UserError("R0310", `the recipe of ${program.name} starts from nothing`, {
      help: "leave out `start`, or say it in the recipe: `start from ...`",
    });
  if (given === "fresh") return new Map();
  const names = startNames(start);
  const missing = names.find((name) => given[name] === undefined);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (missing !== undefined || unknown !== undefined)
    throw new UserError(
      "R0310",
      missing === undefined
        ? `the recipe of ${program.name} does not start from ${JSON.stringify(unknown)}`
        : `the recipe of ${program.name} starts from ${missing}, which is not given`,
      { help: `give a file for each of its sources: ${wanted(start)}` },
    );
  const sources = await Promise.all(names.map(async (name) => sourceOf(name, given[name]!)));
  // Most models start from nothing: a page that runs one does not load this.
  const { startValues } = await import("./start.ts");
  return startValues(savedTensors(program), start, sources, seed).values;
}

async function sourceOf(shown: string, source: BytesSource): Promise<StartSource> {
  const { bytes, name } = await readBytes(await fileOf(source), weightsTrouble);
  return { shown, tensors: decodeStored(bytes, name).tensors };
}

async function fileOf(source: BytesSource): Promise<BytesSource> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer || !(await isFolder(source)))
    return source;
  const best = inside(source, "best.safetensors");
  return (await isFile(best)) ? best : inside(source, "last.safetensors");
}
