// User error: an error of the runtime or of the command line as people read it. In: the error. Out: text. Runs in a page too.

import type { UserError } from "../runtime/errors.ts";
import { paintWith } from "./paint.ts";

/** In the manner of diagnostics: a head line, the file, one thing to do. */
export function renderUserError(error: UserError, colour: boolean): string {
  const paint = paintWith(colour);
  const lines = [`${paint.bold(paint.red(`error[${error.code}]`))}${paint.bold(`: ${error.message}`)}`];
  const at = error.line === undefined ? "" : `:${error.line}`;
  // A message that names the file already needs no second line for it.
  if (error.file !== undefined && (at !== "" || !error.message.includes(error.file)))
    lines.push(`  ${paint.blue("-->")} ${error.file}${at}`);
  if (error.help !== undefined) lines.push(`  ${paint.blue("=")} help: ${error.help}`);
  return lines.join("\n");
}
