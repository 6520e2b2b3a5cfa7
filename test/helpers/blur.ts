// A program for tests of threads: passes over many numbers whose kernel is written by hand.

import { plan } from "../../compiler/plan.ts";
import { constant } from "../../runtime/size.ts";
import { dispatch, input, int, output, printed, real, temporary, type HandWritten } from "./hand-written.ts";
import { add, binary, buffer, f, i, kernel, load, loop, mul, store, workgroup } from "./kernels.ts";

/** A chain of passes over many numbers: out = x mixed with its neighbours, again and again. For threads. */
export function blur(passes: number, length: number): HandWritten {
  const per = 256;
  const tasks = Math.ceil(length / per);
  const pass = kernel({
    name: "blur",
    grid: constant(tasks),
    scratch: [{ name: "row", type: "f32", length: per }],
    buffers: [buffer("x", "read", length), buffer("out", "write", length)],
    body: [
      loop(
        "at",
        binary("min", mul(add(workgroup, i(1)), i(per)), i(length)),
        [
          { op: "let", name: "left", value: load("x", binary("max", add(int("at"), i(-1)), i(0))) },
          { op: "let", name: "right", value: load("x", binary("min", add(int("at"), i(1)), i(length - 1))) },
          store(
            "row",
            binary("mod", int("at"), i(per)),
            add(mul(f(0.5), load("x", int("at"))), mul(f(0.25), add(real("left"), real("right")))),
          ),
        ],
        mul(workgroup, i(per)),
      ),
      loop(
        "back",
        binary("min", mul(add(workgroup, i(1)), i(per)), i(length)),
        [store("out", int("back"), load("row", binary("mod", int("back"), i(per))))],
        mul(workgroup, i(per)),
      ),
    ],
  });
  const buffers = [
    input("x"),
    ...Array.from({ length: passes - 1 }, (_, n) => temporary(`pass ${n}`, constant(length))),
    output("y"),
  ];
  const port = (name: string) => ({ name, type: "f32", shape: [constant(length)] }) as const;
  return printed(
    plan(
      [
        {
          name: "forward",
          inputs: [port("x")],
          outputs: [port("y")],
          dispatches: buffers.slice(1).map((to, n) => dispatch(`pass ${n}`, pass, buffers[n]!, to)),
          refusals: [],
        },
      ],
      { name: "Blur", sizes: [], tensors: [], modalities: [], routers: [] },
    ),
  );
}
