// Loaded model: what a generated module's `load` gives. A session with names and shapes around it: inputs as nested or shaped
// arrays, whose symbolic sizes follow from what is given; training step by step; text in, text out; weights.
// In: the places of the files that `moe build` wrote. The module's declarations say the same with the exact types of one
// model; here every model is the same. One call at a time: a text that is being generated has the session's caches.

import { heldMemory, isCache, savedTensors } from "./arena-plan.ts";
import { UserError } from "./errors.ts";
import type { Executor } from "./executor.ts";
import { inputsOf } from "./evaluate.ts";
import { generate, type GenerateOptions } from "./generate.ts";
import {
  openModelData,
  type DataOptions,
  type ModelData,
  type ShapedBatch,
  type Sources,
} from "./model-data.ts";
import { readBytes, weightsTrouble, type BytesSource } from "./model-files.ts";
import { unstarted } from "./model-start.ts";
import type { Entry, Program, Tensor } from "./program.ts";
import type { Outputs, Values } from "./session-values.ts";
import { elements, flatten, type Shape, type Shaped } from "./shaped.ts";
import { shapedInputs } from "./shaped-inputs.ts";
import { evaluate } from "./size.ts";
import { streamingDecoder, type Tokenizer } from "./tokenizer.ts";
import { diagnose, diagnoseGradient } from "./train-diagnose.ts";
import { decodeWeights, encodeWeights, type Weights } from "./weights.ts";

type AnyShaped = Shaped<"f32" | "i32", Shape>;
type Given = Readonly<Record<string, unknown>>;

export interface TextOptions extends Omit<GenerateOptions, "prompt" | "stop" | "inputs"> {
  /** Ends at the token that stands after a document; default true. */
  readonly stopAtEnd?: boolean;
}
export interface TokenOptions extends Omit<GenerateOptions, "prompt" | "inputs"> {}

