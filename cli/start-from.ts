// `start from "runs/base"`: reads the runs and files that a recipe starts from, and says what was taken. In: a recipe, where its
// paths are relative to, the program. Out: values for a session. Changes nothing.

import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { savedTensors } from "../runtime/arena-plan.ts";
import { checkpointPath, readStored } from "../runtime/checkpoint-file.ts";
import { UserError } from "../runtime/errors.ts";
import type { Program, Start, Tensor } from "../runtime/program.ts";
import type { StoredTensor } from "../runtime/safetensors.ts";
import { indexEnding } from "../runtime/safetensors-index.ts";
import { startValues, type StartSource } from "../runtime/start.ts";
import type { Tokenizer } from "../runtime/tokenizer.ts";
import { readJson } from "./files.ts";
import { count, plural } from "./numbers.ts";

export interface Beginning {
  readonly values: ReadonlyMap<string, Float32Array | Int32Array>;
  /** "taken from runs/base: 24 tensors (1.2 M numbers); begins afresh: lora.a, lora.b" */
  readonly told: string;
}

/** Most names in a line. */
const mostNames = 4;

export function beginningOf(
  program: Program,
  start: Start,
  sources: readonly StartSource[],
  seed: number,
): Beginning {
  const { values, fresh } = startValues(savedTensors(program), start, sources, seed);
  const numbers = [...values.values()].reduce((sum, each) => sum + each.length, 0);
  const names =
    fresh.length <= mostNames
      ? fresh
      : [...fresh.slice(0, mostNames - 1), `${fresh.length - mostNames + 1} more`];
  const rest = fresh.length === 0 ? "" : `; begins afresh: ${names.join(", ")}`;
  const from = sources.map(({ shown }) => shown).join(", ");
  return { values, told: `${plural(values.size, "tensor")} (${count(numbers)} numbers) from ${from}${rest}` };
}

/** The sources of a start: paths are relative to `base`; `phaseOf` gives an earlier phase by its name, the one before without. */
export function readSources(
  start: Start,
  base: string,
  tokenizers: Readonly<Record<string, Tokenizer>>,
  phaseOf: (name?: string) => StartSource,
): readonly StartSource[] {
  if (start.sources.length === 0) return [phaseOf()];
  return start.sources.map((shown) => {
    if (typeof shown !== "string") return phaseOf(shown.phase);
    const path = resolve(base, shown);
    if (shown.endsWith(".safetensors") || shown.endsWith(indexEnding))
      return { shown, tensors: readStored(path) };
    sameTokens(path, shown, tokenizers);
    const best = checkpointPath(path, "best");
    return { shown, tensors: readStored(existsSync(best) ? best : checkpointPath(path, "last")) };
  });
}

/** A run's tables of tokens mean something only beside its tokenizer. */
function sameTokens(folder: string, shown: string, tokenizers: Readonly<Record<string, Tokenizer>>): void {
  for (const [name, tokenizer] of Object.entries(tokenizers)) {
    const file = `tokenizer.${name}.json`;
    if (!existsSync(join(folder, file))) continue;
    if (JSON.stringify(readJson(folder, file)) === JSON.stringify(tokenizer.toJSON())) continue;
    throw new UserError("R0308", `${shown} cut the text of \`${name}\` into other tokens than this run`, {
      file: join(shown, file),
      help: "train on the same text with the same reader, or read it as `bytes`",
    });
  }
}

/** A phase starts from the last checkpoint of the one before, or of an earlier one. */
export const phaseSource = (name: string, folder: string): StartSource => ({
  shown: `phase ${name}`,
  tensors: readStored(checkpointPath(folder, "last")),
});

/** What a phase will have learned, as far as names and shapes go: rules are tried on it before the first step. */
export const expectedSource = (name: string, program: Program): StartSource => ({
  shown: `phase ${name}`,
  tensors: new Map(savedTensors(program).map((tensor) => [tensor.name, zerosWhenRead(tensor)])),
});

const zerosWhenRead = ({ name, type, shape }: Tensor): StoredTensor => ({
  name,
  type,
  shape,
  get values() {
    const length = shape.reduce((a, b) => a * b, 1);
    return type === "f32" ? new Float32Array(length) : new Int32Array(length);
  },
});

/** As a run's folder is called in messages. */
export const phaseFolder = (run: string, name: string): string => join(run, "phases", basename(name));
