// A size: a polynomial with integer coefficients over named sizes (batch `B`, sequence `T`, ...), with rounded
// divisions, minima and maxima as further atoms. Plain data, so that a program can be written as JSON; canonical, so that
// equal sizes are equal text (`sizeKey`). Numbers that are known at compile time are polynomials without factors.
// Does not simplify across divisions: ceil(2T / 2) stays what it is unless the division is exact term by term.

/** One product: `coefficient * factors[0] * factors[1] * ...`; factors are sorted by their text. */
export interface Term {
  readonly coefficient: number;
  readonly factors: readonly Factor[];
}

/** A name, or a function of sizes that is no polynomial. */
export type Factor =
  | string
  | { readonly fn: "ceil" | "floor"; readonly of: Size; readonly by: Size }
  | { readonly fn: "min" | "max"; readonly of: Size; readonly by: Size };

/** A sum of terms, sorted by their text, no two with the same factors, none with coefficient 0. `[]` is zero. */
export type Size = readonly Term[];

/** Values of the symbolic sizes, by name. */
export type Sizes = Readonly<Record<string, number>>;

export const constant = (value: number): Size => (value === 0 ? [] : [{ coefficient: value, factors: [] }]);
export const named = (name: string): Size => [{ coefficient: 1, factors: [name] }];
export const one: Size = constant(1);

const factorKey = (factor: Factor): string =>
  typeof factor === "string" ? factor : `${factor.fn}(${sizeKey(factor.of)}, ${sizeKey(factor.by)})`;
const termKey = (factors: readonly Factor[]): string => factors.map(factorKey).join("*");

/** Canonical text of a size; equal sizes have equal text. Also what diagnostics print. */
export function sizeKey(size: Size): string {
  if (size.length === 0) return "0";
  return size
    .map(({ coefficient, factors }) =>
      factors.length === 0
        ? String(coefficient)
        : coefficient === 1
          ? termKey(factors)
          : `${coefficient}*${termKey(factors)}`,
    )
    .join(" + ")
    .replaceAll("+ -", "- ");
}

export const sizeEquals = (a: Size, b: Size): boolean => a === b || sizeKey(a) === sizeKey(b);

function normalise(terms: readonly Term[]): Size {
  const sums = new Map<string, Term>();
  for (const term of terms) {
    const factors = [...term.factors].sort((a, b) => (factorKey(a) < factorKey(b) ? -1 : 1));
    const key = termKey(factors);
    const before = sums.get(key);
    sums.set(key, { coefficient: term.coefficient + (before?.coefficient ?? 0), factors });
  }
  return [...sums.entries()]
    .filter(([, term]) => term.coefficient !== 0)
    .sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1))
    .map(([, term]) => term);
}

export const add = (a: Size, b: Size): Size =>
  a.length === 0 ? b : b.length === 0 ? a : normalise([...a, ...b]);
export const negate = (a: Size): Size => a.map((term) => ({ ...term, coefficient: -term.coefficient }));
export const subtract = (a: Size, b: Size): Size => add(a, negate(b));
/** A number times a size that is canonical already. */
const scale = (by: number, size: Size): Size =>
  by === 1
    ? size
    : by === 0
      ? []
      : size.map(({ coefficient, factors }) => ({ coefficient: by * coefficient, factors }));
export function multiply(a: Size, b: Size): Size {
  const [x, y] = [known(a), known(b)];
  if (x !== undefined) return y === undefined ? scale(x, b) : constant(x * y);
  if (y !== undefined) return scale(y, a);
  return normalise(
    a.flatMap((left) =>
      b.map((right) => ({
        coefficient: left.coefficient * right.coefficient,
        factors: [...left.factors, ...right.factors],
      })),
    ),
  );
}
/** Most factors of a product are numbers: they are multiplied as such. */
export function product(sizes: readonly Size[]): Size {
  let factor = 1;
  let rest: Size | undefined;
  for (const size of sizes) {
    const value = known(size);
    if (value !== undefined) factor *= value;
    else rest = rest === undefined ? size : multiply(rest, size);
  }
  return rest === undefined ? constant(factor) : scale(factor, rest);
}

