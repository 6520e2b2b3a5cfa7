// `start`: first values of tensors from other checkpoints. In: what the recipe says of each tensor (`Training.start`), the program's
// tensors, the files that are its sources, and the seed (of noise). Out: values of those tensors that do not begin with their
// initialiser, and what was taken. Does not touch files. The optimiser's state is never taken.

import { UserError } from "./errors.ts";
import { initialise } from "./init.ts";
import type { ElementName, Start, StartValue, Tensor } from "./program.ts";
import type { StoredTensor } from "./safetensors.ts";
import type { Values } from "./session-values.ts";
import { flaw } from "./train-diagnose.ts";

export interface StartSource {
  /** As the user names it. */
  readonly shown: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

export interface Started {
  readonly values: ReadonlyMap<string, Values>;
  /** Tensors that begin with their initialiser. */
  readonly fresh: readonly string[];
}

interface Made {
  readonly type: ElementName;
  readonly shape: readonly number[];
  readonly values: Values;
}

const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const show = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

/** A name that no source has: whether that is a mistake is the rule's to say. */
class Missing extends Error {
  readonly wanted: string;
  readonly source: string;
  constructor(name: string, source: string) {
    super(name);
    this.wanted = name;
    this.source = source;
  }
}

/** Errors: R0306 a name that is not in the source, R0307 shapes that disagree, R0309 numbers that are not finite. */
export function startValues(
  tensors: readonly Tensor[],
  start: Start,
  sources: readonly StartSource[],
  seed: number,
): Started {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const values = new Map<string, Values>();
  const used = start.rules.map(() => false);
  const missed = new Map<number, Missing>();
  for (const { name, rule, value } of start.tensors) {
    const tensor = byName.get(name);
    if (tensor === undefined) continue;
    const said = start.rules[rule]!;
    if (value.kind === "fresh") {
      used[rule] = true;
      continue;
    }
    try {
      const made = new Maker(sources, tensor, seed, `${said.place}: \`${said.text}\``).make(value);
      values.set(name, fitted(made, tensor, said));
      used[rule] = true;
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      // A pattern speaks of what is there; a name, or one of several sources, must be.
      if (said.exact || combines(value)) throw absent(said, error, sources);
      missed.set(rule, missed.get(rule) ?? error);
    }
  }
  for (const [rule, missing] of missed) if (!used[rule]) throw absent(start.rules[rule]!, missing, sources);
  const begins = tensors.filter(({ role }) => role === "parameter" || role === "state");
  return { values, fresh: begins.map(({ name }) => name).filter((name) => !values.has(name)) };
}

/** Whether it is made of several tensors. */
function combines(value: StartValue): boolean {
  switch (value.kind) {
    case "concat":
    case "stack":
    case "mean":
      return true;
    case "take":
      return "largest" in value.positions || combines(value.of);
    case "copy":
    case "slice":
    case "transpose":
      return combines(value.of);
    case "tensor":
    case "fresh":
      return false;
    default:
      return value satisfies never;
  }
}

function absent(
  { text, place }: Start["rules"][number],
  { wanted, source }: Missing,
  sources: readonly StartSource[],
): UserError {
  const where = place === "" ? "" : `${place}: `;
  const known = [...(sources.find(({ shown }) => shown === source)?.tensors.keys() ?? [])];
  const some = known.slice(0, 3).map((name) => `\`${name}\``);
  return new UserError("R0306", `${where}\`${text}\` wants \`${wanted}\`, which ${source} does not have`, {
    help:
      known.length === 0
        ? `give another source: ${source} has no tensors`
        : `write names that it has, such as ${some.join(", ")}`,
  });
}

function fitted(made: Made, tensor: Tensor, { text, place }: Start["rules"][number]): Values {
  const same = made.shape.join() === tensor.shape.join();
  const where = place === "" ? "" : `${place}: `;
  if (same && made.type === tensor.type) {
    const wrong = tensor.role === "parameter" ? flaw(made.values) : undefined;
    if (wrong === undefined) return made.values;
    throw new UserError(
      "R0309",
      `${where}\`${tensor.name}\` begins with a number that is ${wrong}: \`${text}\` gives it`,
      {
        help: `take another checkpoint, or leave it to its initialiser: \`"${tensor.name}" = fresh\`, above the rule`,
      },
    );
  }
  const [is, gives] = same ? [tensor.type, made.type] : [show(tensor.shape), show(made.shape)];
  throw new UserError("R0307", `${where}\`${tensor.name}\` is ${is}, and \`${text}\` gives ${gives}`, {
    help: `take a part with \`slice\` or \`take\`, repeat it with \`copy\`, or leave it to its initialiser: \`"${tensor.name}" = fresh\`, above the rule`,
  });
}

/** Values of one tensor, from the inside out. */
class Maker {
  readonly #sources: readonly StartSource[];
  readonly #tensor: Tensor;
  readonly #seed: number;
  readonly #rule: string;
  #copies = 0;

