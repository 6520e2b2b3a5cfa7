// Session on a GPU by WebGPU: an executor. In: a program compiled for `webgpu` and its shaders. Tensors stay on the device; a run
// is one submission with one pass of many dispatches, and only the outputs that were asked for come back.
// Runs may be begun before the one before has answered: the device does them in order.
// Initial values are computed on the CPU, with the bits that they have everywhere.

import type { Shader } from "../artifact.ts";
import { heldMemory, heldTensors } from "../arena-plan.ts";
import { Bindings } from "../bindings.ts";
import type { Executor, ExecutorBinding, ExecutorOptions, RunOptions, Timing, Visit } from "../executor.ts";
import { wholeWords } from "../halves.ts";
import { initialiseAll } from "../init.ts";
import { inWords } from "../in-words.ts";
import type { Dispatch, Entry, Program, Tensor } from "../program.ts";
import { disposed, openingOf, unknownEntry, unknownTensor, type Opening } from "../session-checks.ts";
import type { BoundBuffer } from "../session-entry.ts";
import { writeInputs, type Inputs, type Outputs, type Values } from "../session-values.ts";
import type { Sizes } from "../size.ts";
import { checkPrecision, findDevice, ofDevice, refusalOf } from "./device.ts";
import type { Device, DeviceOptions } from "./device.ts";
import { prepareEntry, stepMaker, type PreparedEntry, type Step } from "./entry.ts";
import { GpuMemory } from "./memory.ts";
import { Pipelines, type EntryPipelines } from "./pipelines.ts";
import { Profile } from "./profile.ts";
import { joined, ReadBack, type Source } from "./read-back.ts";
import { GpuTensors } from "./tensors.ts";

export interface WebGpuOptions extends ExecutorOptions, Pick<DeviceOptions, "software"> {
  /** A device to share; it is then the caller's to dispose of. */
  readonly device?: Device;
}

interface Ready extends PreparedEntry {
  /** Of its kernels, once they are compiled. */
  pipelines: EntryPipelines | undefined;
  steps: readonly Step[];
  generation: number;
  readonly host: ArrayBuffer;
  /** Its first run is watched for what the device refuses. */
  proven: boolean;
}

interface Bound extends ExecutorBinding {
  readonly prepared: Map<string, Ready>;
}

