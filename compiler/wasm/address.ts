// Addresses of memory accesses. In: a base and a number of bytes as a polynomial. Out: a value and a constant offset.
// Constant parts go into the instruction; parts that grow with the counter of an innermost loop become a pointer that moves.
// Knows nothing of buffers.

import { assign, declare, type Flow, type Loop, type Region, type Value, type Witness } from "./flow.ts";
import { i32, localValue } from "./values.ts";
import {
  addTerm,
  depthOf,
  equals,
  hashOf,
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
  const hash = hashOf(rest);
  for (let scope: Region | undefined = at.region; scope !== undefined; scope = scope.parent) {
    const smallest = witnessOf(scope, rest, hash)?.smallest;
    if (smallest !== undefined && smallest <= constant && constant - smallest < largestOffset)
      return { address: moving(at, { ...rest, constant: smallest }), offset: constant - smallest };
  }
  const witness = witnessOf(at.region, rest, hash);
  if (witness === undefined) at.region.witnesses.push({ rest, hash, smallest: constant });
  else witness.smallest = constant;
  return { address: moving(at, { ...rest, constant }), offset: 0 };
}

function witnessOf({ witnesses }: Region, rest: Polynomial, hash: number): Witness | undefined {
  for (let index = 0; index < witnesses.length; index++) {
    const witness = witnesses[index]!;
    if (witness.hash === hash && equals(witness.rest, rest)) return witness;
  }
  return undefined;
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
    const here = regionAt(at, depth);
    const { loop } = here;
    const grows = (term: Term): boolean => loop !== undefined && growsOnce(term, loop.counter, depth);
    const growing = loop === undefined ? [] : terms.slice(first, index).filter(grows);
    if (growing.length > 0) sum = pointer(at, loop!, here, sum, growing);
    for (let next = first; next < index; next++)
      if (growing.length === 0 || !grows(terms[next]!)) sum = addTerm(at, sum, terms[next]!);
  }
  return sum!;
}

/** Whether a term is the counter times what stays the same in the loop. */
function growsOnce({ factors }: Term, counter: Value, depth: number): boolean {
  let own = 0;
  for (const factor of factors) if (factor.region.depth === depth) own++;
  return own === 1 && factors.includes(counter);
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
  const hash = hashOf(rate);
  const known = loop.pointers.find(
    (other) => other.hash === hash && other.start === start && equals(other.rate, rate),
  );
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
  loop.pointers.push({ start, rate, hash, value });
  return value;
}
