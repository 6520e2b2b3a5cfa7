// PyTorch as a peer, where `python3` has it and it finds a GPU. In: a layer and numbers of tokens. Out: milliseconds by form; nothing where
// there is no PyTorch, and why. A process for each layer, so that no memory stays taken; what it has said counts when its time is up.

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

  static find(script: string, seconds: number): Torch {
    const { status, stdout, error } = ask([script, "probe"], seconds);
    if (isLate(error)) return new Torch(script, undefined, `it says nothing for ${Math.round(seconds)} s`);
    if (error !== undefined) return new Torch(script, undefined, "there is no python3");
    if (status === 3) return new Torch(script, undefined, "PyTorch finds no GPU");
    const about = status === 0 ? (objectsIn(stdout).at(-1) as About | undefined) : undefined;
    return new Torch(script, about, "python3 has no PyTorch that works");
  }

  /** By number of tokens and form; null: this PyTorch does not have it, or refuses these sizes. What is missing took too long, or failed. */
  times(layer: Layer, tokens: readonly number[], seconds: number): ReadonlyMap<number, PeerTimes> {
    if (this.about === undefined) return new Map();
    const { width, hidden, experts, k, precision } = layer;
    const type = precision === "f32" ? "float32" : "bfloat16";
    const request = JSON.stringify({ width, hidden, experts, k, tokens, type });
    const whole = objectsIn(ask([this.#script, request], seconds).stdout);
    return new Map(
      (whole as (PeerTimes & { tokens: number })[]).map(({ tokens: count, ...forms }) => [count, forms]),
    );
  }
}

export type PeerTimes = Readonly<Record<"grouped" | "loop", TorchTimes | null>>;

const ask = (args: readonly string[], seconds: number) =>
  spawnSync("python3", args, { encoding: "utf8", timeout: Math.ceil(1e3 * seconds), killSignal: "SIGKILL" });

/** Of lines that hold one; others are warnings, or cut off. */
const objectsIn = (text: string): unknown[] =>
  text.split("\n").flatMap((line): unknown[] => (/^\{.*\}$/.test(line) ? [JSON.parse(line)] : []));

const isLate = (error: Error | undefined): boolean =>
  error !== undefined && "code" in error && error.code === "ETIMEDOUT";
