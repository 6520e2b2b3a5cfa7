// The entry of a pack: `check [TEXT...]` or `bench`, with `--folder` where the pack lies. In: arguments. Out: an exit code.

import { bench } from "./bench.ts";
import { check } from "./check.ts";

export async function run(args: readonly string[]): Promise<number> {
  const at = args.indexOf("--folder");
  const folder = at < 0 ? "." : (args[at + 1] ?? ".");
  const [verb, ...rest] = args.filter((_, i) => at < 0 || (i !== at && i !== at + 1));
  if (verb === "check") return check(folder, rest);
  if (verb === "bench" && rest.length === 0) return bench(folder);
  console.error("check [TEXT...] | bench");
  return 2;
}

process.exitCode = await run(process.argv.slice(2));
