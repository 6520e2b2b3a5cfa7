// Weights: what a model has learned, as a safetensors file that other tools read as well. In: tensors of a session, or bytes.
// Out: bytes, or values that fit the program exactly. Checkpoints of runs are read too, with their checksum checked.
// Does not touch files; `checkpoint.ts` has the whole state of a run, which this can be cut down to.

import { joinedBytes } from "./join.ts";
import { savedTensors } from "./arena-plan.ts";
import { decodeStored } from "./checkpoint.ts";
import { UserError } from "./errors.ts";
import type { Program, Tensor } from "./program.ts";
import { encodeSafetensors } from "./safetensors.ts";
import type { Values } from "./session-values.ts";

export interface Weights {
  readonly tensors: ReadonlyMap<string, Values>;
  /** Optimiser steps behind them, as far as the file says. */
  readonly step?: number;
  /** Whether the optimiser's state is among them: then training goes on where it was. */
  readonly optimiser: boolean;
}

/** What a file of weights must hold: parameters, and the state of layers. */
const needed = (program: Program): readonly Tensor[] =>
  savedTensors(program).filter(({ role }) => role === "parameter" || role === "state");
const optimiserOf = (program: Program): readonly Tensor[] =>
  savedTensors(program).filter(({ role }) => role === "optimiser");

export function encodeWeights(
  program: Program,
  read: (name: string) => Values,
  options: { readonly step: number; readonly optimiser: boolean },
): Uint8Array<ArrayBuffer> {
  const tensors = [...needed(program), ...(options.optimiser ? optimiserOf(program) : [])];
  const parts = encodeSafetensors(
    tensors.map(({ name, type, shape }) => ({ name, type, shape, values: read(name) })),
    { format: "moe-weights-1", model: program.name, step: String(options.step) },
  );
  return joinedBytes(parts);
}

/** Errors: R0202 to R0205 and R0207 a damaged file, R0206 of another model. `file` is its name, for messages. */
export function decodeWeights(program: Program, bytes: Uint8Array<ArrayBuffer>, file: string): Weights {
  const stored = decodeStored(bytes, file);
  const tensors = new Map<string, Values>();
  const take = (tensor: Tensor): string | undefined => {
    const { name, type, shape } = tensor;
    const found = stored.tensors.get(name);
    if (found === undefined) return `\`${name}\` is missing in it`;
    if (found.shape.join() !== shape.join())
      return `\`${name}\` is [${found.shape.join(", ")}] in it, [${shape.join(", ")}] in the model`;
    if (found.type !== type) return `\`${name}\` is ${found.type} in it, ${type} in the model`;
    tensors.set(name, found.values);
    return undefined;
  };
  const differences = needed(program).flatMap((tensor) => take(tensor) ?? []);
  const optimisers = optimiserOf(program);
  const present = optimisers.filter(({ name }) => stored.tensors.has(name));
  if (present.length > 0) differences.push(...optimisers.flatMap((tensor) => take(tensor) ?? []));
  const known = new Set(program.tensors.map(({ name }) => name));
  for (const name of stored.tensors.keys())
    if (!known.has(name)) differences.push(`the model has no \`${name}\``);
  if (differences.length > 0) {
    const more = differences.length > 3 ? `, and ${differences.length - 3} more differences` : "";
    throw new UserError(
      "R0206",
      `${file} is of another model: ${differences.slice(0, 3).join("; ")}${more}`,
      {
        file,
        help: `load weights that ${program.name} was trained to, or build the module from the \`.moe\` file of the run`,
      },
    );
  }
  const step = Number(stored.metadata["step"] ?? NaN);
  return {
    tensors,
    ...(Number.isSafeInteger(step) && step >= 0 ? { step } : {}),
    optimiser: optimisers.length > 0 && present.length > 0,
  };
}
