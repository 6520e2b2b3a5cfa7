// Initial values of tensors. In: a tensor of the program, the seed, and the values of tensors that it copies from. Out:
// its values, the same on every machine and in any order of tensors: random ones depend on nothing but the seed, the
// tensor's name and the element's index. Does not decide which initialiser a parameter has: the compiler did.

import type { Init, Tensor } from "./program.ts";
import { fillRandom, streamKey, type Key } from "./random-stream.ts";
import type { Values } from "./session-values.ts";

/** Streams of one tensor's key: values, noise added to a copy, and which elements a copy keeps. */
const valueStream = 0;
const noiseStream = 1;
const keepStream = 2;

/**
 * Fills `into` (made when not given; length is the product of the tensor's shape) and returns it. `lookup` gives the
 * values of the tensor that a copy is made from; they must be initialised already.
 */
export function initialise(
  tensor: Tensor,
  seed: number,
  lookup: (name: string) => Values,
  into?: Values,
): Values {
  const { init, shape, name } = tensor;
  const length = shape.reduce((a, b) => a * b, 1);
  const out = into ?? (tensor.type === "f32" ? new Float32Array(length) : new Int32Array(length));
  if (out.length !== length) throw new Error(`internal: ${name} has ${length} elements, not ${out.length}`);
  const key = streamKey(seed, name);
  switch (init.kind) {
    case "constant":
      out.fill(init.value);
      break;
    case "normal":
      eachNormal(length, key, valueStream, (i, value) => (out[i] = value * init.deviation));
      break;
    case "uniform": {
      const { low, high } = init;
      eachUniform(length, key, valueStream, (i, value) => (out[i] = low + (high - low) * value));
      break;
    }
    case "orthogonal":
      fillOrthogonal(out, shape, key, init.gain);
      break;
    case "identity": {
      const [rows, columns] = matrixOf(tensor);
      for (let i = 0; i < length; i++) out[i] = Math.floor(i / columns) % rows === i % columns ? 1 : 0;
      break;
    }
    case "copy":
      fillCopy(out, tensor, lookup(init.from), init, key);
      break;
    case "values":
      fillBroadcast(out, init.values, name);
      break;
    default:
      init satisfies never;
  }
  return out;
}

/** Where initial values go: to memory that can be filled where it is, or one tensor after the other to `write`. */
export type Destination =
  { readonly view: (name: string) => Values } | { readonly write: (name: string, values: Values) => void };

/** All of them, each once. Of what was made for `write`, only what others are copied from is kept. */
export function initialiseAll(
  tensors: ReadonlyMap<string, Tensor>,
  seed: number,
  destination: Destination,
): void {
  const copied = new Set(
    [...tensors.values()].flatMap(({ init }) => (init.kind === "copy" ? [init.from] : [])),
  );
  const kept = new Map<string, Values>();
  const visit = (name: string, from: readonly string[]): Values => {
    if (from.includes(name))
      throw new Error(`internal: tensors copy each other: ${[...from, name].join(" -> ")}`);
    const known = kept.get(name);
    if (known !== undefined) return known;
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`internal: ${from.at(-1)} copies ${name}, which is not there`);
    const into = "view" in destination ? destination.view(name) : undefined;
    const values = initialise(tensor, seed, (source) => visit(source, [...from, name]), into);
    if ("write" in destination) destination.write(name, values);
    if (copied.has(name)) kept.set(name, values);
    return values;
  };
  for (const name of tensors.keys()) if (!kept.has(name)) visit(name, []);
}

/** Rows and columns of the last two axes. */
function matrixOf({ name, shape }: Pick<Tensor, "name" | "shape">): readonly [number, number] {
  const [rows, columns] = shape.slice(-2);
  if (rows === undefined || columns === undefined)
    throw new Error(`internal: ${name} needs two axes, has [${shape.join(", ")}]`);
  return [rows, columns];
}

/** Repeats `values` over the leading axes. */
function fillBroadcast(out: Values, values: ArrayLike<number>, name: string): void {
  if (out.length === 0) return;
  if (values.length === 0 || out.length % values.length !== 0)
    throw new Error(
      `internal: ${name} has ${out.length} elements, which ${values.length} values cannot fill`,
    );
  for (let at = 0; at < out.length; at += values.length) out.set(values, at);
}

