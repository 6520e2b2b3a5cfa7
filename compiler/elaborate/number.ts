// Static numbers: polynomials with real coefficients over symbolic sizes, with ratios and roundings as further factors.
// In: numbers. Out: numbers, sizes, text. A number that cannot be known while a definition is checked has no polynomial.
// A division that does not come out is kept as a factor `floor(a, b)` that means the exact ratio: that `heads` divides `D`
// is assumed while a definition is checked, and checked when it gets numbers.

import {
  add,
  constant,
  divideExactly,
  known,
  maximum,
  minimum,
  multiply,
  named,
  negate,
  sizeKey,
  type Factor,
  type Size,
  type Term,
} from "../../runtime/size.ts";
import type { NumberValue } from "./value.ts";

export const number = (value: number): NumberValue => ({ kind: "number", poly: constant(value) });
export const ofSize = (poly: Size, name?: string): NumberValue =>
  name === undefined ? { kind: "number", poly } : { kind: "number", poly, name };
export const symbol = (name: string): NumberValue => ofSize(named(name), name);
export const unknownNumber: NumberValue = { kind: "number" };

/** Coefficients that are whole but for rounding become whole. */
const tidy = (poly: Size): Size =>
  poly.some(({ coefficient }) => !Number.isInteger(coefficient))
    ? poly.map((term) => {
        const near = Math.round(term.coefficient);
        const close = near !== 0 && Math.abs(term.coefficient - near) < 1e-9 * Math.max(1, Math.abs(near));
        return close ? { ...term, coefficient: near } : term;
      })
    : poly;

const lift =
  (fn: (a: Size, b: Size) => Size | undefined) =>
  (a: NumberValue, b: NumberValue): NumberValue => {
    if (a.poly === undefined || b.poly === undefined) return unknownNumber;
    const poly = fn(a.poly, b.poly);
    return poly === undefined ? unknownNumber : ofSize(tidy(poly));
  };

export const addNumbers = lift(add);
export const subtractNumbers = lift((a, b) => add(a, negate(b)));
export const multiplyNumbers = lift((a, b) => {
  const [x, y] = [known(a), known(b)];
  if (x !== undefined && y !== undefined) return constant(x * y);
  return multiply(a, b);
});
export const minNumbers = lift(minimum);
export const maxNumbers = lift(maximum);

export const valueOf = (of: NumberValue): number | undefined =>
  of.poly === undefined ? undefined : known(of.poly);

/** a / b as a polynomial; the factor `floor(a, b)` where it does not come out. Division by zero is the caller's. */
function ratio(a: Size, b: Size): Size {
  const [x, y] = [known(a), known(b)];
  if (y !== undefined)
    return x !== undefined
      ? constant(x / y)
      : a.map((term) => ({ ...term, coefficient: term.coefficient / y }));
  const scale = b.length === 1 ? b[0]!.coefficient : 1;
  const bare: Size = b.length === 1 ? [{ ...b[0]!, coefficient: 1 }] : b;
  const shrunk = a.map((term) => ({ ...term, coefficient: term.coefficient / scale }));
  const exact = divideExactly(shrunk, bare);
  if (exact !== undefined) return exact;
  // A constant in front of what is divided stays in front: 2 * D / heads is twice D / heads.
  if (shrunk.length === 1) {
    const [term] = shrunk;
    return [
      {
        coefficient: term!.coefficient,
        factors: [{ fn: "floor", of: [{ ...term!, coefficient: 1 }], by: bare }],
      },
    ];
  }
  return [{ coefficient: 1, factors: [{ fn: "floor", of: shrunk, by: bare }] }];
}
export const divideNumbers = lift((a, b) => (known(b) === 0 ? undefined : tidy(ratio(a, b))));

export function powerNumbers(a: NumberValue, b: NumberValue): NumberValue {
  const [x, y] = [valueOf(a), valueOf(b)];
  if (x !== undefined && y !== undefined) return number(x ** y);
  if (a.poly !== undefined && y !== undefined && Number.isInteger(y) && y >= 0 && y <= 8) {
    let poly: Size = constant(1);
    for (let i = 0; i < y; i++) poly = multiply(poly, a.poly);
    return ofSize(poly);
  }
  return unknownNumber;
}

const hasRatio = (poly: Size): boolean =>
  poly.some(({ factors }) => factors.some((factor) => typeof factor !== "string"));

/** Stand-in values for names: the same name always has the same, no two names are related. */
function standIn(name: string, salt: number): number {
  let hash = 2166136261 ^ salt;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return 1 + ((hash >>> 0) % 99991) / 99991;
}

function realValue(poly: Size, salt: number): number {
  let sum = 0;
  for (const { coefficient, factors } of poly) {
    let term = coefficient;
    for (const factor of factors) {
      if (typeof factor === "string") {
        term *= standIn(factor, salt);
        continue;
      }
      const [of, by] = [realValue(factor.of, salt), realValue(factor.by, salt)];
      term *= factor.fn === "min" ? Math.min(of, by) : factor.fn === "max" ? Math.max(of, by) : of / by;
    }
    sum += term;
  }
  return sum;
}