  constructor(sources: readonly StartSource[], tensor: Tensor, seed: number, rule: string) {
    this.#sources = sources;
    this.#tensor = tensor;
    this.#seed = seed;
    this.#rule = rule;
  }

  make(value: StartValue, outermost = true): Made {
    switch (value.kind) {
      case "tensor": {
        const source = this.#sources[value.source]!;
        const found = source.tensors.get(value.name);
        if (found === undefined) throw new Missing(value.name, source.shown);
        // Asked for once: values of other types than those of a program are made when they are read.
        return { type: found.type, shape: found.shape, values: found.values };
      }
      case "copy":
        return this.#copy(value, this.make(value.of, false), outermost);
      case "slice": {
        const { axis, start, size } = value;
        const from = this.make(value.of, false);
        // Longer than the axis is as wrong as one place too many, and is said by `#pick` without a list that long.
        const most = Math.min(size, (from.shape[axis] ?? 0) + 1);
        return this.#pick(
          from,
          axis,
          Array.from({ length: most }, (_, i) => start + i),
        );
      }
      case "take":
        return this.#take(this.make(value.of, false), value);
      case "concat":
        return this.#concat(
          value.of.map((part) => this.make(part, false)),
          value.axis,
        );
      case "stack": {
        const parts = value.of.map((part) => this.make(part, false));
        return this.#concat(
          parts.map((part) => ({ ...part, shape: [1, ...part.shape] })),
          0,
        );
      }
      case "mean":
        return this.#mean(
          value.of.map((part) => this.make(part, false)),
          value.weights ?? value.of.map(() => 1),
        );
      case "transpose":
        return this.#transpose(this.make(value.of, false));
      case "fresh":
        throw new Error("internal: an initialiser inside of a start");
      default:
        return value satisfies never;
    }
  }

  #fail(message: string, help: string): never {
    throw new UserError("R0307", `${this.#rule}: ${message}`, { help });
  }

  /** [..] or [1, ..] becomes [times, ..]. */
  #copy(
    { noise, keep, times }: Extract<StartValue, { kind: "copy" }>,
    { type, shape, values }: Made,
    outermost: boolean,
  ): Made {
    const wanted = this.#tensor.shape;
    const one = shape[0] === 1 && shape.length === wanted.length ? shape.slice(1) : shape;
    const grows = outermost && times === undefined && wanted.slice(1).join() === one.join();
    const grown = times === undefined ? (grows ? wanted : shape) : [times, ...one];
    const init = {
      kind: "copy",
      from: "",
      ...(noise === undefined ? {} : { noise }),
      ...(keep === undefined ? {} : { keep }),
    } as const;
    // Noise of its own for each copy in one rule.
    const name = this.#copies++ === 0 ? this.#tensor.name : `${this.#tensor.name}#${this.#copies}`;
    const tensor = { name, role: "parameter", type, shape: grown, init } as const;
    const into = this.#empty(type, grown);
    return { type, shape: grown, values: initialise(tensor, this.#seed, () => values, into) };
  }

  #pick({ type, shape, values }: Made, axis: number, positions: readonly number[]): Made {
    const length = shape[axis];
    const beyond = length === undefined ? undefined : positions.find((position) => position >= length);
    if (length === undefined || beyond !== undefined)
      return this.#fail(
        length === undefined
          ? `${show(shape)} has no axis ${axis}`
          : `axis ${axis} of ${show(shape)} has no position ${beyond}`,
        "axes and positions count from 0",
      );
    const inner = elements(shape.slice(axis + 1));
    const outer = elements(shape.slice(0, axis));
    const picked = [...shape.slice(0, axis), positions.length, ...shape.slice(axis + 1)];
    const out = this.#empty(type, picked);
    for (let o = 0, at = 0; o < outer; o++)
      for (const position of positions) {
        const from = (o * length + position) * inner;
        out.set(values.subarray(from, from + inner), at);
        at += inner;
      }
    return { type, shape: picked, values: out };
  }

  #concat(parts: readonly Made[], axis: number): Made {
    const [first] = parts as readonly [Made];
    const rest = (shape: readonly number[]): string =>
      shape.map((size, i) => (i === axis ? "*" : size)).join();
    const odd = parts.find(({ shape, type }) => rest(shape) !== rest(first.shape) || type !== first.type);
    if (odd !== undefined || axis >= first.shape.length)
      return this.#fail(
        odd === undefined
          ? `${show(first.shape)} has no axis ${axis}`
          : `${show(first.shape)} and ${show(odd.shape)} do not fit side by side along axis ${axis}`,
        "their other axes must be alike",
      );
    const sizes = parts.map(({ shape }) => shape[axis]!);
    const shape = first.shape.map((size, i) => (i === axis ? sizes.reduce((a, b) => a + b) : size));
    const out = this.#empty(first.type, shape);
    const outer = elements(shape.slice(0, axis));
    for (let o = 0, at = 0; o < outer; o++)
      for (const { values } of parts) {
        const run = values.length / outer;
        out.set(values.subarray(o * run, (o + 1) * run), at);
        at += run;
      }
    return { type: first.type, shape, values: out };
  }

  #take(from: Made, { axis, positions }: Extract<StartValue, { kind: "take" }>): Made {
    if (!("largest" in positions)) return this.#pick(from, axis, positions);
    const { shape, values } = this.make(positions.largest, false);
    const { count } = positions;
    const length = from.shape[axis];
    if (shape.length !== 1 || shape[0] !== length || count > values.length)
      return this.#fail(
        `the ${count} largest of ${show(shape)} are no positions on axis ${axis} of ${show(from.shape)}`,
        "name a vector with a number for each position of the axis",
      );
    if (values.some(Number.isNaN))
      return this.#fail(
        "among the numbers that are to be the largest is NaN",
        "take another checkpoint, or say the positions",
      );
    const order = Array.from(values, (value, at) => ({ value, at }));
    order.sort((a, b) => b.value - a.value || a.at - b.at);
    return this.#pick(
      from,
      axis,
      order
        .slice(0, count)
        .map(({ at }) => at)
        .sort((a, b) => a - b),
    );
  }

  /** Summed in double precision. */
  #mean(parts: readonly Made[], weights: readonly number[]): Made {
    const [first] = parts as readonly [Made];
    const odd = parts.find(({ shape, type }) => shape.join() !== first.shape.join() || type !== first.type);
    if (odd !== undefined)
      return this.#fail(`${show(first.shape)} and ${show(odd.shape)} have no mean`, "they must be alike");
    const all = weights.reduce((a, b) => a + b);
    const out = this.#empty(first.type, first.shape);
    for (let i = 0; i < out.length; i++)
      out[i] = parts.reduce((sum, { values }, part) => sum + weights[part]! * values[i]!, 0) / all;
    return { type: first.type, shape: first.shape, values: out };
  }

  #transpose({ type, shape, values }: Made): Made {
    const [rows, columns] = shape.slice(-2);
    if (rows === undefined || columns === undefined)
      return this.#fail(`${show(shape)} has no two axes that could change places`, "transpose a matrix");
    const turned = [...shape.slice(0, -2), columns, rows];
    const out = this.#empty(type, turned);
    for (let from = 0; from < values.length; from += rows * columns)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          out[from + column * rows + row] = values[from + row * columns + column]!;
    return { type, shape: turned, values: out };
  }

  #empty(type: ElementName, shape: readonly number[]): Values {
    try {
      return type === "f32" ? new Float32Array(elements(shape)) : new Int32Array(elements(shape));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return this.#fail(`${show(shape)}: this is more than memory holds`, "make it smaller");
    }
  }
}
