// What an entry runs, in order, in groups that follow the model: launches of kernels with their bytes, multiply-adds and buffers.
// In: a lowered entry and sizes. Out: groups of rows; the same rows for several layers are one group, times their number.

import type { LoweredBuffer, LoweredEntry } from "../../compiler/lowered.ts";
import type { Program } from "../../runtime/program.ts";
import { evaluate, type Sizes } from "../../runtime/size.ts";
import { bytesOf } from "../../runtime/halves.ts";
import { splitStep, stepBelow } from "./paths.ts";

export interface Launch {
  /** Without the layer's path: `experts.routed: contract x2, mul`. */
  readonly label: string;
  readonly kernel: string;
  /** Of all layers of the group together. */
  readonly bytes: number;
  readonly multiplyAdds: number;
  readonly buffers: readonly string[];
}
export interface LaunchGroup {
  readonly title: string;
  /** Layers that do the same, one after the other. */
  readonly times: number;
  readonly launches: readonly Launch[];
}

/** Default sizes; decoding is one token of one sequence. */
export function sizesOf(program: Program, entry: string): Sizes {
  const sizes = Object.fromEntries(program.sizes.map(({ name, default: value }) => [name, value]));
  if (entry !== "decode") return sizes;
  const lengths = new Set(["B", ...program.modalities.flatMap(({ length }) => length ?? [])]);
  return Object.fromEntries(
    Object.entries(sizes).map(([name, value]) => [name, lengths.has(name) ? 1 : value]),
  );
}

const bufferName = (buffer: LoweredBuffer): string =>
  buffer.kind === "temporary" ? buffer.label : buffer.name;

/** Where a launch belongs: the path of its label, where a gradient ends with a quote; else that of the parameter that it is about. */
function whereOf(
  label: string,
  buffers: readonly LoweredBuffer[],
  parameters: readonly string[],
): { readonly path: string; readonly what: string; readonly backward: boolean } {
  const [, path = "", what = label] = /^([^\s:]*): (.*)$/s.exec(label) ?? [];
  const plain = path.replaceAll("'", "");
  if (plain !== "") return { path: plain, what, backward: plain !== path };
  for (const buffer of buffers) {
    if (buffer.kind !== "tensor") continue;
    const name = parameters.find((each) => buffer.name === each || buffer.name.endsWith(`.${each}`));
    if (name !== undefined && buffer.name !== name) return { path: name, what, backward: path !== "" };
  }
  return { path: "", what, backward: path !== "" };
}

/** `parameters`: names, the longest first, so that `block.0.gain` is not taken for another's `gain`. */
export function launchGroups(
  entry: LoweredEntry,
  sizes: Sizes,
  parameters: readonly string[] = [],
): readonly LaunchGroup[] {
  const groups: Draft[] = [];
  const writers = new Map<LoweredBuffer, string>();
  for (const { kernel, buffers, label } of entry.dispatches) {
    const { path: own, what, backward } = whereOf(label, buffers, parameters);
    // What finishes a sum that another launch began belongs to it.
    const path =
      own === ""
        ? (buffers
            .map((buffer, i) => (kernel.buffers[i]!.access === "read" ? writers.get(buffer) : undefined))
            .findLast((each) => each !== undefined) ?? "")
        : own;
    buffers.forEach((buffer, i) => {
      if (
        buffer.kind === "temporary" &&
        path !== "" &&
        entry.name === "update" &&
        kernel.buffers[i]!.access !== "read"
      )
        writers.set(buffer, path);
    });
    const step = stepBelow("", path) ?? "";
    const rest = path.slice(step.length).replace(/^\./, "");
    const launch: Launch = {
      label: rest === "" ? what : `${rest}: ${what}`,
      kernel: kernel.name,
      bytes: kernel.buffers.reduce(
        (sum, buffer) => sum + bytesOf(buffer.type) * evaluate(buffer.length, sizes),
        0,
      ),
      multiplyAdds: kernel.multiplyAdds === undefined ? 0 : evaluate(kernel.multiplyAdds, sizes),
      buffers: buffers.map((buffer, i) => `${kernel.buffers[i]!.access} ${bufferName(buffer)}`),
    };
    const last = groups.at(-1);
    if (last?.step === step && last.backward === backward) last.launches.push(launch);
    else groups.push({ step, backward, launches: [launch] });
  }
  return foldGroups(groups);
}

interface Draft {
  readonly step: string;
  readonly backward: boolean;
  readonly launches: Launch[];
}

/** Neighbours with the same name, another number and the same rows become one. */
function foldGroups(groups: readonly Draft[]): LaunchGroup[] {
  const folded: {
    name: string;
    first: string;
    last: string;
    backward: boolean;
    times: number;
    key: string;
    launches: Launch[];
  }[] = [];
  for (const { step, backward, launches } of groups) {
    const { name, number } = splitStep(step);
    const key = launches.map(({ label }) => label).join("\n");
    const before = folded.at(-1);
    const alike = before?.name === name && before.backward === backward && before.key === key;
    if (alike && number !== undefined && before.last !== step) {
      before.last = step;
      before.times++;
      before.launches = before.launches.map((launch, i) => ({
        ...launch,
        bytes: launch.bytes + launches[i]!.bytes,
        multiplyAdds: launch.multiplyAdds + launches[i]!.multiplyAdds,
      }));
    } else folded.push({ name, first: step, last: step, backward, times: 1, key, launches: [...launches] });
  }
  return folded.map(({ first, last, backward, times, launches }) => ({
    title: `${first === "" ? "model" : first === last ? first : `${first} … ${last}`}${backward ? ", gradients" : ""}`,
    times,
    launches,
  }));
}
