// Affine: an index as a sum of sizes times atoms plus a size. Coordinates of graph nodes are affine, so views compose by
// algebra instead of by nested divisions, and the step of an index along the vector variable is a coefficient.
// In: loop variables, reads of index tensors. Out: new affine forms; `KernelEmitter` turns them into expressions.
// Deliberately absent: anything that emits code. Atoms that cancel are never computed.

import type { Node } from "../graph.ts";
import * as sizes from "../../runtime/size.ts";
import type { Size } from "../../runtime/size.ts";

export type Atom =
  /** A loop variable or another local. `bound` is exclusive; the value is a multiple of `multiple`. */
  | {
      readonly kind: "variable";
      readonly key: string;
      readonly name: string;
      readonly level: number;
      readonly multiple: number;
      readonly bound: Size | undefined;
      /** The variable whose next three values are the other lanes of a vector. */
      readonly vector: boolean;
      /** What it is, except beyond the edges of its range. */
      readonly clamped?: Affine;
    }
  /** floor(of / by). */
  | {
      readonly kind: "quotient";
      readonly key: string;
      readonly of: Affine;
      readonly by: Size;
      readonly level: number;
      readonly varying: boolean;
    }
  /** The value of an i32 node; with `limit`, clamped to 0 .. limit - 1. */
  | {
      readonly kind: "read";
      readonly key: string;
      readonly node: Node;
      readonly at: readonly Affine[];
      readonly limit: Size | undefined;
      readonly level: number;
      readonly varying: boolean;
    };

export interface AffineTerm {
  readonly atom: Atom;
  readonly coefficient: Size;
}

/** Sum of coefficient * atom, sorted by the atoms' keys, plus offset. */
export interface Affine {
  readonly terms: readonly AffineTerm[];
  readonly offset: Size;
  readonly key: string;
}

const numbers = new Map<number, Size>();
/** Shared constants: most sizes are small numbers. */
export function number(value: number): Size {
  let size = numbers.get(value);
  if (size === undefined) numbers.set(value, (size = sizes.constant(value)));
  return size;
}

const plus = (a: Size, b: Size): Size => {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const x = sizes.known(a);
  const y = sizes.known(b);
  return x !== undefined && y !== undefined ? number(x + y) : sizes.add(a, b);
};

export const times = (a: Size, b: Size): Size => {
  const x = sizes.known(a);
  const y = sizes.known(b);
  if (x === 1) return b;
  if (y === 1) return a;
  return x !== undefined && y !== undefined ? number(x * y) : symbolicProduct(a, b);
};

const keys = new WeakMap<Size, string>();
const keyOfSize = (size: Size): string => {
  const value = sizes.known(size);
  if (value !== undefined) return String(value);
  let key = keys.get(size);
  if (key === undefined) keys.set(size, (key = `(${sizes.sizeKey(size)})`));
  return key;
};

const products = new WeakMap<Size, WeakMap<Size, Size>>();
/** Products of symbolic sizes are few and made again and again. */
function symbolicProduct(a: Size, b: Size): Size {
  let row = products.get(a);
  if (row === undefined) products.set(a, (row = new WeakMap()));
  let product = row.get(b);
  if (product === undefined) row.set(b, (product = sizes.multiply(a, b)));
  return product;
}

/** Texts are made when asked for: most forms are only steps on the way to another. */
class Form implements Affine {
  readonly terms: readonly AffineTerm[];
  readonly offset: Size;
  private text: string | undefined;

  constructor(terms: readonly AffineTerm[], offset: Size) {
    this.terms = terms;
    this.offset = offset;
  }

  get key(): string {
    if (this.text !== undefined) return this.text;
    let text = "";
    for (const { atom, coefficient } of this.terms) {
      if (text !== "") text += "+";
      text += sizes.known(coefficient) === 1 ? atom.key : `${keyOfSize(coefficient)}*${atom.key}`;
    }
    if (this.offset.length > 0 || text === "") text += `${text === "" ? "" : "+"}${keyOfSize(this.offset)}`;
    return (this.text = text);
  }
}

const affine = (terms: readonly AffineTerm[], offset: Size): Affine => new Form(terms, offset);

export const fixed = (offset: Size): Affine => affine([], offset);
export const zero: Affine = fixed(number(0));
export const ofAtom = (atom: Atom): Affine => affine([{ atom, coefficient: number(1) }], number(0));

