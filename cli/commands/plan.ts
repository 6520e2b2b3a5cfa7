// moe plan: what a model costs before anything runs: parameters, arithmetic, memory, kernels, and why each fusion was refused,
// for any batch and length. In: a file. Out: tables on standard output, or JSON. No weights are allocated.

import { countParameters } from "../report/parameters.ts";
import {
  heldTensors,
  memoryPlan,
  tensorBytes,
  withDefaults,
  type MemoryPlan,
} from "../../runtime/arena-plan.ts";
import { UserError } from "../../runtime/errors.ts";
import type { Precision, Program, TargetName } from "../../runtime/program.ts";
import type { Sizes } from "../../runtime/size.ts";
import { gpuMemoryPlan } from "../../runtime/webgpu/plan.ts";
import { planFile, type CompileOptions } from "../compiling.ts";
import { costOf, foldedLabel, type EntryCost } from "../cost.ts";
import { checkPrecision } from "../devices.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { bytes, count, flops, percent, whole } from "../numbers.ts";
import { paintWith, type Paint } from "../paint.ts";
import type { Shell } from "../shell.ts";
import { table } from "../table.ts";

export interface PlanOptions extends CompileOptions {
  readonly batch?: number;
  readonly length?: number;
  readonly threads?: number;
  readonly target?: TargetName;
  /** All kernels, all tensors, all refusals. */
  readonly all?: boolean;
  readonly json?: boolean;
}

interface Plan {
  readonly model: string;
  readonly sizes: Sizes;
  /** What contractions round their operands to; absent: nothing is rounded. */
  readonly precision?: Precision;
  /** Tokens (or examples) in one run. */
  readonly tokens: number;
  readonly unit: "token" | "example";
  readonly parameters: { readonly total: number; readonly active: number };
  /** For one token; `training`: forward, backward and its share of the update. */
  readonly flops: { readonly forward?: number; readonly training?: number };
  /** By use. `gradients`: what one micro-batch hands to the step. */
  readonly memory: Readonly<Record<string, MemoryPlan & { readonly gradients: number }>>;
  readonly entries: readonly EntryCost[];
  readonly refusals: Readonly<Record<string, readonly string[]>>;
}

export async function plan(shell: Shell, file: string, options: PlanOptions): Promise<ExitCode> {
  checkPrecision(options.precision, options.target === "cuda", "--target cuda");
  const read = planFile(shell, file, options);
  if (read === undefined) return exitCodes.findings;
  const { program } = read;
  const result = planOf(program, sizesOf(program, options), options.threads ?? 1);
  shell.out(
    options.json === true
      ? `${JSON.stringify(result, null, 2)}\n`
      : print(result, options.all === true, paintWith(shell.colour.out)),
  );
  return exitCodes.good;
}

/** The recipe's sizes, and what the command line says instead. */
export function sizesOf(program: Program, { batch, length }: Pick<PlanOptions, "batch" | "length">): Sizes {
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
  for (const [use, wanted] of Object.entries(uses)) {
    const there = wanted.filter((name) => program.entries[name] !== undefined);
    const values = use === "generation" ? { ...sizes, B: 1, ...piece } : sizes;
    if (there[0] !== wanted[0]) continue;
    const carried = heldTensors(program, there).filter(({ role }) => role === "carry");
    const gradients = carried.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
    memory[use] = { ...memoryOn(program, there, values, threads), gradients };
  }
  return {
    model: program.name,
    sizes,
    ...(program.precision === undefined ? {} : { precision: program.precision }),
    tokens,
    unit: length === undefined ? "example" : "token",
    parameters: countParameters(program, (router) => Math.min(router.width, router.experts)),
    flops: {
      ...(forward === undefined ? {} : { forward }),
      ...(train === undefined ? {} : { training: train + update }),
    },
    memory,
    entries,
    refusals: Object.fromEntries(names.map((name) => [name, program.entries[name]!.refusals])),
  };
}

function memoryOn(program: Program, entries: readonly string[], sizes: Sizes, threads: number): MemoryPlan {
  if (program.target === "webgpu") return gpuMemoryPlan(program, entries, sizes);
  const plan = memoryPlan(program, entries, sizes, threads);
  return program.target === "wasm" ? plan : { ...plan, threads: 0, total: plan.total - plan.threads };
}

