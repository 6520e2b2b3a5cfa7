// Documents whose domain is known. In: how many, how long, of how many domains. Out: a table with a text and the number of its domain.

import { drawsOf } from "./draws.ts";

export interface DocumentSettings {
  readonly documents: number;
  /** Letters of each. */
  readonly length: number;
  readonly domains: number;
  /** The share of letters that come from a source that all domains have in common. */
  readonly common: number;
  readonly stream: number;
  /** Domains are equally frequent; else the number of documents of domain d falls like 1 / (d + 2). */
  readonly even?: boolean;
  /** By domain, the share of letters that are drawn evenly from all. Absent: none. */
  readonly blurred?: readonly number[];
  /** Only those of one domain, among as many that come after so many. */
  readonly only?: { readonly domain: number; readonly after: number };
}

const letters = 26;
/** How likely the successors of a letter are, in every source. */
const successors = [0.55, 0.25, 0.13, 0.07] as const;

/**
 * Letters from Markov chains. Each domain is a chain of its own: every letter has four successors, among the thirteen letters that the domain
 * uses; the common chain uses all. The next letter comes from the common chain with probability `common`, else from the domain's, so that
 * texts of all domains share letters and a part of their pairs.
 */
export function documents(settings: DocumentSettings): string {
  const { documents: count, length, domains, common, blurred, only } = settings;
  const draws = drawsOf(settings.stream);
  const chain = (used: readonly number[]): readonly (readonly number[])[] =>
    Array.from({ length: letters }, () =>
      draws.different(successors.length, used.length).map((at) => used[at]!),
    );
  const own = Array.from({ length: domains }, () => chain(draws.different(letters / 2, letters)));
  const shared = chain(Array.from({ length: letters }, (_, i) => i));
  const shares = own.map((_, domain) => (settings.even === true ? 1 : 1 / (domain + 2)));
  const lines = ["text,domain"];
  for (let row = 0; row < (only?.after ?? 0) + count; row++) {
    const domain = draws.among(shares);
    let letter = draws.whole(letters);
    let text = "";
    for (let at = 0; at < length; at++) {
      const source = draws.uniform() < common ? shared : own[domain]!;
      letter = source[letter]![draws.among(successors)]!;
      if (blurred !== undefined && draws.uniform() < blurred[domain]!) letter = draws.whole(letters);
      text += String.fromCharCode(97 + letter);
    }
    if (only === undefined || (row >= only.after && domain === only.domain)) lines.push(`${text},${domain}`);
  }
  return `${lines.join("\n")}\n`;
}
