// What a page and Node do alike, for test/browser.test.ts: compile a `.moe` text, train the model, let it speak.
// Knows only the package's public face.

import {
  check,
  compile,
  dataFromMemory,
  generate,
  hostOf,
  openSession,
  train,
  type SessionOptions,
} from "../../index.ts";
import { toBase64 } from "./page-run.ts";

export interface Compiled {
  readonly plain: string;
  readonly relaxed: string;
  readonly losses: readonly number[];
  /** Bytes that the trained model wrote. */
  readonly written: readonly number[];
}

const path = "small.moe";

export const complaints = (text: string): readonly string[] =>
  check(hostOf({ [path]: text }), path).map(({ code }) => code);

export async function compileAndTrain(
  text: string,
  corpus: string,
  options: SessionOptions,
): Promise<Compiled> {
  const { compiled, diagnostics } = compile({ host: hostOf({ [path]: text }), path });
  if (compiled === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const { program, wasm } = compiled;
  const session = await openSession(program, { plain: wasm.plain }, options);
  try {
    const data = await dataFromMemory({ "corpus.txt": corpus }, program.training!, program.modalities);
    const losses: number[] = [];
    await train(session, data, { onStep: ({ metrics }) => losses.push(metrics["loss"]!) });
    const written: number[] = [];
    const prompt = new TextEncoder().encode("the ");
    for await (const id of generate(session, { prompt, tokens: 12, seed: 1 })) written.push(id);
    return { plain: toBase64(wasm.plain), relaxed: toBase64(wasm.relaxed), losses, written };
  } finally {
    session.dispose();
  }
}
