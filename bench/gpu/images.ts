// Kernels of a pack as machine code: what nvcc makes of each text, kept in node_modules/.cache by hash, so that a pack that is made again
// compiles only what changed. In: a text of CUDA C++. Out: images; none where there is no nvcc, and then the source is compiled by NVRTC
// on the machine that it goes to.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CudaImage } from "../../runtime/artifact.ts";
import { architectures, compileImages, compilerFlags } from "../../runtime/cuda/nvcc.ts";

export type Imager = (source: string) => Promise<readonly CudaImage[]>;

export function cachedImages(cache: string, wanted: readonly string[] = architectures): Imager {
  let compiler = true;
  return async (source) => {
    const hash = createHash("sha256")
      .update(JSON.stringify([source, compilerFlags]))
      .digest("hex");
    const place = (architecture: string): string => join(cache, `${hash.slice(0, 24)}.${architecture}`);
    const missing = wanted.filter((architecture) => !existsSync(place(architecture)));
    const made = missing.length > 0 && compiler ? await compileImages(source, missing) : [];
    if (made === undefined) compiler = false;
    mkdirSync(cache, { recursive: true });
    for (const { architecture, bytes } of made ?? []) {
      const own = `${place(architecture)}.${process.pid}`;
      writeFileSync(own, bytes);
      renameSync(own, place(architecture));
    }
    return wanted
      .filter((architecture) => existsSync(place(architecture)))
      .map((architecture) => ({
        architecture,
        bytes: new Uint8Array(readFileSync(place(architecture))),
      }));
  };
}
