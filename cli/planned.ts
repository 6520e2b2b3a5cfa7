// Planned: what a compiled model costs before anything runs: parameters, arithmetic, memory, launches, refused fusions, at any
// sizes. In: a program and sizes. Out: plain data, which `moe plan` prints and the playground draws. Allocates nothing; knows no
// Node API.

import {
  heldTensors,
  memoryPlan,
  tensorBytes,
  withDefaults,
  type MemoryPlan,
} from "../runtime/arena-plan.ts";
import { UserError } from "../runtime/errors.ts";
import type { Accumulation, Precision, Program, UndecodableLine } from "../runtime/program.ts";
import { bytesOf } from "../runtime/halves.ts";
import type { Sizes } from "../runtime/size.ts";
import { elementsOf } from "../runtime/stored.ts";
import { gpuMemoryPlan, longPieces, type LongPiece } from "../runtime/webgpu/plan.ts";
import { costOf, type EntryCost } from "./cost.ts";
import { countParameters } from "./report/parameters.ts";

export interface Plan {
  readonly model: string;
  readonly sizes: Sizes;
  /** What contractions read; absent: nothing is rounded. */
  readonly precision?: Precision;
  /** What a few products of contractions at a time are added up in; absent: all sums are f32. */
  readonly accumulation?: Accumulation;
  /** Of parameters, which kernels read in their place; bytes. */
  readonly copies?: readonly { readonly of: string; readonly type: Precision; readonly bytes: number }[];
  /** Tokens (or examples) in one run. */
  readonly tokens: number;
  readonly unit: "token" | "example";
  readonly parameters: { readonly total: number; readonly active: number };
  /** For one token; `training`: forward, backward and its share of the update. */
  readonly flops: { readonly forward?: number; readonly training?: number };
  /** By use. `gradients`: what one micro-batch hands to the step. */
  readonly memory: Readonly<Record<string, MemoryPlan & { readonly gradients: number }>>;
  /** On WebGPU: what is longer in one piece than every device binds. What several uses have is told once. */
  readonly long?: readonly LongPiece[];
  readonly entries: readonly EntryCost[];
  readonly refusals: Readonly<Record<string, readonly string[]>>;
  /** Of a model of tokens that cannot generate: the lines that need the whole text. */
  readonly undecodable?: readonly UndecodableLine[];
}

/** Sizes that replace the recipe's. */
interface Asked {
  readonly batch?: number;
  readonly length?: number;
}

/** Tokens of a prompt that generation reads at once. */
const pieceLength = 256;

/** The recipe's sizes, and what the command line says instead. */
export function sizesOf(program: Program, { batch, length }: Asked): Sizes {
  const sizes: Record<string, number> = { ...withDefaults(program) };
  if (batch !== undefined) sizes["B"] = batch;
  const lengths = program.modalities.flatMap((modality) => modality.length ?? []);
  if (length !== undefined && lengths.length === 0)
    throw new UserError("C0401", `the model ${program.name} has no length: it reads no tokens`, {
      help: "leave out --length",
    });
  if (length !== undefined) for (const name of lengths) sizes[name] = length;
  return sizes;
}

export function planOf(program: Program, sizes: Sizes, threads: number): Plan {
  const length = program.modalities.find((modality) => modality.length !== undefined)?.length;
  const tokens = (sizes["B"] ?? 1) * (length === undefined ? 1 : (sizes[length] ?? 1));
  const names = Object.keys(program.entries);
  const lengths = program.modalities.flatMap((modality) => modality.length ?? []);
  // Decoding goes token by token, but reads a prompt in pieces, which need more memory.
  const one = Object.fromEntries(["B", ...lengths].map((name) => [name, 1]));
  const piece = Object.fromEntries(
    lengths.map((name) => [name, Math.min(pieceLength, sizes["C"] ?? pieceLength)]),
  );
  const entries = names.map((name) =>
    costOf(program, name, name === "decode" ? { ...sizes, ...one } : sizes),
  );
  const arithmetic = (name: string): number | undefined => {
    const cost = entries.find((entry) => entry.name === name);
    return cost === undefined ? undefined : (2 * cost.multiplyAdds) / tokens;
  };
  const forward = arithmetic("forward");
  const train = arithmetic("train");
  const update = (arithmetic("update") ?? 0) / (program.training?.accumulate ?? 1);
  const uses: Record<string, readonly string[]> = {
    training: ["train", "update", "evaluate"],
    evaluation: ["evaluate"],
    generation: ["decode"],
    inference: ["forward"],
  };
  const memory: Record<string, MemoryPlan & { readonly gradients: number }> = {};
  const long: LongPiece[] = [];
  for (const [use, wanted] of Object.entries(uses)) {
    const there = wanted.filter((name) => program.entries[name] !== undefined);
    const values = use === "generation" ? { ...sizes, B: 1, ...piece } : sizes;
    if (there[0] !== wanted[0]) continue;
    const carried = heldTensors(program, there).filter(({ role }) => role === "carry");
    const gradients = carried.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
    memory[use] = { ...memoryOn(program, there, values, threads), gradients };
    const known = new Set(long.map((piece) => JSON.stringify(piece)));
    if (program.target === "webgpu")
      long.push(...longPieces(program, there, values).filter((piece) => !known.has(JSON.stringify(piece))));
  }
  return {
    model: program.name,
    sizes,
    ...(program.precision === undefined ? {} : { precision: program.precision }),
    ...(program.accumulation === undefined ? {} : { accumulation: program.accumulation }),
    ...(program.copies === undefined
      ? {}
      : {
          copies: program.copies.map((copy) => ({
            of: copy.of,
            type: copy.type,
            bytes: bytesOf(copy.type) * elementsOf(copy),
          })),
        }),
    tokens,
    unit: length === undefined ? "example" : "token",
    parameters: countParameters(program, (router) => Math.min(router.width, router.experts)),
    flops: {
      ...(forward === undefined ? {} : { forward }),
      ...(train === undefined ? {} : { training: train + update }),
    },
    memory,
    ...(long.length === 0 ? {} : { long }),
    entries,
    refusals: Object.fromEntries(names.map((name) => [name, program.entries[name]!.refusals])),
    ...(program.undecodable === undefined ? {} : { undecodable: program.undecodable }),
  };
}

function memoryOn(program: Program, entries: readonly string[], sizes: Sizes, threads: number): MemoryPlan {
  if (program.target === "webgpu") return gpuMemoryPlan(program, entries, sizes);
  const plan = memoryPlan(program, entries, sizes, threads);
  return program.target === "wasm" ? plan : { ...plan, threads: 0, total: plan.total - plan.threads };
}
