// The JavaScript engine, told what a command is: a process whose code is mostly new to the engine, and which often lives for a
// second. In: nothing. Out: V8's flags of this process. Nothing here changes what a command computes. Not for the library: a
// process that imports it is its owner's.

import { setFlagsFromString } from "node:v8";

/** Bytes of bytecode that a function runs before V8 thinks of optimising it; V8's own number is 67,584. With that, more processor
 * time goes into optimising functions than into running them: on other threads, which take turns with the program where cores are
 * few. What is hot for seconds is optimised some milliseconds later. */
const interruptBudget = 4 * 67_584;

export const engineFlags: readonly string[] = [`--interrupt-budget=${interruptBudget}`];

export const tuneEngine = (): void => engineFlags.forEach(setFlagsFromString);
