// A word of a command that the user is told to type. In: a path, a prompt. Out: the same, in quotes where a shell would take it for
// several words or for more than text.

export const typed = (word: string): string =>
  /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(word)
    ? word
    : `"${word.replace(/\s+/g, " ").replace(/["$`\\]/g, "\\$&")}"`;
