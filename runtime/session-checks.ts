// What a caller may ask of a session: sizes, entries and tensors that exist, a program that is for it. In: the program and what was asked for. Out:
// one clear error. Inputs are checked where they are written (session-values.ts).

import { UserError } from "./errors.ts";
import { withDefaults } from "./arena-plan.ts";
import type { ExecutorOptions } from "./executor.ts";
import type { Entry, Program, TargetName, Tensor } from "./program.ts";
import type { Sizes } from "./size.ts";

/** What a session is opened with: checked, and defaults filled in. */
export interface Opening {
  readonly program: Program;
  readonly sizes: Sizes;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly seed: number;
  readonly profile: boolean;
}

/** Errors: R0505 no such entry, R0506 sizes, R0607 a program for something else. */
export function openingOf(program: Program, target: TargetName, options: ExecutorOptions): Opening {
  if (program.target !== target) throw wrongTarget(program, target);
  const sizes = withDefaults(program, options.sizes);
  checkSizes(program, sizes);
  return {
    program,
    sizes,
    entries: entriesOf(program, options.entries ?? Object.keys(program.entries)),
    seed: options.seed ?? program.training?.seed ?? 0,
    profile: options.profile ?? false,
  };
}

function entriesOf(program: Program, names: readonly string[]): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const name of names) {
    const entry = program.entries[name];
    if (entry === undefined) throw unknownEntry(program, name, Object.keys(program.entries));
    entries.set(name, entry);
  }
  return entries;
}

export function checkSizes(program: Program, sizes: Sizes): void {
  const names = new Set(program.sizes.map(({ name }) => name));
  for (const [name, value] of Object.entries(sizes)) {
    if (!names.has(name))
      throw new UserError("R0506", `the model has no size \`${name}\``, {
        help: names.size === 0 ? "it has no sizes to choose" : `its sizes are ${[...names].join(", ")}`,
      });
    if (!Number.isSafeInteger(value) || value < 1)
      throw new UserError("R0506", `the size \`${name}\` cannot be ${value}`, {
        help: "give a whole number, at least 1",
      });
  }
}

export function unknownEntry(program: Program, name: string, entries: readonly string[]): UserError {
  const exists = program.entries[name] !== undefined;
  return new UserError(
    "R0505",
    exists ? `this session was not opened for \`${name}\`` : `the model has no \`${name}\``,
    {
      help: exists
        ? `open it with entries: [..., "${name}"]`
        : `it has ${entries.map((entry) => `\`${entry}\``).join(", ")}`,
    },
  );
}

export function unknownTensor(program: Program, name: string): UserError {
  const exists = program.tensors.some((tensor) => tensor.name === name);
  return new UserError(
    "R0505",
    exists ? `this session does not hold \`${name}\`` : `the model has no tensor \`${name}\``,
    {
      help: exists ? "open the session with the entries that use it" : "`tensors()` lists the names",
    },
  );
}

export function wrongLength({ name, shape }: Tensor, wanted: number, given: number): UserError {
  return new UserError("R0505", `the tensor \`${name}\` has ${wanted} elements, not ${given}`, {
    help: `give [${shape.join(", ")}] values`,
  });
}

/** What is asked of a model, or a device, after it was given back. Errors: R0509. */
export const disposed = (what: string): UserError =>
  new UserError("R0509", `${what} was disposed`, {
    help: "call `dispose` last, when all that was asked for has come back; load the model again to go on",
  });

const devices: Readonly<Record<TargetName, string>> = { wasm: "the CPU", webgpu: "WebGPU", cuda: "CUDA" };

/** The program was compiled for another kind of device than the one that is to run it. */
function wrongTarget({ name, target }: Program, wanted: TargetName): UserError {
  return new UserError(
    "R0607",
    `the model ${name} was built for ${devices[target]}, not for ${devices[wanted]}`,
    {
      help: `build it with \`--target ${wanted}\``,
    },
  );
}
