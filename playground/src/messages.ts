// What the page and its workers say to each other: plain data. A worker is started for one of four roles: `language` answers while
// one types, from the text alone; `costs` says what a definition takes; `compiler` checks and compiles; `trainer` trains one model once.

import type { Plan } from "../../cli/planned.ts";
import type { Edit } from "../../editor/features/imports.ts";
import type { Item } from "../../editor/features/completion.ts";
import type { Given, Note } from "../../editor/features/checked.ts";
import type { Costed } from "../../editor/features/costs.ts";
import type { Signature } from "../../editor/features/signature.ts";
import type { ToyName } from "./data/toys.ts";

/** What the user's text is called in messages. */
export const mainPath = "model.moe";
/** Longer texts are not looked at: no model that a page could train needs them. */
export const longestText = 200_000;

// Language.

export type LanguageAsked =
  | { readonly ask: "colours"; readonly path: string; readonly text: string }
  | { readonly ask: "complete"; readonly text: string; readonly at: number; readonly explicit: boolean }
  | {
      readonly ask: "hover" | "define";
      readonly path: string;
      readonly text: string;
      readonly at: number;
      /** What the compiler found, if it has seen this text. */
      readonly found?: Found;
    }
  | { readonly ask: "sign"; readonly text: string; readonly at: number }
  | { readonly ask: "places"; readonly path: string; readonly text: string; readonly at: number }
  | { readonly ask: "renameable"; readonly text: string; readonly at: number }
  | { readonly ask: "rename"; readonly text: string; readonly at: number; readonly to: string }
  | { readonly ask: "outline"; readonly path: string; readonly text: string }
  | { readonly ask: "format"; readonly text: string }
  | { readonly ask: "module"; readonly path: string }
  | { readonly ask: "modules" };

export interface Found {
  readonly notes: readonly Note[];
  readonly given: readonly Given[];
}

/** Triples: start, end, index into `colourNames`. */
export type Colours = Int32Array;
export const colourNames = [
  ...["keyword", "number", "string", "comment", "doc"],
  ...["class", "function", "parameter", "property", "type", "enumMember", "namespace", "builtin"],
] as const;

export interface Completed {
  readonly from: number;
  readonly items: readonly Item[];
}
export interface Hovered {
  readonly from: number;
  readonly to: number;
  /** Markdown. */
  readonly text: string;
  /** What has a cost, to be asked for apart. */
  readonly costs?: Costed;
  /** A name, no word of the language. */
  readonly isName: boolean;
}
/** Where a name is declared. `text`: of a module of the library. */
export interface Defined {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly text?: string;
}
export interface Range {
  readonly from: number;
  readonly to: number;
}
/** Every place of one text that means the same thing. */
export interface Places {
  readonly name: string;
  readonly places: readonly Range[];
}
/** Why it cannot be, as the middle of a sentence. */
export interface Refused {
  readonly refused: string;
}
/** A definition or a statement; `from` and `to` are those of its name. */
export interface Outlined extends Range {
  readonly name: string;
  readonly detail: string;
  /** 0: at the top of the module. */
  readonly level: number;
}
export type Formatted =
  { readonly from: number; readonly to: number; readonly insert: string } | { readonly failed: string };

export interface LanguageAnswers {
  readonly colours: Colours;
  readonly complete: Completed | undefined;
  readonly hover: Hovered | undefined;
  readonly define: Defined | undefined;
  readonly sign: Signature | undefined;
  readonly places: Places | undefined;
  readonly renameable: (Range & { readonly name: string }) | Refused;
  readonly rename: { readonly places: readonly Range[] } | Refused;
  readonly outline: readonly Outlined[];
  readonly format: Formatted;
  readonly module: string | undefined;
  /** Of the library. */
  readonly modules: readonly string[];
}

// Costs.

export interface CostAsked {
  /** Without mistakes. */
  readonly text: string;
  readonly of: Costed;
}

// Compiler.

export type CodeKind = "wgsl" | "cuda" | "kernels";

