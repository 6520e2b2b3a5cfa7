// The memory of a run: what the plan says before the first step, and what was measured at its end. In: a session that is open
// but has not touched its memory. Out: a watch that looks now and then.
// What the plan knows is the session's own memory: tensors, the values of a step, room for threads. What it cannot know, the
// engine, the compiler, the data, the machine code and the threads' own heaps, is there before training begins and hardly
// grows afterwards; so it is measured at that moment and added.

import { memoryPlan } from "../runtime/arena-plan.ts";
import type { Program } from "../runtime/program.ts";
import type { Executor } from "../runtime/executor.ts";
import { bytes } from "./numbers.ts";

export interface MemoryWatch {
  /** Bytes that the process held before the session used any of its memory. */
  readonly before: number;
  /** Bytes of the session, by the plan; on a GPU those that it has allocated there. */
  readonly model: number;
  /** The GPU whose memory it is. */
  readonly device?: string;
  look(): void;
  /** The most bytes that the process held at any look. */
  peak(): number;
}

export function watchMemory(program: Program, entries: readonly string[], session: Executor): MemoryWatch {
  const before = process.memoryUsage.rss();
  let most = before;
  const look = (): void => void (most = Math.max(most, process.memoryUsage.rss()));
  if (session.threads !== undefined) {
    const model = memoryPlan(program, entries, session.sizes, session.threads).total;
    return { before, model, look, peak: () => most };
  }
  return {
    before,
    get model() {
      return session.bytes;
    },
    device: session.where,
    look,
    peak: () => most,
  };
}

/** "210 MiB planned: 64.8 MiB for the model, 145 MiB held already by Node, data and threads" */
export const showPlan = ({ before, model, device }: MemoryWatch): string =>
  device !== undefined
    ? `${bytes(model)} on ${device}`
    : `${bytes(before + model)} planned: ${bytes(model)} for the model, ${bytes(before)} held already by Node, data and threads`;

/** "memory at most 215 MiB, planned 210 MiB" */
export const showPeak = ({ before, model, peak, device }: MemoryWatch): string =>
  device !== undefined
    ? `memory ${bytes(model)} on ${device}, at most ${bytes(peak())} beside it`
    : `memory at most ${bytes(peak())}, planned ${bytes(before + model)}`;