export class WebGpuSession implements Executor {
  readonly program: Program;
  readonly seed: number;
  readonly #device: Device;
  readonly #ownsDevice: boolean;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #stored: GpuTensors;
  readonly #memory: GpuMemory;
  readonly #pipelines: Pipelines;
  readonly #readBack: ReadBack;
  readonly #profile: Profile | undefined;
  readonly #bindings: Bindings<Bound>;
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
    this.#stored = parts.stored;
    this.#memory = parts.memory;
    this.#pipelines = parts.pipelines;
    this.#readBack = new ReadBack(parts.device);
    this.#profile = parts.profile ? new Profile(parts.device) : undefined;
    this.#bindings = new Bindings(parts.program, parts.sizes, (sizes) => this.#bind(sizes));
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
    return this.#device.name;
  }

  async prepare(entry: string): Promise<void> {
    await this.#ready(this.#bindings.current, entry);
  }

  run(entry: string, inputs: Inputs, options?: RunOptions): Promise<Outputs> {
    return this.#run(this.#bindings.current, entry, inputs, options);
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

  async read(name: string): Promise<Values> {
    return (await this.snapshot([name])).get(name)!;
  }

  async snapshot(names: readonly string[]): Promise<ReadonlyMap<string, Values>> {
    await this.#submitted;
    this.#open();
    const tensors = names.map((name) => this.#tensor(name));
    const values = await this.#readBack.read(tensors.flatMap((tensor) => this.#stored.sources(tensor)));
    return new Map(tensors.map((tensor) => [tensor.name, joined(values.splice(0, tensor.parts ?? 1))]));
  }

  write(name: string, values: ArrayLike<number>): void {
    this.#open();
    this.#stored.write(this.#tensor(name), values);
  }

  clear(name: string): void {
    this.#open();
    this.#stored.clear(this.#tensor(name));
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

  async trace(entry: string, inputs: Inputs, visit: Visit): Promise<void> {
    const ready = await this.#ready(this.#bindings.current, entry);
    const { gpu } = this.#device;
    this.#writeInputs(ready, inputs);
    for (const [at, dispatch] of ready.dispatches.entries()) {
      const encoder = gpu.createCommandEncoder();
      for (const buffer of dispatch.buffers)
        if (buffer.fresh) {
          const { buffer: target, offset, length } = this.#placeOf(ready, buffer);
          if (length > 0) encoder.clearBuffer(target, offset, wholeWords(buffer.type, length));
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
    if (this.#closed) throw disposed(`the model ${this.program.name}`);
    this.#device.check();
  }

  #tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw unknownTensor(this.program, name);
  }

  #bind(sizes: Sizes): Bound {
    const bound: Bound = {
      sizes,
      prepared: new Map(),
      run: (entry, inputs, options) => this.#run(bound, entry, inputs, options),
    };
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
    const { gpu } = this.#device;
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
      if (error !== null) throw await this.#refusal(ready, error);
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
      const growing = this.#memory.fit(ready.entry, ready.layout);
      if (growing !== undefined) {
        await growing;
        this.#open();
        continue;
      }
      // What does not fit is refused before anything is compiled; meanwhile others may have moved the pools.
      if (ready.pipelines === undefined) {
        ready.pipelines = await this.#pipelines.of(ready.entry);
        this.#open();
        continue;
      }
      const { generation } = this.#memory;
      const make = this.#stepMaker(ready);
      const error = await refusalOf(this.#device.gpu, "validation", () => {
        ready.steps = ready.entry.dispatches.map(make);
      });
      this.#open();
      if (error !== null) throw await this.#refusal(ready, error);
      ready.generation = generation;
    }
    return ready;
  }

  #stepMaker(ready: Ready): (dispatch: Dispatch) => Step {
    return stepMaker(this.program, ready, this.#device.gpu, this.#memory, ready.pipelines!);
  }

  /** What the device refuses of an entry, as an error that says which kernel it is: each is encoded alone, and none is run. */
  async #refusal(ready: Ready, whole: GPUError): Promise<Error> {
    const { gpu, name } = this.#device;
    const make = this.#stepMaker(ready);
    for (const dispatch of ready.entry.dispatches) {
      const error = await refusalOf(gpu, "validation", () => {
        const encoder = gpu.createCommandEncoder();
        const pass = encoder.beginComputePass();
        record(pass, make(dispatch));
        pass.end();
        encoder.finish();
      });
      if (error === null) continue;
      const kernel = this.program.kernels[dispatch.kernel]!.name;
      return ofDevice(error, name, `the kernel ${kernel} (${inWords(dispatch)})`);
    }
    return ofDevice(whole, name, `\`${ready.entry.name}\``);
  }

  #prepare(bound: Bound, name: string): Ready {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw unknownEntry(this.program, name, this.entries);
    const prepared = prepareEntry(this.program, entry, bound.sizes, this.#device.gpu.limits);
    const host = new ArrayBuffer(prepared.layout.inputBytes);
    const ready: Ready = {
      ...prepared,
      ...{ pipelines: undefined, steps: [], generation: -1, host, proven: false },
    };
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
    if (ref.kind === "tensor") {
      const buffer = this.#memory.tensor(ref.name)[ref.part ?? 0]!;
      return { buffer, offset: 0, type, length };
    }
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

interface Parts extends Opening {
  readonly device: Device;
  readonly ownsDevice: boolean;
  readonly tensors: readonly Tensor[];
  readonly stored: GpuTensors;
  readonly memory: GpuMemory;
  readonly pipelines: Pipelines;
}

/** See `openWebGpu` in open.ts. */
export async function openWebGpuSession(
  program: Program,
  shaders: readonly Shader[],
  options: WebGpuOptions = {},
): Promise<WebGpuSession> {
  const opening = openingOf(program, "webgpu", options);
  const names = [...opening.entries.keys()];
  const device = options.device ?? (await findDevice(options));
  const memory = new GpuMemory(device);
  try {
    checkPrecision(device, program.precision);
    const held = heldMemory(program, names);
    await memory.hold(held);
    const session = new WebGpuSession({
      ...opening,
      device,
      ownsDevice: options.device === undefined,
      tensors: heldTensors(program, names),
      stored: new GpuTensors(device, memory, held),
      memory,
      pipelines: new Pipelines(device, program, shaders, opening.entries.values()),
    });
    if (options.initialise !== false) session.initialise();
    return session;
  } catch (error) {
    memory.dispose();
    if (options.device === undefined) device.dispose();
    throw error;
  }
}
