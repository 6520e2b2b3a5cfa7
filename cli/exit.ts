// Exit codes of `moe`, and how an error becomes one message and one of them. In: anything that was thrown. Out: text for
// standard error, a code. Diagnostics of a `.moe` file are not errors of this kind: commands print them and return `findings`.

import { sep } from "node:path";
import { UserError } from "../runtime/errors.ts";
import { paintWith } from "./paint.ts";
import type { Shell } from "./shell.ts";
import { renderUserError } from "./user-error.ts";

export const exitCodes = {
  good: 0,
  /** Something was looked for and found: diagnostics, files that are not formatted, a stale build. */
  findings: 1,
  /** Usage, input and output, anything else that the user can mend. */
  mistake: 2,
  internal: 101,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Prints the one message of an error and says with which code to end. */
export function fail(shell: Shell, error: unknown): ExitCode {
  if (error instanceof UserError) {
    // The runtime knows absolute paths; the user thinks from where they stand.
    const here = (text: string): string => text.replaceAll(`${shell.folder}${sep}`, "");
    shell.err(`${here(renderUserError(error, shell.colour.err))}\n`);
    return exitCodes.mistake;
  }
  const paint = paintWith(shell.colour.err);
  const message = error instanceof Error ? error.message : String(error);
  const lines = [
    `${paint.bold(paint.red("internal error"))}${paint.bold(`: ${message.replace(/^internal: /, "")}`)}`,
    "  = help: this is a mistake in moe, not in your file; report it with the file that shows it",
  ];
  if (shell.environment["MOE_DEBUG"] === "1" && error instanceof Error && error.stack !== undefined)
    lines.push(error.stack);
  else lines.push("          (MOE_DEBUG=1 shows where it happened)");
  shell.err(`${lines.join("\n")}\n`);
  return exitCodes.internal;
}
