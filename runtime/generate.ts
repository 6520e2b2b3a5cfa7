// Generation: a prompt -> tokens, one at a time. In: a session opened with `decode`, token ids. Out: an async iterable of
// ids; text is the tokenizer's. Keys and values of earlier tokens stay in the session's caches (tensors `cache.*`), so that
// a token costs one token's work.
// The context is the size `C`. When it is full, the later half of it is read again from position 0 and generation goes on:
// a pause once in C/2 tokens, and each token still sees at least C/2 before it. `overflow: "stop"` ends there instead.
// A session's caches hold one text. Of several that are generated at a time, each takes its turn, token by token, and reads its own
// text again when another was there meanwhile: right, at a higher price.

import { isCache } from "./arena-plan.ts";
import { UserError } from "./errors.ts";
import type { Executor } from "./executor.ts";
import type { Modality, Program } from "./program.ts";
import { checkSampling, sample, type SampleOptions } from "./sample.ts";
import type { Inputs } from "./session-values.ts";
import { turn } from "./wasm-host.ts";

export interface GenerateOptions extends SampleOptions {
  readonly prompt: ArrayLike<number>;
  /** At most so many tokens; default: until `stop`, the caller's `break`, or (with `overflow: "stop"`) a full context. */
  readonly tokens?: number;
  /** Default: the session's. */
  readonly seed?: number;
  /** Ends the text; not yielded itself. */
  readonly stop?: number;
  readonly overflow?: "slide" | "stop";
  /** What `decode` takes besides tokens: an image that is described, a category. */
  readonly inputs?: Inputs;
  readonly signal?: AbortSignal;
}

/** Tokens of the prompt read in one run: longer prompts go in pieces, to bound the memory they need. */
const pieceLength = 256;

/** Yields token ids. Errors: R0401 no `decode`, R0402 the prompt, R0403 scores that are not numbers, R0404 options. */
export async function* generate(
  session: Executor,
  options: GenerateOptions,
): AsyncGenerator<number, void, void> {
  checkSampling(options);
  const { tokens = Infinity, seed = session.seed, stop, overflow = "slide", signal } = options;
  if (!(tokens >= 0 && (tokens === Infinity || Number.isInteger(tokens))))
    throw new UserError("R0404", `the number of tokens cannot be ${tokens}`, { help: "give a whole number" });
  const text = textModality(session);
  const context = session.sizes["C"] ?? Infinity;
  const seen = Array.from(options.prompt);
  checkPrompt(seen, text, context);

  const decoder = new Decoder(session, text, options.inputs ?? {}, seed);
  let turned = performance.now();
  for (let count = 0; count < tokens; count++) {
    if (signal?.aborted === true) return;
    const id = await decoder.next(seen, (logits) => sample(logits, seed, count, options));
    if (id === stop) return;
    yield id;
    seen.push(id);
    if (count + 1 === tokens) return;
    if (seen.length > context) {
      if (overflow === "stop") return;
      seen.splice(0, seen.length - Math.max(1, Math.floor(context / 2)));
      decoder.forget();
    }
    if (performance.now() - turned > 20) {
      await turn();
      turned = performance.now();
    }
  }
}

/** Whose text a session's caches hold, and the last that has its turn. */
interface Caches {
  owner: Decoder | undefined;
  turn: Promise<unknown>;
}
const caches = new WeakMap<Executor, Caches>();

/** The state of one text: how much of it is in the caches. */
class Decoder {
  readonly #session: Executor;
  readonly #text: Modality;
  readonly #inputs: Inputs;
  readonly #seed: number;
  readonly #caches: Caches;
  #draw = 0;
  #position = 0;

