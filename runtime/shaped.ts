// Shaped values: numbers with a shape that TypeScript knows, for the generated modules. A literal length (`4`) is part of
// the model and checked by the type; `number` is a length that the caller chooses, such as the batch. In: nested arrays, or
// flat ones with their shape. Out: one flat typed array, row-major. Which shapes an entry takes is `shaped-inputs.ts`'s matter.

import { UserError } from "./errors.ts";
import type { ElementName } from "./program.ts";

export type Shape = readonly number[];
export type ValuesOf<Element extends ElementName> = Element extends "f32" ? Float32Array : Int32Array;

/** Numbers in row-major order, and their shape. What a model gives; also what it takes. */
export interface Shaped<Element extends ElementName, Of extends Shape> {
  readonly shape: Of;
  readonly values: ValuesOf<Element>;
}

/** What a model takes: `tensor(shape, values)`, or nested arrays, whose lengths are checked up to 32 numbers a row. */
export type ShapedInput<Element extends ElementName, Of extends Shape> = Shaped<Element, Of> | Nested<Of>;

/** Arrays in arrays: `Nested<readonly [number, 2]>` is rows of two numbers. The last axis may be a typed array. */
export type Nested<Of extends Shape> = Of extends readonly [
  infer Length extends number,
  ...infer Rest extends Shape,
]
  ? number extends Length
    ? Rest extends readonly []
      ? ArrayLike<number>
      : readonly Nested<Rest>[]
    : Rows<Length, Nested<Rest>>
  : number;

/** Longer rows than this are left to the check at run time: the compiler would have to count them one by one. */
type Longest = 33;
type Rows<
  Length extends number,
  Each,
  Counted extends readonly Each[] = readonly [],
> = Counted["length"] extends Length
  ? Counted
  : Counted["length"] extends Longest
    ? Each extends number
      ? ArrayLike<number>
      : readonly Each[]
    : Rows<Length, Each, readonly [...Counted, Each]>;

/** Gives flat values a shape: `tensor([2, 4], new Float32Array(8))`. Plain arrays become 32-bit floats. */
export function tensor<const Of extends Shape, Values extends Float32Array | Int32Array>(
  shape: Of,
  values: Values,
): { readonly shape: Of; readonly values: Values };
export function tensor<const Of extends Shape>(shape: Of, values: readonly number[]): Shaped<"f32", Of>;
export function tensor(
  shape: Shape,
  values: Float32Array | Int32Array | readonly number[],
): { readonly shape: Shape; readonly values: Float32Array | Int32Array } {
  const length = elements(shape);
  if (length !== values.length)
    throw new UserError(
      "R0504",
      `a tensor of shape [${shape.join(", ")}] has ${length} elements, and ${values.length} are given`,
      { help: "give as many values as the product of the shape" },
    );
  return { shape, values: ArrayBuffer.isView(values) ? values : Float32Array.from(values) };
}

export const elements = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** Anything that was given for an input: TypeScript has checked it, or nobody has. */
export interface Flat {
  readonly shape: Shape;
  readonly values: ArrayLike<number>;
}

/** One flat array and its shape. `name`: of the input, for messages. */
export function flatten(name: string, given: unknown): Flat {
  if (typeof given === "number") return { shape: [], values: [given] };
  if (isShaped(given)) {
    tensor(given.shape, given.values);
    return given;
  }
  if (!isList(given)) throw notNumbers(name, given, "");
  const shape: number[] = [];
  for (let row: unknown = given; isList(row); row = row[0]) {
    shape.push(row.length);
    if (row.length === 0) break;
  }
  if (shape.length === 1 && ArrayBuffer.isView(given)) return { shape, values: given };
  const values = new Float64Array(elements(shape));
  let at = 0;
  const visit = (row: unknown, axis: number, place: string): void => {
    if (axis === shape.length) {
      if (typeof row !== "number") throw notNumbers(name, row, place);
      values[at++] = row;
      return;
    }
    if (!isList(row)) throw notNumbers(name, row, place);
    if (row.length !== shape[axis])
      throw new UserError(
        "R0504",
        `the rows of \`${name}\` differ: \`${name}${place}\` has length ${row.length}, and the first row ${shape[axis]}`,
        { help: "give rows of one length" },
      );
    for (let i = 0; i < row.length; i++) visit(row[i], axis + 1, `${place}[${i}]`);
  };
  visit(given, 0, "");
  return { shape, values };
}

const isShaped = (given: unknown): given is Shaped<"f32" | "i32", Shape> =>
  typeof given === "object" &&
  given !== null &&
  "shape" in given &&
  Array.isArray(given.shape) &&
  "values" in given &&
  isList(given.values);

const isList = (given: unknown): given is ArrayLike<unknown> & ArrayLike<number> =>
  Array.isArray(given) || (ArrayBuffer.isView(given) && !(given instanceof DataView));

function notNumbers(name: string, given: unknown, place: string): UserError {
  const kind = given === null ? "null" : typeof given === "bigint" ? "a bigint" : typeof given;
  return new UserError(
    "R0504",
    `\`${name}${place}\` is ${kind === "undefined" ? "missing" : kind}, not a number`,
    {
      help: "give nested arrays of numbers, or tensor(shape, values)",
    },
  );
}
