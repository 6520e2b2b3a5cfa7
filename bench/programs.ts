// Programs of the bench: the text of a model -> a compiled program and a session with inputs, ready to run.
// Mistakes in the bench's own models are ours: they throw.

import { readFileSync } from "node:fs";
import { compile, type Compiled } from "../compiler/compile.ts";
import { openSession, type Inputs, type Session } from "../runtime/session.ts";
import { evaluate, type Sizes } from "../runtime/size.ts";
import { stdlib } from "../stdlib/sources.ts";
import { candidate, type Candidate } from "./measure.ts";
import { noise } from "./noise.ts";

/** The standard library, files, and a text in the place of `main.moe`. */
export const hostOf = (main?: string) => ({
  read: (path: string): string | undefined =>
    path.startsWith("std.") ? stdlib[path] : path === "main.moe" ? main : readFileSync(path, "utf8"),
});

const compiledFrom = (host: ReturnType<typeof hostOf>, path: string): Compiled => {
  const { compiled, diagnostics } = compile({ host, path });
  if (compiled !== undefined) return compiled;
  throw new Error(
    `internal: ${path} does not compile: ${diagnostics.map(({ message }) => message).join("; ")}`,
  );
};

export const compileFile = (path: string): Compiled => compiledFrom(hostOf(), path);
export const compileText = (text: string): Compiled => compiledFrom(hostOf(text), "main.moe");

/** Several files of one program, by path. */
export const compileTexts = (files: Readonly<Record<string, string>>, path: string): Compiled =>
  compiledFrom({ read: (name) => files[name] ?? stdlib[name] }, path);

export interface Workload {
  readonly session: Session;
  /** By entry. */
  readonly inputs: (entry: string) => Inputs;
  forward(): void;
  /** Gradients of one batch. */
  gradients(): void;
  /** Gradients, then the optimiser. */
  step(): void;
}

export interface WorkloadOptions {
  readonly sizes?: Sizes;
  readonly threads?: number;
  readonly entries?: readonly string[];
  /** False leaves all tensors zero, and their memory untouched. */
  readonly initialise?: boolean;
}

/** A session with two threads, unless said otherwise, and inputs of noise. */
export async function openWorkload(
  compiled: Pick<Compiled, "program" | "wasm">,
  options: WorkloadOptions = {},
): Promise<Workload> {
  const { program, wasm } = compiled;
  const entries = options.entries ?? ["forward", "train", "update"];
  const { sizes = {}, threads = 2, initialise = true } = options;
  const session = await openSession(program, wasm, { threads, sizes, entries, seed: 1, initialise });
  const made = new Map<string, Inputs>();
  const inputs = (name: string): Inputs => {
    const before = made.get(name);
    if (before !== undefined) return before;
    const values: Record<string, Float32Array | Int32Array> = {};
    for (const port of program.entries[name]!.inputs) {
      if (port.name.startsWith("$")) continue;
      const length = port.shape.reduce((product, size) => product * evaluate(size, session.sizes), 1);
      const numbers = noise(length, port.name.length);
      const modality = program.modalities.find(({ ports }) => ports.includes(port.name));
      const count = modality?.count ?? 2;
      values[port.name] =
        port.type === "f32" ? numbers : Int32Array.from(numbers, (x) => Math.floor(((x + 1) / 2) * count));
    }
    made.set(name, values);
    return values;
  };
  let step = 0;
  const run = (entry: string, given: Inputs): void => void session.run(entry, given, { views: true });
  const workload: Workload = {
    session,
    inputs,
    forward: () => run("forward", inputs("forward")),
    gradients: () => run("train", inputs("train")),
    step() {
      run("train", inputs("train"));
      run("update", { $step: step++ });
    },
  };
  return workload;
}

/** The ways in which a workload can be measured. */
export const candidates = ({ forward, gradients, step }: Workload, name: string): readonly Candidate[] => [
  candidate(`${name}, forward`, forward),
  candidate(`${name}, forward and backward`, gradients),
  candidate(`${name}, step`, step),
];
