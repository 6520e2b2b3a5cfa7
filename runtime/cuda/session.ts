// Session on a GPU by CUDA: an executor. In: a program compiled for `cuda` and its kernels. Tensors stay on the device; an entry's
// dispatches are recorded once as a graph and replayed, and only the outputs that were asked for come back. A run that wants none returns
// before the device has done it. Initial values are computed on the CPU, with the bits that they have everywhere. Node only.

import { layoutArena } from "../arena.ts";
import { heldMemory, heldTensors } from "../arena-plan.ts";
import type { CudaCode } from "../artifact.ts";
import { UserError } from "../errors.ts";
import { Bindings } from "../bindings.ts";
import type { Executor, ExecutorBinding, ExecutorOptions, RunOptions, Timing, Visit } from "../executor.ts";
import { bytesOf } from "../halves.ts";
import { inWords } from "../in-words.ts";
import { initialiseAll } from "../init.ts";
import type { Entry, Program, Tensor } from "../program.ts";
import { disposed, openingOf, unknownEntry, unknownTensor, wrongLength } from "../session-checks.ts";
import type { Opening } from "../session-checks.ts";
import {
  prepareEntry,
  type BoundBuffer,
  type DispatchInfo,
  type Place,
  type PreparedEntry,
} from "../session-entry.ts";
import { writeInputs, type Inputs, type Outputs, type Values } from "../session-values.ts";
import type { Sizes } from "../size.ts";
import { elementsOf, placesOf, valuesFor, type Stored } from "../stored.ts";
import { openCudaDevice, type CudaDevice } from "./device.ts";
import { loadKernels, type CudaKernels } from "./kernels.ts";
import { isStepwise } from "./driver.ts";
import { captureGraph, launch, launchesOf, launchStepwise, type Graph, type Launch } from "./launches.ts";
import { milliseconds } from "./measure.ts";
import { CudaMemory } from "./memory.ts";
import { Profile } from "./profile.ts";

export interface CudaOptions extends ExecutorOptions {
  /** A device to share; it is then the caller's to dispose of. */
  readonly device?: CudaDevice;
}

interface Ready extends PreparedEntry {
  readonly launches: readonly Launch[];
  graph: Graph | undefined;
  /** Where the arena was when it was prepared. */
  readonly arena: number;
  /** The inputs' values before they go to the device, and where in it. */
  readonly host: ArrayBuffer;
  readonly hostPlaces: readonly Place[];
}

interface Bound extends ExecutorBinding {
  readonly prepared: Map<string, Ready>;
}

export class CudaSession implements Executor {
  readonly program: Program;
  readonly seed: number;
  readonly #device: CudaDevice;
  readonly #ownsDevice: boolean;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #places: ReadonlyMap<string, readonly Stored[]>;
  readonly #memory: CudaMemory;
  readonly #kernels: CudaKernels;
  readonly #profile: Profile | undefined;
  readonly #bindings: Bindings<Bound>;
  #closed = false;

