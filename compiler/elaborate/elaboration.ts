// Elaboration: what every part of the elaborator shares: the mode, the graph under construction, what has been collected,
// and the way to the other parts (so that they need not import each other in circles).
// With a builder, statics are numbers and nodes are made; without one, definitions are checked with symbolic sizes.

import type { Diagnostic, Place } from "../../grammar/diagnostic.ts";
import type { Definition, Expression, Span, Statement, Type } from "../../grammar/syntax.ts";
import type { Modality, Tensor as StoredTensor } from "../../runtime/program.ts";
import type { Size } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node, Origin } from "../graph.ts";
import type { LoadedModule } from "../model.ts";
import type { Inputs } from "./inputs.ts";
import type { RecipeSizes } from "./recipe-sizes.ts";
import type { Replay } from "./replay.ts";
import type { Scope } from "./scope.ts";
import type { Sent } from "./sent.ts";
import {
  broken,
  type Broken,
  type Hidden,
  type Instance,
  type NullExperts,
  type NumberValue,
  type Pool,
  type Segment,
  type Tensor,
  type Value,
  type VisibleAxis,
} from "./value.ts";

export type ModeName = "training" | "inference";

/** What a routed layer did, for reports, statistics and replay. */
export interface BuiltRouter {
  readonly name: string;
  readonly experts: number;
  readonly nulls: number;
  /** i32 [tokens.., K] */
  readonly picks: Node;
  /** f32 [experts + nulls] */
  readonly load: Node;
  /** Picks per token at most. */
  readonly width: number;
  /** A capacity may have dropped picks. */
  readonly dropping: boolean;
  /** Gates of a metric: nothing but a report reads them. */
  readonly measured?: true;
}

/** One body that is being run: where names of parameters go, and where an error in it came from. */
export interface Frame {
  readonly definition: Definition;
  readonly module: LoadedModule;
  /** Path of the instance in the model. */
  readonly path: string;
  /** Where it was called: for errors that only numbers show. */
  readonly call?: Place;
  /** Axes that the definition is lifted over, outer first. */
  readonly lead: readonly Hidden[];
  /** Copies of the parameters: one for each expert. */
  readonly groups: readonly Hidden[];
  /** How often each name of the body may make something: more than once means indices. */
  readonly repeated: ReadonlySet<string>;
  readonly counters: Map<string, number>;
  /** Parameters and states that the body declares, by local name: where they are stored. */
  readonly stored: Map<
    string,
    { readonly path: string; readonly role: "parameter" | "state"; readonly tensor: Tensor }
  >;
  readonly router?: RouterFrame;
  readonly pool?: PoolFrame;
}

/** What a router's statements have said so far. */
export interface RouterFrame {
  /** Experts and nulls. */
  readonly count: NumberValue;
  readonly nulls: NumberValue;
  /** bool [N]: experts that are open to the token (modalities). */
  readonly open?: Tensor;
  /** The choice could not be made: an error has been reported. */
  failed?: boolean;
  /** Picks before capacity, with the mask of those that are there: what weights are taken at. */
  before?: Tensor;
  /** Picks after capacity, when something was dropped. */
  after?: Tensor;
  weight?: Tensor;
  bound?: Size;
  /** What the text calls the axis of experts. */
  readonly axisName: string;
  /** What chose, [N]: the weight when none is given, and what `drop lowest` ranks by. */
  score?: Tensor;
  /** No token picks an expert twice. */
  distinct?: boolean;
  /** Whether a token may end up without any expert. */
  mayBeEmpty?: boolean;
  /** While the weight is read: [N] tensors stand for their chosen entries. */
  restricted?: boolean;
}

export interface PoolFrame {
  readonly shared: { readonly pool: Pool; readonly weight?: Value; readonly span: Span }[];
  readonly segments: Segment[];
  readonly nulls: NullExperts[];
  /** Lines whose experts are wrong, or not known while checking. */
  readonly unread: { readonly span: Span; readonly routed: boolean }[];
  /** Set by the `router` statement of the mode. */
  router?: { readonly expression: Expression; readonly scope: Scope };
}

