// Runs for tests of the report, made up but of the shapes that real ones have: a program, records of its training, and routing
// folded from picks that follow a rule. Deterministic.

import { foldRouting, type Seen } from "../../cli/report/collect.ts";
import type { RoutingReport } from "../../cli/report/routing.ts";
import type { RunData } from "../../cli/report/run.ts";
import type { MetricsRecord } from "../../runtime/metrics.ts";
import {
  programVersion,
  type Modality,
  type Program,
  type RouterInfo,
  type Tensor,
  type Training,
} from "../../runtime/program.ts";
import { bytesTokenizer, type Tokenizer } from "../../runtime/tokenizer.ts";

/** 0 <= x < 1, a pure function of its arguments. */
export function chance(...keys: readonly number[]): number {
  let hash = 2166136261;
  for (const key of keys) {
    hash = Math.imul(hash ^ key, 16777619);
    hash = Math.imul(hash ^ (hash >>> 15), 2246822519);
    hash ^= hash >>> 13;
  }
  return (hash >>> 0) / 4294967296;
}

export interface Shape {
  readonly name?: string;
  readonly layers?: number;
  readonly experts?: number;
  readonly nulls?: number;
  readonly width?: number;
  readonly steps?: number;
  readonly dropping?: boolean;
}

const training: Training = {
  data: [{ modality: "text", reader: "bytes", path: "corpus/*.txt" }],
  batch: 4,
  length: 128,
  steps: 500,
  accumulate: 1,
  seed: 1,
  evaluateEvery: 100,
  holdOut: 0.05,
  checkpointEvery: 100,
  patience: 0,
  metrics: ["loss", "balance"],
  optimiser: "adamw, rate cosine(4e-3, warmup = 30), decay 0.1",
  rate: "rate",
  norm: "norm",
};

const parameter = (name: string, ...shape: number[]): Tensor => ({
  name,
  role: "parameter",
  type: "f32",
  shape,
  init: { kind: "normal", deviation: 0.02 },
});

const expertParts = ["gate", "up", "down"];

export function madeProgram({
  name = "Book",
  layers = 4,
  experts = 8,
  nulls = 0,
  width = 2,
  steps = 500,
  dropping = false,
}: Shape = {}): Program {
  const D = 128;
  const routers = Array.from({ length: layers }, (_, i): RouterInfo => {
    const path = `block.${i}.experts.router`;
    return {
      name: path,
      experts,
      nulls,
      width,
      load: `load.${path}`,
      picks: `picks.${path}`,
      pool: [
        {
          first: 0,
          count: experts,

          tensors: expertParts.map((each) => `block.${i}.experts.routed.${each}`),
        },
      ],
      ...(dropping ? { dropping } : {}),
    };
  });
  const text: Modality = {
    name: "text",
    kind: "tokens",
    count: 256,
    length: "T",
    ports: ["text", "text.next"],
  };
  return {
    format: "moe-program",
    version: programVersion,
    name,
    target: "wasm",
    sizes: [],
    tensors: [
      parameter("table", 256, D),
      ...routers.flatMap(({ name: router }) => {
        const base = router.replace(".router", "");
        return [
          parameter(`${router}.w`, D, experts + nulls),
          ...expertParts.flatMap((each) => [
            parameter(`${base}.routed.${each}`, experts, D, D),
            parameter(`${base}.shared.${each}`, D, D),
          ]),
        ];
      }),
    ],
    kernels: [],
    entries: {},
    modalities: [text],
    training: { ...training, steps },
    routers,
  };
}

/** What a router of layer `layer` likes of a token, for each expert. */
function scores(layer: number, byte: number, at: number, all: number): number[] {
  const kind = byte === 32 || byte === 10 ? 1 : byte >= 65 && byte <= 90 ? 2 : byte < 65 ? 3 : 4;
  return Array.from({ length: all }, (_, expert) => {
    const own =
      chance(layer, expert, kind) * 0.9 + chance(layer, expert, byte, 7) * (layer === 0 ? 1.4 : 0.7);
    return (
      own + chance(layer, expert, byte, at) * (0.4 + 0.5 * layer) - (expert === 3 && layer === 2 ? 1.2 : 0)
    );
  });
}

export function best(list: readonly number[], count: number): number[] {
  return list
    .map((value, index) => ({ value, index }))
    .sort((a, b) => b.value - a.value || a.index - b.index)
    .slice(0, count)
    .map(({ index }) => index);
}

export function madeSeen(program: Program, ids: Int32Array, examples: number): Seen {
  const picks = program.routers.map(({ experts, nulls, width, dropping }, layer) => {
    const out: number[] = [];
    ids.forEach((byte, at) => {
      const chosen = best(scores(layer, byte, at, experts + nulls), width);
      for (const expert of chosen) out.push(dropping === true && chance(at, expert, 99) < 0.04 ? -1 : expert);
    });
    return Int32Array.from(out);
  });
  return { batch: { text: ids }, picks, examples };
}

