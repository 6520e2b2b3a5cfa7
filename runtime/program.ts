// Program: what a compiled model is. Plain data, all that a runtime ever sees: ordered dispatches, a buffer plan,
// the initial values of parameters, kernel texts. JSON but for the wasm bytes, which lie beside it.

import type { Size } from "./size.ts";

export const programVersion = 2;

export interface Program {
  readonly format: "moe-program";
  readonly version: typeof programVersion;
  /** The model's name in its file. */
  readonly name: string;
  readonly target: TargetName;
  /** What contractions read, in memory as well: their operands are rounded to it, sums stay f32. Absent: nothing is rounded. */
  readonly precision?: Exclude<Precision, "f32">;
  /** What a few products of contractions at a time are added up in, where no gradients are computed. Absent: all sums are f32. */
  readonly accumulation?: Exclude<Accumulation, "f32">;
  /** Symbolic sizes (batch `B`, one length per sequence modality, ...): the session gives them numbers. */
  readonly sizes: readonly SizeName[];
  /** Trained tensors, then non-gradient state of layers, then optimiser state: all that a checkpoint holds. */
  readonly tensors: readonly Tensor[];
  /** Of parameters; absent where there are none. */
  readonly copies?: readonly Copy[];
  readonly kernels: readonly ProgramKernel[];
  /** By name: `forward`, `decode`, `evaluate`, `train` (gradients of one micro-batch), `update` (one optimiser step). */
  readonly entries: Readonly<Record<string, Entry>>;
  /** What the data readers and the generated module need to know of the inputs. */
  readonly modalities: readonly Modality[];
  readonly training?: Training;
  /** Routed layers, in order, for reports. */
  readonly routers: readonly RouterInfo[];
  /** Of a model of tokens without `decode`: the lines that need the whole text. */
  readonly undecodable?: readonly UndecodableLine[];
}

/** `place` is that of a dispatch; `why` goes on after it, "reads later positions of the text"; `help` is what to write instead. */
export interface UndecodableLine {
  readonly place?: string;
  readonly why: string;
  readonly help: string;
}

export type TargetName = "wasm" | "webgpu" | "cuda";

/** Of the operands of contractions. Parameters as they are trained, sums and everything else are f32. */
export type Precision = "f32" | "bf16" | "f16";

/** Of the products of contractions, a few at a time; longer sums are f32. */
export type Accumulation = "f32" | "f16";

export interface SizeName {
  readonly name: string;
  readonly doc: string;
  readonly default: number;
}

export type ElementName = "f32" | "i32";
/** In memory: those of half width are read as f32 and rounded to the nearest when written. */
export type StoredName = ElementName | HalfName;
export type HalfName = "bf16" | "f16";

export interface Tensor {
  /** Path in the model: `block.0.attention.wq`. Unique, and the name in a checkpoint. */
  readonly name: string;
  /** `carry`: what `train` hands to `update` (gradients, loads), summed over micro-batches; never saved. */
  readonly role: "parameter" | "state" | "optimiser" | "carry";
  readonly type: ElementName;
  readonly shape: readonly number[];
  readonly init: Init;
  readonly doc?: string;
  /** For parameters: frozen tensors get no gradient. */
  readonly frozen?: boolean;
  /** Equal parts, along the first axis, that it lies in where a binding could not cover it; default: one. */
  readonly parts?: number;
}

/** What kernels read in the place of a parameter: its numbers, rounded. A session makes it whenever the parameter is written, and `update`
 * writes both; a session whose entries read only the copy holds nothing else. In no checkpoint. */
export interface Copy {
  /** Unique among tensors, too: entries bind it like one. */
  readonly name: string;
  /** The parameter. */
  readonly of: string;
  readonly type: HalfName;
  readonly shape: readonly number[];
  readonly parts?: number;
}

