// The levels that `moe show --level` takes. Apart from what prints them, which loads the compiler.

/** `graph` is simplified and differentiated, `draft` is neither; `code` is what the target's printer makes. */
export const levelNames = ["draft", "graph", "kernel", "program", "code"] as const;
export type LevelName = (typeof levelNames)[number];