  /** Use `openCuda`. */
  constructor(parts: Parts) {
    this.program = parts.program;
    this.seed = parts.seed;
    this.#device = parts.device;
    this.#ownsDevice = parts.ownsDevice;
    this.#entries = parts.entries;
    this.#tensors = new Map(parts.tensors.map((tensor) => [tensor.name, tensor]));
    this.#places = placesOf(parts.held);
    this.#memory = parts.memory;
    this.#kernels = parts.kernels;
    this.#profile = parts.profile ? new Profile(parts.device) : undefined;
    this.#bindings = new Bindings(
      parts.program,
      parts.sizes,
      (sizes) => this.#bind(sizes),
      ({ prepared }) => forget(prepared),
    );
  }

  get sizes(): Sizes {
    return this.#bindings.current.sizes;
  }
  get bytes(): number {
    return this.#memory.bytes;
  }
  get entries(): readonly string[] {
    return [...this.#entries.keys()];
  }
  get where(): string {
    const { precision } = this.program;
    return precision === undefined ? this.#device.name : `${this.#device.name}, ${precision}`;
  }

  prepare(entry: string): void {
    this.#open();
    const ready = this.#ready(this.#bindings.current, entry);
    if (this.#profile === undefined) ready.graph ??= captureGraph(this.#device, ready.launches, entry);
  }

  run(entry: string, inputs: Inputs, options?: RunOptions): Outputs {
    return this.#bindings.current.run(entry, inputs, options) as Outputs;
  }

  /** Milliseconds of one run on the device: the mean of `runs` that follow each other, with inputs that are there already. */
  measure(entry: string, inputs: Inputs, runs: number): number {
    const ready = this.#start(this.#bindings.current, entry, inputs);
    const graph = (ready.graph ??= captureGraph(this.#device, ready.launches, entry));
    return milliseconds(this.#device, runs, () => graph.run(`while measuring \`${entry}\``));
  }

  bind(sizes: Sizes): ExecutorBinding {
    return this.#bindings.at(sizes);
  }

  resize(sizes: Sizes): void {
    this.#bindings.resize(sizes);
  }

  tensors(): readonly Tensor[] {
    return [...this.#tensors.values()];
  }

  read(name: string): Values {
    this.#open();
    const [place] = this.#stored(name);
    return this.#memory.read([this.#placeOf(place!)], `while reading \`${name}\``)[0]!;
  }

  snapshot(names: readonly string[]): ReadonlyMap<string, Values> {
    return new Map(names.map((name) => [name, this.read(name)]));
  }

  write(name: string, values: ArrayLike<number>): void {
    this.#open();
    const places = this.#stored(name);
    const tensor = this.#tensor(name);
    const length = elementsOf(tensor);
    if (values.length !== length) throw wrongLength(tensor, length, values.length);
    for (const place of places) this.#memory.write(this.#placeOf(place).address, valuesFor(place, values));
  }

  clear(name: string): void {
    this.#open();
    for (const place of this.#stored(name)) {
      const { address, type, length } = this.#placeOf(place);
      this.#memory.clear(address, bytesOf(type) * length);
    }
  }

  load(values: ReadonlyMap<string, Values>): void {
    for (const name of this.#tensors.keys()) {
      const given = values.get(name);
      if (given !== undefined) this.write(name, given);
    }
  }

  initialise(seed: number = this.seed): void {
    initialiseAll(this.#tensors, seed, { write: (name, values) => this.write(name, values) });
  }

  timings(): readonly Timing[] {
    return this.#profile?.timings() ?? [];
  }

  trace(entry: string, inputs: Inputs, visit: Visit): void {
    const ready = this.#start(this.#bindings.current, entry, inputs);
    const values = (buffer: BoundBuffer): Values =>
      this.#memory.read([buffer], `while tracing \`${entry}\``)[0]!;
    for (const [at, dispatch] of ready.dispatches.entries()) {
      for (const { fresh, address, type, length } of dispatch.buffers)
        if (fresh) this.#memory.clear(address, bytesOf(type) * length);
      launch(this.#device, ready.launches[at]!);
      if (!visit(dispatch, values, at)) return;
    }
  }

  /** Frees the device's memory. The session cannot be used afterwards. */
  dispose(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { prepared } of this.#bindings.all()) forget(prepared);
    this.#profile?.dispose();
    this.#kernels.dispose();
    this.#memory.dispose();
    if (this.#ownsDevice) this.#device.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #open(): void {
    if (this.#closed) throw disposed(`the model ${this.program.name}`);
  }

  #tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw unknownTensor(this.program, name);
  }

  /** Where a tensor's values lie. */
  #stored(name: string): readonly Stored[] {
    return this.#places.get(this.#tensor(name).name)!;
  }

  #placeOf(stored: Stored): Pick<BoundBuffer, "address" | "type" | "length"> {
    const { name, type } = stored;
    return { address: this.#memory.tensors.get(name)!, type, length: elementsOf(stored) };
  }

  #bind(sizes: Sizes): Bound {
    const bound: Bound = {
      sizes,
      prepared: new Map(),
      run: (entry, inputs, options) => this.#run(bound, entry, inputs, options),
    };
    return bound;
  }

  #run(bound: Bound, entry: string, inputs: Inputs, options: RunOptions = {}): Outputs {
    const ready = this.#start(bound, entry, inputs);
    const doing = `while running \`${entry}\``;
    if (this.#profile !== undefined) this.#profile.run(entry, ready.launches, ready.dispatches);
    else if (isStepwise()) launchStepwise(this.#device, ready.launches);
    else {
      ready.graph ??= captureGraph(this.#device, ready.launches, entry);
      ready.graph.run(doing);
    }
    const places = ready.outputs.filter(({ port }) => options.outputs?.includes(port.name) !== false);
    if (places.length === 0) return {};
    const values = this.#memory.read(
      places.map(({ port: { type }, address, length }) => ({ type, address, length })),
      doing,
    );
    return Object.fromEntries(places.map(({ port }, at) => [port.name, values[at]!]));
  }

  /** Everything of a run but the run. */
  #start(bound: Bound, name: string, inputs: Inputs): Ready {
    this.#open();
    const ready = this.#ready(bound, name);
    writeInputs(ready.host, name, ready.hostPlaces, inputs, this.seed);
    ready.inputs.forEach(({ address, length }, at) => {
      const from = ready.hostPlaces[at]!.address;
      this.#memory.write(address, new Uint8Array(ready.host, from, 4 * length));
    });
    return ready;
  }

  #ready(bound: Bound, name: string): Ready {
    const known = bound.prepared.get(name);
    return known?.arena === this.#memory.arena ? known : this.#prepare(bound, name);
  }

  #prepare(bound: Bound, name: string): Ready {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw unknownEntry(this.program, name, this.entries);
    bound.prepared.get(name)?.graph?.dispose();
    const layout = layoutArena(entry, bound.sizes);
    const fullest = entry.dispatches[layout.busiest];
    this.#memory.fit(layout.bytes, name, fullest === undefined ? "inputs and outputs" : inWords(fullest));
    const { tensors, arena } = this.#memory;
    const addresses = { tensors, arena, kernel: () => notCalled };
    const { program, functions } = this.#kernels;
    const prepared = prepareEntry(program, entry, bound.sizes, addresses, layout);
    for (const dispatch of prepared.dispatches) {
      checkApart(dispatch);
      checkLengths(dispatch);
    }
    let top = 0;
    const hostPlaces = prepared.inputs.map((place): Place => {
      const address = top;
      top += 4 * place.length;
      return { ...place, address };
    });
    const ready: Ready = {
      ...prepared,
      launches: launchesOf(this.#device.driver, prepared.calls, program.kernels, functions),
      graph: undefined,
      arena,
      host: new ArrayBuffer(top),
      hostPlaces,
    };
    bound.prepared.set(name, ready);
    return ready;
  }
}

/** Calls are launched, not called. */
const notCalled = (): never => {
  throw new Error("internal: a kernel of a GPU is not a function");
};

function forget(prepared: Map<string, Ready>): void {
  for (const { graph } of prepared.values()) graph?.dispose();
  prepared.clear();
}

/** Kernels count elements in 32 bits. */
function checkLengths(dispatch: DispatchInfo): void {
  for (const { name, length } of dispatch.buffers)
    if (length >= 2 ** 31)
      throw new UserError(
        "R0705",
        `${inWords(dispatch)} needs ${length} elements of ${name}, and a kernel can count 2,147,483,647`,
        {
          help: "make the batch smaller (`accumulate` computes the same step in parts), or the model",
        },
      );
}

/** Kernels take it on trust that what they write is not also what they read by another name. */
function checkApart({ label, buffers }: DispatchInfo): void {
  for (const [at, one] of buffers.entries())
    for (const other of buffers.slice(at + 1)) {
      if (one.access === "read" && other.access === "read") continue;
      const end = ({ address, type, length }: BoundBuffer): number => address + bytesOf(type) * length;
      if (end(one) > other.address && end(other) > one.address)
        throw new Error(`internal: \`${label}\` binds ${one.name} and ${other.name}, which overlap`);
    }
}

interface Parts extends Opening {
  readonly device: CudaDevice;
  readonly ownsDevice: boolean;
  readonly tensors: readonly Tensor[];
  /** What is in memory for them. */
  readonly held: readonly Stored[];
  readonly memory: CudaMemory;
  readonly kernels: CudaKernels;
}

/** Loads a program. Errors: R0505 no such entry, R0506 sizes, R0607 a program for something else, R0701 no driver, R0702 driver too old, R0703 no
 * device, R0704 kernels that the device does not take, R0705 memory. */
export function openCuda(program: Program, code: CudaCode, options: CudaOptions = {}): CudaSession {
  const opening = openingOf(program, "cuda", options);
  const names = [...opening.entries.keys()];
  const device = options.device ?? openCudaDevice();
  const memory = new CudaMemory(device);
  let kernels: CudaKernels | undefined;
  try {
    const [tensors, held] = [heldTensors(program, names), heldMemory(program, names)];
    const { entries, sizes } = opening;
    const largest = [...entries.values()].map((entry) => layoutArena(entry, sizes).bytes);
    memory.hold(held, Math.max(0, ...largest));
    kernels = loadKernels(device, program, code, names);
    const session = new CudaSession({
      ...opening,
      ...{ device, ownsDevice: options.device === undefined, tensors, held, memory, kernels },
    });
    if (options.initialise !== false) session.initialise();
    return session;
  } catch (error) {
    kernels?.dispose();
    memory.dispose();
    if (options.device === undefined) device.dispose();
    throw error;
  }
}
