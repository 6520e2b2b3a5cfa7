// Text from a trained model. In: a run folder, a prompt, how to sample. Out: pieces of text as they come, with no character
// cut in two.

import { cannotGenerate, generate } from "../runtime/generate.ts";
import type { SampleOptions } from "../runtime/sample.ts";
import { streamingDecoder, type Tokenizer } from "../runtime/tokenizer.ts";
import type { Arithmetic } from "./device-names.ts";
import type { DeviceName } from "./devices.ts";
import type { Run } from "./run-folder.ts";
import { checkpointIn, openTrained } from "./sessions.ts";

export interface TextOptions extends SampleOptions, Arithmetic {
  readonly prompt?: string;
  readonly tokens?: number;
  readonly seed?: number;
  readonly checkpoint?: string;
  readonly threads?: number;
  readonly device?: DeviceName;
  readonly signal?: AbortSignal;
}

/** The modality that the model speaks in, and its tokenizer. */
export function voiceOf(run: Run): Tokenizer {
  const decode = run.program.entries["decode"];
  const text = run.program.modalities.find(
    ({ name, kind }) => kind === "tokens" && decode?.inputs.some((input) => input.name === name),
  );
  const tokenizer = text === undefined ? undefined : run.tokenizers[text.name];
  if (tokenizer !== undefined) return tokenizer;
  throw cannotGenerate(run.program);
}

export async function* textOf(
  folder: string,
  run: Run,
  { prompt, checkpoint, threads, device, precision, accumulation, ...options }: TextOptions,
): AsyncGenerator<string, void, void> {
  const tokenizer = voiceOf(run);
  const path = checkpointIn(folder, run.checkpoints, checkpoint);
  const { session } = await openTrained(run, folder, path, {
    entries: ["decode"],
    threads,
    device,
    precision,
    accumulation,
  });
  try {
    const decoder = streamingDecoder(tokenizer);
    const ids =
      prompt === undefined || prompt === ""
        ? [tokenizer.end]
        : lastOf(tokenizer.encode(prompt), session.sizes["C"]);
    for await (const id of generate(session, { ...options, prompt: ids, stop: tokenizer.end }))
      yield decoder.push(id);
    yield decoder.finish();
  } finally {
    session.dispose();
  }
}

/** A prompt that is longer than the context keeps its end. */
const lastOf = (ids: Int32Array, most: number | undefined): Int32Array =>
  most === undefined || ids.length <= most ? ids : ids.subarray(ids.length - most);

/** Text for a terminal: what a model writes must not be taken for commands to it. */
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, "\uFFFD");
