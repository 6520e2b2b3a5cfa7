// Rows with a known answer. In: sizes. Out: lines of JSON, an object for each row. Numbers have three places.

import { drawsOf, type Draws } from "./draws.ts";

type Vector = readonly number[];

const rounded = (values: Vector): number[] => values.map((value) => Number(value.toFixed(3)));
const vector = ({ normal }: Draws, width: number, scale = 1): number[] =>
  Array.from({ length: width }, () => scale * normal());
const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const plus = (a: Vector, b: Vector): number[] => a.map((value, i) => value + b[i]!);
const lines = (rows: number, row: () => object): string =>
  `${Array.from({ length: rows }, () => JSON.stringify(row())).join("\n")}\n`;

export interface ClusterSettings {
  readonly rows: number;
  readonly width: number;
  readonly classes: number;
  /** Of each class. */
  readonly clusters: number;
  /** Deviation inside a cluster; that of the centres is 1. */
  readonly spread: number;
  /** The share of labels `said` that are drawn from all classes. */
  readonly noise: number;
  readonly stream: number;
}

/** Classes that are several normal clouds each: `x`, the true `class`, the label that is `said`, and the `cluster`. */
export function clusters({
  rows,
  width,
  classes,
  clusters: each,
  spread,
  noise,
  stream,
}: ClusterSettings): string {
  const draws = drawsOf(stream);
  const centres = Array.from({ length: classes * each }, () => vector(draws, width));
  return lines(rows, () => {
    const cluster = draws.whole(centres.length);
    const x = rounded(plus(centres[cluster]!, vector(draws, width, spread)));
    const said = draws.uniform() < noise ? draws.whole(classes) : cluster % classes;
    return { x, class: cluster % classes, said, cluster };
  });
}

/**
 * Four yes-or-no tasks in two groups over features of heavy tails and unlike scales: feature i is s_i sinh(u_i) with u normal and log s_i
 * normal. The odds of task t of group g are 3 (tanh(2 a_g u) + tanh(2 b_g u) + tanh(2 c_t u)) with unit vectors: two parts of three are the
 * group's.
 */
export function groupedTasks(rows: number, width: number): string {
  const draws = drawsOf(5);
  const unit = (): number[] => {
    const drawn = vector(draws, width);
    return drawn.map((value) => value / Math.sqrt(dot(drawn, drawn)));
  };
  const scales = vector(draws, width).map(Math.exp);
  const groups = [0, 1].map(() => [unit(), unit()] as const);
  const tasks = [0, 1, 2, 3].map((task) => [...groups[Math.floor(task / 2)]!, unit()]);
  return lines(rows, () => {
    const u = vector(draws, width);
    const said = tasks.map((parts) => {
      const odds = 3 * parts.reduce((sum, part) => sum + Math.tanh(2 * dot(part, u)), 0);
      return draws.uniform() < 1 / (1 + Math.exp(-odds)) ? 1 : 0;
    });
    return { x: rounded(u.map((value, i) => scales[i]! * Math.sinh(value))), said };
  });
}

/**
 * A function that is learned first, and four changes of it: y = tanh(x A) B for all rows; `changed` is y plus x D_c with D_c of rank 2, one for
 * each of four kinds of rows, which lie around centres of their own.
 */
export function changedFunction(rows: number, width: number): string {
  const draws = drawsOf(6);
  const matrix = (from: number, to: number): Vector[] =>
    Array.from({ length: to }, () => vector(draws, from, 1 / Math.sqrt(from)));
  const times = (x: Vector, columns: readonly Vector[]): number[] => columns.map((column) => dot(x, column));
  const [into, out] = [matrix(width, 2 * width), matrix(2 * width, width)];
  const kinds = [0, 1, 2, 3].map(() => ({
    centre: vector(draws, width),
    into: matrix(width, 2),
    out: matrix(2, width),
  }));
  return lines(rows, () => {
    const kind = draws.whole(kinds.length);
    const { centre, into: narrow, out: wide } = kinds[kind]!;
    const x = plus(centre, vector(draws, width));
    const y = times(times(x, into).map(Math.tanh), out);
    const changed = plus(y, times(times(x, narrow), wide));
    return { x: rounded(x), y: rounded(y), changed: rounded(changed), kind };
  });
}

