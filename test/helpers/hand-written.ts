// Programs whose kernels are written by hand, for tests of the runtime: a linear regression that trains with momentum, and
// a model of text that decodes with a cache. Small, and complete: they go through plan, print and sessions like any other.

import { artifact, type Artifact } from "../../compiler/artifact.ts";
import type { Expr, Kernel } from "../../compiler/kernel.ts";
import type { LoweredBuffer, LoweredDispatch, LoweredEntry } from "../../compiler/lowered.ts";
import { plan, type Planned } from "../../compiler/plan.ts";
import type { Tensor, Training } from "../../runtime/program.ts";
import { constant, multiply, named, type Size } from "../../runtime/size.ts";
import {
  add,
  binary,
  buffer,
  f,
  i,
  kernel,
  load,
  local,
  loop,
  mul,
  size,
  store,
  workgroup,
} from "./kernels.ts";

/** With its kernels: those can be printed for any device. */
export type HandWritten = Artifact & Planned;
export const printed = (planned: Planned): HandWritten => ({ ...planned, ...artifact(planned) });

export const int = (name: string): Expr => local(name, "i32");
export const real = (name: string): Expr => local(name, "f32");
const B = named("B");

export const tensor = (name: string): LoweredBuffer => ({ kind: "tensor", name });
export const input = (name: string): LoweredBuffer => ({ kind: "input", name });
export const output = (name: string): LoweredBuffer => ({ kind: "output", name });
export const temporary = (label: string, length: Size, type: "f32" | "i32" = "f32"): LoweredBuffer => ({
  kind: "temporary",
  label,
  type,
  length,
});
export const dispatch = (label: string, of: Kernel, ...buffers: LoweredBuffer[]): LoweredDispatch => ({
  kernel: of,
  buffers,
  label,
});

/** Features of the regression. */
export const width = 4;

/** error[b] = x[b] . w - y[b] + noise, with noise keyed by seed, draw and row. */
const errorKernel = kernel({
  name: "error",
  sizes: ["B"],
  grid: B,
  buffers: [
    buffer("x", "read", multiply(B, constant(width))),
    buffer("w", "read", width),
    buffer("y", "read", B),
    buffer("seed", "read", 1, "i32"),
    buffer("draw", "read", 1, "i32"),
    buffer("error", "write", B),
  ],
  body: [
    { op: "var", name: "sum", value: mul(f(-1), load("y", workgroup)) },
    loop("d", i(width), [
      {
        op: "set",
        name: "sum",
        value: add(real("sum"), mul(load("x", add(mul(workgroup, i(width)), int("d"))), load("w", int("d")))),
      },
    ]),
    {
      op: "let",
      name: "noise",
      value: {
        op: "random",
        type: "f32",
        key0: load("seed", i(0), "i32"),
        key1: load("draw", i(0), "i32"),
        counter: workgroup,
        stream: 7,
      },
    },
    store("error", workgroup, add(real("sum"), mul(f(0.01), real("noise")))),
  ],
});

/** gradient[d] += sum of error[b] * x[b, d]. */
const gradientKernel = kernel({
  name: "gradient",
  sizes: ["B"],
  grid: constant(width),
  buffers: [
    buffer("error", "read", B),
    buffer("x", "read", multiply(B, constant(width))),
    buffer("gradient", "update", width),
  ],
  body: [
    { op: "var", name: "sum", value: load("gradient", workgroup) },
    loop("b", size("B"), [
      {
        op: "set",
        name: "sum",
        value: add(
          real("sum"),
          mul(load("error", int("b")), load("x", add(mul(int("b"), i(width)), workgroup))),
        ),
      },
    ]),
    store("gradient", workgroup, real("sum")),
  ],
});

/** loss = mean of error^2. */
const lossKernel = kernel({
  name: "loss",
  sizes: ["B"],
  buffers: [buffer("error", "read", B), buffer("loss", "write", 1)],
  body: [
    { op: "var", name: "sum", value: f(0) },
    loop("b", size("B"), [
      {
        op: "set",
        name: "sum",
        value: add(real("sum"), mul(load("error", int("b")), load("error", int("b")))),
      },
    ]),
    store("loss", i(0), binary("div", real("sum"), { op: "cast", type: "f32", a: size("B") })),
  ],
});

