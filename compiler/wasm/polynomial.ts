// Integer arithmetic as polynomials over values, modulo 2^32. In: sums and products of i32 values. Out: one value of the
// flow, its terms added from the outermost region inwards, so that each partial sum is computed as rarely as possible.
// Terms are kept sorted, so that sums merge and equal polynomials are equal term by term.
// Deliberately absent: division, comparison; addresses of memory accesses (address.ts).

import type { Flow, Polynomial, Term, Value } from "./flow.ts";
import { i32, operation } from "./values.ts";

export type { Polynomial, Term } from "./flow.ts";

/** Products that would have more terms than this are computed as a value first. */
const mostTerms = 12;

const noTerms: readonly Term[] = [];

export const number = (value: number): Polynomial => ({ constant: value | 0, terms: noTerms });

export const ofValue = (value: Value): Polynomial =>
  value.operation.kind === "constant"
    ? number(value.operation.value)
    : { constant: 0, terms: [{ coefficient: 1, factors: [value] }] };

/** Order of terms: by their factors. */
export function compare({ factors: a }: Term, { factors: b }: Term): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = a[index]!.id - b[index]!.id;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function plus(a: Polynomial, b: Polynomial): Polynomial {
  const constant = (a.constant + b.constant) | 0;
  if (b.terms.length === 0) return { constant, terms: a.terms };
  if (a.terms.length === 0) return { constant, terms: b.terms };
  return { constant, terms: merge(a.terms, b.terms) };
}

function merge(a: readonly Term[], b: readonly Term[]): readonly Term[] {
  const terms: Term[] = [];
  let x = 0;
  let y = 0;
  while (x < a.length && y < b.length) {
    const left = a[x]!;
    const right = b[y]!;
    const order = compare(left, right);
    if (order < 0) terms.push(left);
    else if (order > 0) terms.push(right);
    else {
      const coefficient = (left.coefficient + right.coefficient) | 0;
      if (coefficient !== 0) terms.push({ coefficient, factors: left.factors });
    }
    if (order <= 0) x++;
    if (order >= 0) y++;
  }
  for (; x < a.length; x++) terms.push(a[x]!);
  for (; y < b.length; y++) terms.push(b[y]!);
  return terms;
}

export function scale(a: Polynomial, by: number): Polynomial {
  if (by === 1) return a;
  const constant = Math.imul(a.constant, by);
  if (a.terms.length === 0 || by === 0) return number(constant);
  const terms: Term[] = [];
  for (let index = 0; index < a.terms.length; index++) {
    const { coefficient, factors } = a.terms[index]!;
    const scaled = Math.imul(coefficient, by);
    if (scaled !== 0) terms.push({ coefficient: scaled, factors });
  }
  return { constant, terms };
}

export function times(at: Flow, a: Polynomial, b: Polynomial): Polynomial {
  if (a.terms.length === 0) return scale(b, a.constant);
  if (b.terms.length === 0) return scale(a, b.constant);
  if ((a.terms.length + 1) * (b.terms.length + 1) > mostTerms)
    return times(at, ofValue(materialise(at, a)), ofValue(materialise(at, b)));
  let sum = plus(scale({ constant: 0, terms: a.terms }, b.constant), scale(b, a.constant));
  for (const x of a.terms)
    for (const y of b.terms) {
      const coefficient = Math.imul(x.coefficient, y.coefficient);
      const factors = [...x.factors, ...y.factors].sort((one, other) => one.id - other.id);
      if (coefficient !== 0) sum = plus(sum, { constant: 0, terms: [{ coefficient, factors }] });
    }
  return sum;
}

export function isNonNegative(a: Polynomial): boolean {
  if (a.constant < 0) return false;
  for (const { coefficient, factors } of a.terms) {
    if (coefficient < 0) return false;
    for (const factor of factors) if (!factor.nonNegative) return false;
  }
  return true;
}

/** Different for most different polynomials. */
export function hashOf(a: Polynomial): number {
  let hash = a.constant;
  for (let index = 0; index < a.terms.length; index++) {
    const { coefficient, factors } = a.terms[index]!;
    hash = Math.imul(hash, 31) + Math.imul(coefficient, 7) + factors[0]!.id;
  }
  return hash | 0;
}

export function equals(a: Polynomial, b: Polynomial): boolean {
  if (a.constant !== b.constant || a.terms.length !== b.terms.length) return false;
  for (let index = 0; index < a.terms.length; index++) {
    const x = a.terms[index]!;
    const y = b.terms[index]!;
    if (x.coefficient !== y.coefficient || compare(x, y) !== 0) return false;
  }
  return true;
}

/** The depth of the innermost region that a term needs. */
export function depthOf({ factors }: Term): number {
  let depth = factors[0]!.region.depth;
  for (let index = 1; index < factors.length; index++) depth = Math.max(depth, factors[index]!.region.depth);
  return depth;
}

function scaled(at: Flow, value: Value, by: number): Value {
  if (by === 1) return value;
  const shift = 31 - Math.clz32(by);
  if (by > 0 && by === 2 ** shift) return operation(at, "i32.shl", value, i32(at, shift));
  return operation(at, "i32.mul", value, i32(at, by));
}

/** A product, its outer factors first. The coefficient goes with the outermost. */
function productOf(at: Flow, factors: readonly Value[], coefficient: number): Value {
  if (factors.length === 1) return scaled(at, factors[0]!, coefficient);
  const [first, ...rest] = [...factors].sort((a, b) => a.region.depth - b.region.depth || a.id - b.id);
  let product = scaled(at, first!, coefficient);
  for (const factor of rest) product = operation(at, "i32.mul", product, factor);
  return product;
}

export function addTerm(at: Flow, sum: Value | undefined, { coefficient, factors }: Term): Value {
  if (sum === undefined) return productOf(at, factors, coefficient);
  if (coefficient < 0) return operation(at, "i32.sub", sum, productOf(at, factors, -coefficient));
  const product = productOf(at, factors, coefficient);
  return sum.operation.kind === "constant"
    ? operation(at, "i32.add", product, sum)
    : operation(at, "i32.add", sum, product);
}

/** Terms by the region that they need, the outermost first; else in their own order, so that sums share their beginnings. */
export function outerFirst(terms: readonly Term[]): readonly Term[] {
  for (let index = 1; index < terms.length; index++)
    if (depthOf(terms[index - 1]!) > depthOf(terms[index]!))
      return [...terms].sort((a, b) => depthOf(a) - depthOf(b));
  return terms;
}

/** The value of a polynomial. */
export function materialise(at: Flow, a: Polynomial): Value {
  if (a.terms.length === 0) return i32(at, a.constant);
  let sum = a.constant === 0 ? undefined : i32(at, a.constant);
  const terms = outerFirst(a.terms);
  for (let index = 0; index < terms.length; index++) sum = addTerm(at, sum, terms[index]!);
  return sum!;
}
