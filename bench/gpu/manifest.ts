// What a pack for a machine with a GPU says of itself: which cases its check runs and which layers its bench measures. Written by pack.ts,
// read by check.ts and bench.ts. Plain JSON; numbers that JSON lacks (NaN, -Infinity) are texts.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Warpgroups } from "../../compiler/target.ts";
import type { Precision } from "../../runtime/program.ts";
import type { Sizes } from "../../runtime/size.ts";

export interface Case {
  readonly name: string;
  /** `alike`: every entry gives what the CPU gives. `curve`: so many steps of training fall on the CPU's curve. Both repeat to the bit. */
  readonly kind: "alike" | "curve";
  /** Where the program lies, below the pack's folder. */
  readonly folder: string;
  readonly sizes: Sizes;
  /** Tensors at first: noise, or what the program says. */
  readonly start: "noise" | "initial";
  /** Largest difference, as a share of the largest number of a tensor. */
  readonly tolerance: number;
  /** Only these entries; default: all. */
  readonly entries?: readonly string[];
  /** By port; others get noise. */
  readonly inputs?: Readonly<Record<string, readonly (number | string)[]>>;
}

/** A routed layer of SwiGLU experts. */
export interface LayerShape {
  readonly width: number;
  readonly hidden: number;
  readonly experts: number;
  readonly k: number;
}

export interface Layer extends LayerShape {
  readonly precision: Precision;
  /** With the variant for warpgroups that multiply, or with bulk copies. */
  readonly warpgroups: Warpgroups;
  readonly folder: string;
}

export interface Manifest {
  readonly cases: readonly Case[];
  readonly layers: readonly Layer[];
}

/** What a name says of it, after a separator. */
export const suffixOf = (warpgroups: Warpgroups, separator: string): string =>
  warpgroups === false ? "" : `${separator}${warpgroups === "bulk" ? warpgroups : "warpgroups"}`;

export const manifestFile = "manifest.json";
export const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, manifestFile), "utf8")) as Manifest;
/** Where the ceilings' kernels lie. */
export const ceilingsFolder = "ceilings";

export const textOf = (value: number): number | string => (Number.isFinite(value) ? value : String(value));
