// Session on a GPU by WebGPU: an executor. In: a program compiled for `webgpu` and its shaders. Tensors stay on the device; a run
// is one submission with one pass of many dispatches, and only the outputs that were asked for come back.
// Runs may be begun before the one before has answered: the device does them in order.
// Initial values are computed on the CPU, with the bits that they have everywhere.

import { heldTensors, withDefaults } from "../arena-plan.ts";
import type { Executor, ExecutorBinding, RunOptions, Timing, Visit } from "../executor.ts";
import { initialiseAll } from "../init.ts";
import type { Entry, Program, Tensor } from "../program.ts";
import { checkSizes, unknownEntry, unknownTensor, wrongLength, wrongTarget } from "../session-checks.ts";
import type { BoundBuffer } from "../session-entry.ts";
import { writeInputs, type Inputs, type Outputs, type Values } from "../session-values.ts";
import type { Sizes } from "../size.ts";
import { findDevice, ofDevice, type Device } from "./device.ts";
import { prepareEntry, stepsOf, type PreparedEntry, type Step } from "./entry.ts";
import { GpuMemory, tensorLength } from "./memory.ts";
import { makePipelines, type Pipeline } from "./pipelines.ts";
import { Profile } from "./profile.ts";
import { ReadBack, type Source } from "./read-back.ts";

export interface WebGpuOptions {
  /** Values of symbolic sizes; the program's defaults for those not given. */
  readonly sizes?: Sizes;
  /** Keys the initial values, and `$seed` where an entry asks for it. Default: the recipe's. */
  readonly seed?: number;
  /** The entries that will be run; default: all. */
  readonly entries?: readonly string[];
  /** False leaves all tensors zero: for callers that load a checkpoint next. */
  readonly initialise?: boolean;
  /** Measure each dispatch, where the device can. */
  readonly profile?: boolean;
  /** A device to share; it is then the caller's to dispose of. */
  readonly device?: Device;
}

interface Ready extends PreparedEntry {
  steps: readonly Step[];
  generation: number;
  readonly host: ArrayBuffer;
  /** Its first run is watched for what the device refuses. */
  proven: boolean;
}

interface Bound extends ExecutorBinding {
  readonly prepared: Map<string, Ready>;
}

/** Bindings kept ready; the one unused for longest goes first. */
const keptBindings = 16;

export class WebGpuSession implements Executor {
  readonly program: Program;
  readonly seed: number;
  readonly #device: Device;
  readonly #ownsDevice: boolean;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #memory: GpuMemory;
  readonly #pipelines: ReadonlyMap<number, Pipeline>;
  readonly #readBack: ReadBack;
  readonly #profile: Profile | undefined;
  readonly #bindings = new Map<string, Bound>();
  #current: Bound;
  /** The last run that was begun is submitted, or has failed. */
  #submitted: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** Use `openWebGpu` (open.ts). */
  constructor(parts: Parts) {
    this.program = parts.program;
    this.seed = parts.seed;
    this.#device = parts.device;
    this.#ownsDevice = parts.ownsDevice;
    this.#entries = parts.entries;
    this.#tensors = new Map(parts.tensors.map((tensor) => [tensor.name, tensor]));
    this.#memory = parts.memory;
    this.#pipelines = parts.pipelines;
    this.#readBack = new ReadBack(parts.device);
    this.#profile = parts.profile ? new Profile(parts.device) : undefined;
    this.#current = this.#bound(parts.sizes);
  }