/** Initial values; every random one is a pure function of the seed, the tensor's name and the element's index. */
export type Init =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "normal"; readonly deviation: number }
  | { readonly kind: "uniform"; readonly low: number; readonly high: number }
  /** Rows of an orthonormal matrix times gain, for the last two axes. */
  | { readonly kind: "orthogonal"; readonly gain: number }
  | { readonly kind: "identity" }
  /** A copy of another tensor (optionally with noise added, or each element kept with a probability); broadcast over
   * leading axes: one expert copied into many. */
  | { readonly kind: "copy"; readonly from: string; readonly noise?: number; readonly keep?: number }
  | { readonly kind: "values"; readonly values: readonly number[] };

/** The kernels as the target wants them. For wasm: function `k{index}` of the module, called as
 * k(first workgroup, end workgroup, scratch address, ...buffer addresses in bytes, ...sizes). */
export interface ProgramKernel {
  readonly name: string;
  readonly buffers: readonly { readonly name: string; readonly access: "read" | "write" | "update" }[];
  readonly sizes: readonly string[];
  readonly grid: Size;
  /** Invocations in a workgroup; 1 on a CPU. */
  readonly workgroup: number;
  /** Bytes of scratch that one workgroup needs (on a CPU: one thread). */
  readonly scratch: number;
  readonly multiplyAdds?: Size;
  /** CUDA: what the code for devices whose warpgroups multiply (`sm_90a`) wants instead. Its maps come after the sizes. */
  readonly warpgroups?: Pick<ProgramKernel, "grid" | "workgroup" | "scratch"> & {
    readonly maps: readonly ProgramMap[];
  };
}

/** How bulk copies see a buffer: an array whose boxes they bring. Sizes are those of the launch. */
export interface ProgramMap {
  /** Number of the buffer among the kernel's. */
  readonly buffer: number;
  readonly type: StoredName;
  /** Of the first element, in elements. */
  readonly offset: Size;
  /** Innermost first, whose step is 1; steps and boxes in elements. */
  readonly axes: readonly { readonly extent: Size; readonly stride: Size; readonly box: number }[];
  /** Bytes of a row of a box: within as many, sixteen bytes change places on their way. */
  readonly swizzle: 32 | 64 | 128;
}

/** A buffer of an entry. Named tensors persist; inputs and outputs live while the entry runs; temporaries share an arena. */
export type BufferRef =
  /** A tensor that lies in parts is bound part by part. */
  | { readonly kind: "tensor"; readonly name: string; readonly part?: number }
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "output"; readonly name: string }
  | { readonly kind: "temporary"; readonly index: number };

export interface Dispatch {
  readonly kernel: number;
  readonly buffers: readonly BufferRef[];
  /** What the user wrote that this does: `block.0.experts up`. */
  readonly label: string;
  /** Where that stands: `story.moe:23`, seen from the folder of the model's file. Absent for what no line asks for. */
  readonly place?: string;
  /** Values of sizes that the kernel has beside the session's. */
  readonly launch?: Readonly<Record<string, number>>;
}

export interface Port {
  readonly name: string;
  readonly type: ElementName;
  readonly shape: readonly Size[];
  readonly doc?: string;
}

export interface Temporary {
  readonly label: string;
  readonly type: StoredName;
  /** In elements. */
  readonly length: Size;
  /** First and last dispatch (inclusive) that touch it: two temporaries that never live together share memory. */
  readonly first: number;
  readonly last: number;
}

export interface Entry {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly temporaries: readonly Temporary[];
  readonly dispatches: readonly Dispatch[];
  /** For the plan command: why each fusion was refused. */
  readonly refusals: readonly string[];
}

export interface Modality {
  readonly name: string;
  readonly kind: "tokens" | "image" | "category" | "features" | "number";
  /** tokens: the vocabulary; category: the classes; features: the width. */
  readonly count?: number;
  /** image: [height, width, channels]. */
  readonly shape?: readonly number[];
  /** tokens: the symbolic size of its length. */
  readonly length?: string;
  /** Input ports of the entries that it feeds: `text`, and for tokens `text.next` (the same, one position later). */
  readonly ports: readonly string[];
}

