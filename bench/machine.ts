// The machine and the engine, in a line, as far as they bear on speed. No names, no dates.

import { availableParallelism, cpus, totalmem } from "node:os";
import { readFileSync } from "node:fs";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memory: string;
  readonly node: string;
  readonly engine: string;
  /** Vector extensions that matter to native peers. */
  readonly vectors: readonly string[];
}

export function machine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    engine: `V8 ${process.versions.v8}`,
    vectors: vectorExtensions(),
  };
}

function vectorExtensions(): readonly string[] {
  try {
    const flags = new Set(
      readFileSync("/proc/cpuinfo", "utf8")
        .match(/^flags\s*:(.*)$/m)?.[1]
        ?.split(" ") ?? [],
    );
    return ["fma", "avx2", "avx512f", "amx_tile"].filter((flag) => flags.has(flag));
  } catch {
    return [];
  }
}

export const describeMachine = ({ processor, cores, memory, node, engine, vectors }: Machine): string =>
  `${processor}, ${cores} cores${vectors.length > 0 ? ` (${vectors.join(", ")})` : ""}, ${memory}; Node ${node}, ${engine}`;
