// Toy data: points of the plane in two classes. In: which, how many, a seed. Out: points, and the table `points.csv` that a `.moe`
// file reads. All lie about the origin, mostly within 1.25 of it on either axis.

import { randomFrom, type Random } from "./random.ts";

export const toyNames = ["moons", "rings", "spirals", "blobs"] as const;
export type ToyName = (typeof toyNames)[number];

export const toyTitles: Readonly<Record<ToyName, string>> = {
  moons: "Two moons",
  rings: "Rings",
  spirals: "Spirals",
  blobs: "Four blobs",
};

export interface Points {
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** 0 or 1. */
  readonly side: Uint8Array;
}

/** Points that a toy has. */
export const toyCount = 600;

/** Half the width of the plane that is drawn. */
export const reach = 1.35;

type Place = (side: number, random: Random) => readonly [number, number];

const places: Readonly<Record<ToyName, Place>> = {
  /** Two half circles that reach into each other. */
  moons(side, random) {
    const angle = Math.PI * random.uniform();
    const [x, y] =
      side === 0 ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
    return near([(x - 0.5) * 0.75, (y - 0.25) * 0.9], 0.075, random);
  },
  /** A disc and the ring around it. */
  rings(side, random) {
    const angle = 2 * Math.PI * random.uniform();
    const radius = side === 0 ? 0.45 * Math.sqrt(random.uniform()) : 0.95;
    return near([radius * Math.cos(angle), radius * Math.sin(angle)], 0.07, random);
  },
  /** Two arms of one and a half turns. */
  spirals(side, random) {
    const along = Math.sqrt(random.uniform());
    const angle = 3 * Math.PI * along + Math.PI * side;
    const radius = 0.1 + 1.02 * along;
    return near([radius * Math.cos(angle), radius * Math.sin(angle)], 0.03, random);
  },
  /** Opposite corners belong together: no line parts them. */
  blobs(side, random) {
    const right = random.uniform() < 0.5 ? 1 : -1;
    return near([0.68 * right, 0.68 * right * (side === 0 ? 1 : -1)], 0.2, random);
  },
};

const near = ([x, y]: readonly [number, number], deviation: number, random: Random): [number, number] => [
  x + deviation * random.normal(),
  y + deviation * random.normal(),
];

export function toyPoints(name: ToyName, count: number, seed: number): Points {
  const random = randomFrom(seed);
  const points = { x: new Float32Array(count), y: new Float32Array(count), side: new Uint8Array(count) };
  for (let i = 0; i < count; i++) {
    points.side[i] = i % 2;
    [points.x[i], points.y[i]] = places[name](i % 2, random) as [number, number];
  }
  return points;
}

/** As the reader `csv` takes it: the columns `x`, `y` and `side`. */
export const toTable = ({ x, y, side }: Points): string =>
  ["x,y,side", ...Array.from(side, (each, i) => `${x[i]!.toFixed(4)},${y[i]!.toFixed(4)},${each}`)].join(
    "\n",
  );
