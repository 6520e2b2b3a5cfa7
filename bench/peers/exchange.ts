// What all sides of a comparison share: weights, inputs, and our results that a peer must reproduce. In: named arrays.
// Out: a folder with manifest.json and data.bin, which Python and JavaScript read alike.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Shared {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

export function writeExchange(arrays: ReadonlyMap<string, Shared>): string {
  const folder = mkdtempSync(join(tmpdir(), "moe-bench-"));
  const manifest: Record<string, { type: "f32" | "i32"; shape: readonly number[]; offset: number }> = {};
  let offset = 0;
  for (const [name, { shape, values }] of arrays) {
    manifest[name] = { type: values instanceof Float32Array ? "f32" : "i32", shape, offset };
    offset += values.byteLength;
  }
  const bytes = new Uint8Array(offset);
  for (const [name, { values }] of arrays)
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), manifest[name]!.offset);
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  writeFileSync(join(folder, "data.bin"), bytes);
  return folder;
}