/** Records of a run: a loss that falls, loads that even out, one layer that forgets an expert. */
export function madeRecords(program: Program, steps: number, every = 100): MetricsRecord[] {
  const records: MetricsRecord[] = [];
  for (let step = 1; step <= steps; step++) {
    const progress = step / Math.max(1, steps);
    const noise = chance(step, 1) - 0.5;
    const loss = 1.35 + 4.2 * Math.exp(-7 * progress) + 0.12 * noise;
    const loads = Object.fromEntries(
      program.routers.map(({ name, experts, nulls, width }, layer) => [
        name,
        Array.from({ length: experts + nulls }, (_, expert) => {
          const liking =
            (chance(layer, expert, 5) - 0.5) * 3 * Math.exp(-3 * progress) -
            (expert === 3 && layer === 2 ? 2.5 * progress : 0);
          return Math.round(
            ((512 * width) / (experts + nulls)) *
              Math.exp(liking + 0.15 * (chance(step, layer, expert) - 0.5)),
          );
        }),
      ]),
    );
    records.push({
      kind: "step",
      step,
      metrics: { loss, balance: 0.01 + 0.02 * Math.exp(-5 * progress) + 0.001 * noise },
      rate: 4e-3 * Math.min(1, step / 30) * (0.5 + 0.5 * Math.cos(Math.PI * progress)),
      norm: 0.8 + 2 * Math.exp(-10 * progress) + 0.3 * chance(step, 2),
      loads,
      seconds: step * 0.28,
      perSecond: 7300 + 300 * (chance(step, 3) - 0.5),
    });
    if (step % every === 0)
      records.push({
        kind: "evaluation",
        step,
        metrics: { loss: loss + 0.06 + 0.05 * progress, balance: 0.011 },
        loads,
        seconds: step * 0.28,
      });
  }
  return records;
}

export function madeRun(
  shape: Shape = {},
  text = "Call me Ishmael. Some years ago—never mind how long precisely. ".repeat(40),
  tokenizer: Tokenizer = bytesTokenizer(),
): RunData & { readonly routing: RoutingReport } {
  const program = madeProgram(shape);
  const ids = tokenizer.encode(text).slice(0, 4096);
  const examples = 8;
  const seen = madeSeen(program, ids.slice(0, Math.floor(ids.length / examples) * examples), examples);
  const steps = shape.steps ?? 500;
  return {
    program,
    records: madeRecords(program, steps),
    routing: foldRouting(program, [seen], { tokenizers: { text: tokenizer }, labels: {} }, steps),
    about: {},
  };
}

/** Images of ten classes in 49 patches, and rows of a table, seen by one router each. */
export function madeImages(): RunData {
  const experts = 8;
  const router = (name: string): RouterInfo => ({
    name,
    experts,
    nulls: 2,
    width: 2,
    load: `load.${name}`,
    picks: `picks.${name}`,
    pool: [],
  });
  const program: Program = {
    ...madeProgram({ layers: 0, name: "Digits" }),
    modalities: [
      { name: "picture", kind: "image", shape: [28, 28], ports: ["picture"] },
      { name: "digit", kind: "category", count: 10, ports: ["digit"] },
      { name: "day", kind: "features", count: 3, ports: ["day"] },
    ],
    routers: [router("block.0.experts.router"), router("whole.router")],
    training: {
      ...training,
      metrics: ["loss", "accuracy"],
      data: [{ modality: "day", reader: "csv", path: "a.csv", columns: ["rain", "high", "wind"] }],
    },
  };
  const examples = 200;
  const digit = Int32Array.from({ length: examples }, (_, i) => Math.floor(chance(i, 4) * 10));
  const day = Float32Array.from(
    { length: examples * 3 },
    (_, i) => chance(i, 8) * 10 + (digit[Math.floor(i / 3)]! % 3) * (i % 3),
  );
  const patches = Int32Array.from({ length: examples * 49 * 2 }, (_, i) => {
    const row = i >> 1;
    const place = row % 49;
    const liking = Array.from(
      { length: experts + 2 },
      (_, expert) =>
        -Math.abs(Math.floor(place / 7) - (expert % 4) * 2) +
        chance(row, expert) +
        (expert > 4 ? place % 7 : 6 - (place % 7)) * 0.3,
    );
    return best(liking, 2)[i & 1]!;
  });
  const whole = Int32Array.from({ length: examples * 2 }, (_, i) => {
    const liking = Array.from(
      { length: experts + 2 },
      (_, expert) => chance(digit[i >> 1]!, expert) + 0.5 * chance(i >> 1, expert, 3),
    );
    return best(liking, 2)[i & 1]!;
  });
  const seen: Seen = { batch: { digit, day }, picks: [patches, whole], examples };
  return {
    program,
    records: madeRecords(program, 120).map((record) =>
      record.kind === "phase"
        ? record
        : {
            ...record,
            metrics: { loss: record.metrics["loss"]!, accuracy: 1 - record.metrics["loss"]! / 6 },
          },
    ),
    routing: foldRouting(
      program,
      [seen],
      { tokenizers: {}, labels: { digit: [..."0123456789"].map((name) => `digit ${name}`) } },
      120,
    ),
    about: {},
  };
}