export interface Report {
  readonly label?: string;
  readonly related?: readonly Place[];
  readonly help?: string;
}

/** One reason why a model is not decoded one token at a time: what a line does, and what to write instead. */
export interface Undecodable {
  readonly why: string;
  readonly help: string;
  readonly origin: Origin;
}

export interface Collected {
  readonly tensors: Map<string, StoredTensor>;
  readonly losses: { readonly name?: string; readonly node?: Node; readonly path: string }[];
  readonly metrics: {
    readonly name: string;
    readonly node?: Node;
    readonly path: string;
    readonly doc?: string;
  }[];
  /** New values of states. */
  readonly updates: Map<string, Tensor>;
  readonly routers: BuiltRouter[];
  /** Where their picks go. */
  readonly sent: Sent[];
  readonly modalities: Modality[];
  /** Why the model cannot be decoded one token at a time, once something is in the way. */
  readonly undecodable: Undecodable[];
  /** In decoding: what is kept of a sequence, by its new positions. */
  readonly caches: Map<Node, Tensor>;
}

export interface DecodeOptions {
  /** Positions that the caches hold. */
  readonly context: number;
  readonly batch: number;
}

/** Told what was found on the way, for editors; changes nothing. */
export interface Watch {
  /** A name stands for this value, here. */
  named(module: string, span: Span, value: Value): void;
  /** A definition is applied, here, with these statics: given, taken from the inputs, or defaults; `path`: where its parameters
   * lie. */
  applied(
    module: string,
    span: Span,
    instance: Instance,
    statics: ReadonlyMap<string, Value>,
    path: string,
  ): void;
}

/** The parts of the elaborator, as they call each other. */
export interface Parts {
  evaluate(of: Elaboration, expression: Expression, scope: Scope): Value;
  /** Runs statements; the value of the last expression, if any. */
  run(of: Elaboration, statements: readonly Statement[], scope: Scope): Value | undefined;
  /** Applies an instance to tensors. */
  apply(of: Elaboration, instance: Instance, inputs: Inputs, span: Span, hints?: ApplyHints): Value;
  axesOf(of: Elaboration, type: Type, scope: Scope): readonly VisibleAxis[] | undefined;
}

export interface ApplyHints {
  /** Experts and nulls of the pool that a router chooses from. */
  readonly count?: NumberValue;
  readonly nulls?: NumberValue;
  readonly open?: Tensor;
  /** Name to use in the path instead of the instance's own. */
  readonly base?: string;
  /** Name without an index, even if the body makes several. */
  readonly exact?: boolean;
  /** Parameters get these axes in front: one copy for each expert. */
  readonly groups?: readonly Hidden[];
  /** Where the parameters are, when the pool has said so. */
  readonly path?: string;
}

export interface Elaboration {
  readonly parts: Parts;
  readonly builder: GraphBuilder | undefined;
  readonly mode: ModeName;
  readonly decode: DecodeOptions | undefined;
  /** Steps of the whole run, for schedules. */
  readonly steps: number | undefined;
  /** What the recipe trains on at once, where there is one. */
  readonly recipe: RecipeSizes | undefined;
  readonly collected: Collected;
  readonly diagnostics: Diagnostic[];
  /** Bodies that are being run, outermost first. */
  readonly frames: Frame[];
  /** Next order of a hidden axis: later ones are further inside. */
  nextOrder: number;
  nextStream: number;
  /** Lengths of the token modalities: axes of these sizes are positions of a text. */
  readonly lengths: Set<string>;
  /** Statements run so far: a model that never ends, or nearly, is refused. */
  work: number;
  /** Inside `after step`: states read what they will be when an earlier application has already changed them. */
  afterStep: boolean;
  /** What is bound there. */
  afterScope?: Scope | undefined;
  /** Whether anything has asked which mode it is. */
  modal: boolean;
  /** How often a node was looked into (`lookInside`). */
  looks: number;
  /** Applications that may be repeated, while a model is elaborated. */
  replay: Replay | undefined;
  readonly watch: Watch | undefined;
}

