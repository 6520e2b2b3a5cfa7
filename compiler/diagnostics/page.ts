// What a diagnostic's page holds: shown by `moe explain CODE`, and run by the tests.

export interface Page {
  /** `M0304`: the first two digits say what it is about. */
  readonly code: string;
  /** One line, lower case, no full stop. */
  readonly title: string;
  readonly explanation: string;
  /** A program that raises exactly this. */
  readonly failing: string;
  /** The same, mended. */
  readonly fixed: string;
  /** Other modules that the programs import. */
  readonly files?: Readonly<Record<string, string>>;
}

export const page = (
  code: string,
  title: string,
  explanation: string,
  failing: string,
  fixed: string,
  files?: Readonly<Record<string, string>>,
): Page => ({
  code,
  title,
  explanation,
  failing: failing.trimStart(),
  fixed: fixed.trimStart(),
  ...(files === undefined ? {} : { files }),
});

/** A model around one statement, for pages about expressions. */
export const inModel = (statement: string): string => `
model Example {
  modality x = features(4)
${statement
  .split("\n")
  .map((line) => `  ${line}`)
  .join("\n")}
}
`;

/** A router around statements. */
export const inRouter = (statements: string, statics = "D, N"): string => `
router Example(${statics})(x: [D]) -> gates[N] {
  param w: [D, N]
  score = x @ w
${statements
  .split("\n")
  .map((line) => `  ${line}`)
  .join("\n")}
}
`;
