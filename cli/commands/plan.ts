// moe plan: what a model costs before anything runs: parameters, arithmetic, memory, kernels, and why each fusion was refused,
// for any batch and length. In: a file. Out: tables on standard output, or JSON. No weights are allocated.

import type { MemoryPlan } from "../../runtime/arena-plan.ts";
import type { TargetName } from "../../runtime/program.ts";
import { guaranteedPiece } from "../../runtime/webgpu/plan.ts";
import { planFile, type CompileOptions } from "../compiling.ts";
import { foldedLabel, type EntryCost } from "../cost.ts";
import { checkArithmetic } from "../devices.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { bytes, count, flops, percent, whole } from "../numbers.ts";
import { paintWith, type Paint } from "../paint.ts";
import { planOf, sizesOf, type Plan } from "../planned.ts";
import type { Shell } from "../shell.ts";
import { table } from "../table.ts";

export interface PlanOptions extends CompileOptions {
  readonly batch?: number;
  readonly length?: number;
  readonly threads?: number;
  readonly target?: TargetName;
  /** Beside each entry: what it would take without fusion. */
  readonly unfused?: boolean;
  /** All kernels, all tensors, all refusals. */
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Of an entry. */
type Totals = Omit<EntryCost, "launches">;

export async function plan(shell: Shell, file: string, options: PlanOptions): Promise<ExitCode> {
  checkArithmetic(options, [options.target ?? "wasm"], "--target");
  const read = planFile(shell, file, options);
  if (read === undefined) return exitCodes.findings;
  const { program } = read;
  const sizes = sizesOf(program, options);
  const apart = options.unfused === true ? planFile(shell, file, { ...options, fuse: false }) : undefined;
  const unfused = apart === undefined ? undefined : planOf(apart.program, sizes, 1).entries;
  const result = {
    ...planOf(program, sizes, options.threads ?? 1),
    ...(unfused === undefined ? {} : { unfused: unfused.map(withoutLaunches) }),
  };
  shell.out(
    options.json === true
      ? `${JSON.stringify(result, null, 2)}\n`
      : print(result, options.all === true, paintWith(shell.colour.out)),
  );
  return exitCodes.good;
}

const withoutLaunches = ({ launches: _, ...totals }: EntryCost): Totals => totals;

function print(result: Plan & { readonly unfused?: readonly Totals[] }, all: boolean, paint: Paint): string {
  const { total, active } = result.parameters;
  const { forward, training } = result.flops;
  const head = (text: string): string => `\n${paint.bold(text)}\n`;
  const sizes = Object.entries(result.sizes).map(
    ([name, value]) => `${sizeWords[name] ?? name} ${whole(value)}`,
  );
  if (result.precision !== undefined) sizes.push(`contractions of ${result.precision}`);
  if (result.accumulation !== undefined) sizes.push(`short sums in ${result.accumulation}`);
  const chosen = result.entries.filter(
    ({ name }) => all || name === (training === undefined ? "forward" : "train"),
  );
  const summary = table(
    [
      ["parameters", `${count(total)}`, paint.dim(whole(total))],
      [
        `active per ${result.unit}`,
        `${count(active)}`,
        total === 0 ? "" : paint.dim(`${percent(active / total)} at most`),
      ],
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
    ...(result.copies === undefined
      ? []
      : [head(`Parameters that kernels read in ${result.precision}`), copyTable(result, all, paint)]),
    ...Object.entries(result.memory)
      .slice(0, 1)
      .map(([use, memory]) => head(`Largest tensors while ${use} is fullest`) + largest(memory, all, paint)),
    ...(result.long === undefined
      ? []
      : [head("In one piece, longer than WebGPU guarantees"), longTable(result.long, all, paint)]),
    head("Entries"),
    entryTable(result.entries, result.unfused),
    ...(result.undecodable ?? []).map(
      ({ place = "it", why, help }) => `  no generation: ${place} ${why}\n    ${paint.dim(help)}\n`,
    ),
    ...chosen.map((entry) => head(`Kernels of ${entry.name}`) + kernelTable(entry, all, paint)),
    refusalList(result, all, head, paint),
  ].join("");
}

function memoryTable({ memory, copies }: Plan): string {
  const copied = copies === undefined ? [] : ["copies"];
  const rows = Object.entries(memory).map(([use, held]) => {
    const { parameters, gradients, optimiser, state, arena, total } = held;
    const sizes = [
      parameters,
      ...copied.map(() => held.copies ?? 0),
      gradients,
      optimiser,
      state,
      arena,
      total,
    ];
    return [use, ...sizes.map((size) => (size === 0 ? "" : bytes(size)))];
  });
  const titles = ["", "parameters", ...copied, "gradients", "optimiser", "state", "values", "total"];
  return table([titles, ...rows], `l${"r".repeat(titles.length - 1)}`, "  ");
}

/** What lies beside the parameters, or in their place where nothing else is read; layers that are alike in one row. */
function copyTable({ copies = [] }: Plan, all: boolean, paint: Paint): string {
  const sums = new Map<string, { readonly bytes: number; readonly times: number }>();
  for (const { of, bytes: size } of copies) {
    const label = foldedLabel(of);
    const before = sums.get(label) ?? { bytes: 0, times: 0 };
    sums.set(label, { bytes: before.bytes + size, times: before.times + 1 });
  }
  const rows = [...sums].map(([label, { bytes: size, times }]) => [
    bytes(size),
    times === 1 ? "" : `${times} x`,
    label,
  ]);
  const shown = all ? rows : rows.slice(0, shownRows);
  return table(shown, "rrl", "  ") + more(rows.length - shown.length, paint);
}

/** Names of sizes that every model may have, in words. */
const sizeWords: Readonly<Record<string, string>> = { B: "batch", T: "length", C: "context" };

function entryTable(entries: readonly EntryCost[], unfused: readonly Totals[] | undefined): string {
  const rows = entries.map(({ name, kernels, bytes: moved, multiplyAdds }, at) => [
    ...[name, whole(kernels), bytes(moved)],
    ...(unfused === undefined ? [] : [whole(unfused[at]!.kernels), bytes(unfused[at]!.bytes)]),
    multiplyAdds === 0 ? "" : count(multiplyAdds),
    name === "decode" ? "one token" : name === "update" ? "one step" : "one batch",
  ]);
  const apart = unfused === undefined ? [] : ["unfused", "bytes moved"];
  const titles = ["", "launches", "bytes moved", ...apart, "multiply-adds", ""];
  return table([titles, ...rows], `l${"r".repeat(titles.length - 2)}l`, "  ");
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

/** What a device may refuse; layers that are alike in one row. */
function longTable(long: NonNullable<Plan["long"]>, all: boolean, paint: Paint): string {
  const rows = new Map<string, { times: number; readonly cells: readonly string[] }>();
  for (const { name, bytes: size, place = "" } of long) {
    const cells = [bytes(size), foldedLabel(name), paint.dim(place)];
    const key = cells.join("\n");
    rows.set(key, { times: (rows.get(key)?.times ?? 0) + 1, cells });
  }
  const listed = [...rows.values()].map(({ times, cells: [size, label, place] }) => [
    size!,
    times === 1 ? "" : `${times} x`,
    label!,
    place!,
  ]);
  const shown = all ? listed : listed.slice(0, shownRows);
  const what = `a device that gives no more than ${bytes(guaranteedPiece)} refuses it; a smaller batch makes values shorter`;
  return `  ${paint.dim(what)}\n${table(shown, "rrll", "  ")}${more(listed.length - shown.length, paint)}`;
}

function kernelTable({ launches }: EntryCost, all: boolean, paint: Paint): string {
  const ordered = all ? launches : [...launches].sort((a, b) => weight(b) - weight(a)).slice(0, shownRows);
  const rows = ordered.map(({ label, place, times, bytes: size, multiplyAdds: adds }) => [
    times === 1 ? "" : `${times} x`,
    bytes(size),
    adds === 0 ? "" : count(adds),
    label,
    place === undefined ? "" : paint.dim(place),
  ]);
  const sum = `  ${paint.dim("of one launch; a mark (block.0') marks the backward pass")}\n`;
  const table_ = table([["", "bytes", "multiply-adds", "", ""], ...rows], "rrrll", "  ");
  return sum + table_ + more(launches.length - ordered.length, paint);
}

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
