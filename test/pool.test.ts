// The pool when a thread dies: out of memory, stopped by the engine. The main thread holds the event loop while it waits, so no
// event tells it; it has to find out by itself, and must not wait for ever.

import { expect, test } from "vitest";
import type { Expr, Kernel } from "../compiler/kernel.ts";
import { printWasm } from "../compiler/wasm/print.ts";
import { UserError } from "../runtime/errors.ts";
import { Pool, type Call } from "../runtime/pool.ts";
import { constant } from "../runtime/size.ts";
import { startThread, type Thread } from "../runtime/wasm-host.ts";

const integer = (value: number): Expr => ({ op: "literal", type: "i32", value });
const sum: Expr = { op: "local", type: "f32x4", name: "sum" };
/** Minutes of arithmetic in one task. */
const long: Kernel = {
  name: "long",
  buffers: [{ name: "io", type: "f32", access: "update", length: constant(16) }],
  sizes: [],
  grid: constant(2),
  workgroup: 1,
  scratch: [],
  body: [
    { op: "var", name: "sum", value: { op: "load", type: "f32x4", buffer: "io", index: integer(0) } },
    {
      op: "for",
      name: "outer",
      from: integer(0),
      to: integer(1 << 30),
      step: 1,
      body: [
        {
          op: "for",
          name: "inner",
          from: integer(0),
          to: integer(1 << 10),
          step: 1,
          body: [{ op: "set", name: "sum", value: { op: "fma", type: "f32x4", a: sum, b: sum, c: sum } }],
        },
      ],
    },
    { op: "store", buffer: "io", index: integer(4), value: sum },
  ],
};

const records = 4096;
const scratch = 16384;

/** A pool of two threads; the main thread's task is `own`. */
async function open(own: (threads: readonly Thread[]) => void) {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const module = new WebAssembly.Module(
    printWasm([long], { relaxed: false, shared: true }) as Uint8Array<ArrayBuffer>,
  );
  const threads: Thread[] = [];
  const pool = await Pool.start({
    threads: 2,
    module,
    memory,
    records,
    recordsBytes: 8192,
    scratch,
    scratchBytes: 1024,
    startThread: async (body, data) => {
      const thread = await startThread(body, data);
      threads.push(thread);
      return thread;
    },
  });
  const call: Call = { what: "long", kernel: 0, run: () => own(threads), args: [1024], grid: 2, work: 1e9 };
  return { pool, threads, tape: pool.tape([call])! };
}

const sleep = (milliseconds: number): void =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
const thrown = (act: () => void): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
};

test("a thread that dies with a task in its hands ends the run with one error", async () => {
  const { pool, threads, tape } = await open((all) => {
    // By now the other thread has the second task; it will never finish it.
    sleep(150);
    for (const thread of all) thread.terminate();
  });
  expect(threads.map((thread) => thread.ended())).toEqual([false]);
  const start = performance.now();
  const error = thrown(() => pool.run(tape));
  expect(performance.now() - start).toBeLessThan(5000);
  expect(error).toBeInstanceOf(UserError);
  expect(error).toMatchObject({ code: "R0508" });
  // What it left is of no use: the pool says so again instead of hanging.
  expect(thrown(() => pool.run(tape))).toMatchObject({ code: "R0508" });
  expect(thrown(() => pool.forget())).toMatchObject({ code: "R0508" });
  pool.dispose();
});

test("a thread that cannot be started is done without", async () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const bytes = printWasm([long], { relaxed: false, shared: true }) as Uint8Array<ArrayBuffer>;
  const pool = await Pool.start({
    threads: 2,
    module: new WebAssembly.Module(bytes),
    memory,
    records,
    recordsBytes: 8192,
    scratch,
    scratchBytes: 1024,
    startThread: (_, data) => startThread(() => process.exit(1), data),
  });
  expect(pool.threads).toBe(1);
  pool.dispose();
});
