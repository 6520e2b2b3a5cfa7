// Thirty steps of training: the loss falls on the same curve in double precision (graph interpreter) and in wasm; a run repeated
// is the same to the bit; two micro-batches of half the size are one batch. The kernel interpreter, which is slow, takes the first steps.

import { afterEach, describe, expect, test } from "vitest";
import type { Compiled } from "../compiler/compile.ts";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import { openSession, type Session } from "../runtime/session.ts";
import { learner, learnerBatch, learnerSizes } from "./helpers/device-texts.ts";
import { compileText } from "./helpers/differential.ts";
import { runEntry } from "./helpers/lowered.ts";

const open: Session[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.dispose();
});

const steps = 30;
const program = (optimizer: string, extra = ""): string => learner({ steps, optimizer, extra });

async function start(compiled: Compiled, sizes: Record<string, number> = learnerSizes): Promise<Session> {
  const session = await openSession(compiled.program, compiled.wasm, {
    threads: 1,
    sizes,
    entries: ["train", "update"],
    seed: 3,
  });
  open.push(session);
  return session;
}

function trainInWasm(session: Session, micro = 1): { readonly losses: number[]; readonly rates: number[] } {
  const losses: number[] = [];
  const rates: number[] = [];
  const takesStep = session.program.entries["update"]!.inputs.some(({ name }) => name === "$step");
  for (let step = 0; step < steps; step++) {
    const { text, next } = learnerBatch(step);
    let loss = 0;
    for (let part = 0; part < micro; part++) {
      const cut = (list: readonly number[]): number[] =>
        list.slice((part * list.length) / micro, ((part + 1) * list.length) / micro);
      loss += session.run("train", { text: cut(text), "text.next": cut(next) })["loss"]![0]! / micro;
    }
    losses.push(loss);
    const clock = takesStep ? { $step: step } : {};
    rates.push(session.run("update", clock)["rate"]![0]!);
  }
  return { losses, rates };
}

function trainInDouble(compiled: Compiled, session: Session): number[] {
  const tensors = new Map<string, ArrayLike<number>>(
    session.tensors().map(({ name }) => [name, Float64Array.from(session.read(name))]),
  );
  return Array.from({ length: steps }, (_, step) => {
    const { text, next } = learnerBatch(step);
    const inputs = new Map<string, ArrayLike<number>>(
      Object.entries({ text, "text.next": next, $step: [step], $seed: [3], $draw: [step] }),
    );
    const train = interpretGraph(compiled.graphs["train"]!, { sizes: learnerSizes, inputs, tensors });
    for (const [name, { data }] of train.updates) tensors.set(name, data);
    for (const [name, { data }] of interpretGraph(compiled.graphs["update"]!, {
      sizes: learnerSizes,
      inputs,
      tensors,
    }).updates)
      tensors.set(name, data);
    return train.outputs.get("loss")!.data[0]!;
  });
}

/** Losses of the first steps by the kernel interpreter, from the session's tensors. */
function trainByKernels({ lowered }: Compiled, session: Session, count: number): number[] {
  let tensors: ReadonlyMap<string, ArrayLike<number>> = new Map(
    session.tensors().map(({ name }) => [name, session.read(name).slice()]),
  );
  return Array.from({ length: count }, (_, step) => {
    const { text, next } = learnerBatch(step);
    const inputs = new Map<string, ArrayLike<number>>(
      Object.entries({ text, "text.next": next, $step: [step], $seed: [3], $draw: [step] }),
    );
    const [loss] = ["train", "update"].map((name) => {
      const entry = lowered.find((each) => each.name === name)!;
      const ran = runEntry(entry, { sizes: learnerSizes, inputs, tensors }, "interpreter");
      tensors = new Map([...tensors, ...ran.tensors]);
      return ran.outputs.get("loss")?.[0];
    });
    return loss!;
  });
}

test("the kernel interpreter trains as wasm does, and repeats to the bit", async () => {
  const compiled = compileText(program("adamw { rate = 3e-2, decay = 0.1 }"));
  const session = await start(compiled);
  const losses = trainByKernels(compiled, session, 4);
  expect(trainByKernels(compiled, session, 4)).toEqual(losses);
  const wanted = trainInWasm(session).losses;
  for (const [step, loss] of losses.entries())
    expect(
      Math.abs(loss - wanted[step]!),
      `loss of step ${step}: ${loss}, in wasm ${wanted[step]}`,
    ).toBeLessThan(1e-4 * wanted[step]!);
  expect(losses.at(-1)!).toBeLessThan(0.95 * losses[0]!);
});

describe("thirty steps", () => {
  test.each([
    ["adamw { rate = cosine(3e-2, warmup = 5), decay = 0.1 }", 2e-3],
    ["sgd { rate = 0.1, momentum = 0.9 }", 2e-3],
    ["muon { rate = 0.02, adam_rate = 0.02 }", 5e-3],
  ])("%s", async (optimizer, tolerance) => {
    const compiled = compileText(program(optimizer));
    const session = await start(compiled);
    const wanted = trainInDouble(compiled, session);
    const { losses, rates } = trainInWasm(session);
    losses.forEach((loss, step) =>
      expect(
        Math.abs(loss - wanted[step]!),
        `loss of step ${step}: ${loss}, in double ${wanted[step]}`,
      ).toBeLessThan(tolerance * wanted[step]!),
    );
    // It learns, or the comparison says little.
    expect(losses.at(-1)!).toBeLessThan(0.75 * losses[0]!);
    expect(new Set(rates).size > 20, "a rate that changes").toBe(optimizer.includes("cosine"));
    const again = await start(compiled);
    expect(trainInWasm(again).losses).toEqual(losses);
    for (const { name } of session.tensors()) expect(again.read(name), name).toEqual(session.read(name));
  });

  test("two micro-batches of half the size are one batch", async () => {
    const optimizer = "adamw { rate = 1e-2 }";
    const whole = trainInWasm(await start(compileText(program(optimizer)))).losses;
    const halves = trainInWasm(
      await start(compileText(program(optimizer, "accumulate 2")), {
        ...learnerSizes,
        B: learnerSizes.B / 2,
      }),
      2,
    ).losses;
    halves.forEach((loss, step) =>
      expect(
        Math.abs(loss - whole[step]!),
        `loss of step ${step}: ${loss}, whole ${whole[step]}`,
      ).toBeLessThan(1e-3 * whole[step]!),
    );
  });
});
