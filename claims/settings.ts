// What many claims have in common: seeds, and what they are tried on.

export const seeds = [1, 2, 3, 4, 5] as const;
/** Where a run is cheap, or five decide nothing. */
export const tenSeeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] as const;
export const text = "Bytes of a novel (examples/book), windows of 64; two layers of width 64.";
export const digits = "Handwritten digits in 49 patches (examples/digits); two layers of width 48.";
export const digits32 = "Handwritten digits in 49 patches (examples/digits); two layers of width 32.";
export const documents =
  "Documents of 64 letters from eight Markov chains, the domains, a quarter of the letters from a chain that all share (claims/data-documents.ts); two layers of width 32.";
export const noise =
  "Handwritten digits out of noise, in 49 patches (examples/digits); two layers of width 32.";
export const branches =
  "Documents of 32 letters from three Markov chains, the domains (claims/data-documents.ts); branches learn from other documents of one domain; two layers of width 32.";
