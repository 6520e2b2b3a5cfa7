// Tokenizers: text to token ids and back. Three of them: bytes, characters of a corpus, byte-pair tokens trained on a
// corpus (`tokenizer-pairs.ts`). Each is plain data (`toJSON`) that is kept beside a run, so that a trained model can
// always be spoken to: `tokenizer-load.ts` reads it back. Does not read files.

import { UserError } from "./errors.ts";

export type TokenizerJSON =
  | { readonly kind: "bytes"; readonly end: number }
  /** Sorted by code point; character i has id i + 1, the end of a document has 0. */
  | { readonly kind: "characters"; readonly characters: string }
  /** Pair i makes token 257 + i. 0 to 255 are bytes, 256 is the end of a document. */
  | { readonly kind: "pairs"; readonly merges: readonly (readonly [number, number])[] };

export interface Tokenizer {
  readonly kind: TokenizerJSON["kind"];
  /** How many different ids it makes. */
  readonly count: number;
  /** The id that stands after each document; generation may stop at it. */
  readonly end: number;
  /** Ids of a text, without an end. */
  encode(text: string): Int32Array;
  /** The text of ids; unknown and end ids give nothing, broken UTF-8 gives U+FFFD. */
  decode(ids: ArrayLike<number>): string;
  /** The bytes of one token; empty for the end and for unknown ids. For reports and streaming. */
  bytes(id: number): Uint8Array;
  toJSON(): TokenizerJSON;
}

/** Decodes a stream of ids; holds back the bytes of a character until it is whole. */
export interface StreamingDecoder {
  push(id: number): string;
  /** What is left: U+FFFD for a character that never became whole. */
  finish(): string;
}

export function streamingDecoder(tokenizer: Tokenizer): StreamingDecoder {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    push: (id) => decoder.decode(tokenizer.bytes(id), { stream: true }),
    finish: () => decoder.decode(),
  };
}

/** Ids 0 to 255 are bytes of UTF-8. The end of a document is byte 0, which text never has, or 256 if the vocabulary has it. */
export function bytesTokenizer(end: 0 | 256 = 0): Tokenizer {
  const singles = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const bytes = (id: number): Uint8Array => (id === end ? nothing : (singles[id] ?? nothing));
  return {
    kind: "bytes",
    count: end === 256 ? 257 : 256,
    end,
    encode: (text) => Int32Array.from(new TextEncoder().encode(text)),
    decode: (ids) => decodeAll(ids, bytes),
    bytes,
    toJSON: () => ({ kind: "bytes", end }),
  };
}

const nothing = new Uint8Array(0);

export function decodeAll(ids: ArrayLike<number>, bytes: (id: number) => Uint8Array): string {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  for (let i = 0; i < ids.length; i++) text += decoder.decode(bytes(ids[i]!), { stream: true });
  return text + decoder.decode();
}

/** The characters (code points) of a corpus, in any order, each once or more. */
export function charactersTokenizer(characters: Iterable<string>): Tokenizer {
  const sorted = [...new Set(characters)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  const ids = new Map(sorted.map((character, index) => [character, index + 1]));
  const encoded = sorted.map((character) => new TextEncoder().encode(character));
  const bytes = (id: number): Uint8Array => encoded[id - 1] ?? nothing;
  return {
    kind: "characters",
    count: sorted.length + 1,
    end: 0,
    encode(text) {
      const out: number[] = [];
      for (const character of text) {
        const id = ids.get(character);
        if (id === undefined)
          throw new UserError(
            "R0107",
            `the character ${JSON.stringify(character)} is not in the model's vocabulary`,
            {
              help: "leave it out: the model knows only characters of its training text",
            },
          );
        out.push(id);
      }
      return Int32Array.from(out);
    },
    decode: (tokens) => decodeAll(tokens, bytes),
    bytes,
    toJSON: () => ({ kind: "characters", characters: sorted.join("") }),
  };
}