/** Whether two sizes are the same for all values of their names, divisions taken as exact. */
export function sameSizes(a: Size, b: Size): boolean {
  if (a === b) return true;
  const [x, y] = [known(a), known(b)];
  if (x !== undefined && y !== undefined) return x === y;
  if (sizeKey(a) === sizeKey(b)) return true;
  const fractional = (poly: Size): boolean => poly.some(({ coefficient }) => !Number.isInteger(coefficient));
  if (!hasRatio(a) && !hasRatio(b) && !fractional(a) && !fractional(b)) return false;
  return [1, 2, 3].every((salt) => {
    const [left, right] = [realValue(a, salt), realValue(b, salt)];
    return Math.abs(left - right) < 1e-9 * Math.max(1, Math.abs(left));
  });
}

const factorText = (factor: Factor): string => {
  if (typeof factor === "string") return factor;
  const [of, by] = [showSize(factor.of), showSize(factor.by)];
  const wrap = (text: string): string => (/[ ]/.test(text) ? `(${text})` : text);
  return factor.fn === "floor" || factor.fn === "ceil"
    ? `${wrap(of)} / ${wrap(by)}`
    : `${factor.fn}(${of}, ${by})`;
};
const round = (value: number): string => String(Number(value.toPrecision(6)));

function termText({ coefficient, factors }: Term): string {
  if (factors.length === 0) return round(coefficient);
  const text = factors.map(factorText).join(" * ");
  if (coefficient === 1) return text;
  const inverse = 1 / coefficient;
  if (Math.abs(coefficient) < 1 && Math.abs(inverse - Math.round(inverse)) < 1e-9)
    return `${text} / ${Math.round(inverse)}`;
  return `${round(coefficient)} * ${text}`;
}

/** How the text would write a size: `4 * D`, `D / heads`. */
export const showSize = (size: Size): string =>
  size.length === 0 ? "0" : size.map(termText).join(" + ").replaceAll("+ -", "- ");

export const showShape = (axes: readonly { readonly size: Size; readonly name?: string }[]): string =>
  `[${axes
    .map(({ size, name }) => {
      const text = showSize(size);
      return name === undefined || name === text ? text : `${name} = ${text}`;
    })
    .join(", ")}]`;

/** What a number is as the size of an axis. */
export type AsSize =
  | { readonly kind: "size"; readonly size: Size }
  | { readonly kind: "unknown" }
  | { readonly kind: "not whole" | "negative"; readonly text: string };

/** Exact: a number that is not whole is refused; while checking, symbolic fractions are taken to come out. */
export function asSize(of: NumberValue, checking: boolean): AsSize {
  if (of.poly === undefined) return { kind: "unknown" };
  const value = known(of.poly);
  if (value !== undefined) {
    if (!Number.isFinite(value) || Math.abs(value - Math.round(value)) > 1e-9)
      return { kind: "not whole", text: round(value) };
    return value < 0
      ? { kind: "negative", text: round(value) }
      : { kind: "size", size: constant(Math.round(value)) };
  }
  if (checking) return { kind: "size", size: of.poly };
  const fractional = of.poly.some(({ coefficient }) => !Number.isInteger(coefficient));
  const ratios = of.poly.some(({ factors }) =>
    factors.some(
      (factor) => typeof factor !== "string" && factor.fn === "floor" && known(factor.by) === undefined,
    ),
  );
  return fractional || ratios
    ? { kind: "not whole", text: showSize(of.poly) }
    : { kind: "size", size: of.poly };
}

/** Whether a size could come to less than 0: only where something is subtracted. */
const subtracts = (size: Size): boolean =>
  size.some(({ coefficient, factors }) => coefficient < 0 || factors.some(factorSubtracts));
const factorSubtracts = (factor: Factor): boolean =>
  typeof factor !== "string" &&
  (factor.fn === "max"
    ? subtracts(factor.of) && subtracts(factor.by)
    : subtracts(factor.of) || (factor.fn === "min" && subtracts(factor.by)));

/** A size that counts: less than none is none. */
export const notBelowNone = (size: Size): Size => (subtracts(size) ? maximum(size, constant(0)) : size);

/** Rounded to a size: for counts (`top C tokens`) and for `ceil`, `floor`. */
export function roundSize(of: NumberValue, fn: "ceil" | "floor"): NumberValue {
  if (of.poly === undefined) return unknownNumber;
  const value = known(of.poly);
  if (value !== undefined) return number(fn === "ceil" ? Math.ceil(value - 1e-9) : Math.floor(value + 1e-9));
  let denominator = 1;
  const whole = (by: number): boolean =>
    of.poly!.every(
      ({ coefficient }) => Math.abs(coefficient * by - Math.round(coefficient * by)) < 1e-9 * by,
    );
  while (denominator < 1 << 20 && !whole(denominator))
    denominator = denominator < 1000 ? denominator + 1 : denominator * 2;
  const scaled = of.poly.map((term) => ({
    ...term,
    coefficient: Math.round(term.coefficient * denominator),
  }));
  const only = scaled.length === 1 && scaled[0]!.factors.length === 1 ? scaled[0]! : undefined;
  const factor = only?.factors[0];
  // A ratio of sizes takes the rounding upon itself; what was rounded already, by a number, stays.
  if (
    only !== undefined &&
    factor !== undefined &&
    typeof factor !== "string" &&
    factor.fn === "floor" &&
    known(factor.by) === undefined
  )
    return ofSize([
      {
        coefficient: 1,
        factors: [
          {
            fn,
            of: multiply(factor.of, constant(only.coefficient)),
            by: multiply(factor.by, constant(denominator)),
          },
        ],
      },
    ]);
  if (denominator === 1) return ofSize(of.poly);
  return ofSize([{ coefficient: 1, factors: [{ fn, of: scaled, by: constant(denominator) }] }]);
}