/** Use a generated module's `load`, or `openModel`. */
export class LoadedModel {
  readonly program: Program;
  /** For what is not here: whole runs with `train`, timings, single entries. */
  readonly session: Executor;
  /** Optimiser steps done; schedules go by it. Loaded weights bring theirs. */
  step = 0;
  /** Whether its tensors are what training begins with: they are not while the recipe's `start` is missing. */
  #begun: boolean;
  #tokenizers: Readonly<Record<string, Tokenizer>>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(program: Program, session: Executor, tokenizers: Readonly<Record<string, Tokenizer>>) {
    this.program = program;
    this.session = session;
    this.#begun = program.training?.start === undefined;
    this.#tokenizers = tokenizers;
  }

  /** Gives tensors the values that the recipe's `start` makes for them; the others keep their initialisers. */
  begin(values: ReadonlyMap<string, Values>): void {
    this.session.load(values);
    this.#begun = true;
  }

  get name(): string {
    return this.program.name;
  }

  forward(inputs: Given): Promise<Record<string, AnyShaped>> {
    return this.#inTurn(async () => (await this.#run("forward", inputs)).shaped);
  }

  evaluate(batch: Given): Promise<Record<string, number>> {
    return this.#inTurn(async () => this.#metrics((await this.#run("evaluate", batch)).outputs));
  }

  async routes(batch: Given): Promise<Record<string, { load: AnyShaped; picks: AnyShaped }>> {
    const { shaped } = await this.#inTurn(() => this.#run("evaluate", batch));
    return Object.fromEntries(
      this.program.routers.map(({ name, load, picks }) => [
        name,
        { load: shaped[load]!, picks: shaped[picks]! },
      ]),
    );
  }

  trainStep(given: Given | readonly Given[]): Promise<Record<string, number>> {
    return this.#inTurn(() => this.#trainStep(given));
  }

  async #trainStep(given: Given | readonly Given[]): Promise<Record<string, number>> {
    const { training } = this.program;
    const entry = this.#entry("train");
    const update = this.#entry("update");
    if (!this.#begun) throw unstarted(this.program, training!.start!);
    const accumulate = training?.accumulate ?? 1;
    const batches = Array.isArray(given) ? (given as readonly Given[]) : [given as Given];
    if (batches.length !== accumulate)
      throw new UserError(
        "R0504",
        `a step of ${this.name} takes ${accumulate} batches, not ${batches.length}`,
        {
          help:
            accumulate === 1
              ? "give one batch"
              : `give an array of ${accumulate} batches (\`accumulate\` in the recipe)`,
        },
      );
    // All of them before the first one runs: a mistake in the second must not leave half a step behind.
    const checked = batches.map((batch) => shapedInputs(entry, batch, this.program.modalities));
    const { seed } = this.session;
    const sums = new Map<string, number>();
    const fail = (why: string): never => {
      this.#clearCarry();
      throw new UserError("R0301", `step ${this.step + 1} went wrong: ${why}`, {
        help: "load earlier weights; lower the learning rate, warm up longer or clip the gradient",
      });
    };
    for (const [micro, { sizes, inputs }] of checked.entries()) {
      const scalars = { $step: this.step, $draw: this.step * accumulate + micro, $seed: seed };
      this.session.resize(sizes);
      const outputs = await this.session.run("train", { ...inputs, ...inputsOf(entry, {}, scalars) });
      const loss = outputs["loss"]?.[0] ?? 0;
      if (!Number.isFinite(loss)) {
        const batch = inputs as Readonly<Record<string, Values>>;
        fail(`its loss is ${loss}: ${await diagnose(this.session, batch, scalars)}`);
      }
      for (const [name, value] of Object.entries(this.#metrics(outputs)))
        sums.set(name, (sums.get(name) ?? 0) + value / accumulate);
    }
    const scalars = { $step: this.step, $draw: this.step * accumulate, $seed: seed };
    const updated = await this.session.run("update", inputsOf(update, {}, scalars));
    const gradientNorm = updated[training?.norm ?? ""]?.[0] ?? NaN;
    if (updated[training?.norm ?? ""] !== undefined && !Number.isFinite(gradientNorm))
      fail(
        `its loss is finite, but the norm of its gradient is ${gradientNorm}: ${await diagnoseGradient(this.session)}`,
      );
    this.step++;
    const learningRate = updated[training?.rate ?? ""]?.[0] ?? NaN;
    return { step: this.step, learningRate, gradientNorm, ...Object.fromEntries(sums) };
  }

  /** Batches of data in memory, as the recipe makes them. Gives the model its tokenizer when it has none. */
  async data(sources: Sources, options: DataOptions = {}): Promise<ModelData<ShapedBatch>> {
    const { data, tokenizers } = await openModelData(this.program, sources, options, this.#tokenizers);
    this.#tokenizers = { ...tokenizers, ...this.#tokenizers };
    return data;
  }

  /** How text becomes tokens; undefined until weights, data or the option `tokenizer` have brought it. */
  get tokenizer(): Tokenizer | undefined {
    const text = this.program.modalities.find(({ kind }) => kind === "tokens");
    return text === undefined ? undefined : this.#tokenizers[text.name];
  }

  encode(text: string): Int32Array {
    return this.#tokenizer().encode(text);
  }

  decode(ids: ArrayLike<number>): string {
    return this.#tokenizer().decode(ids);
  }

  async *generate(
    prompt: string,
    options: TextOptions & { inputs?: Given } = {},
  ): AsyncGenerator<string, void, void> {
    const tokenizer = this.#tokenizer();
    const decoder = streamingDecoder(tokenizer);
    const { stopAtEnd = true, ...rest } = options;
    const stop = stopAtEnd ? { stop: tokenizer.end } : {};
    for await (const id of this.generateTokens(tokenizer.encode(prompt), { ...rest, ...stop })) {
      const text = decoder.push(id);
      if (text !== "") yield text;
    }
    const last = decoder.finish();
    if (last !== "") yield last;
  }

  generateTokens(
    prompt: ArrayLike<number>,
    { inputs = {}, ...options }: TokenOptions & { inputs?: Given } = {},
  ): AsyncGenerator<number, void, void> {
    const flat = Object.fromEntries(
      Object.entries(inputs).map(([name, given]) => [name, flatten(name, given).values]),
    );
    return generate(this.session, { ...options, prompt, inputs: flat });
  }

  /** Shapes of parameters and of the state of layers, by name. */
  get parameters(): Readonly<Record<string, { readonly type: Tensor["type"]; readonly shape: Shape }>> {
    return Object.fromEntries(this.#named().map(({ name, type, shape }) => [name, { type, shape }]));
  }

  /** A copy of a parameter or of a layer's state. */
  async parameter(name: string): Promise<AnyShaped> {
    const { shape } = this.#tensor(name);
    return { shape, values: await this.session.read(name) };
  }

  setParameter(name: string, given: unknown): void {
    const { shape } = this.#tensor(name);
    const flat = flatten(name, given);
    if (flat.shape.join() !== shape.join())
      throw new UserError("R0505", `\`${name}\` is [${shape.join(", ")}], not [${flat.shape.join(", ")}]`, {
        help: `give ${elements(shape)} values of this shape`,
      });
    this.session.write(name, flat.values);
  }

  saveWeights(options: { readonly optimiser?: boolean } = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { optimiser = false } = options;
    const saved = savedTensors(this.program).filter(({ role }) => role !== "optimiser" || optimiser);
    const held = new Set(heldMemory(this.program, this.session.entries).map(({ name }) => name));
    const rounded = saved.find(({ name, role }) => role === "parameter" && !held.has(name));
    if (rounded !== undefined)
      throw new UserError("R0609", `\`${rounded.name}\` is there in ${this.program.precision} only`, {
        help: "open the model with `training: true`, or build it without `--precision`",
      });
    return this.#inTurn(async () => {
      const values = await this.session.snapshot(saved.map(({ name }) => name));
      return encodeWeights(this.program, (name) => values.get(name)!, { step: this.step, optimiser });
    });
  }

  async loadWeights(source: BytesSource): Promise<void> {
    const { bytes, name } = await readBytes(source, weightsTrouble);
    const weights = decodeWeights(this.program, bytes, name);
    await this.#inTurn(async () => this.#take(weights));
  }

  #take(weights: Weights): void {
    // Momenta of other weights would be wrong for these.
    for (const tensor of this.session.tensors())
      if (tensor.role === "optimiser" && !weights.optimiser) this.session.clear(tensor.name);
    this.#clearCarry();
    this.session.load(weights.tensors);
    this.#begun = true;
    this.step = weights.step ?? 0;
  }

  /** Frees its threads, or its memory on the GPU. The model cannot be used afterwards. */
  dispose(): void {
    this.session.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What is asked for while something is being done waits for it: half a step is no state to look at. */
  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(act);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #run(name: string, given: Given): Promise<{ outputs: Outputs; shaped: Record<string, AnyShaped> }> {
    const entry = this.#entry(name);
    const { sizes, inputs } = shapedInputs(entry, given, this.program.modalities);
    const scalars = inputsOf(entry, {}, { $step: this.step, $draw: 0, $seed: this.session.seed });
    this.session.resize(sizes);
    const bound = this.session.sizes;
    const outputs = await this.session.run(name, { ...inputs, ...scalars });
    const shaped: Record<string, AnyShaped> = {};
    for (const { name: port, shape } of entry.outputs)
      shaped[port] = {
        shape: shape.map((size) => evaluate(size, bound)),
        values: outputs[port]!,
      };
    return { outputs, shaped };
  }

  #entry(name: string): Entry {
    const entry = this.program.entries[name];
    const trains = name === "train" || name === "update";
    if (entry !== undefined && this.session.entries.includes(name)) return entry;
    if (entry !== undefined)
      throw new UserError("R0505", `the model ${this.name} was loaded without \`${name}\``, {
        help: "load it without `training: false`",
      });
    throw new UserError(trains ? "R0303" : "R0505", `the model ${this.name} was built without \`${name}\``, {
      help: trains
        ? "add a `loss` and a `train` block to the `.moe` file, and build again"
        : "add a `loss` to the `.moe` file, and build again",
    });
  }

  /** Scalars only: loads and picks have their own method. */
  #metrics(outputs: Outputs): Record<string, number> {
    return Object.fromEntries(
      metricNames(this.program).flatMap((name) => {
        const value = outputs[name];
        return value?.length === 1 ? [[name, value[0]!]] : [];
      }),
    );
  }

  #named(): readonly Tensor[] {
    return this.program.tensors.filter((tensor) => isNamed(tensor));
  }

  #tensor(name: string): Tensor {
    const tensor = this.program.tensors.find((each) => each.name === name);
    if (tensor !== undefined && isNamed(tensor)) return tensor;
    throw new UserError("R0505", `the model ${this.name} has no parameter \`${name}\``, {
      help: "`parameters` lists the names",
    });
  }

  #tokenizer(): Tokenizer {
    const { tokenizer } = this;
    if (tokenizer !== undefined) return tokenizer;
    throw new UserError("R0401", `the model ${this.name} has no tokenizer, so it knows no text`, {
      help: "load it with the folder of its run as `weights`, or with `tokenizer`; tokens work without",
    });
  }

  #clearCarry(): void {
    for (const { name, role } of this.session.tensors()) if (role === "carry") this.session.clear(name);
  }
}

const isNamed = (tensor: Tensor): boolean =>
  tensor.role === "parameter" || (tensor.role === "state" && !isCache(tensor));

/** Scalar outputs of `evaluate`: what a model without a recipe reports. */
export const metricNames = (program: Program): readonly string[] =>
  program.training?.metrics ??
  (program.entries["evaluate"]?.outputs ?? [])
    .filter(({ shape }) => shape.length === 0)
    .map(({ name }) => name);
