// Values: what an expression stands for while a definition is elaborated. A value is static (a number, a truth, a text, a
// definition, an instance, a pool) or a tensor: a type, and a node of the graph when one is being built.
// A tensor has hidden axes, which the text does not see (what a definition is lifted over, rows of a routing, indices in
// index notation), and visible ones, which its type shows. Its node's shape is the hidden axes, by `order`, then the visible.

import type { Span } from "../../grammar/syntax.ts";
import type { Definition } from "../../grammar/syntax.ts";
import type { Size } from "../../runtime/size.ts";
import type { Node, RouteNode } from "../graph.ts";
import type { LoadedModule } from "../model.ts";
import type { Scope } from "./scope.ts";

export type Element = "number" | "int" | "bool";

/** Which modality's tokens stand where along an axis: pieces one after another. */
export type Pieces = readonly { readonly modality: string; readonly size: Size }[];

/** An axis that the text does not see. Equal when it is the same object. */
export interface Hidden {
  /** lead: lifted over. index: of index notation. rows: of a routing. group: the experts that rows belong to. */
  readonly kind: "lead" | "index" | "rows" | "group";
  /** Outer axes first. A group stands where its rows stand. */
  readonly order: number;
  readonly size: Size;
  readonly name: string;
  /** index: what the axis that bounded it is called. */
  readonly of?: AxisOf;
  /** rows, when a graph is built. */
  readonly route?: RouteNode;
  /** group: whose. */
  readonly rows?: Hidden;
  readonly pieces?: Pieces;
}

/** The axis that an index stood for: `N` of `y[n] = 2 * x[n]`, nothing where that has no name. */
export interface AxisOf {
  readonly name?: string;
}

export interface VisibleAxis {
  readonly size: Size;
  /** What the text calls it: `D`, or an index. */
  readonly name?: string;
  /** Where the name is an index. */
  readonly of?: AxisOf;
  /** Picks of a router: which of them are there (bool, this the only visible axis). Reductions run over those. */
  readonly valid?: Tensor;
  readonly pieces?: Pieces;
}

export interface Tensor {
  readonly kind: "tensor";
  readonly element: Element;
  readonly hidden: readonly Hidden[];
  readonly axes: readonly VisibleAxis[];
  readonly node?: Node;
  /** Every element is this number (a truth value: 0 or 1), by what the text says alone: `there` where nobody gives a mask. */
  readonly constant?: number;
}

/** A polynomial with real coefficients over symbolic sizes; undefined: a number that is not known (only in checking). */
export interface NumberValue {
  readonly kind: "number";
  readonly poly?: Size;
  /** The name of the size in the text, for axes and errors. */
  readonly name?: string;
  /** Where that is an index of the caller's. */
  readonly of?: AxisOf;
  readonly pieces?: Pieces;
}

/** An index of index notation. Its axis is known as soon as a tensor or a range bounds it. */
export interface IndexValue {
  readonly kind: "index";
  readonly name: string;
  readonly order: number;
  axis: Hidden | undefined;
  /** A tensor that would have bounded it is wrong: nothing more is said. */
  lost?: boolean;
}

export interface Instance {
  readonly kind: "instance";
  readonly definition: Definition;
  readonly module: LoadedModule;
  readonly statics: ReadonlyMap<string, Value>;
  /** Where it was written. */
  readonly span: Span;
  /** How the text names what it makes: `norm`, or the definition's name in lower case. */
  readonly base: string;
  /** Bound to a name: one set of parameters, under this path. */
  readonly path?: string;
}

export interface Segment {
  readonly instance: Instance;
  readonly count: NumberValue;
  readonly modality?: string;
  /** Factor on what these experts return. */
  readonly weight?: Value;
  readonly span: Span;
}

export interface NullExperts {
  readonly kind: "zero" | "copy" | "constant";
  readonly count: NumberValue;
  readonly span: Span;
}

export interface Pool {
  readonly kind: "pool";
  readonly segments: readonly Segment[];
  readonly nulls: readonly NullExperts[];
  readonly path?: string;
}

/** What a router made. `axes` are visible axes that its call was lifted over (picks and weight have them before their own). */
export interface Gates {
  readonly kind: "gates";
  readonly picks: Tensor;
  readonly weight: Tensor;
  readonly chosen: Tensor;
  readonly load: Tensor;
  /** Experts and nulls. */
  readonly count: Size;
  /** Bound on picks in all, when it is less than tokens times picks. */
  readonly bound?: Size;
  /** What the router is called in reports, once it has returned them. */
  readonly router?: string;
}

export interface ModalityValue {
  readonly kind: "modality";
  readonly name: string;
  readonly tensor: Tensor;
  readonly members: ReadonlyMap<string, Value>;
}

export interface Broken {
  readonly kind: "broken";
}

export type Value =
  | NumberValue
  | { readonly kind: "truth"; readonly value?: boolean }
  | { readonly kind: "text"; readonly value: string }
  | Tensor
  | IndexValue
  | {
      readonly kind: "definition";
      readonly definition: Definition;
      readonly module: LoadedModule;
      readonly base: string;
    }
  /** A static of an unread kind: some definition, known when it is given. */
  | { readonly kind: "unknown" }
  | Instance
  | Pool
  | Gates
  | ModalityValue
  | { readonly kind: "null"; readonly which: NullExperts["kind"] }
  | { readonly kind: "list"; readonly items: readonly Value[] }
  | Broken;

export const broken: Broken = { kind: "broken" };
/** Silences what follows: an error has been reported, or the value cannot be known while checking. */
export const isBroken = (value: Value): value is Broken | { readonly kind: "unknown" } =>
  value.kind === "broken" || value.kind === "unknown";
export const truth = (value: boolean | undefined): Value =>
  value === undefined ? { kind: "truth" } : { kind: "truth", value };

export const tensor = (
  element: Element,
  hidden: readonly Hidden[],
  axes: readonly VisibleAxis[],
  node: Node | undefined,
): Tensor => ({ kind: "tensor", element, hidden, axes, ...(node === undefined ? {} : { node }) });

/** The tensor that a value can be used as, if any, without numbers and indices. */
export const asTensor = (value: Value): Tensor | undefined =>
  value.kind === "tensor" ? value : value.kind === "modality" ? value.tensor : undefined;

/** "a number", "an expert": for messages. */
export function describe(value: Value): string {
  switch (value.kind) {
    case "number":
      return "a number";
    case "truth":
      return "a truth value";
    case "text":
      return "a text";
    case "tensor":
    case "modality":
      return "a tensor";
    case "index":
      return "an index";
    case "definition":
    case "instance":
      return `${/^[aeiou]/.test(value.definition.kind) ? "an" : "a"} ${value.definition.kind}`;
    case "pool":
      return "a pool of experts";
    case "gates":
      return "gates";
    case "null":
      return "null experts";
    case "list":
      return "a list";
    case "unknown":
    case "broken":
      return "unknown";
    default:
      return value satisfies never;
  }
}

/** Names that are in sight in a body; kept apart so that values can hold definitions with their scope. */
export type { Scope };
