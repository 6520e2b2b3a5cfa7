// What a kernel's buffers and scratch hold, by name. In: a kernel. Out: a map, made once for all of its loads and stores.

import type { ElementType, Kernel, Scratch } from "../kernel.ts";

/** Element types; for scratch in rows, their bytes. */
export type Memories = ReadonlyMap<string, Pick<Scratch, "type" | "rows">>;

export const memoriesOf = ({ buffers, scratch }: Pick<Kernel, "buffers" | "scratch">): Memories =>
  new Map<string, Pick<Scratch, "type" | "rows">>([...buffers, ...scratch].map((each) => [each.name, each]));

export function elementIn(memories: Memories, name: string): ElementType {
  const found = memories.get(name);
  if (found === undefined) throw new Error(`internal: a kernel has no ${name}`);
  return found.type;
}
