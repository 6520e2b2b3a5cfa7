// PyTorch as a peer, where `python3` has it and it finds a GPU. In: a layer and a number of tokens. Out: milliseconds by form; nothing where
// there is no PyTorch, and why. One process for each question, so that no memory stays taken.

import { spawnSync } from "node:child_process";
import type { Layer } from "./manifest.ts";

export interface TorchTimes {
  /** Milliseconds. */
  readonly forward: number;
  readonly step: number;
}

interface About {
  readonly torch: string;
  readonly device: string;
  /** Operations a second of its own square product. */
  readonly float32: number;
  readonly bfloat16: number;
}

export class Torch {
  readonly about: About | undefined;
  readonly why: string;
  readonly #script: string;

  private constructor(script: string, about: About | undefined, why: string) {
    this.#script = script;
    this.about = about;
    this.why = why;
  }

  static find(script: string): Torch {
    const { status, stdout, error } = spawnSync("python3", [script, "probe"], { encoding: "utf8" });
    if (error !== undefined) return new Torch(script, undefined, "there is no python3");
    if (status === 3) return new Torch(script, undefined, "PyTorch finds no GPU");
    if (status !== 0) return new Torch(script, undefined, "python3 has no PyTorch that works");
    return new Torch(script, JSON.parse(stdout) as About, "");
  }

  /** By form; null: this PyTorch does not have it, or refuses these sizes. */
  times(layer: Layer, tokens: number): Readonly<Record<string, TorchTimes | null>> {
    if (this.about === undefined) return {};
    const { width, hidden, experts, k, precision } = layer;
    const type = precision === "f32" ? "float32" : "bfloat16";
    const request = JSON.stringify({ width, hidden, experts, k, tokens, type });
    const { status, stdout } = spawnSync("python3", [this.#script, request], { encoding: "utf8" });
    if (status !== 0) return { grouped: null, loop: null };
    return JSON.parse(stdout) as Record<string, TorchTimes | null>;
  }
}
