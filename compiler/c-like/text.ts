// Text of an expression with the tightness of its outermost operator, so that parentheses stand only where the language or a reader
// wants them. `Level` is the printer's own scale: languages differ in what may stand bare beside what.

export interface Text<Level extends string> {
  readonly text: string;
  readonly level: Level | "unary";
}

/** Binds tighter than any operator of two. */
export const unary = (text: string): { readonly text: string; readonly level: "unary" } => ({
  text,
  level: "unary",
});

/** As an operand where, besides unary ones, only these may stand bare. */
export const within = <Level extends string>(
  { text, level }: Text<Level>,
  ...bare: readonly Level[]
): string => (level === "unary" || bare.includes(level) ? text : `(${text})`);

/** After a minus sign: two side by side would be another token. */
export const negatable = (text: string): string => (text.startsWith("-") ? `(${text})` : text);

/** Not negative and finite: the shortest decimal that rounds to the same f32, with a point or an exponent. */
export function shortestF32(value: number): string {
  let digits = 1;
  while (Math.fround(Number(value.toPrecision(digits))) !== value) digits++;
  const text = String(Number(value.toPrecision(digits)));
  return /^\d+$/.test(text) ? `${text}.0` : text;
}
