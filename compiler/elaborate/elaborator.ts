// Puts the parts of the elaborator together. In: what is to be elaborated, with or without a graph. Out: a fresh elaboration.

import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { DecodeOptions, Elaboration, ModeName, Parts, Watch } from "./elaboration.ts";
import { axesOf, evaluate } from "./expression.ts";
import type { RecipeSizes } from "./recipe-sizes.ts";
import { applyOrReplay } from "./replay.ts";
import { run } from "./statement.ts";

const parts: Parts = { evaluate, run, apply: applyOrReplay, axesOf };

export interface ElaborationOptions {
  readonly builder?: GraphBuilder | undefined;
  readonly mode: ModeName;
  readonly decode?: DecodeOptions | undefined;
  readonly steps?: number | undefined;
  readonly recipe?: RecipeSizes | undefined;
  readonly diagnostics?: Diagnostic[];
  readonly watch?: Watch | undefined;
}

export const startElaboration = ({
  builder,
  mode,
  decode,
  steps,
  recipe,
  diagnostics = [],
  watch,
}: ElaborationOptions): Elaboration => ({
  parts,
  builder,
  mode,
  decode,
  steps,
  recipe,
  collected: {
    tensors: new Map(),
    losses: [],
    metrics: [],
    updates: new Map(),
    routers: [],
    sent: [],
    modalities: [],
    undecodable: [],
    caches: new Map(),
  },
  diagnostics,
  frames: [],
  nextOrder: 0,
  nextStream: 0,
  lengths: new Set(),
  work: 0,
  afterStep: false,
  modal: false,
  looks: 0,
  replay: undefined,
  watch,
});
