// What `check` and `bench` are told on the command line. In: arguments after the verb. Out: what they mean; undefined for a mistake.

import { parseArgs } from "node:util";

export interface Arguments {
  /** Texts of which a case's name must contain one. */
  readonly only: readonly string[];
  /** That it may take. */
  readonly seconds: number | undefined;
  /** Where the pack lies. */
  readonly folder: string;
}

export function readArguments(args: readonly string[]): Arguments | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { seconds: { type: "string" }, folder: { type: "string", default: "." } },
    });
    const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
    if (seconds !== undefined && !(seconds > 0)) return undefined;
    return { only: positionals, seconds, folder: values.folder };
  } catch {
    return undefined;
  }
}