/** A local that is in scope at `level` (the depth of the block that declares it). */
export const variable = (
  name: string,
  level: number,
  about: { readonly multiple?: number; readonly bound?: Size | undefined; readonly vector?: boolean } = {},
): Affine =>
  ofAtom({
    kind: "variable",
    key: name,
    name,
    level,
    multiple: about.multiple ?? 1,
    bound: about.bound,
    vector: about.vector ?? false,
  });

export function add(a: Affine, b: Affine): Affine {
  if (a.terms.length === 0 && a.offset.length === 0) return b;
  if (b.terms.length === 0 && b.offset.length === 0) return a;
  const terms: AffineTerm[] = [];
  let i = 0;
  let j = 0;
  while (i < a.terms.length || j < b.terms.length) {
    const x = a.terms[i];
    const y = b.terms[j];
    if (y === undefined || (x !== undefined && x.atom.key < y.atom.key)) {
      terms.push(x!);
      i++;
    } else if (x === undefined || y.atom.key < x.atom.key) {
      terms.push(y);
      j++;
    } else {
      const coefficient = plus(x.coefficient, y.coefficient);
      if (coefficient.length > 0) terms.push({ atom: x.atom, coefficient });
      i++;
      j++;
    }
  }
  return affine(terms, plus(a.offset, b.offset));
}

export function scale(a: Affine, by: Size): Affine {
  const value = sizes.known(by);
  if (value === 1) return a;
  if (value === 0) return zero;
  return affine(
    a.terms.map(({ atom, coefficient }) => ({ atom, coefficient: times(coefficient, by) })),
    a.offset.length === 0 ? a.offset : times(a.offset, by),
  );
}

export const subtract = (a: Affine, b: Affine): Affine => add(a, scale(b, number(-1)));
export const shift = (a: Affine, by: Size): Affine =>
  by.length === 0 ? a : affine(a.terms, plus(a.offset, by));

/** Depth of the block in which the value is known. */
export const levelOf = (a: Affine): number =>
  a.terms.reduce((level, { atom }) => Math.max(level, atom.level), 0);
export const levelOfAll = (at: readonly Affine[]): number =>
  at.reduce((level, a) => Math.max(level, levelOf(a)), 0);

const atomVaries = (atom: Atom): boolean => (atom.kind === "variable" ? atom.vector : atom.varying);
/** Whether the four lanes see different values. */
export const varies = (a: Affine): boolean => a.terms.some(({ atom }) => atomVaries(atom));

/** The distance between lanes, when it is the same known number for all of them. */
export function stepOf(a: Affine): number | undefined {
  let step = 0;
  for (const { atom, coefficient } of a.terms) {
    if (!atomVaries(atom)) continue;
    if (atom.kind !== "variable") return undefined;
    const value = sizes.known(coefficient);
    if (value === undefined) return undefined;
    step += value;
  }
  return step;
}

/** The index in one lane: the vector variable replaced by itself plus `lane`, inside quotients and reads too. */
export function laneOf(a: Affine, lane: number): Affine {
  if (lane === 0 || !varies(a)) return a;
  let sum = affine(
    a.terms.filter(({ atom }) => !atomVaries(atom) || atom.kind === "variable"),
    a.offset,
  );
  for (const { atom, coefficient } of a.terms) {
    if (!atomVaries(atom)) continue;
    if (atom.kind === "variable") sum = shift(sum, times(coefficient, number(lane)));
    else if (atom.kind === "quotient")
      sum = add(sum, scale(divide(laneOf(atom.of, lane), atom.by).quotient, coefficient));
    else
      sum = add(
        sum,
        scale(
          read(
            atom.node,
            atom.at.map((x) => laneOf(x, lane)),
            atom.limit,
          ),
          coefficient,
        ),
      );
  }
  return sum;
}

/** An index read from an i32 node. */
export function read(node: Node, at: readonly Affine[], limit?: Size): Affine {
  return ofAtom({
    kind: "read",
    key: `%${node.id}[${at.map((a) => a.key).join(",")}${limit === undefined ? "" : `<${keyOfSize(limit)}`}]`,
    node,
    at,
    limit,
    level: levelOfAll(at),
    varying: at.some(varies),
  });
}

const multipleOfSize = (size: Size): number =>
  size.reduce((gcd, { coefficient }) => divisor(gcd, coefficient), 0);
const divisor = (a: number, b: number): number => (b === 0 ? Math.abs(a) : divisor(b, a % b));

