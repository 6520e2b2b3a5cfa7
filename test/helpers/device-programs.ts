// Whole programs on a device in tests: the same program on the CPU and on another executor, entry by entry from the same tensors;
// routings at their edges; a model that learns, and its loss curve. In: the text of a module, and how the device's session is
// opened. Out: the first disagreement fails the test.

import { expect } from "vitest";
import type { Compiled } from "../../compiler/compile.ts";
import type { Executor } from "../../runtime/executor.ts";
import { openSession, type Session } from "../../runtime/session.ts";
import type { Sizes } from "../../runtime/size.ts";
import { edges, forced, learner, learnerBatch, learnerSizes } from "./device-texts.ts";
import { lent } from "./lent.ts";
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

/** Every routing at its edges. */
export async function expectEdgesAlike(open: (text: string) => OpenDevice): Promise<void> {
  for (const { experts, nulls, k, scores } of edges) {
    const text = forced(experts, nulls, `choose top ${k} of score`);
    const entries = ["forward", "train"];
    const session = await open(text)({ initialise: false });
    const resized: OpenDevice = ({ sizes }) => {
      session.resize(sizes!);
      return lent(session);
    };
    try {
      for (const rows of Object.values(scores))
        await expectAlikeOnDevice(text, resized, {
          sizes: { B: rows.length },
          inputs: { score: rows.flat() },
          entries,
        });
    } finally {
      session.dispose();
    }
  }
}

const steps = 50;
export const learnerOptions = {
  sizes: learnerSizes,
  entries: ["train", "update"],
  seed: 3,
} as const;

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
    const { text, next } = learnerBatch(step);
    const inputs = { text, "text.next": next, $step: step };
    losses.push((await session.run("train", takes("train", inputs)))["loss"]![0]!);
    await session.run("update", takes("update", { $step: step }), { outputs: [] });
  }
  return losses;
}

/** The CPU's curve within a small tolerance; learning; and the same bits when repeated. */
export async function expectSameCurve(device: Executor): Promise<void> {
  const compiled = compileText(learner({ steps }));
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