/** m = 0.9 m + g; w -= rate m; g = 0; norm = |g|; the rate falls with the step. */
const updateKernel = kernel({
  name: "momentum",
  buffers: [
    buffer("w", "update", width),
    buffer("m", "update", width),
    buffer("gradient", "update", width),
    buffer("step", "read", 1, "i32"),
    buffer("rate", "write", 1),
    buffer("norm", "write", 1),
  ],
  body: [
    {
      op: "let",
      name: "r",
      value: binary(
        "div",
        f(0.02),
        add(f(1), mul(f(0.01), { op: "cast", type: "f32", a: load("step", i(0), "i32") })),
      ),
    },
    { op: "var", name: "sum", value: f(0) },
    loop("d", i(width), [
      { op: "let", name: "g", value: load("gradient", int("d")) },
      { op: "let", name: "next", value: add(mul(f(0.9), load("m", int("d"))), real("g")) },
      { op: "set", name: "sum", value: add(real("sum"), mul(real("g"), real("g"))) },
      store("m", int("d"), real("next")),
      store("w", int("d"), add(load("w", int("d")), mul(f(-1), mul(real("r"), real("next"))))),
      store("gradient", int("d"), f(0)),
    ]),
    store("rate", i(0), real("r")),
    store("norm", i(0), { op: "unary", type: "f32", fn: "sqrt", a: real("sum") }),
  ],
});

const floats = (
  name: string,
  role: Tensor["role"],
  init: Tensor["init"],
  shape: readonly number[] = [width],
): Tensor => ({ name, role, type: "f32", shape, init });

const training: Training = {
  data: [],
  batch: 8,
  steps: 40,
  accumulate: 1,
  seed: 5,
  evaluateEvery: 10,
  holdOut: 0.2,
  checkpointEvery: 10,
  patience: 0,
  metrics: ["loss"],
  optimiser: "momentum 0.9",
  rate: "rate",
  norm: "norm",
};

/** y = x . w, trained with momentum. Entries train, update, evaluate. */
export function regression(recipe: Partial<Training> = {}): HandWritten {
  const batch = { name: "x", type: "f32", shape: [B, constant(width)] } as const;
  const target = { name: "y", type: "f32", shape: [B] } as const;
  const scalar = (name: string) => ({ name, type: "i32", shape: [] }) as const;
  const loss = { name: "loss", type: "f32", shape: [] } as const;
  const errors = temporary("error", B);
  const held = temporary("error", B);
  const forward = (to: LoweredBuffer): LoweredDispatch[] => [
    dispatch(
      "prediction",
      errorKernel,
      input("x"),
      tensor("w"),
      input("y"),
      input("$seed"),
      input("$draw"),
      to,
    ),
  ];
  const entries: LoweredEntry[] = [
    {
      name: "train",
      inputs: [batch, target, scalar("$seed"), scalar("$draw")],
      outputs: [loss],
      dispatches: [
        ...forward(errors),
        dispatch("gradient of w", gradientKernel, errors, input("x"), tensor("grad.w")),
        dispatch("mean square", lossKernel, errors, output("loss")),
      ],
      refusals: [],
    },
    {
      name: "update",
      inputs: [scalar("$step")],
      outputs: [
        { name: "rate", type: "f32", shape: [] },
        { name: "norm", type: "f32", shape: [] },
      ],
      dispatches: [
        dispatch(
          "momentum",
          updateKernel,
          tensor("w"),
          tensor("m.w"),
          tensor("grad.w"),
          input("$step"),
          output("rate"),
          output("norm"),
        ),
      ],
      refusals: [],
    },
    {
      name: "evaluate",
      inputs: [batch, target, scalar("$seed"), scalar("$draw")],
      outputs: [loss],
      dispatches: [
        ...forward(held),
        dispatch("mean square", { ...lossKernel, name: "another name" }, held, output("loss")),
      ],
      refusals: [],
    },
  ];
  return printed(
    plan(entries, {
      name: "Regression",
      sizes: [{ name: "B", doc: "batch", default: 8 }],
      tensors: [
        floats("w", "parameter", { kind: "normal", deviation: 1 }),
        floats("m.w", "optimiser", { kind: "constant", value: 0 }),
        floats("grad.w", "optimiser", { kind: "constant", value: 0 }),
      ],
      modalities: [{ name: "x", kind: "features", count: width, ports: ["x"] }],
      routers: [],
      training: { ...training, ...recipe },
    }),
  );
}

