// Schedules: numbers that are functions of the optimiser step, as scalar f32 nodes, so that they run where the rest runs.
// In: `step` (f32 scalar: steps done before this one, 0 in the first) and `steps` (of the whole run). Out: a scalar node.
// Warm-up rises in equal parts and reaches the peak at its last step: the first step already has peak / warmup, never 0.

import type { GraphBuilder, Value } from "../graph-builder.ts";
import type { Node } from "../graph.ts";

export interface Clock {
  /** f32 scalar: steps done. */
  readonly step: Node;
  /** Steps of the whole run. */
  readonly steps: number;
}

/** Keeps a value between two numbers. */
const clamp = (builder: GraphBuilder, value: Node, low: number, high: number): Node =>
  builder.map("min", builder.map("max", value, low), high);

/** (step + 1) / warmup, at most 1. */
function rise(builder: GraphBuilder, clock: Clock, warmup: number): Value {
  if (warmup <= 0) return 1;
  return builder.map("min", builder.div(builder.add(clock.step, 1), warmup), 1);
}

/** 0 at the end of the warm-up, 1 at `end`. */
const share = (builder: GraphBuilder, clock: Clock, start: number, end: number): Node =>
  clamp(builder, builder.div(builder.sub(clock.step, start), Math.max(1, end - start)), 0, 1);

/** peak * min(1, (step + 1) / warmup). */
export const constantRate = (builder: GraphBuilder, clock: Clock, peak: Value, warmup = 0): Node =>
  builder.mul(lift(builder, peak), rise(builder, clock, warmup));

/** floor + (peak - floor) * (1 + cos(pi * s)) / 2 with s from 0 at the end of the warm-up to 1 at the last step. */
export function cosine(builder: GraphBuilder, clock: Clock, peak: Value, warmup = 0, floor: Value = 0): Node {
  const angle = builder.mul(share(builder, clock, warmup, clock.steps), Math.PI);
  const bell = builder.mul(builder.add(builder.map("cos", angle), 1), 0.5);
  const decayed = builder.add(builder.mul(bell, builder.sub(lift(builder, peak), floor)), floor);
  return builder.mul(decayed, rise(builder, clock, warmup));
}

/** From one value to another in equal steps, over `over` steps; then the last. */
export function linear(
  builder: GraphBuilder,
  clock: Clock,
  from: Value,
  to: Value,
  over = clock.steps,
): Node {
  const part = share(builder, clock, 0, over);
  return builder.add(builder.mul(part, builder.sub(lift(builder, to), from)), from);
}

/** from * (to / from) ^ (step / over); then the last. */
export function exponential(
  builder: GraphBuilder,
  clock: Clock,
  from: number,
  to: number,
  over = clock.steps,
): Node {
  const part = share(builder, clock, 0, over);
  return builder.mul(builder.map("exp", builder.mul(part, Math.log(to / from))), from);
}

/** Warm-up, then the peak, then a straight fall to `floor` over the last `decay` share of the run.
 * Source: Hu et al., "MiniCPM", arXiv 2404.06395. */
export function warmupStableDecay(
  builder: GraphBuilder,
  clock: Clock,
  peak: Value,
  warmup = 0,
  decay = 0.2,
  floor: Value = 0,
): Node {
  const start = Math.floor(clock.steps * (1 - decay));
  const fall = share(builder, clock, start, clock.steps);
  const top = lift(builder, peak);
  return builder.mul(
    builder.sub(top, builder.mul(fall, builder.sub(top, floor))),
    rise(builder, clock, warmup),
  );
}

const lift = (builder: GraphBuilder, value: Value): Node =>
  typeof value === "number" ? builder.constant(value) : value;
