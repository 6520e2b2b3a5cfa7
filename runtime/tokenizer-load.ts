// The tokenizer that a run kept as JSON. Checks what it reads: the file may have been edited or be another one.

import { UserError } from "./errors.ts";
import { bytesTokenizer, charactersTokenizer, type Tokenizer } from "./tokenizer.ts";
import { pairsTokenizer } from "./tokenizer-pairs.ts";

/** The tokenizer that `toJSON` described. `file` is where it came from, for messages. */
export function tokenizerFromJSON(json: unknown, file = "the tokenizer"): Tokenizer {
  if (typeof json === "object" && json !== null && "kind" in json) {
    if (json.kind === "bytes" && "end" in json && (json.end === 0 || json.end === 256))
      return bytesTokenizer(json.end);
    if (json.kind === "characters" && "characters" in json && typeof json.characters === "string")
      return charactersTokenizer(json.characters);
    if (json.kind === "pairs" && "merges" in json && isMerges(json.merges))
      return pairsTokenizer(json.merges);
  }
  throw new UserError("R0108", `${file} does not describe a tokenizer`, {
    help: "use the tokenizer file that the training run wrote",
  });
}

/** Each pair may only be of tokens before it. */
const isMerges = (value: unknown): value is [number, number][] =>
  Array.isArray(value) &&
  value.every(
    (pair: unknown, index) =>
      Array.isArray(pair) &&
      pair.length === 2 &&
      pair.every(
        (id: unknown) =>
          Number.isInteger(id) && (id as number) >= 0 && (id as number) < 257 + index && id !== 256,
      ),
  );
