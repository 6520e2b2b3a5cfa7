// Metrics on disk; Node only. Lines are appended whole, one system call each, so that a killed process leaves at most one
// torn line, at the end. A run that resumes cuts the file back to its checkpoint and goes on: no step is there twice.

import * as nodeFiles from "node:fs";
import { dirname } from "node:path";
import { UserError } from "./errors.ts";
import { encodeRecord, keepUntil, type MetricsWriter } from "./metrics.ts";
import { codeOf, isFull, reasonOf } from "./system-error.ts";

/** What is used of `node:fs`; tests give one that fails. */
export type MetricsFiles = Pick<
  typeof nodeFiles,
  "openSync" | "readFileSync" | "ftruncateSync" | "writeSync" | "fsyncSync" | "closeSync" | "mkdirSync"
>;

/** Opens (or makes) the file and cuts off what comes after `step`: 0 for a new run. */
export function openMetrics(path: string, step: number, files: MetricsFiles = nodeFiles): MetricsWriter {
  const guarded = <Result>(act: () => Result): Result => {
    try {
      return act();
    } catch (error) {
      if (codeOf(error) === "") throw error;
      throw new UserError("R0302", `cannot write ${path}: ${reasonOf(error)}`, {
        file: path,
        help: isFull(error) ? "free some space and resume the run" : "choose a folder that can be written",
      });
    }
  };
  const { file, length } = guarded(() => {
    files.mkdirSync(dirname(path), { recursive: true });
    const opened = files.openSync(path, "a+");
    const kept = Buffer.byteLength(keepUntil(files.readFileSync(path, "utf8"), step));
    files.ftruncateSync(opened, kept);
    return { file: opened, length: kept };
  });
  let end = length;
  return {
    write: (record) =>
      guarded(() => {
        const line = Buffer.from(encodeRecord(record));
        const written = files.writeSync(file, line);
        if (written === line.length) {
          end += line.length;
          return;
        }
        // A disk that fills up takes part of a line: take it back, so that the file stays readable.
        files.ftruncateSync(file, end);
        throw Object.assign(new Error("the disk is full"), { code: "ENOSPC" });
      }),
    sync: () => guarded(() => files.fsyncSync(file)),
    close: () => guarded(() => files.closeSync(file)),
  };
}
