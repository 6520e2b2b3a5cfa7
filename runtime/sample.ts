// Sampling: scores of all tokens -> one token. Temperature, top-k and top-p, in this order; the randomness is a pure function
// of the seed and a counter, so the same text comes out again.
// In: logits as the model made them. Does not change them, and knows nothing of the model.

import { UserError } from "./errors.ts";
import { threefry } from "./random.ts";

export interface SampleOptions {
  /** Scores are divided by it: below 1 likelier tokens become likelier still; 0 always takes the likeliest. Default 1. */
  readonly temperature?: number;
  /** Only the k likeliest. Default: all. */
  readonly topK?: number;
  /** Only the likeliest that together have at least this probability (Holtzman et al. 2020). Default 1: all. */
  readonly topP?: number;
}

/** The key's second word, so that sampling shares no numbers with the model's own randomness of the same seed. */
const stream = 0x73616d70;

/** `counter`: which draw of this seed it is. Equal scores are ordered by index, the lower first. Error R0403: no score is a
 * number that can be chosen. */
export function sample(
  logits: ArrayLike<number>,
  seed: number,
  counter: number,
  { temperature = 1, topK, topP = 1 }: SampleOptions = {},
): number {
  const best = likeliest(logits);
  if (best < 0)
    throw new UserError("R0403", "the model gives no next token: none of its scores is a finite number", {
      help: "the parameters are damaged: load an earlier checkpoint",
    });
  if (temperature === 0) return best;

  const top = logits[best]!;
  // Relative to the largest, so that the exponential neither overflows nor vanishes.
  let order = candidates(logits, topK, topP < 1);
  const weights = order.map((id) => Math.exp((logits[id]! - top) / temperature));
  let total = weights.reduce((sum, weight) => sum + weight, 0);
  if (topP < 1) {
    let kept = 0;
    let mass = 0;
    while (kept < order.length && mass < topP * total) mass += weights[kept++]!;
    order = order.slice(0, kept);
    total = mass;
  }
  const [high, low] = threefry(seed, stream, counter, 0);
  let point = (high * 2 ** 21 + (low >>> 11)) * 2 ** -53 * total;
  for (let i = 0; i < order.length; i++) {
    point -= weights[i]!;
    if (point < 0) return order[i]!;
  }
  // Rounding may leave a crumb: it belongs to the last token that has any weight.
  return order.findLast((_, i) => weights[i]! > 0) ?? best;
}

/** Ids that may be chosen; in falling order of score when that matters. */
function candidates(logits: ArrayLike<number>, topK: number | undefined, sorted: boolean): number[] {
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id++) if (Number.isFinite(logits[id]!)) ids.push(id);
  if (topK === undefined && !sorted) return ids;
  ids.sort((a, b) => logits[b]! - logits[a]! || a - b);
  return topK === undefined ? ids : ids.slice(0, topK);
}

/** The index of the largest finite score; -1 when there is none. */
function likeliest(logits: ArrayLike<number>): number {
  let best = -1;
  for (let id = 0; id < logits.length; id++) {
    const score = logits[id]!;
    if (Number.isFinite(score) && (best < 0 || score > logits[best]!)) best = id;
  }
  return best;
}

/** Error R0404 with the option that is out of range. */
export function checkSampling({ temperature = 1, topK = 1, topP = 1 }: SampleOptions): void {
  const refuse = (option: string, value: number, range: string): never => {
    throw new UserError("R0404", `${option} cannot be ${value}`, { help: `give ${range}` });
  };
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    refuse("the temperature", temperature, "0 or a positive number");
  if (!(Number.isInteger(topK) && topK >= 1)) refuse("top-k", topK, "a whole number, at least 1");
  if (!(topP > 0 && topP <= 1)) refuse("top-p", topP, "a number above 0 and at most 1");
}