/**
 * Four texts about a thing, as vectors, of which one tells the truth: its content is its class's direction with noise, and its context is like its
 * content. The other contents are those of classes drawn at random, with contexts that have nothing to do with them.
 */
export function views(rows: number, width: number, classes: number): string {
  const draws = drawsOf(7);
  const directions = Array.from({ length: classes }, () => vector(draws, width, 1 / Math.sqrt(width)));
  const near = (v: Vector, scale: number): number[] =>
    plus(v, vector(draws, width, scale / Math.sqrt(width)));
  return lines(rows, () => {
    const [truth, honest] = [draws.whole(classes), draws.whole(4)];
    const pairs = [0, 1, 2, 3].map((view) => {
      const content = near(directions[view === honest ? truth : draws.whole(classes)]!, 0.5);
      const context = view === honest ? near(content, 0.5) : vector(draws, width, 1 / Math.sqrt(width));
      return { content, context };
    });
    return {
      content: rounded(pairs.flatMap(({ content }) => content)),
      context: rounded(pairs.flatMap(({ context }) => context)),
      class: truth,
      honest,
    };
  });
}

/**
 * Pictures of noise, half of them with something that moves. In mode 0 the telescope follows the stars and what moves leaves a trail along `shift`; in
 * mode 1 the telescope follows it and it is a point. Light is blurred by a Gaussian of deviation 1.2. A filter of just the right shape would
 * see it `clear` deviations above the noise, in both modes. Stars are known from catalogues and are not in the picture.
 */
export function trails(rows: number, side: number, clear: number): string {
  const draws = drawsOf(8);
  const [sigma, steps, length, margin] = [1.2, 8, 6, 2];
  return lines(rows, () => {
    const [mode, moving] = [draws.whole(2), draws.whole(2)];
    const angle = 2 * Math.PI * draws.uniform();
    const shift = [length * Math.sin(angle), length * Math.cos(angle)] as const;
    const [row, column] = [0, 1].map(() => margin + (side - 1 - 2 * margin) * draws.uniform());
    const light = Array.from({ length: side * side }, () => 0);
    for (let step = 0; step < steps; step++) {
      const along = mode === 0 ? (step + 0.5) / steps - 0.5 : 0;
      for (let at = 0; at < light.length; at++) {
        const [i, j] = [Math.floor(at / side), at % side];
        const square = (i - row! - along * shift[0]) ** 2 + (j - column! - along * shift[1]) ** 2;
        light[at]! += Math.exp(-square / (2 * sigma ** 2));
      }
    }
    const scale = (moving * clear) / Math.sqrt(dot(light, light));
    const picture = light.map((value) => scale * value + draws.normal());
    return { picture: rounded(picture), shift: rounded(shift), mode, moving };
  });
}

/**
 * Days of a market: for each of `things` things eight features and what came of it. A thing is of one of four styles, which its first two features
 * tell by their signs; what comes is a style's own linear function of the features, and noise three times as large.
 */
export function days(rows: number, things: number): string {
  const draws = drawsOf(9);
  const width = 8;
  const styles = [0, 1, 2, 3].map(() => vector(draws, width, 1 / Math.sqrt(width)));
  return lines(rows, () => {
    const features = Array.from({ length: things }, () => vector(draws, width));
    const came = features.map((x) => {
      const style = styles[(x[0]! > 0 ? 1 : 0) + (x[1]! > 0 ? 2 : 0)]!;
      return dot(style, x) + 3 * draws.normal();
    });
    return { features: rounded(features.flat()), came: rounded(came) };
  });
}