  constructor(session: Executor, text: Modality, inputs: Inputs, seed: number) {
    this.#session = session;
    this.#text = text;
    this.#seed = seed;
    this.#inputs = inputs;
    this.#caches = caches.get(session) ?? { owner: undefined, turn: Promise.resolve() };
    caches.set(session, this.#caches);
  }

  /** Reads what it has not read of a text, and gives what `pick` makes of the scores of what follows. */
  next(text: readonly number[], pick: (logits: Float32Array) => number): Promise<number> {
    const picked = this.#caches.turn.then(async () => pick(await this.#readOn(text)));
    this.#caches.turn = picked.catch(() => undefined);
    return picked;
  }

  /** The text is another one now. */
  forget(): void {
    this.#position = 0;
  }

  async #readOn(text: readonly number[]): Promise<Float32Array> {
    if (this.#caches.owner !== this || this.#position === 0) {
      for (const tensor of this.#session.tensors()) if (isCache(tensor)) this.#session.clear(tensor.name);
      this.#caches.owner = this;
      this.#position = 0;
    }
    let logits = new Float32Array();
    for (let at = this.#position; at < text.length; at += pieceLength)
      logits = await this.#read(text.slice(at, at + pieceLength), at + pieceLength >= text.length);
    return logits;
  }

  /** The scores, where they are asked for, are a view that the next run overwrites. */
  async #read(ids: readonly number[], scored: boolean): Promise<Float32Array<ArrayBuffer>> {
    const length = this.#text.length ?? "T";
    const one = this.#session.sizes["B"] === undefined ? {} : { B: 1 };
    const binding = this.#session.bind({ ...one, [length]: ids.length });
    const scalars = { $position: this.#position, $draw: this.#draw++, $seed: this.#seed };
    const inputs: Record<string, number | ArrayLike<number>> = { ...this.#inputs, [this.#text.name]: ids };
    for (const { name } of this.#session.program.entries["decode"]!.inputs)
      if (name in scalars) inputs[name] = scalars[name as keyof typeof scalars];
    const { logits } = await binding.run("decode", inputs, {
      views: true,
      outputs: scored ? ["logits"] : [],
    });
    this.#position += ids.length;
    if (!scored) return new Float32Array();
    if (logits === undefined) throw new Error("internal: the entry decode has no output logits");
    return logits.subarray(logits.length - logits.length / ids.length) as Float32Array<ArrayBuffer>;
  }
}

/** What to say of a program without `decode`: the line that needs the whole text, where there is one. */
export function cannotGenerate({ name, undecodable: [line] = [] }: Program): UserError {
  const why =
    line === undefined ? "it gives no output for each token of a text" : `${line.place ?? "it"} ${line.why}`;
  const help = line?.help ?? "only models of one text that give an output for each of its tokens can";
  return new UserError("R0401", `the model ${name} cannot generate: ${why}`, { help });
}

function textModality(session: Executor): Modality {
  const { program } = session;
  const decode = program.entries["decode"];
  const refuse = (why: string, help: string): never => {
    throw new UserError("R0401", `the model ${program.name} cannot generate: ${why}`, { help });
  };
  if (decode === undefined) throw cannotGenerate(program);
  if (!session.entries.includes("decode"))
    return refuse("this session was not opened for it", 'open it with entries: ["decode"]');
  const inputs = new Set(decode.inputs.map(({ name }) => name));
  return (
    program.modalities.find(({ kind, name }) => kind === "tokens" && inputs.has(name)) ??
    refuse("it reads no tokens", "use `forward`")
  );
}

function checkPrompt(prompt: readonly number[], text: Modality, context: number): void {
  const refuse = (message: string, help: string): never => {
    throw new UserError("R0402", message, { help });
  };
  if (prompt.length === 0) refuse("the prompt is empty", "give at least one token");
  if (prompt.length > context)
    refuse(
      `the prompt has ${prompt.length} tokens, and the model's context ${context}`,
      "shorten the prompt",
    );
  const count = text.count ?? Infinity;
  const wrong = prompt.find((id) => !(Number.isInteger(id) && id >= 0 && id < count));
  if (wrong !== undefined)
    refuse(
      `the prompt holds ${wrong}, which is no token of \`${text.name}\``,
      `ids are whole numbers from 0 to ${count - 1}`,
    );
}