/** The number, when the size has no symbolic part. */
export function known(size: Size): number | undefined {
  if (size.length === 0) return 0;
  const first = size[0]!;
  return size.length === 1 && first.factors.length === 0 ? first.coefficient : undefined;
}

/** `a / b` when b is one term that divides every term of a; otherwise undefined. */
export function divideExactly(a: Size, b: Size): Size | undefined {
  const divisor = b[0];
  if (divisor === undefined || b.length !== 1) return sizeEquals(a, b) ? one : undefined;
  const terms: Term[] = [];
  for (const term of a) {
    const rest = term.factors.map(factorKey);
    const factors = [...term.factors];
    for (const factor of divisor.factors) {
      const at = rest.indexOf(factorKey(factor));
      if (at < 0) return undefined;
      rest.splice(at, 1);
      factors.splice(at, 1);
    }
    if (term.coefficient % divisor.coefficient !== 0) return undefined;
    terms.push({ coefficient: term.coefficient / divisor.coefficient, factors });
  }
  return normalise(terms);
}

function rounded(fn: "ceil" | "floor", a: Size, b: Size): Size {
  const exact = divideExactly(a, b);
  if (exact !== undefined) return exact;
  const x = known(a);
  const y = known(b);
  if (x !== undefined && y !== undefined)
    return constant(fn === "ceil" ? Math.ceil(x / y) : Math.floor(x / y));
  return [{ coefficient: 1, factors: [{ fn, of: a, by: b }] }];
}
export const ceilDivide = (a: Size, b: Size): Size => rounded("ceil", a, b);
export const floorDivide = (a: Size, b: Size): Size => rounded("floor", a, b);

function extreme(fn: "min" | "max", a: Size, b: Size): Size {
  if (sizeEquals(a, b)) return a;
  const x = known(a);
  const y = known(b);
  if (x !== undefined && y !== undefined) return constant(fn === "min" ? Math.min(x, y) : Math.max(x, y));
  const [of, by] = sizeKey(a) < sizeKey(b) ? [a, b] : [b, a];
  return [{ coefficient: 1, factors: [{ fn, of, by }] }];
}
export const minimum = (a: Size, b: Size): Size => extreme("min", a, b);
export const maximum = (a: Size, b: Size): Size => extreme("max", a, b);

/** Replaces names by sizes; names that are not given stay. */
export function substitute(size: Size, names: ReadonlyMap<string, Size>): Size {
  let sum: Size = [];
  for (const { coefficient, factors } of size) {
    let term = constant(coefficient);
    for (const factor of factors) {
      if (typeof factor === "string") term = multiply(term, names.get(factor) ?? named(factor));
      else {
        const of = substitute(factor.of, names);
        const by = substitute(factor.by, names);
        const value =
          factor.fn === "ceil" || factor.fn === "floor"
            ? rounded(factor.fn, of, by)
            : extreme(factor.fn, of, by);
        term = multiply(term, value);
      }
    }
    sum = add(sum, term);
  }
  return sum;
}

/** The names a size depends on, each once. */
export function namesOf(size: Size, into: Set<string> = new Set()): Set<string> {
  for (const { factors } of size)
    for (const factor of factors) {
      if (typeof factor === "string") into.add(factor);
      else {
        namesOf(factor.of, into);
        namesOf(factor.by, into);
      }
    }
  return into;
}

/** The value of a size. Throws when a name is missing: callers bind every name before they evaluate. */
export function evaluate(size: Size, sizes: Sizes): number {
  let sum = 0;
  for (const { coefficient, factors } of size) {
    let term = coefficient;
    for (const factor of factors) {
      if (typeof factor === "string") {
        const value = sizes[factor];
        if (value === undefined) throw new Error(`internal: the size ${factor} has no value`);
        term *= value;
      } else {
        const of = evaluate(factor.of, sizes);
        const by = evaluate(factor.by, sizes);
        term *= {
          ceil: Math.ceil(of / by),
          floor: Math.floor(of / by),
          min: Math.min(of, by),
          max: Math.max(of, by),
        }[factor.fn];
      }
    }
    sum += term;
  }
  return sum;
}
