// A growing list of token ids, two bytes each where they are small enough. Past a limit it moves to a scratch file of the
// folder, where there is one, and is then read by position. Out: a token store.

import type { TokenStore } from "./data.ts";
import type { DataFolder, DataScratch } from "./folder.ts";

/** Ids in one block; blocks are what is held or written. */
const blockLength = 2 ** 20;
/** Blocks held in memory before they go to a scratch file: 64 MB. */
const heldBlocks = 16;

export interface IdWriter {
  readonly length: number;
  push(id: number): void;
  /** The store; `renamed[id]` stands for each id when given. */
  finish(renamed?: Int32Array): TokenStore;
}

export function idWriter(folder: DataFolder, limit = heldBlocks): IdWriter {
  const blocks: (Uint16Array | Int32Array)[] = [];
  let scratch: DataScratch | undefined;
  let current: Int32Array = new Int32Array(blockLength);
  let used = 0;
  let written = 0;
  let largest = 0;

  const bytesOf = (block: Uint16Array | Int32Array): Uint8Array => {
    const wide = Int32Array.from(block);
    return new Uint8Array(wide.buffer);
  };
  const flush = (): void => {
    const block = current.subarray(0, used);
    written += used;
    if (scratch === undefined && blocks.length >= limit && folder.scratch !== undefined) {
      scratch = folder.scratch();
      for (const held of blocks) scratch.append(bytesOf(held));
      blocks.length = 0;
    }
    if (scratch !== undefined) scratch.append(bytesOf(block));
    else blocks.push(largest < 65536 ? Uint16Array.from(block) : block.slice());
    used = 0;
  };
  return {
    get length() {
      return written + used;
    },
    push(id) {
      if (id > largest) largest = id;
      current[used++] = id;
      if (used === blockLength) flush();
    },
    finish(renamed) {
      if (used > 0) flush();
      current = new Int32Array(0);
      const rename = (into: Int32Array, at: number, count: number): void => {
        if (renamed !== undefined) for (let i = at; i < at + count; i++) into[i] = renamed[into[i]!]!;
      };
      return {
        length: written,
        read(start, count, into, at) {
          if (scratch !== undefined)
            scratch.read(start * 4, new Uint8Array(into.buffer, into.byteOffset + at * 4, count * 4));
          else
            for (let position = start; position < start + count;) {
              const block = blocks[Math.floor(position / blockLength)]!;
              const offset = position % blockLength;
              const part = block.subarray(offset, Math.min(block.length, offset + start + count - position));
              into.set(part, at + position - start);
              position += part.length;
            }
          rename(into, at, count);
        },
        close: () => scratch?.close(),
      };
    },
  };
}
