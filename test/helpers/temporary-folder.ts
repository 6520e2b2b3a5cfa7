// Temporary files of a test run lie in one folder, which is removed at its end: also those of tests that fail, of workers that are
// stopped, and of the processes that tests start.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Before the first worker starts; workers and their processes get the environment. Gives what runs after the last. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "moe-tests-"));
  for (const name of ["TMPDIR", "TEMP", "TMP"]) process.env[name] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
