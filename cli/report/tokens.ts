// Tokens for the eye: the bytes of a token as a short label, and what kind of thing it is. In: bytes. Out: text.
// Labels are text, not markup: whoever writes them into a page escapes them.

/** Kinds of tokens, in the order that tables show them. */
export const tokenKinds = [
  "lower-case letters",
  "a space, then letters",
  "capital letters",
  "digits",
  "spaces",
  "line ends",
  "punctuation",
  "other bytes",
] as const;

const signs: Readonly<Record<string, string>> = { " ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥" };

const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, "0");

/** A whole number of UTF-8 characters, or undefined. */
function asText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** `the`, `␣of`, `↵`, `0xE2 0x80`; `end` for the token that ends a document. */
export function tokenLabel(bytes: Uint8Array): string {
  if (bytes.length === 0) return "end";
  const text = asText(bytes);
  if (text === undefined) return [...bytes].map((byte) => `0x${hex(byte)}`).join(" ");
  return [...text]
    .map((character) => {
      const sign = signs[character];
      if (sign !== undefined) return sign;
      return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(character)
        ? `U+${hex(character.codePointAt(0)!)}`
        : character;
    })
    .join("");
}

/** Index into `tokenKinds`. */
export function tokenKind(bytes: Uint8Array): number {
  const text = asText(bytes);
  if (text === undefined || text === "") return 7;
  if (/[\n\r]/.test(text)) return 5;
  if (/^\s+$/u.test(text)) return 4;
  if (/^\s+\p{L}/u.test(text)) return 1;
  const core = text.trim();
  if (/^\p{Lu}/u.test(core)) return 2;
  if (/^\p{L}/u.test(core)) return 0;
  if (/^\p{N}/u.test(core)) return 3;
  return /^[\p{P}\p{S}]/u.test(core) ? 6 : 7;
}
