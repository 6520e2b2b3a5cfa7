// The declarations of a generated module (`small.d.ts`): one interface for the model, and one for each of its inputs, outputs,
// metrics, parameters and data. In: the program and its docs. Out: TypeScript text, not yet formatted. What the methods do is
// runtime/model.ts; a method is declared only where the program has what it needs.

import { createRequire } from "node:module";
import type {
  FunctionDeclarationStructure,
  InterfaceDeclarationStructure,
  StatementStructures,
} from "ts-morph";
import { isCache } from "../../runtime/arena-plan.ts";
import { metricNames } from "../../runtime/model.ts";
import type { Entry, Port, Program, Tensor } from "../../runtime/program.ts";
import { startNames } from "../../runtime/model-start.ts";
import { callersPorts } from "../../runtime/shaped-inputs.ts";
import { constant } from "../../runtime/size.ts";
import { inputDoc, metricDoc, sizesDoc, tensorDoc, type Docs } from "./docs.ts";
import {
  documented,
  lifeMethods,
  method,
  port,
  properties,
  textMethods,
  type Method,
  type Property,
} from "./members.ts";
import { inputType, repeated, runtime, shapedType, typeName } from "./names.ts";

/** Required, not imported: before it runs a module of CommonJS, an import reads all of it once more for the names that it exports, and
 * these are twelve megabytes. */
const { Project, StructureKind } = createRequire(import.meta.url)("ts-morph") as typeof import("ts-morph");

export function declarations(program: Program, docs: Docs, header: string): string {
  const project = new Project({ useInMemoryFileSystem: true });
  // All at once: each addition would have the whole text parsed again.
  const file = project.createSourceFile("module.d.ts", {
    statements: [
      {
        kind: StructureKind.ImportDeclaration,
        isTypeOnly: true,
        namespaceImport: runtime,
        moduleSpecifier: "moelang/runtime",
      },
      {
        kind: StructureKind.ExportDeclaration,
        leadingTrivia: "\n",
        namedExports: ["tensor"],
        moduleSpecifier: "moelang/runtime",
      },
      ...new Declarations(program, docs).statements(),
    ],
  });
  return `${header}\n/// <reference lib="esnext.disposable" />\n\n${file.getFullText()}`;
}

class Declarations {
  readonly #program: Program;
  readonly #docs: Docs;
  readonly #name: string;
  readonly #interfaces: InterfaceDeclarationStructure[] = [];

  constructor(program: Program, docs: Docs) {
    this.#program = program;
    this.#docs = docs;
    this.#name = typeName(program.name);
  }