function fillCopy(
  out: Values,
  { name }: Tensor,
  source: Values,
  { noise, keep }: Extract<Init, { kind: "copy" }>,
  key: Key,
): void {
  fillBroadcast(out, source, name);
  if (noise !== undefined && noise !== 0)
    eachNormal(out.length, key, noiseStream, (i, value) => (out[i] = out[i]! + value * noise));
  if (keep !== undefined && keep < 1)
    eachUniform(out.length, key, keepStream, (i, value) => {
      if (value >= keep) out[i] = 0;
    });
}

/** Pairs of words made at a time: small enough to stay in the first-level cache. */
const chunk = 2048;

/** Calls with i = 0..length-1 and a uniform number of [0, 1) with 24 bits: word i of the stream. */
function eachUniform(
  length: number,
  key: Key,
  stream: number,
  use: (i: number, value: number) => void,
): void {
  const words = new Uint32Array(2 * chunk);
  for (let start = 0; start < length; start += 2 * chunk) {
    fillRandom(words, key, start / 2, stream);
    const end = Math.min(2 * chunk, length - start);
    for (let i = 0; i < end; i++) use(start + i, (words[i]! >>> 8) * 2 ** -24);
  }
}

/** Calls with i = 0..length-1 and a standard normal number (Box and Muller 1958): words 2j and 2j + 1 make 2j and 2j + 1. */
function eachNormal(length: number, key: Key, stream: number, use: (i: number, value: number) => void): void {
  const words = new Uint32Array(2 * chunk);
  for (let start = 0; start < length; start += 2 * chunk) {
    fillRandom(words, key, start / 2, stream);
    const end = Math.min(2 * chunk, length - start);
    for (let i = 0; i < end; i += 2) {
      // In (0, 1], so that the logarithm is finite.
      const radius = Math.sqrt(-2 * Math.log((words[i]! + 1) * 2 ** -32));
      const angle = words[i + 1]! * ((2 * Math.PI) / 2 ** 32);
      use(start + i, radius * Math.cos(angle));
      if (i + 1 < end) use(start + i + 1, radius * Math.sin(angle));
    }
  }
}

/**
 * Each matrix of the last two axes gets orthonormal rows (columns, when it is taller than wide) times gain: modified
 * Gram-Schmidt in double precision on normal numbers, a second time for a row that lost most of its length
 * (Giraud, Langou, Rozloznik 2005: "twice is enough").
 */
function fillOrthogonal(out: Values, shape: readonly number[], key: Key, gain: number): void {
  const [rows, columns] = matrixOf({ name: "orthogonal", shape });
  const tall = rows > columns;
  const [count, width] = tall ? [columns, rows] : [rows, columns];
  const normals = new Float64Array(out.length);
  eachNormal(out.length, key, valueStream, (i, value) => (normals[i] = value));
  for (let base = 0; base < out.length; base += count * width) {
    const matrix = normals.subarray(base, base + count * width);
    for (let row = 0; row < count; row++) orthogonalise(matrix, row, width);
    for (let row = 0; row < count; row++)
      for (let i = 0; i < width; i++)
        out[base + (tall ? i * columns + row : row * columns + i)] = matrix[row * width + i]! * gain;
  }
}

function orthogonalise(matrix: Float64Array, row: number, width: number): void {
  const at = row * width;
  for (let pass = 0; ; pass++) {
    const before = norm(matrix, at, width);
    for (let other = 0; other < at; other += width) {
      const dot = product(matrix, at, other, width);
      for (let i = 0; i < width; i++) matrix[at + i] = matrix[at + i]! - dot * matrix[other + i]!;
    }
    const after = norm(matrix, at, width);
    if (pass > 0 || after > before * 0.5) {
      for (let i = 0; i < width; i++) matrix[at + i] = matrix[at + i]! / after;
      return;
    }
  }
}

const norm = (matrix: Float64Array, at: number, width: number): number =>
  Math.sqrt(product(matrix, at, at, width));

/** A dot product of two rows; four sums, because one would wait for each addition. */
function product(matrix: Float64Array, a: number, b: number, width: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i + 3 < width; i += 4) {
    s0 += matrix[a + i]! * matrix[b + i]!;
    s1 += matrix[a + i + 1]! * matrix[b + i + 1]!;
    s2 += matrix[a + i + 2]! * matrix[b + i + 2]!;
    s3 += matrix[a + i + 3]! * matrix[b + i + 3]!;
  }
  for (; i < width; i++) s0 += matrix[a + i]! * matrix[b + i]!;
  return s0 + s1 + (s2 + s3);
}
