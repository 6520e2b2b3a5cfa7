// Integer arithmetic as polynomials over values, modulo 2^32. In: sums and products of i32 values. Out: one value of the
// flow, its terms added from the outermost region inwards, so that each partial sum is computed as rarely as possible.
// Also addresses of memory accesses: constant parts go into the instruction, parts that grow with the counter of an
// innermost loop become a pointer that moves. Deliberately absent: division, comparison.

import { assign, declare, type Flow, type Loop, type Region, type Value } from "./flow.ts";
import { i32, localValue, operation } from "./values.ts";

interface Term {
  readonly coefficient: number;
  /** Sorted by id; never empty. */
  readonly factors: readonly Value[];
}

export interface Polynomial {
  readonly constant: number;
  readonly terms: readonly Term[];
}

/** Products that would have more terms than this are computed as a value first. */
const mostTerms = 12;

export const number = (value: number): Polynomial => ({ constant: value | 0, terms: [] });

export const ofValue = (value: Value): Polynomial =>
  value.kind === "constant"
    ? number(value.value)
    : { constant: 0, terms: [{ coefficient: 1, factors: [value] }] };

const key = (factors: readonly Value[]): string => factors.map(({ id }) => id).join("*");

function collect(constant: number, terms: readonly Term[]): Polynomial {
  const sums = new Map<string, Term>();
  for (const term of terms) {
    const name = key(term.factors);
    const coefficient = (term.coefficient + (sums.get(name)?.coefficient ?? 0)) | 0;
    sums.set(name, { coefficient, factors: term.factors });
  }
  return { constant: constant | 0, terms: [...sums.values()].filter(({ coefficient }) => coefficient !== 0) };
}

export const plus = (a: Polynomial, b: Polynomial): Polynomial =>
  collect(a.constant + b.constant, [...a.terms, ...b.terms]);

export const scale = (a: Polynomial, by: number): Polynomial =>
  collect(
    Math.imul(a.constant, by),
    a.terms.map((term) => ({ ...term, coefficient: Math.imul(term.coefficient, by) })),
  );

export function times(at: Flow, a: Polynomial, b: Polynomial): Polynomial {
  if (a.terms.length === 0) return scale(b, a.constant);
  if (b.terms.length === 0) return scale(a, b.constant);
  if ((a.terms.length + 1) * (b.terms.length + 1) > mostTerms)
    return times(at, ofValue(materialise(at, a)), ofValue(materialise(at, b)));
  const terms: Term[] = [];
  for (const x of a.terms) {
    if (b.constant !== 0) terms.push({ ...x, coefficient: Math.imul(x.coefficient, b.constant) });
    for (const y of b.terms) {
      const factors = [...x.factors, ...y.factors].sort((one, other) => one.id - other.id);
      terms.push({ coefficient: Math.imul(x.coefficient, y.coefficient), factors });
    }
  }
  if (a.constant !== 0) terms.push(...scale(b, a.constant).terms);
  return collect(Math.imul(a.constant, b.constant), terms);
}

export const isNonNegative = (a: Polynomial): boolean =>
  a.constant >= 0 &&
  a.terms.every((term) => term.coefficient >= 0 && term.factors.every((factor) => factor.nonNegative));

/** Equal for equal polynomials. */
const textOf = (a: Polynomial): string =>
  [...a.terms.map((term) => `${term.coefficient}*${key(term.factors)}`).sort(), a.constant].join("+");

const deepest = (factors: readonly Value[]): number =>
  Math.max(...factors.map((factor) => factor.region.depth));

function scaled(at: Flow, value: Value, by: number): Value {
  if (by === 1) return value;
  const shift = 31 - Math.clz32(by);
  if (by > 0 && by === 2 ** shift) return operation(at, "i32.shl", value, i32(at, shift));
  return operation(at, "i32.mul", value, i32(at, by));
}

/** A product, its outer factors first. The coefficient goes with the outermost. */
function productOf(at: Flow, factors: readonly Value[], coefficient: number): Value {
  const [first, ...rest] = [...factors].sort((a, b) => a.region.depth - b.region.depth || a.id - b.id);
  return rest.reduce(
    (product, factor) => operation(at, "i32.mul", product, factor),
    scaled(at, first!, coefficient),
  );
}

