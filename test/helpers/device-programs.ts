// Whole programs on a device in tests: the same program on the CPU and on another executor, entry by entry from the same tensors;
// routings at their edges; a model that learns, and its loss curve. In: the text of a module, and how the device's session is
// opened. Out: the first disagreement fails the test.

import { expect } from "vitest";
import type { Compiled } from "../../compiler/compile.ts";
import type { Executor } from "../../runtime/executor.ts";
import { openSession, type Session } from "../../runtime/session.ts";
import type { Sizes } from "../../runtime/size.ts";
import { compileText, expectAlike, f32Tolerance, inputsFor, tensorsFor } from "./differential.ts";

export interface AlikeOptions {
  readonly sizes?: Sizes;
  readonly entries?: readonly string[];
  readonly seed?: number;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly tensors?: Readonly<Record<string, readonly number[]>>;
  readonly tolerance?: number;
}

/** Opens the device's session; its tensors are written afterwards. */
export type OpenDevice = (options: {
  readonly sizes?: Sizes;
  readonly initialise?: boolean;
  readonly entries?: readonly string[];
  readonly seed?: number;
}) => Executor | Promise<Executor>;

const order = ["forward", "evaluate", "decode", "train", "update"];

/** Runs every entry on both; outputs and all tensors must be alike. */
export async function expectAlikeOnDevice(
  text: string,
  open: OpenDevice,
  options: AlikeOptions = {},
): Promise<void> {
  const compiled = compileText(text);
  const wanted = options.entries ?? Object.keys(compiled.program.entries);
  const names = [...wanted].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const given = options.sizes === undefined ? {} : { sizes: options.sizes };
  const cpu = await openSession(compiled.program, compiled.wasm, { threads: 1, initialise: false, ...given });
  const device = await open({ initialise: false, ...given });
  try {
    for (const name of names) await runBoth(compiled, cpu, device, name, options);
  } finally {
    cpu.dispose();
    device.dispose();
  }
}

async function runBoth(
  compiled: Compiled,
  cpu: Session,
  device: Executor,
  name: string,
  options: AlikeOptions,
): Promise<void> {
  const { seed = 1, tolerance = f32Tolerance } = options;
  const tensors = tensorsFor(compiled, seed, options.tensors);
  for (const { name: tensor } of cpu.tensors()) cpu.write(tensor, tensors.get(tensor)!);
  // Gradients to update by, instead of nothing.
  if (name === "update" && cpu.entries.includes("train"))
    cpu.run("train", inputsOf(compiled, "train", cpu.sizes, options));
  for (const { name: tensor } of device.tensors()) device.write(tensor, cpu.read(tensor));
  const inputs = inputsOf(compiled, name, cpu.sizes, options);
  const [wanted, actual] = [cpu.run(name, inputs), await device.run(name, inputs)];
  for (const [port, values] of Object.entries(wanted))
    expectAlike(actual[port]!, values, `${name} ${port}`, tolerance);
  for (const { name: tensor } of cpu.tensors())
    expectAlike(await device.read(tensor), cpu.read(tensor), `${name} ${tensor}`, tolerance);
}

const inputsOf = (
  compiled: Compiled,
  name: string,
  sizes: Sizes,
  options: AlikeOptions,
): Record<string, number[]> =>
  Object.fromEntries(
    [...inputsFor(compiled, compiled.program.entries[name]!, sizes, options.seed ?? 1, options.inputs)].map(
      ([port, values]) => [port, Array.from(values)],
    ),
  );

/** Sizes for a program of test/programs. */
export const fewTokens = (text: string): Sizes => (text.includes("tokens(") ? { B: 2, T: 5 } : { B: 6 });

/** A pool whose scores are an input. */
export const forced = (experts: number, nulls: number, k: number): string => `
expert Mix(D)(x: [D]) -> [D] {
  param w: [D, D]
  tanh(x @ w)
}
router Forced(N)(x: [D], score: [N]) -> gates[N] {
  param scale: [N]
  choose top ${k} of score
  weight 1 + scale
}
model M {
  modality x = features(3)
  modality score = features(${experts + nulls})
  modality y = category(3)
  param head: [3, 3]
  pool = Mix(3) * ${experts}${nulls === 0 ? "" : ` + zero * ${nulls}`}
  logits = (x + pool(x) by Forced(x, score)) @ head
  loss cross_entropy(logits, y)
}
train M {
  data x = csv("data.csv", "a", "b", "c")
  data score = csv("data.csv", "d", "e", "f", "g")
  data y = csv("data.csv", "h")
  batch 5
  steps 3
  optimizer sgd { rate = 0.1 }
}`;

