// Diagnosis of a step whose loss is not finite: which value went wrong first. In: a session just after that step, and its
// inputs. Out: one sentence. Repeats the step dispatch by dispatch; the session's optimiser state is of no use afterwards,
// which is no loss: such a run stops.

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
    if (role === "optimiser") continue;
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