  statements(): readonly (StatementStructures | string)[] {
    const { entries, name } = this.#program;
    const model = this.#name;
    const methods: Method[] = [];
    const { forward, evaluate, train, decode } = entries;
    if (forward !== undefined) methods.push(this.#forward(forward));
    if (evaluate !== undefined || train !== undefined) this.#metrics();
    if (evaluate !== undefined) methods.push(...this.#evaluate(evaluate));
    if (train !== undefined && entries["update"] !== undefined) methods.push(this.#trainStep(train));
    if (
      this.#program.training !== undefined &&
      this.#program.training.data.length > 0 &&
      (train ?? evaluate) !== undefined
    )
      methods.push(this.#data());
    const isText = this.#program.modalities.some(({ kind }) => kind === "tokens");
    if (isText) methods.push(...textMethods);
    if (isText && decode !== undefined) methods.push(...this.#generate(decode));
    methods.push(...this.#parameters(), ...lifeMethods);
    const doc = `${this.#docs.model ?? `The model ${name}.`}\n\n${this.#summary()}`;
    this.#interface(model, doc, properties(name, isText), methods);
    // The model comes first: a reader looks for it, and follows its types down.
    const interfaces = [this.#interfaces.at(-1)!, ...this.#interfaces.slice(0, -1)];
    return [
      ...interfaces,
      this.#load(),
      `declare const model: { readonly name: ${JSON.stringify(name)}; readonly load: typeof load };`,
      "export default model;",
    ];
  }

  #interface(
    name: string,
    doc: string,
    fields: readonly Property[],
    methods: readonly Method[] = [],
    base?: string,
  ): string {
    this.#interfaces.push({
      kind: StructureKind.Interface,
      name,
      isExported: true,
      properties: [...fields],
      methods: [...methods],
      ...(base === undefined ? {} : { extends: [base] }),
      ...documented(doc),
    });
    return name;
  }

  #inputs(suffix: string, doc: string, ports: readonly Port[]): string {
    const names = this.#program.modalities.flatMap((modality) => [modality.name, ...modality.ports]);
    const place = ({ name }: Port): number => (names.includes(name) ? names.indexOf(name) : names.length);
    const sorted = [...ports].sort((a, b) => place(a) - place(b));
    const fields = sorted.map((each) =>
      port(each.name, inputType(each), inputDoc(each, this.#program, this.#docs)),
    );
    return this.#interface(`${this.#name}${suffix}`, `${doc} ${sizesDoc(this.#program)}.`, fields);
  }

  #forward(entry: Entry): Method {
    const inputs = this.#inputs("Inputs", "What `forward` takes.", callersPorts(entry));
    const outputs = this.#interface(
      `${this.#name}Outputs`,
      "What `forward` gives: values in row-major order, and their shape.",
      entry.outputs.map(({ name, type, shape, doc }) => port(name, shapedType(type, shape), doc ?? "")),
    );
    return method("forward", { inputs }, promise(outputs), "Runs the model, in inference mode.");
  }

  #metrics(): void {
    const fields = metricNames(this.#program).map((name) =>
      port(name, "number", metricDoc(name, this.#docs)),
    );
    this.#interface(
      `${this.#name}Metrics`,
      "Losses and metrics by name, as means over what was given.",
      fields,
    );
  }

  #evaluate(entry: Entry): Method[] {
    const { entries, routers } = this.#program;
    const train = entries["train"];
    const same = train !== undefined && key(callersPorts(train)) === key(callersPorts(entry));
    const batch = same
      ? `${this.#name}Batch`
      : this.#inputs("Examples", "What `evaluate` takes.", callersPorts(entry));
    const methods = [
      method(
        "evaluate",
        { batch },
        promise(`${this.#name}Metrics`),
        "Losses and metrics, in inference mode. Changes nothing.",
      ),
    ];
    if (routers.length === 0) return methods;
    const shapeOf = (name: string): Port | undefined => entry.outputs.find((each) => each.name === name);
    const fields = routers.flatMap(({ name, experts, nulls, load, picks }) => {
      const [loads, picked] = [shapeOf(load), shapeOf(picks)];
      if (loads === undefined || picked === undefined) return [];
      const type = `{ readonly load: ${shapedType(loads.type, loads.shape)}; readonly picks: ${shapedType(picked.type, picked.shape)} }`;
      return [
        port(
          name,
          type,
          nulls === 0
            ? `${experts} experts.`
            : `${experts} experts and ${nulls} null experts, which come last.`,
        ),
      ];
    });
    const routes = this.#interface(
      `${this.#name}Routes`,
      "By router: how many tokens each expert took (`load`), and which experts each token took (`picks`; -1 is none).",
      fields,
    );
    return [
      ...methods,
      method("routes", { batch }, promise(routes), "What the routers do with a batch, in inference mode."),
    ];
  }

  #trainStep(entry: Entry): Method {
    const batch = this.#inputs("Batch", "What `trainStep` takes.", callersPorts(entry));
    const metrics = new Set(metricNames(this.#program));
    const extra = [
      port("step", "number", "Optimiser steps done, this one included."),
      port("learningRate", "number", "What the schedule said for this step."),
      port("gradientNorm", "number", "Before clipping."),
    ].filter(({ name }) => !metrics.has(name));
    const step = this.#interface(
      `${this.#name}Step`,
      "What a training step did.",
      extra,
      [],
      `${this.#name}Metrics`,
    );
    const { accumulate = 1, optimiser = "" } = this.#program.training ?? {};
    const [parameter, what]: [Record<string, string>, string] =
      accumulate === 1
        ? [{ batch }, "One training step on a batch"]
        : [
            { batches: repeated(batch, accumulate) },
            `One training step on ${accumulate} batches, whose gradients are averaged`,
          ];
    const recipe = optimiser === "" ? "" : ` (${optimiser})`;
    return method(
      "trainStep",
      parameter,
      promise(step),
      `${what}: gradients, and the update of the recipe${recipe}. Stops with an error when the loss is not a finite number.`,
    );
  }

  #data(): Method {
    const { training } = this.#program;
    const readers = new Map(
      (training?.data ?? []).map(({ modality, reader, columns }) => [modality, { reader, columns }]),
    );
    const fields = [...readers].map(([name, { reader, columns }]) =>
      port(
        name,
        "string | Uint8Array",
        `The whole file, read as \`${reader}\`${columns === undefined ? "" : `: ${columns.join(", ")}`}.`,
      ),
    );
    const sources = this.#interface(
      `${this.#name}Sources`,
      "Files in memory that batches are made of.",
      fields,
    );
    const trains = this.#program.entries["train"] !== undefined;
    const batch = `${this.#name}${trains ? "Batch" : "Examples"}`;
    return method(
      "data",
      { sources, "options?": `${runtime}.DataOptions` },
      `Promise<${runtime}.ModelData<${batch}>>`,
      "Batches of files in memory, read, ordered and held out as the recipe says. Gives the model its tokenizer when it has none.",
    );
  }

  #generate(entry: Entry): Method[] {
    const text = this.#program.modalities.find(({ kind }) => kind === "tokens");
    const others = callersPorts(entry).filter(({ name }) => name !== text?.name);
    const inputs =
      others.length === 0 ? undefined : this.#inputs("Context", "What the text is about.", others);
    const options = (type: string): Record<string, string> =>
      inputs === undefined
        ? { "options?": `${runtime}.${type}` }
        : { options: `${runtime}.${type} & { readonly inputs: ${inputs} }` };
    return [
      method(
        "generate",
        { prompt: "string", ...options("TextOptions") },
        "AsyncIterable<string>",
        "Goes on with a text, piece by piece. Needs a tokenizer. Several at a time take turns, which costs more than one after the other.",
      ),
      method(
        "generateTokens",
        { prompt: "ArrayLike<number>", ...options("TokenOptions") },
        "AsyncIterable<number>",
        "Goes on with tokens.",
      ),
    ];
  }

  #parameters(): Method[] {
    const shaped = ({ type, shape }: Tensor): string => shapedType(type, shape.map(constant));
    const tensors = this.#program.tensors.filter(
      (tensor) => tensor.role === "parameter" || (tensor.role === "state" && !isCache(tensor)),
    );
    const fields = tensors.map((tensor) => port(tensor.name, shaped(tensor), tensorDoc(tensor, this.#docs)));
    const all = this.#interface(
      `${this.#name}Parameters`,
      "Parameters, and state of layers, by name.",
      fields,
    );
    return [
      {
        ...method(
          "parameter",
          { name: "Name" },
          promise(`${all}[Name]`),
          "A copy of a parameter, or of a layer's state.",
        ),
        typeParameters: [{ name: "Name", constraint: `keyof ${all}` }],
      },
      {
        ...method(
          "setParameter",
          { name: "Name", values: `${all}[Name]` },
          "void",
          "Replaces the values of one.",
        ),
        typeParameters: [{ name: "Name", constraint: `keyof ${all}` }],
      },
    ];
  }

  #load(): FunctionDeclarationStructure {
    return {
      kind: StructureKind.Function,
      name: "load",
      isExported: true,
      hasDeclareKeyword: true,
      parameters: [{ name: "options", hasQuestionToken: true, type: this.#loadOptions() }],
      returnType: `Promise<${this.#name}>`,
      docs: [
        `Loads ${this.#program.name.replaceAll("*/", "*\\/")}: with trained weights, or with fresh ones to train.`,
      ],
    };
  }

  /** With the sources that this model's recipe starts from, by name. */
  #loadOptions(): string {
    const start = this.#program.training?.start;
    if (start === undefined) return `${runtime}.LoadOptions`;
    const sources = startNames(start).map(
      (name) => `readonly ${JSON.stringify(name)}: ${runtime}.BytesSource`,
    );
    return (
      `${runtime}.LoadOptions & ` +
      `{ /** What the recipe starts from: without it, or weights, the model does not train. */ readonly start?: { ${sources.join("; ")} } | "fresh" }`
    );
  }

  #summary(): string {
    const { tensors, routers } = this.#program;
    const count = tensors
      .filter(({ role }) => role === "parameter")
      .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const routed =
      routers.length === 0 ? "" : `, ${routers.length} routed layer${routers.length === 1 ? "" : "s"}`;
    return `${count.toLocaleString("en-US")} parameters${routed}.`;
  }
}

/** A device may take its time: what computes, or reads what was computed, promises. */
const promise = (type: string): string => `Promise<${type}>`;

/** Equal when the ports are: same names, types and shapes. */
const key = (ports: readonly Port[]): string =>
  JSON.stringify(ports.map(({ name, type, shape }) => [name, type, shape]));