/** The largest number known to divide the value; 0 for the constant 0. */
export function multipleOf(a: Affine): number {
  let gcd = multipleOfSize(a.offset);
  for (const { atom, coefficient } of a.terms)
    gcd = divisor(gcd, multipleOfSize(coefficient) * (atom.kind === "variable" ? atom.multiple : 1));
  return gcd;
}

const nonNegative = (size: Size): boolean => size.every(({ coefficient }) => coefficient >= 0);

/** Whether 0 <= a < limit can be proved. */
export function isBelow(a: Affine, limit: Size): boolean {
  // x - by * floor(x / by) is a remainder
  for (const { atom, coefficient } of a.terms)
    if (atom.kind === "quotient" && sizes.sizeEquals(sizes.negate(coefficient), atom.by)) {
      const rest = add(a, scale(ofAtom(atom), atom.by));
      if (rest.key === atom.of.key) return nonNegative(sizes.subtract(limit, atom.by));
    }
  if (!nonNegative(a.offset)) return false;
  let top = plus(a.offset, number(1));
  for (const { atom, coefficient } of a.terms) {
    if (!nonNegative(coefficient)) return false;
    const bound = atom.kind === "variable" ? atom.bound : atom.kind === "read" ? atom.limit : undefined;
    if (bound === undefined) return false;
    top = plus(top, times(coefficient, sizes.subtract(bound, number(1))));
  }
  return nonNegative(sizes.subtract(limit, top));
}

/** a = quotient * by + remainder, 0 <= remainder < by, for a >= 0. Splits off what divides exactly; only what is left
 * becomes a quotient atom. */
export function divide(a: Affine, by: Size): { readonly quotient: Affine; readonly remainder: Affine } {
  if (sizes.known(by) === 1) return { quotient: a, remainder: zero };
  const parts = splitExactly(a, by);
  // what is left must not be negative, because kernels divide non-negative numbers only
  const { whole, rest } = isNatural(parts.rest) ? parts : { whole: zero, rest: a };
  if (isZero(rest) || isBelow(rest, by)) return { quotient: whole, remainder: rest };
  const atom: Atom = {
    kind: "quotient",
    key: `[${rest.key}/${keyOfSize(by)}]`,
    of: rest,
    by,
    level: levelOf(rest),
    varying: varies(rest) && !uniformQuotient(rest, sizes.known(by)),
  };
  return { quotient: add(whole, ofAtom(atom)), remainder: subtract(rest, scale(ofAtom(atom), by)) };
}

const isZero = (a: Affine): boolean => a.terms.length === 0 && a.offset.length === 0;

/** a = whole * by + rest, term by term. */
function splitExactly(a: Affine, by: Size): { readonly whole: Affine; readonly rest: Affine } {
  const whole: AffineTerm[] = [];
  const rest: AffineTerm[] = [];
  for (const term of a.terms) {
    const exact = sizes.divideExactly(term.coefficient, by);
    if (exact === undefined) rest.push(term);
    else whole.push({ atom: term.atom, coefficient: exact });
  }
  const [offset, value] = [sizes.known(a.offset), sizes.known(by)];
  if (offset !== undefined && value !== undefined) {
    const floor = Math.floor(offset / value);
    return { whole: affine(whole, number(floor)), rest: affine(rest, number(offset - floor * value)) };
  }
  const exact = sizes.divideExactly(a.offset, by);
  if (exact === undefined) return { whole: affine(whole, number(0)), rest: affine(rest, a.offset) };
  return { whole: affine(whole, exact), rest: affine(rest, number(0)) };
}

/** Whether a form cannot be negative: no negative terms but those of remainders, x - by * floor(x / by). */
function isNatural(a: Affine): boolean {
  let rest = a;
  for (const { atom, coefficient } of a.terms) {
    if (nonNegative(coefficient)) continue;
    if (atom.kind !== "quotient" || !sizes.sizeEquals(sizes.negate(coefficient), atom.by)) return false;
    rest = subtract(add(rest, scale(ofAtom(atom), atom.by)), atom.of);
  }
  return nonNegative(rest.offset) && rest.terms.every(({ coefficient }) => nonNegative(coefficient));
}

/** Four lanes in a row that start at a multiple of 4 never cross a multiple of `by` when 4 divides it. */
function uniformQuotient(of: Affine, by: number | undefined): boolean {
  return by !== undefined && by % 4 === 0 && stepOf(of) === 1 && multipleOf(of) % 4 === 0;
}
