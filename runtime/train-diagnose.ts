// Diagnosis of a step whose loss, or the norm of its gradient, is not finite: which value went wrong first. In: a session just
// after that step, and its inputs. Out: one sentence. Repeats a step dispatch by dispatch; the session's optimiser state is of
// no use afterwards, which is no loss: such a run stops.

import type { Batch } from "./data/data.ts";
import { inputsOf } from "./evaluate.ts";
import type { Session, Values } from "./session.ts";

/** What is wrong with the first number that is: minus infinity is not, masks are made of it. */
function flaw(values: Values): string | undefined {
  if (values instanceof Int32Array) return undefined;
  for (const value of values) {
    if (value !== value) return "NaN";
    if (value === Infinity) return "infinite";
  }
  return undefined;
}

export function diagnose(session: Session, batch: Batch, scalars: Readonly<Record<string, number>>): string {
  for (const [name, values] of Object.entries(batch)) {
    const wrong = flaw(values);
    if (wrong !== undefined) return `the data hold a number that is ${wrong}, in \`${name}\``;
  }
  for (const { name, role } of session.tensors()) {
    // The optimiser's own values show in the parameters; what is carried was made by this very step.
    if (role === "optimiser" || role === "carry") continue;
    const wrong = flaw(session.view(name));
    if (wrong !== undefined) return `\`${name}\` was ${wrong} before it, so an earlier update went wrong`;
  }
  let found: string | undefined;
  const inputs = inputsOf(session.program.entries["train"], batch, scalars);
  session.trace("train", inputs, ({ label, buffers }, values) => {
    for (const buffer of buffers) {
      if (buffer.access === "read") continue;
      const wrong = flaw(values(buffer));
      if (wrong === undefined) continue;
      found = `the first value that is ${wrong} comes out of \`${label}\``;
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
export function diagnoseGradient(session: Session): string {
  const prefix = "gradient.";
  const carried = session.tensors().filter(({ name, role }) => role === "carry" && name.startsWith(prefix));
  // Gradients are made from the loss backwards: the last in the order of the model went wrong first.
  const broken = carried.findLast(({ name }) => flaw(session.view(name)) !== undefined);
  if (broken !== undefined)
    return `the gradient of \`${broken.name.slice(prefix.length)}\` is the first that is ${flaw(session.view(broken.name))}`;
  const parameters = session.tensors().filter(({ role }) => role === "parameter");
  const spoilt = parameters.filter(({ name }) => flaw(session.view(name)) !== undefined);
  if (spoilt.length > 0 && spoilt.length < parameters.length)
    return `it made \`${spoilt.at(-1)!.name}\` ${flaw(session.view(spoilt.at(-1)!.name))}`;
  return "no part of it alone is the cause, their squares grew too large together";
}