export interface CompileAsked {
  readonly text: string;
  /** Needed when the text has several models. */
  readonly model?: string;
  /** Asked for only while they are looked at. */
  readonly code?: CodeKind;
}

export interface Problem {
  readonly from: number;
  readonly to: number;
  readonly severity: "error" | "warning";
  readonly code: string;
  readonly message: string;
  /** As the command line shows it. */
  readonly picture: string;
  readonly fixes: readonly { readonly title: string; readonly edits: readonly Edit[] }[];
}

export interface Hint {
  readonly at: number;
  readonly text: string;
}

export interface Routing {
  readonly name: string;
  readonly experts: number;
  readonly nulls: number;
  /** Picks of a token at most. */
  readonly width: number;
  readonly words: string;
  readonly dropping: boolean;
}

/** What training needs to know of a model, and which data would fit it. */
export interface Wanted {
  readonly trains: boolean;
  readonly kind: "plane" | "text" | "digits" | "weather" | "other";
  readonly steps: number;
}

/** In this order; each replaces what was known before. */
export type CompileAnswer =
  | {
      readonly kind: "checked";
      readonly problems: readonly Problem[];
      readonly hints: readonly Hint[];
      readonly found: Found;
      readonly models: readonly string[];
      /** The one that is compiled. */
      readonly model: string | undefined;
    }
  | {
      readonly kind: "compiled";
      /** SVG, and the names of its parts. */
      readonly drawing: string;
      readonly parts: readonly string[];
      readonly plan: Plan;
      readonly routing: readonly Routing[];
      readonly wanted: Wanted;
      /** Milliseconds of the compiler. */
      readonly took: number;
    }
  | { readonly kind: "code"; readonly of: CodeKind; readonly texts: readonly Kernel[] }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "done" };

export interface Kernel {
  readonly name: string;
  readonly text: string;
}

// Trainer.

/** Where the model runs: `auto` takes the GPU when there is a real one. */
export type Device = "auto" | "webgpu" | "cpu";

export interface TrainAsked {
  readonly text: string;
  readonly model?: string;
  readonly device: Device;
  readonly seed: number;
  /** Of models that read `points.csv`. */
  readonly toy: ToyName;
  /** What is generated goes on from it. */
  readonly prompt: string;
  /** Where the page lies; its data are beside it. */
  readonly base: string;
}

export type ToTrainer =
  | { readonly kind: "train"; readonly asked: TrainAsked }
  | { readonly kind: "pause" }
  | { readonly kind: "go on" };

/** By router: the share of the picks that each expert took, nulls last. */
export type Loads = Readonly<Record<string, readonly number[]>>;

export interface Regions {
  /** Cells of a side; the first row is the top one. */
  readonly side: number;
  /** By router: the expert that each cell takes first, -1 for none. */
  readonly experts: Readonly<Record<string, Int16Array>>;
  /** How likely the second class is, 0..1. */
  readonly second?: Float32Array;
}

export type FromTrainer =
  | {
      readonly kind: "ready";
      readonly on: string;
      readonly steps: number;
      readonly summary: readonly string[];
    }
  | { readonly kind: "notice"; readonly text: string }
  | {
      readonly kind: "steps";
      readonly last: number;
      readonly losses: readonly number[];
      readonly metrics: Readonly<Record<string, number>>;
      readonly perSecond: number;
    }
  | { readonly kind: "held"; readonly step: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: "loads"; readonly step: number; readonly loads: Loads }
  | { readonly kind: "regions"; readonly regions: Regions }
  | { readonly kind: "text"; readonly prompt: string; readonly text: string }
  | { readonly kind: "done"; readonly seconds: number }
  /** `text`: as the command line shows it. */
  | { readonly kind: "problem"; readonly text: string };

/** To a worker, once, before anything else. */
export type Role = "language" | "costs" | "compiler" | "trainer";
export interface Request<Asked> {
  readonly id: number;
  readonly asked: Asked;
}
export interface Answer<Given> {
  readonly id: number;
  readonly answer?: Given;
  readonly failed?: string;
}