function addTerm(at: Flow, sum: Value | undefined, { coefficient, factors }: Term): Value {
  if (sum === undefined) return productOf(at, factors, coefficient);
  if (coefficient < 0) return operation(at, "i32.sub", sum, productOf(at, factors, -coefficient));
  const product = productOf(at, factors, coefficient);
  return sum.kind === "constant"
    ? operation(at, "i32.add", product, sum)
    : operation(at, "i32.add", sum, product);
}

/** The value of a polynomial. `moving`: terms that grow with an innermost loop's counter become a moving pointer. */
export function materialise(at: Flow, a: Polynomial, moving = false): Value {
  if (a.terms.length === 0) return i32(at, a.constant);
  const depths = [...new Set(a.terms.map((term) => deepest(term.factors)))].sort((x, y) => x - y);
  let sum: Value | undefined = a.constant === 0 ? undefined : i32(at, a.constant);
  for (const depth of depths) {
    let terms = a.terms
      .filter((term) => deepest(term.factors) === depth)
      .sort((x, y) => (key(x.factors) < key(y.factors) ? -1 : 1));
    const loop = moving ? regionAt(at, depth).loop : undefined;
    if (loop !== undefined) {
      const grows = (term: Term): boolean =>
        term.factors.includes(loop.counter) &&
        term.factors.filter((factor) => factor.region.depth === depth).length === 1;
      const growing = terms.filter(grows);
      if (growing.length > 0) {
        sum = pointer(at, loop, regionAt(at, depth), sum, growing);
        terms = terms.filter((term) => !grows(term));
      }
    }
    for (const term of terms) sum = addTerm(at, sum, term);
  }
  return sum!;
}

function regionAt(at: Flow, depth: number): Region {
  let region = at.region;
  while (region.depth > depth) region = region.parent!;
  return region;
}

/** A local that holds start + (terms at the counter) in each round of the loop. */
function pointer(
  at: Flow,
  loop: Loop,
  body: Region,
  start: Value | undefined,
  terms: readonly Term[],
): Value {
  const rates: Polynomial = collect(
    0,
    terms.flatMap(({ coefficient, factors }) => {
      const rest = factors.filter((factor) => factor !== loop.counter);
      return rest.length === 0 ? [] : [{ coefficient, factors: rest }];
    }),
  );
  const constantRate = terms.reduce(
    (sum, term) => (term.factors.length === 1 ? sum + term.coefficient : sum),
    0,
  );
  const rate: Polynomial = { constant: constantRate | 0, terms: rates.terms };
  const name = `${start?.id ?? ""} ${textOf(rate)}`;
  const known = loop.pointers.get(name);
  if (known !== undefined) return known;
  const inside = at.region;
  at.region = loop.outside;
  const from = ofValue(loop.from);
  const initial = plus(start === undefined ? number(0) : ofValue(start), times(at, rate, from));
  const local = declare(at, "i32");
  assign(at, local, materialise(at, initial));
  loop.moves.push({ local, by: materialise(at, scale(rate, loop.step)) });
  at.region = inside;
  const made = localValue(at, "i32", local, body, false);
  loop.pointers.set(name, made);
  return made;
}

export interface Address {
  readonly address: Value;
  readonly offset: number;
}

/** Offsets past this would need explicit bounds checks in some engines. */
const largestOffset = 1 << 28;

/** The address of `base + bytes`. A constant part goes to the instruction only where the rest is an address >= 0 by itself:
 * because no term can be negative, or because an access at a smaller constant is sure to have run with the same rest. */
export function addressOf(at: Flow, base: Value, bytes: Polynomial): Address {
  const rest: Polynomial = plus({ constant: 0, terms: bytes.terms }, ofValue(base));
  const constant = bytes.constant;
  if (constant >= 0 && constant < largestOffset && isNonNegative(rest))
    return { address: materialise(at, rest, true), offset: constant };
  const name = textOf(rest);
  for (let scope: Region | undefined = at.region; scope !== undefined; scope = scope.parent) {
    const smallest = scope.witnesses.get(name);
    if (smallest !== undefined && smallest <= constant && constant - smallest < largestOffset)
      return { address: materialise(at, { ...rest, constant: smallest }, true), offset: constant - smallest };
  }
  at.region.witnesses.set(name, constant);
  return { address: materialise(at, { ...rest, constant }, true), offset: 0 };
}