const T = named("T");
export const vocabulary = 7;

/** seen[position + t] = ids[t]. */
const rememberKernel = (context: number) =>
  kernel({
    name: "remember",
    sizes: ["T"],
    grid: T,
    buffers: [
      buffer("ids", "read", T, "i32"),
      buffer("position", "read", 1, "i32"),
      buffer("seen", "update", context, "i32"),
    ],
    body: [store("seen", add(load("position", i(0), "i32"), workgroup), load("ids", workgroup, "i32"))],
  });

/** logits[t, v] = sum over s <= position + t of table[seen[s], v] / (1 + position + t - s): all that came before counts. */
const scoreKernel = (context: number) =>
  kernel({
    name: "score",
    sizes: ["T"],
    grid: T,
    buffers: [
      buffer("seen", "read", context, "i32"),
      buffer("position", "read", 1, "i32"),
      buffer("table", "read", vocabulary * vocabulary),
      buffer("logits", "write", multiply(T, constant(vocabulary))),
    ],
    body: [
      { op: "let", name: "last", value: add(load("position", i(0), "i32"), workgroup) },
      loop("v", i(vocabulary), [
        { op: "var", name: "sum", value: f(0) },
        loop("s", add(int("last"), i(1)), [
          { op: "let", name: "distance", value: add(i(1), add(int("last"), mul(i(-1), int("s")))) },
          {
            op: "set",
            name: "sum",
            value: add(
              real("sum"),
              binary("div", load("table", add(mul(load("seen", int("s"), "i32"), i(vocabulary)), int("v"))), {
                op: "cast",
                type: "f32",
                a: int("distance"),
              }),
            ),
          },
        ]),
        store("logits", add(mul(workgroup, i(vocabulary)), int("v")), real("sum")),
      ]),
    ],
  });

/** Text over seven tokens; what follows depends on all tokens in the cache. Entry decode. */
export function speaker(context = 16): HandWritten {
  const decode: LoweredEntry = {
    name: "decode",
    inputs: [
      { name: "text", type: "i32", shape: [B, T] },
      { name: "$position", type: "i32", shape: [] },
    ],
    outputs: [{ name: "logits", type: "f32", shape: [B, T, constant(vocabulary)] }],
    dispatches: [
      dispatch("remember", rememberKernel(context), input("text"), input("$position"), tensor("cache.seen")),
      dispatch(
        "scores",
        scoreKernel(context),
        tensor("cache.seen"),
        input("$position"),
        tensor("table"),
        output("logits"),
      ),
    ],
    refusals: [],
  };
  return printed(
    plan([decode], {
      name: "Speaker",
      sizes: [
        { name: "B", doc: "batch", default: 1 },
        { name: "T", doc: "tokens at a time", default: 8 },
        { name: "C", doc: "context", default: context },
      ],
      tensors: [
        floats("table", "parameter", { kind: "normal", deviation: 2 }, [vocabulary, vocabulary]),
        {
          name: "cache.seen",
          role: "state",
          type: "i32",
          shape: [1, context],
          init: { kind: "constant", value: 0 },
        },
      ],
      modalities: [
        { name: "text", kind: "tokens", count: vocabulary, length: "T", ports: ["text", "text.next"] },
      ],
      routers: [],
    }),
  );
}