function print(result: Plan, all: boolean, paint: Paint): string {
  const { total, active } = result.parameters;
  const { forward, training } = result.flops;
  const head = (text: string): string => `\n${paint.bold(text)}\n`;
  const sizes = Object.entries(result.sizes).map(
    ([name, value]) => `${sizeWords[name] ?? name} ${whole(value)}`,
  );
  if (result.precision !== undefined) sizes.push(`contractions of ${result.precision}`);
  const chosen = result.entries.filter(
    ({ name }) => all || name === (training === undefined ? "forward" : "train"),
  );
  const summary = table(
    [
      ["parameters", `${count(total)}`, paint.dim(whole(total))],
      [`active per ${result.unit}`, `${count(active)}`, paint.dim(`${percent(active / total)} at most`)],
      ...(forward === undefined ? [] : [["forward", `${flops(forward)}`, paint.dim(`per ${result.unit}`)]]),
      ...(training === undefined
        ? []
        : [["training", `${flops(training)}`, paint.dim(`per ${result.unit}`)]]),
    ],
    "lrl",
    "  ",
  );
  return [
    `${paint.bold(result.model)}  ${paint.dim(sizes.join(", "))}\n${summary}`,
    head("Memory"),
    memoryTable(result),
    ...Object.entries(result.memory)
      .slice(0, 1)
      .map(([use, memory]) => head(`Largest tensors while ${use} is fullest`) + largest(memory, all, paint)),
    head("Entries"),
    entryTable(result.entries),
    ...chosen.map((entry) => head(`Kernels of ${entry.name}`) + kernelTable(entry, all, paint)),
    refusalList(result, all, head, paint),
  ].join("");
}

function memoryTable({ memory }: Plan): string {
  const rows = Object.entries(memory).map(
    ([use, { parameters, gradients, optimiser, state, arena, total }]) => [
      use,
      ...[parameters, gradients, optimiser, state, arena, total].map((size) =>
        size === 0 ? "" : bytes(size),
      ),
    ],
  );
  return table(
    [["", "parameters", "gradients", "optimiser", "state", "values", "total"], ...rows],
    "lrrrrrr",
    "  ",
  );
}

/** Names of sizes that every model may have, in words. */
const sizeWords: Readonly<Record<string, string>> = { B: "batch", T: "length", C: "context" };

function entryTable(entries: readonly EntryCost[]): string {
  const rows = entries.map(({ name, kernels, bytes: moved, multiplyAdds }) => [
    ...[name, whole(kernels), bytes(moved), multiplyAdds === 0 ? "" : count(multiplyAdds)],
    name === "decode" ? "one token" : name === "update" ? "one step" : "one batch",
  ]);
  return table([["", "launches", "bytes moved", "multiply-adds", ""], ...rows], "lrrrl", "  ");
}

const shownRows = 12;

/** What lives at the fullest moment of the largest entry; layers that are alike are added up. */
function largest({ entries }: MemoryPlan, all: boolean, paint: Paint): string {
  const fullest = entries.reduce((most, entry) => (entry.bytes > most.bytes ? entry : most));
  const sums = new Map<string, { readonly bytes: number; readonly times: number }>();
  for (const { name, bytes: size } of fullest.alive) {
    const label = foldedLabel(name);
    const before = sums.get(label) ?? { bytes: 0, times: 0 };
    sums.set(label, { bytes: before.bytes + size, times: before.times + 1 });
  }
  const rows = [...sums]
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .map(([label, { bytes: size, times }]) => [bytes(size), times === 1 ? "" : `${times} x`, label]);
  const shown = all ? rows : rows.slice(0, shownRows);
  return (
    `  ${paint.dim(`in ${fullest.name}, at ${fullest.at}`)}\n${table(shown, "rrl", "  ")}` +
    more(rows.length - shown.length, paint)
  );
}

function kernelTable({ launches }: EntryCost, all: boolean, paint: Paint): string {
  const ordered = all ? launches : [...launches].sort((a, b) => weight(b) - weight(a)).slice(0, shownRows);
  const rows = ordered.map(({ label, times, bytes: size, multiplyAdds: adds }) => [
    times === 1 ? "" : `${times} x`,
    bytes(size),
    adds === 0 ? "" : count(adds),
    label,
  ]);
  const sum = `  ${paint.dim("of one launch; a mark (block.0') marks the backward pass")}\n`;
  const table_ = table([["", "bytes", "multiply-adds", ""], ...rows], "rrrl", "  ");
  return sum + table_ + more(launches.length - ordered.length, paint);
}

/** Tokens of a prompt that generation reads at once. */
const pieceLength = 256;

/** What is worth looking at: arithmetic and bytes on one scale (about ten multiply-adds in the time of a byte). */
const weight = ({ times, bytes: size, multiplyAdds }: EntryCost["launches"][number]): number =>
  times * Math.max(size * 10, multiplyAdds);

const more = (left: number, paint: Paint): string =>
  left > 0 ? `  ${paint.dim(`and ${left} more: --all shows them`)}\n` : "";

function refusalList({ refusals }: Plan, all: boolean, head: (text: string) => string, paint: Paint): string {
  const counts = new Map<string, number>();
  for (const list of Object.values(refusals))
    for (const refusal of list) {
      const text = foldedLabel(refusal).replace(/^: /, "");
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  if (counts.size === 0) return "";
  const rows = [...counts].map(([text, times]) => [times === 1 ? "" : `${times} x`, text]);
  const shown = all ? rows : rows.slice(0, shownRows);
  return head("Not fused") + table(shown, "rl", "  ") + more(rows.length - shown.length, paint);
}