  get sizes(): Sizes {
    return this.#current.sizes;
  }
  get bytes(): number {
    return this.#memory.bytes;
  }
  get entries(): readonly string[] {
    return [...this.#entries.keys()];
  }
  get where(): string {
    return this.#device.name;
  }

  async prepare(entry: string): Promise<void> {
    await this.#ready(this.#current, entry);
  }

  run(entry: string, inputs: Inputs, options?: RunOptions): Promise<Outputs> {
    return this.#run(this.#current, entry, inputs, options);
  }

  bind(sizes: Sizes): ExecutorBinding {
    return this.#bound({ ...this.#current.sizes, ...sizes });
  }

  resize(sizes: Sizes): void {
    this.#current = this.#bound({ ...this.#current.sizes, ...sizes });
  }

  tensors(): readonly Tensor[] {
    return [...this.#tensors.values()];
  }

  async read(name: string): Promise<Values> {
    return (await this.snapshot([name])).get(name)!;
  }

  async snapshot(names: readonly string[]): Promise<ReadonlyMap<string, Values>> {
    await this.#submitted;
    this.#open();
    const values = await this.#readBack.read(names.map((name) => this.#source(this.#tensor(name))));
    return new Map(names.map((name, at) => [name, values[at]!]));
  }

  write(name: string, values: ArrayLike<number>): void {
    this.#open();
    const tensor = this.#tensor(name);
    const length = tensorLength(tensor);
    if (values.length !== length) throw wrongLength(tensor, length, values.length);
    const kind = tensor.type === "f32" ? Float32Array : Int32Array;
    // What is of the right kind already is not copied once more; shared memory must be.
    const ready = values instanceof kind && values.buffer instanceof ArrayBuffer;
    const numbers = (ready ? values : kind.from(values)) as Float32Array<ArrayBuffer>;
    this.#device.gpu.queue.writeBuffer(this.#memory.tensor(name), 0, numbers);
  }

  clear(name: string): void {
    this.#open();
    this.#tensor(name);
    const encoder = this.#device.gpu.createCommandEncoder();
    encoder.clearBuffer(this.#memory.tensor(name));
    this.#device.gpu.queue.submit([encoder.finish()]);
  }

  load(values: ReadonlyMap<string, Values>): void {
    for (const name of this.#tensors.keys()) {
      const given = values.get(name);
      if (given !== undefined) this.write(name, given);
    }
  }

  initialise(seed: number = this.seed): void {
    initialiseAll(this.#tensors, seed, (name, values) => this.write(name, values));
  }

  timings(): readonly Timing[] {
    return this.#profile?.timings() ?? [];
  }

  async trace(entry: string, inputs: Inputs, visit: Visit): Promise<void> {
    const ready = await this.#ready(this.#current, entry);
    const { gpu } = this.#device;
    this.#writeInputs(ready, inputs);
    for (const [at, dispatch] of ready.dispatches.entries()) {
      const encoder = gpu.createCommandEncoder();
      for (const buffer of dispatch.buffers)
        if (buffer.fresh) {
          const { buffer: target, offset, length } = this.#placeOf(ready, buffer);
          if (length > 0) encoder.clearBuffer(target, offset, 4 * length);
        }
      const pass = encoder.beginComputePass();
      record(pass, ready.steps[at]!);
      pass.end();
      const { values } = this.#readBack.record(
        encoder,
        dispatch.buffers.map((buffer) => this.#placeOf(ready, buffer)),
      );
      gpu.queue.submit([encoder.finish()]);
      const found = await values();
      const of = (buffer: BoundBuffer): Values => found[dispatch.buffers.indexOf(buffer)]!;
      if (!visit(dispatch, of, at)) return;
    }
  }

  /** Frees the device's memory. The session cannot be used afterwards. */
  dispose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.dispose();
    this.#readBack.dispose();
    this.#profile?.dispose();
    if (this.#ownsDevice) this.#device.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #open(): void {
    if (this.#closed) throw new Error("internal: the session was disposed");
    this.#device.check();
  }

  #tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw unknownTensor(this.program, name);
  }

  #source(tensor: Tensor): Source {
    const { name, type } = tensor;
    return { buffer: this.#memory.tensor(name), offset: 0, type, length: tensorLength(tensor) };
  }

  #bound(sizes: Sizes): Bound {
    checkSizes(this.program, sizes);
    const key = JSON.stringify(Object.entries(sizes).sort(([a], [b]) => (a < b ? -1 : 1)));
    const bound: Bound = this.#bindings.get(key) ?? {
      sizes,
      prepared: new Map(),
      run: (entry, inputs, options) => this.#run(bound, entry, inputs, options),
    };
    // A map keeps the order of insertion: the first is the one unused for longest.
    this.#bindings.delete(key);
    this.#bindings.set(key, bound);
    for (const [old, other] of this.#bindings) {
      if (this.#bindings.size <= keptBindings) break;
      if (other !== this.#current && other !== bound) this.#bindings.delete(old);
    }
    return bound;
  }

  async #run(bound: Bound, entry: string, inputs: Inputs, options?: RunOptions): Promise<Outputs> {
    // A run whose entry has to be made ready first must not be overtaken.
    const submitting = this.#submitted.then(() => this.#submit(bound, entry, inputs, options));
    this.#submitted = submitting.catch(() => undefined);
    return (await submitting)();
  }

  /** Gives what waits for the answer. */
  async #submit(
    bound: Bound,
    entry: string,
    inputs: Inputs,
    options: RunOptions = {},
  ): Promise<() => Promise<Outputs>> {
    const ready = await this.#ready(bound, entry);
    const { gpu, name } = this.#device;
    // From here to the submission nothing waits: what other runs do comes before all of it, or after.
    this.#writeInputs(ready, inputs);
    const watched = !ready.proven;
    ready.proven = true;
    if (watched) gpu.pushErrorScope("validation");
    const encoder = gpu.createCommandEncoder({ label: entry });
    if (this.#profile === undefined) {
      const pass = encoder.beginComputePass();
      for (const step of ready.steps) record(pass, step);
      pass.end();
    } else
      this.#profile.record(
        encoder,
        ready,
        ready.steps.map((step) => (pass) => record(pass, step)),
      );
    const ports = ready.entry.outputs.filter((port) => options.outputs?.includes(port.name) !== false);
    const back = this.#readBack.record(
      encoder,
      ports.map((port) => this.#outputOf(ready, port.name)),
    );
    gpu.queue.submit([encoder.finish()]);
    // A device that is lost meanwhile says so when its values are asked for.
    const refused = watched ? gpu.popErrorScope().catch(() => null) : Promise.resolve(null);
    return async () => {
      const error = await refused;
      if (error !== null) throw ofDevice(error, name, `\`${entry}\``);
      const values = await back.values();
      await this.#profile?.collect();
      return Object.fromEntries(ports.map((port, at) => [port.name, values[at]!]));
    };
  }

  async #ready(bound: Bound, name: string): Promise<Ready> {
    this.#open();
    const ready = bound.prepared.get(name) ?? this.#prepare(bound, name);
    // Pools may have moved, or be gone: who asks for too much loses them all.
    while (ready.generation !== this.#memory.generation) {
      const growing = this.#memory.fit(ready.layout, name);
      if (growing !== undefined) {
        await growing;
        this.#open();
        continue;
      }
      ready.steps = stepsOf(this.program, ready, this.#device.gpu, this.#memory, this.#pipelines);
      ready.generation = this.#memory.generation;
    }
    return ready;
  }

  #prepare(bound: Bound, name: string): Ready {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw unknownEntry(this.program, name, this.entries);
    const prepared = prepareEntry(this.program, entry, bound.sizes, this.#device.gpu.limits);
    const host = new ArrayBuffer(prepared.layout.inputBytes);
    const ready: Ready = { ...prepared, steps: [], generation: -1, host, proven: false };
    bound.prepared.set(name, ready);
    return ready;
  }

  #writeInputs(ready: Ready, inputs: Inputs): void {
    writeInputs(ready.host, ready.entry.name, ready.inputs, inputs, this.seed);
    if (ready.host.byteLength > 0) this.#device.gpu.queue.writeBuffer(this.#memory.inputs, 0, ready.host);
  }

