// What a check or a bench has found so far, in a file that is whole at every moment: whoever is cut off keeps what was known. In: a value,
// after every change. Out: JSON.

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";

/** Writes beside the file, and gives it the name when everything is on the disk. False where it cannot be written. */
export function keepRecord(file: string, value: unknown): boolean {
  const own = `${file}.${process.pid}`;
  try {
    const handle = openSync(own, "w");
    try {
      writeSync(handle, `${JSON.stringify(value, null, 1)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(own, file);
    return true;
  } catch {
    return false;
  }
}
