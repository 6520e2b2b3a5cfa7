// Which kernel of a case fails. In: the case, its sessions on the device: by the code that was tested, and by the PTX for all devices where the pack
// has both. Out: a sentence with the kernel and the place in the model. Kernels run one by one from the memory that they find, so that a
// fault, or one that does not end, is of the kernel that was told of last.

import { inWords } from "../../runtime/in-words.ts";
import type { CudaSession } from "../../runtime/cuda/session.ts";
import type { DispatchInfo } from "../../runtime/session-entry.ts";
import type { Inputs, Values } from "../../runtime/session-values.ts";
import { difference, entriesOf, inputsOf, noisy } from "./compare.ts";
import type { Case } from "./manifest.ts";

export interface Sessions {
  readonly tested: CudaSession;
  /** Does the same by code without what only this architecture has. */
  readonly plain: CudaSession | undefined;
}

/** What was found wrong, where something was. */
export interface Wrong {
  readonly entry?: string | undefined;
  readonly name?: string | undefined;
}

/** `label` at story.moe:23, kernel pool_contract */
const kernelOf = (dispatch: Pick<DispatchInfo, "label" | "place" | "kernel">): string =>
  `${inWords(dispatch)}, kernel ${dispatch.kernel}`;

/** `telling` hears of each kernel before it runs. */
export function diagnosed(
  tested: Case,
  { tested: session, plain }: Sessions,
  wrong: Wrong,
  telling: (what: string) => void,
): string {
  if (tested.start === "noise")
    for (const tensor of session.tensors()) session.write(tensor.name, noisy(tensor));
  const names = session.tensors().map(({ name }) => name);
  for (const entry of entriesOf(tested, session.entries)) {
    const before = new Map(names.map((name) => [name, session.read(name).slice()]));
    const inputs = inputsOf(session, entry, tested.inputs);
    const first = written(session, entry, inputs, telling);
    session.load(before);
    const again = firstOther(first, written(session, entry, inputs, telling), 0);
    if (again !== undefined)
      return `\`${entry}\` gives other numbers when it runs again, first those of ${again}`;
    if (plain === undefined) continue;
    plain.load(before);
    const other = firstOther(
      first,
      written(plain, entry, inputs, () => {}),
      tested.tolerance,
    );
    if (other !== undefined) return `\`${entry}\` gives other numbers than its PTX, first those of ${other}`;
  }
  const writer = session.program.entries[wrong.entry ?? ""]?.dispatches.findLast(({ kernel, buffers }) =>
    buffers.some(
      (ref, at) =>
        (ref.kind === "output" || ref.kind === "tensor") &&
        ref.name === wrong.name &&
        session.program.kernels[kernel]!.buffers[at]!.access !== "read",
    ),
  );
  const same = plain === undefined ? "" : ", and gives what its PTX gives";
  if (writer === undefined) return `every kernel ends by itself${same}`;
  const kernel = session.program.kernels[writer.kernel]!.name;
  return `every kernel repeats to the bit${same}; what is wrong is written by ${kernelOf({ ...writer, kernel })}`;
}

interface Written {
  readonly kernel: string;
  readonly values: readonly Values[];
}

function written(
  session: CudaSession,
  entry: string,
  inputs: Inputs,
  telling: (what: string) => void,
): readonly Written[] {
  const { dispatches } = session.program.entries[entry]!;
  const tell = (at: number): void => {
    const next = dispatches[at];
    if (next === undefined) return;
    const kernel = session.program.kernels[next.kernel]!.name;
    telling(kernelOf({ ...next, kernel }));
  };
  const all: Written[] = [];
  tell(0);
  session.trace(entry, inputs, (dispatch, values, at) => {
    const changed = dispatch.buffers.filter(({ access }) => access !== "read");
    all.push({ kernel: kernelOf(dispatch), values: changed.map((buffer) => values(buffer).slice()) });
    tell(at + 1);
    return true;
  });
  return all;
}

/** Of two runs of the same kernels. */
function firstOther(
  one: readonly Written[],
  other: readonly Written[],
  tolerance: number,
): string | undefined {
  for (const [at, { kernel, values }] of one.entries())
    for (const [i, found] of values.entries()) {
      const wanted = other[at]!.values[i]!;
      // Not the numbers but their bits, where they are the same kernel's.
      const told = tolerance === 0 ? otherBits(found, wanted) : difference(found, wanted, tolerance, "there");
      if (told !== undefined) return `${kernel}: element${told}`;
    }
  return undefined;
}

function otherBits(one: Values, other: Values): string | undefined {
  const [a, b] = [one, other].map((of) => new Uint32Array(of.buffer, of.byteOffset, of.length));
  const at = a!.findIndex((bits, i) => bits !== b![i]);
  return at < 0 ? undefined : `[${at}] is ${one[at]}, and ${other[at]} again`;
}