  #outputOf({ layout, dispatches }: Ready, name: string): Source {
    const { pool, offset } = layout.outputs.get(name)!;
    for (const { buffers } of dispatches)
      for (const { ref, type, length } of buffers)
        if (ref.kind === "output" && ref.name === name)
          return { buffer: this.#memory.pool(pool), offset, type, length };
    throw new Error(`internal: nothing writes the output ${name}`);
  }

  #placeOf({ layout }: Ready, { ref, type, length }: BoundBuffer): Source {
    if (ref.kind === "tensor") return this.#source(this.#tensor(ref.name));
    if (ref.kind === "input")
      return { buffer: this.#memory.inputs, offset: layout.inputs.get(ref.name)!.offset, type, length };
    const spot = ref.kind === "output" ? layout.outputs.get(ref.name)! : layout.temporaries[ref.index]!;
    return { buffer: this.#memory.pool(spot.pool), offset: spot.offset, type, length };
  }
}

function record(pass: GPUComputePassEncoder, { pipeline, group, x, y }: Step): void {
  if (x === 0) return;
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(x, y);
}

interface Parts {
  readonly program: Program;
  readonly seed: number;
  readonly profile: boolean;
  readonly sizes: Sizes;
  readonly device: Device;
  readonly ownsDevice: boolean;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly tensors: readonly Tensor[];
  readonly memory: GpuMemory;
  readonly pipelines: ReadonlyMap<number, Pipeline>;
}

/** See `openWebGpu` in open.ts. */
export async function openWebGpuSession(
  program: Program,
  shaders: readonly string[],
  options: WebGpuOptions = {},
): Promise<WebGpuSession> {
  if (program.target !== "webgpu") throw wrongTarget(program, "webgpu");
  const sizes = withDefaults(program, options.sizes);
  checkSizes(program, sizes);
  const names = options.entries ?? Object.keys(program.entries);
  const entries = new Map<string, Entry>();
  for (const name of names) {
    const entry = program.entries[name];
    if (entry === undefined) throw unknownEntry(program, name, Object.keys(program.entries));
    entries.set(name, entry);
  }
  const device = options.device ?? (await findDevice());
  const memory = new GpuMemory(device);
  try {
    const tensors = heldTensors(program, names);
    await memory.hold(tensors);
    const session = new WebGpuSession({
      program,
      seed: options.seed ?? program.training?.seed ?? 0,
      profile: options.profile ?? false,
      sizes,
      device,
      ownsDevice: options.device === undefined,
      entries,
      tensors,
      memory,
      pipelines: await makePipelines(device, program, shaders, names),
    });
    if (options.initialise !== false) session.initialise();
    return session;
  } catch (error) {
    memory.dispose();
    if (options.device === undefined) device.dispose();
    throw error;
  }
}