export const checking = (of: Elaboration): boolean => of.builder === undefined;

/** To be said before anything is decided by what a node is made of, beside its type: the same application with other inputs may
 * come out otherwise then, and is elaborated anew. */
export const lookInside = (of: Elaboration): void => void of.looks++;

export const frameOf = (of: Elaboration): Frame => {
  const frame = of.frames.at(-1);
  if (frame === undefined) throw new Error("internal: nothing is being elaborated");
  return frame;
};

/** Reports a mistake of the user's once, at a place in the definition that is being run; with numbers known, also the calls
 * that led there. */
export function report(
  of: Elaboration,
  code: string,
  span: Span,
  message: string,
  { label, related = [], help }: Report = {},
): Broken {
  const frame = frameOf(of);
  const calls = checking(of) ? [] : of.frames.flatMap(({ call }) => call ?? []).reverse();
  // What contains itself comes by the same place again and again.
  const same = (a: Place, b: Place): boolean =>
    a.module === b.module && a.span.start === b.span.start && a.span.end === b.span.end;
  const ways = calls.filter((each, i) => calls.findIndex((other) => same(each, other)) === i);
  const diagnostic: Diagnostic = {
    code,
    severity: "error",
    message,
    at: { module: frame.module.path, span, label: label ?? "" },
    related: [...related, ...ways.slice(0, 3)],
    ...(help === undefined ? {} : { help }),
  };
  const known = of.diagnostics.some((each) => each.code === code && same(each.at, diagnostic.at));
  if (!known) of.diagnostics.push(diagnostic);
  return broken;
}

/** Makes a node when a graph is being built and every operand has one. */
export function build(
  of: Elaboration,
  operands: readonly (Tensor | undefined)[],
  make: (builder: GraphBuilder, ...nodes: Node[]) => Node,
): Node | undefined {
  const { builder } = of;
  if (builder === undefined) return undefined;
  const nodes: Node[] = [];
  for (const operand of operands) {
    if (operand === undefined) continue;
    if (operand.node === undefined)
      throw new Error("internal: a tensor without a node while a graph is being built");
    nodes.push(operand.node);
  }
  return make(builder, ...nodes);
}

/** Where the user wrote what is being run: inside the standard library, the application that led there. */
export function writtenAt(of: Elaboration, span: Span): { readonly module: string; readonly span: Span } {
  let place: { readonly module: string; readonly span: Span } = { module: frameOf(of).module.path, span };
  for (let at = of.frames.length - 1; at >= 0 && isStandard(place.module); at--)
    place = of.frames[at]!.call ?? place;
  return place;
}

const isStandard = (module: string): boolean => module.startsWith("std.");

export const placeOf = (of: Elaboration, span: Span, label: string): Place => ({
  module: frameOf(of).module.path,
  span,
  label,
});

/** A fresh hidden axis, inside all that exist. */
export const hiddenAxis = (
  of: Elaboration,
  kind: Hidden["kind"],
  size: Hidden["size"],
  name: string,
  more: Partial<Hidden> = {},
): Hidden => ({
  kind,
  order: of.nextOrder++,
  size,
  name,
  ...more,
});

/** The next name for something that a body makes: `norm`, or `norm.0`, `norm.1` where the body makes several. */
export function nextName(of: Elaboration, base: string): string {
  const frame = frameOf(of);
  const index = frame.counters.get(base) ?? 0;
  frame.counters.set(base, index + 1);
  return frame.repeated.has(base) ? `${base}.${index}` : base;
}
export const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);
