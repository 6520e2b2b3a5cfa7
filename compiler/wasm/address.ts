// Addresses of memory accesses. In: a base and a number of bytes as a polynomial. Out: a value and a constant offset.
// Constant parts go into the instruction; parts that grow with the counter of an innermost loop become a pointer that moves.
// Knows nothing of buffers.

import { assign, declare, type Flow, type Loop, type Region, type Value } from "./flow.ts";
import { i32, localValue } from "./values.ts";
import {
  addTerm,
  depthOf,
  equals,
  isNonNegative,
  materialise,
  number,
  ofValue,
  outerFirst,
  plus,
  scale,
  times,
  type Polynomial,
  type Term,
} from "./polynomial.ts";

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
    return { address: moving(at, rest), offset: constant };
  for (let scope: Region | undefined = at.region; scope !== undefined; scope = scope.parent) {
    const witness = scope.witnesses.find((other) => equals(other.rest, rest));
    if (witness === undefined) continue;
    const { smallest } = witness;
    if (smallest <= constant && constant - smallest < largestOffset)
      return { address: moving(at, { ...rest, constant: smallest }), offset: constant - smallest };
  }
  const witness = at.region.witnesses.find((other) => equals(other.rest, rest));
  if (witness === undefined) at.region.witnesses.push({ rest, smallest: constant });
  else witness.smallest = constant;
  return { address: moving(at, { ...rest, constant }), offset: 0 };
}

/** The value of a polynomial in which terms that grow with an innermost loop's counter have become a moving pointer. */
function moving(at: Flow, a: Polynomial): Value {
  if (a.terms.length === 0) return i32(at, a.constant);
  let sum = a.constant === 0 ? undefined : i32(at, a.constant);
  const terms = outerFirst(a.terms);
  for (let index = 0; index < terms.length;) {
    const depth = depthOf(terms[index]!);
    const first = index;
    while (index < terms.length && depthOf(terms[index]!) === depth) index++;
    let here: readonly Term[] = terms.slice(first, index);
    const { loop } = regionAt(at, depth);
    if (loop !== undefined) {
      const grows = (term: Term): boolean =>
        term.factors.includes(loop.counter) &&
        term.factors.filter((factor) => factor.region.depth === depth).length === 1;
      const growing = here.filter(grows);
      if (growing.length > 0) {
        sum = pointer(at, loop, regionAt(at, depth), sum, growing);
        here = here.filter((term) => !grows(term));
      }
    }
    for (const term of here) sum = addTerm(at, sum, term);
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
  let rate = number(0);
  for (const { coefficient, factors } of terms) {
    const rest = factors.filter((factor) => factor !== loop.counter);
    rate = plus(
      rate,
      rest.length === 0 ? number(coefficient) : { constant: 0, terms: [{ coefficient, factors: rest }] },
    );
  }
  const known = loop.pointers.find((other) => other.start === start && equals(other.rate, rate));
  if (known !== undefined) return known.value;
  const inside = at.region;
  at.region = loop.outside;
  const from = ofValue(loop.from);
  const initial = plus(start === undefined ? number(0) : ofValue(start), times(at, rate, from));
  const local = declare(at, "i32");
  assign(at, local, materialise(at, initial));
  loop.moves.push({ local, by: materialise(at, scale(rate, loop.step)) });
  at.region = inside;
  const value = localValue(at, "i32", local, body, false);
  loop.pointers.push({ start, rate, value });
  return value;
}
