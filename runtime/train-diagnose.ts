// Diagnosis of a step whose loss, or the norm of its gradient, is not finite: which value went wrong first. In: a session just
// after that step, and its inputs. Out: one sentence. Repeats a step dispatch by dispatch; the session's optimiser state is of
// no use afterwards, which is no loss: such a run stops.

import type { Batch } from "./data/data.ts";
import { inputsOf } from "./evaluate.ts";
import type { Executor } from "./executor.ts";
import { inWords } from "./in-words.ts";
import type { Tensor } from "./program.ts";
import type { Values } from "./session-values.ts";

/** What is wrong with the first number that is: minus infinity is not, masks are made of it. */
export function flaw(values: Values): string | undefined {
  if (values instanceof Int32Array) return undefined;
  for (const value of values) {
    if (value !== value) return "NaN";
    if (value === Infinity) return "infinite";
  }
  return undefined;
}

export async function diagnose(
  session: Executor,
  batch: Batch,
  scalars: Readonly<Record<string, number>>,
): Promise<string> {
  for (const [name, values] of Object.entries(batch)) {
    const wrong = flaw(values);
    if (wrong !== undefined) return `the data hold a number that is ${wrong}, in \`${name}\``;
  }
  // The optimiser's own values show in the parameters; what is carried was made by this very step.
  const kept = session.tensors().filter(({ role }) => role !== "optimiser" && role !== "carry");
  for (const [name, values] of await session.snapshot(kept.map(({ name: each }) => each))) {
    const wrong = flaw(values);
    if (wrong !== undefined) return `\`${name}\` was ${wrong} before it, so an earlier update went wrong`;
  }
  let found: string | undefined;
  const inputs = inputsOf(session.program.entries["train"], batch, scalars);
  await session.trace("train", inputs, (dispatch, values) => {
    for (const buffer of dispatch.buffers) {
      if (buffer.access === "read") continue;
      const wrong = flaw(values(buffer));
      if (wrong === undefined) continue;
      found = `the first value that is ${wrong} comes out of ${inWords(dispatch)}`;
      return false;
    }
    return true;
  });
  return (
    found ??
    "computed again, the step was finite: the session's memory was changed from outside, or is faulty"
  );
}

/** After the update: whose gradient it was. With several micro-batches the carried gradients are empty by then. */
export async function diagnoseGradient(session: Executor): Promise<string> {
  const prefix = "gradient.";
  const flawsOf = async (
    role: Tensor["role"],
    start: string,
  ): Promise<(readonly [string, string | undefined])[]> => {
    const names = session
      .tensors()
      .flatMap((tensor) => (tensor.role === role && tensor.name.startsWith(start) ? [tensor.name] : []));
    return [...(await session.snapshot(names))].map(([name, values]) => [name, flaw(values)]);
  };
  // Gradients are made from the loss backwards: the last in the order of the model went wrong first.
  const broken = (await flawsOf("carry", prefix)).findLast(([, wrong]) => wrong !== undefined);
  if (broken !== undefined)
    return `the gradient of \`${broken[0].slice(prefix.length)}\` is the first that is ${broken[1]}`;
  const parameters = await flawsOf("parameter", "");
  const spoilt = parameters.filter(([, wrong]) => wrong !== undefined);
  if (spoilt.length > 0 && spoilt.length < parameters.length)
    return `it made \`${spoilt.at(-1)![0]}\` ${spoilt.at(-1)![1]}`;
  return "no part of it alone is the cause, their squares grew too large together";
}