export interface RouterInfo {
  /** Path in the model: `block.0.experts.router`. */
  readonly name: string;
  readonly experts: number;
  readonly nulls: number;
  /** Output ports of `evaluate` and, where gates are no metric, `train`: `load` [experts + nulls] counts; of `evaluate`: picks
   * [tokens, K], -1 = none. */
  readonly load: string;
  readonly picks: string;
  /** Picks per token at most. */
  readonly width: number;
  /** Kinds of experts that it sends tokens to, in the order of its picks' numbers; null experts have none. */
  readonly pool: readonly ExpertsInfo[];
  /** A capacity may drop picks: then -1 among the picks is a dropped one. Without it, -1 is a pick that the router did not use. */
  readonly dropping?: boolean;
}

/** Experts of one kind, whose tensors lie together. */
export interface ExpertsInfo {
  /** Number of the first among the router's. */
  readonly first: number;
  readonly count: number;
  /** Names; the first axis of each counts the experts. */
  readonly tensors: readonly string[];
}

/** The recipe of the file's `train` block, with defaults filled in. */
export interface Training {
  readonly data: readonly DataSource[];
  readonly batch: number;
  /** Sequence length, for models with a token modality. */
  readonly length?: number;
  readonly steps: number;
  readonly accumulate: number;
  readonly seed: number;
  readonly evaluateEvery: number;
  /** Share of the data held out for evaluation, 0..1. */
  readonly holdOut: number;
  readonly checkpointEvery: number;
  /** Stop after so many evaluations without improvement; 0 = never. */
  readonly patience: number;
  /** Names of output ports of `train` and `evaluate`, scalars. The first is always `loss`. */
  readonly metrics: readonly string[];
  /** For the report: what the optimiser is, in one line. */
  readonly optimiser: string;
  /** The phase of the recipe that this is. */
  readonly phase?: string;
  readonly start?: Start;
  /** Output port of `update` that holds the learning rate, and the gradient norm before clipping. */
  readonly rate: string;
  readonly norm: string;
}

/** Where tensors get their first values from, when not from their initialisers: what `start` says, by tensor. */
export interface Start {
  /** Runs and files as written, relative to the `.moe` file, and earlier phases; none: the phase before, which is then source 0. */
  readonly sources: readonly (string | { readonly phase: string })[];
  /** For messages: as written, and where (`grow.moe:12`); `exact`: it speaks of one tensor, which must be there. */
  readonly rules: readonly { readonly text: string; readonly place: string; readonly exact: boolean }[];
  readonly tensors: readonly { readonly name: string; readonly rule: number; readonly value: StartValue }[];
}

export type StartValue =
  | { readonly kind: "tensor"; readonly source: number; readonly name: string }
  /** Along a new first axis as often as the tensor needs it, or `times`; noise: its deviation; keep: the share that is not zeroed. */
  | {
      readonly kind: "copy";
      readonly of: StartValue;
      readonly noise?: number;
      readonly keep?: number;
      readonly times?: number;
    }
  | {
      readonly kind: "slice";
      readonly of: StartValue;
      readonly axis: number;
      readonly start: number;
      readonly size: number;
    }
  | {
      readonly kind: "take";
      readonly of: StartValue;
      readonly axis: number;
      /** Those said, or those of the `count` largest numbers of a vector that is as long as the axis, in the order of the axis. */
      readonly positions: readonly number[] | { readonly largest: StartValue; readonly count: number };
    }
  | { readonly kind: "concat"; readonly of: readonly StartValue[]; readonly axis: number }
  | { readonly kind: "stack"; readonly of: readonly StartValue[] }
  /** Of parts alike; with `weights`, one for each, it is the sum of weight times part over the sum of the weights, which is not 0. */
  | { readonly kind: "mean"; readonly of: readonly StartValue[]; readonly weights?: readonly number[] }
  /** The last two axes change places. */
  | { readonly kind: "transpose"; readonly of: StartValue }
  /** Its initialiser. */
  | { readonly kind: "fresh" };

export interface DataSource {
  readonly modality: string;
  readonly reader: "bytes" | "characters" | "pairs" | "csv" | "jsonl" | "idx";
  /** Path or glob, relative to the `.moe` file. */
  readonly path: string;
  /** csv and jsonl: the column or columns; pairs: none. */
  readonly columns?: readonly string[];
  /** Modalities of one stream line up row by row; each stream has its own order and number of rows. None: the main one. */
  readonly stream?: string;
}
