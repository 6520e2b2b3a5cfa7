// The way through the compiler as a table of contents: every pass, in order, with the level it reads and the level it makes.
// `moe show --level` prints graphs, kernels, the program and the targets' code.

export type Level = "syntax" | "model" | "graph" | "kernel" | "program";

export interface Pass {
  readonly name: string;
  readonly from: Level | "text";
  readonly to: Level | "wasm" | "wgsl" | "cuda";
  readonly file: string;
  readonly does: string;
}

export const passes: readonly Pass[] = [
  {
    name: "parse",
    from: "text",
    to: "syntax",
    file: "grammar/parse.ts",
    does: "text to syntax, going on after errors",
  },
  {
    name: "resolve",
    from: "syntax",
    to: "model",
    file: "compiler/resolve.ts",
    does: "modules loaded, names found",
  },
  {
    name: "check",
    from: "model",
    to: "model",
    file: "compiler/check/",
    does: "every definition with symbolic sizes",
  },
  {
    name: "elaborate",
    from: "model",
    to: "graph",
    file: "compiler/elaborate/",
    does: "definitions applied, lifted, routed",
  },
  {
    name: "simplify",
    from: "graph",
    to: "graph",
    file: "compiler/simplify.ts",
    does: "named rewrite rules to a fixpoint",
  },
  {
    name: "differentiate",
    from: "graph",
    to: "graph",
    file: "compiler/differentiate.ts",
    does: "gradients by a rule per operation",
  },
  {
    name: "optimise",
    from: "graph",
    to: "graph",
    file: "compiler/build/optimizer.ts",
    does: "new parameters from gradients",
  },
  {
    name: "narrow",
    from: "graph",
    to: "graph",
    file: "compiler/narrow.ts",
    does: "operands of contractions in 16 bits, copies of parameters, where a precision is asked for",
  },
  {
    name: "fuse",
    from: "graph",
    to: "graph",
    file: "compiler/fuse.ts",
    does: "clusters that share a kernel, and refusals",
  },
  {
    name: "lower",
    from: "graph",
    to: "kernel",
    file: "compiler/lower.ts",
    does: "clusters to loops, loads and stores",
  },
  {
    name: "schedule",
    from: "kernel",
    to: "kernel",
    file: "compiler/schedule/",
    does: "tiles and blocks of contractions and streams",
  },
  {
    name: "plan",
    from: "kernel",
    to: "program",
    file: "compiler/plan.ts",
    does: "shared kernels, buffers, lifetimes",
  },
  {
    name: "print",
    from: "kernel",
    to: "wasm",
    file: "compiler/wasm/print.ts",
    does: "one WebAssembly module of all kernels",
  },
  {
    name: "print",
    from: "kernel",
    to: "wgsl",
    file: "compiler/wgsl/print.ts",
    does: "a shader for each kernel",
  },
  {
    name: "print",
    from: "kernel",
    to: "cuda",
    file: "compiler/cuda/print.ts",
    does: "one CUDA C++ file of all kernels",
  },
];
