// moe generate: text from a trained model, as it comes. In: a run folder, a prompt, how to sample. Out: the prompt and what
// follows it on standard output. The same seed gives the same text.

import type { SampleOptions } from "../../runtime/sample.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import type { Arithmetic } from "../device-names.ts";
import { checkDevice, type DeviceName } from "../devices.ts";
import { paintWith } from "../paint.ts";
import { openRun } from "../run-folder.ts";
import { printable, textOf } from "../sample.ts";
import type { Shell } from "../shell.ts";

export interface GenerateOptions extends SampleOptions, Arithmetic {
  readonly prompt?: string;
  readonly tokens?: number;
  readonly seed?: number;
  readonly checkpoint?: string;
  /** Of the recipe that was trained; default: the last. */
  readonly phase?: string;
  readonly threads?: number;
  readonly device?: DeviceName;
  readonly json?: boolean;
}

export const defaultTokens = 200;
export const defaultTemperature = 0.8;

export async function generate(shell: Shell, folder: string, options: GenerateOptions): Promise<ExitCode> {
  await checkDevice(options.device, options.threads, options);
  const run = openRun(shell.folder, folder, options.phase);
  const prompt = options.prompt ?? run.note.prompt ?? "";
  const { json, ...sampling } = {
    tokens: defaultTokens,
    temperature: defaultTemperature,
    ...options,
    prompt,
  };
  const stop = new AbortController();
  const undo = shell.onInterrupt(() => stop.abort());
  try {
    let text = "";
    let begun = false;
    for await (const piece of textOf(shell.folder, run, { ...sampling, signal: stop.signal })) {
      // After the first token: a mistake in the options comes before any text.
      if (json !== true && !begun) shell.out(paintWith(shell.colour.out).dim(printable(prompt)));
      begun = true;
      if (json === true) text += piece;
      else shell.out(printable(piece));
    }
    if (json === true) shell.out(`${JSON.stringify({ prompt, text })}\n`);
    else shell.out("\n");
  } finally {
    undo();
  }
  return stop.signal.aborted ? exitCodes.interrupted : exitCodes.good;
}
