// What streaming a region costs against storing its tiles, for a target.
// In: a region and its streams. Out: why it is not streamed, or nothing. A model with few numbers, per element of the tile, in
// multiply-adds: stored, each product is done once, and every tile is written and read; streamed, products are done again in
// every kernel that needs them, nothing is written, and blocks that a mask leaves out are not done at all.
// Deliberately absent: lengths. They are known when a program runs, and where tiles are small both ways are fast.

import type { Node } from "./graph.ts";
import type { Region, Sink } from "./stream-region.ts";
import { reducedLabels, sizeOfLabel } from "./stream-region.ts";
import type { Stream } from "./stream-plan.ts";
import type { Target } from "./target.ts";
import { elementsLong, estimateLong, long } from "./stream-length.ts";
import { known } from "../runtime/size.ts";

interface Prices {
  /** Writing or reading an element of a tile. */
  readonly access: number;
  /** An element's turn in a streamed kernel, beside its products: exponentials, packing, blocks. */
  readonly turn: number;
}

/** Measured on wasm (heads of 32, 64 and 128 at T = 512): 0.05 ns a multiply-add, 0.85 an access, 3.3 a turn. */
const ofThread: Prices = { access: 17, turn: 66 };
/** An H100's ratio of memory to f32 arithmetic. */
const ofGpu: Prices = { access: 36, turn: 20 };
/** What is left of a tile that a mask of indices cuts, in blocks. */
const leftByMask = 0.6;
/** Memory that grows with the square of the length is worth some time. */
const worthMemory = 1.2;
/** Rows that a workgroup needs to have something to share. */
const fewRows = 8;

export function refusalOf(
  region: Region,
  streams: readonly Stream[],
  { parallel }: Target,
  isMasked: (stream: Stream) => boolean,
): string | undefined {
  const { sizes, tiles, sinks } = region;
  for (const axis of [region.rows, region.columns])
    if ((known(sizes[axis]!) ?? long) < fewRows) return `${known(sizes[axis]!)} rows have nothing to share`;
  const sums = sinks.filter(({ node }) => node.op === "contract");
  if (sums.length === sinks.length && tiles.some(({ a, b }) => isWeight(a) || isWeight(b)))
    return "its tile is a product with weights, which every block of rows would read again";
  const smaller = tiles.find(
    (tile) => elementsLong(tile) < 2 * (elementsLong(tile.a) + elementsLong(tile.b)),
  );
  if (smaller !== undefined) return "its tile is not larger than what it is made of";

  const { access, turn } = parallel === undefined ? ofThread : ofGpu;
  const depth = (tile: (typeof tiles)[number]): number =>
    reducedLabels(tile).reduce((length, label) => length * estimateLong(sizeOfLabel(tile, label)), 1);
  const width = (sink: Sink): number => sink.width;
  const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  const stored =
    total(tiles.map(depth)) + total(sums.map(width)) + access * (2 * tiles.length + sinks.length);
  const streamed = total(
    streams.map((stream) => {
      const products = total(stream.tiles.map(depth)) + total(stream.sinks.map(width));
      return (isMasked(stream) ? leftByMask : 1) * (products + turn);
    }),
  );
  return streamed <= stored * worthMemory
    ? undefined
    : `its products again in ${streams.length} kernels cost ${(streamed / stored).toFixed(2)} of storing it`;
}

const isWeight = (node: Node): boolean => (node.op === "view" ? isWeight(node.input) : node.op === "tensor");
