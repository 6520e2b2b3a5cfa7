// The entry of a pack: `check [--seconds N] [TEXT...]` or `bench [--seconds N]`, with `--folder` where the pack lies. In: arguments. Out: an exit code.

import { bench } from "./bench.ts";
import { check } from "./check.ts";
import { readArguments } from "./arguments.ts";
import { work } from "./worker.ts";

export async function run(args: readonly string[]): Promise<number> {
  const [verb, ...rest] = args;
  if (verb === "worker") return work(rest[0]!);
  const read = readArguments(rest);
  if (read !== undefined && verb === "check") return check(read.folder, read);
  if (read !== undefined && verb === "bench" && read.only.length === 0) return bench(read.folder, read);
  console.error("check [--seconds N] [TEXT...] | bench [--seconds N]");
  return 2;
}

process.exitCode = await run(process.argv.slice(2));
