// What a page and Node do alike, for test/browser.test.ts: run a compiled program for some steps and report every number.
// Knows only the runtime's public face.

import { openSession, type Program, type SessionOptions, type WasmBytes } from "../../runtime/index.ts";

/** An artifact that can be sent to a page as JSON. */
export interface Sent {
  readonly program: Program;
  /** Base64. */
  readonly plain: string;
  readonly relaxed?: string;
}

export interface Ran {
  readonly threads: number;
  readonly relaxed: boolean;
  readonly isolated: boolean;
  /** Bits of all outputs, step by step, and of all tensors at the end. */
  readonly outputs: readonly (readonly number[])[];
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

export const wasmOf = (sent: Sent): WasmBytes => ({
  plain: fromBase64(sent.plain),
  ...(sent.relaxed === undefined ? {} : { relaxed: fromBase64(sent.relaxed) }),
});

type Numbers = Readonly<Record<string, ArrayLike<number>>>;
const listed = (numbers: Numbers): number[] => Object.values(numbers).flatMap((values) => Array.from(values));

/** Features of the regression, and a target that follows them. */
const features = (length: number, by: number): Float32Array =>
  Float32Array.from({ length }, (_, at) => Math.fround(((at * by) % 17) / 8 - 1));

/** Trains the hand-written regression: batches large enough that threads share the work. */
export async function trainRegression(sent: Sent, options: SessionOptions, steps: number): Promise<Ran> {
  const batch = 40_000;
  const session = await openSession(sent.program, wasmOf(sent), { seed: 3, sizes: { B: batch }, ...options });
  try {
    const outputs: number[][] = [];
    for (let step = 0; step < steps; step++) {
      const x = features(4 * batch, 5 + step);
      const y = features(batch, 20 + 4 * step);
      outputs.push(listed(session.run("train", { x, y, $seed: 3, $draw: step }) as Numbers));
      outputs.push(listed(session.run("update", { $step: step }) as Numbers));
    }
    const tensors = Object.fromEntries(
      session.tensors().map(({ name }) => [name, Array.from(session.read(name))]),
    );
    const isolated = globalThis.crossOriginIsolated === true;
    return { threads: session.threads, relaxed: session.relaxed, isolated, outputs, tensors };
  } finally {
    session.dispose();
  }
}