const none = -Infinity;
/** Scores of four, of which the last two may be null. */
export const edges: readonly (readonly [string, readonly (readonly number[])[]])[] = [
  ["one takes all", Array.from({ length: 5 }, () => [1, 0, 0, none])],
  ["ties", Array.from({ length: 5 }, () => [1, 1, 1, 1])],
  [
    "not numbers",
    [
      [NaN, 1, 2, 0],
      [NaN, NaN, NaN, NaN],
      [none, none, none, none],
      [0, NaN, 1, 2],
      [3, 2, 1, 0],
    ],
  ],
  ["nulls only", Array.from({ length: 5 }, () => [none, none, 1, 1])],
  ["one token", [[0, 3, 1, 2]]],
];

/** Every edge, and a pool of one. */
export async function expectEdgesAlike(open: (text: string) => OpenDevice): Promise<void> {
  const text = forced(2, 2, 2);
  for (const [, scores] of edges)
    await expectAlikeOnDevice(text, open(text), {
      sizes: { B: scores.length },
      inputs: { score: scores.flat() },
      entries: ["forward", "train"],
    });
  const single = forced(1, 0, 1);
  const inputs = { score: [1, 2, NaN, 0, none] };
  await expectAlikeOnDevice(single, open(single), { sizes: { B: 5 }, inputs });
}

const [batch, length, vocabulary, steps] = [4, 6, 9, 50];
/** A language model that learns in fifty steps. */
export const learner = `
import std.attention { CausalAttention }
import std.experts { SwiGLU }
import std.norms { RMSNorm }
import std.routers { LossFree }

moe Experts(D, H)(x: [D]) -> [D] {
  shared SwiGLU(D, H)
  routed SwiGLU(D, H) * 4
  null zero
  router LossFree { k = 2, rate = 0.01 }
}

model Small {
  dim D = 8
  modality text = tokens(vocab = ${vocabulary})
  param table: [text.vocab, D] = normal(0.3)
  x = table[text]
  x = x + CausalAttention(D, heads = 2)(RMSNorm(x))
  x = x + Experts(D, 6)(RMSNorm(x))
  logits = RMSNorm(x) @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Small {
  data text = bytes("data.txt")
  batch ${batch} of ${length}
  optimizer adamw { rate = cosine(3e-2, warmup = 5), decay = 0.1 }
  clip 1
  steps ${steps}
}`;
export const learnerOptions = {
  sizes: { B: batch, T: length },
  entries: ["train", "update"],
  seed: 3,
} as const;

/** Texts that can be learned: each token says what comes next, up to a shift of the sequence. */
function sequence(step: number, shift: number): number[] {
  const at = (b: number, t: number): number => (step * 5 + b * 2 + t * (1 + (b % 2))) % vocabulary;
  return Array.from({ length: batch * length }, (_, i) => at(Math.floor(i / length), (i % length) + shift));
}

/** Losses of fifty steps. */
async function curve(session: Executor): Promise<number[]> {
  const takes = (
    entry: string,
    given: Record<string, number | number[]>,
  ): Record<string, number | number[]> =>
    Object.fromEntries(
      Object.entries(given).filter(([name]) =>
        session.program.entries[entry]!.inputs.some((port) => port.name === name),
      ),
    );
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const inputs = { text: sequence(step, 0), "text.next": sequence(step, 1), $step: step };
    losses.push((await session.run("train", takes("train", inputs)))["loss"]![0]!);
    await session.run("update", takes("update", { $step: step }), { outputs: [] });
  }
  return losses;
}

/** The CPU's curve within a small tolerance; learning; and the same bits when repeated. */
export async function expectSameCurve(device: Executor): Promise<void> {
  const compiled = compileText(learner);
  const cpu = await openSession(compiled.program, compiled.wasm, { ...learnerOptions, threads: 1 });
  try {
    const wanted = await curve(cpu);
    const losses = await curve(device);
    losses.forEach((loss, step) =>
      expect(
        Math.abs(loss - wanted[step]!),
        `loss of step ${step}: ${loss}, on the CPU ${wanted[step]}`,
      ).toBeLessThan(5e-3 * wanted[step]!),
    );
    expect(losses.at(-1)!).toBeLessThan(0.75 * losses[0]!);
    device.initialise();
    expect(await curve(device)).toEqual(losses);
  } finally {
    cpu.dispose();
    device.dispose();
  }
}
