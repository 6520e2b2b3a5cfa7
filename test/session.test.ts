import { spawnSync } from "node:child_process";
import { afterEach, describe, expect, test } from "vitest";
import { UserError } from "../runtime/errors.ts";
import { openSession, type Session, type SessionOptions } from "../runtime/session.ts";
import { unshare } from "../runtime/wasm-module.ts";
import type { Artifact } from "../compiler/artifact.ts";
import { artifact } from "../compiler/artifact.ts";
import { plan } from "../compiler/plan.ts";
import { memoryPlan } from "../runtime/arena-plan.ts";
import { constant } from "../runtime/size.ts";
import { blur } from "./helpers/blur.ts";
import { dispatch, input, output, regression, speaker, vocabulary, width } from "./helpers/hand-written.ts";
import { buffer, i, kernel, load, mul, store, workgroup } from "./helpers/kernels.ts";

const open: Session[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.dispose();
});
async function start({ program, wasm }: Artifact, options?: SessionOptions): Promise<Session> {
  const session = await openSession(program, wasm, options);
  open.push(session);
  return session;
}
const wave = (length: number, by = 1): Float32Array =>
  Float32Array.from({ length }, (_, n) => Math.sin(n * by));

describe("running", () => {
  test("an entry computes what its kernels say", async () => {
    const session = await start(regression(), { sizes: { B: 2 }, threads: 1 });
    session.write("w", [1, 2, 3, 4]);
    const inputs = { x: [1, 0, 0, 0, 0, 1, 0, 1], y: [0, 5], $seed: 3, $draw: 9 };
    const { loss } = session.run("train", inputs);
    // Errors are 1 and 1 but for the noise, which is below 0.01.
    expect(loss![0]).toBeGreaterThan(1);
    expect(loss![0]).toBeLessThan(1.03);
    const gradient = session.read("grad.w");
    expect(Math.abs(gradient[0]! - 1)).toBeLessThan(0.02);
    expect(gradient[1]).toBe(gradient[3]);
    // Accumulates: the tensor stays between runs.
    session.run("train", inputs);
    expect(session.read("grad.w")[0]).toBeCloseTo(2 * gradient[0]!, 5);
  });

  test("outputs are copies, or views when asked", async () => {
    const session = await start(blur(2, 64), { threads: 1 });
    const kept = session.run("forward", { x: wave(64) })["y"]!;
    const before = kept.slice();
    const view = session.run("forward", { x: wave(64, 2) }, { views: true })["y"]!;
    expect(kept).toEqual(before);
    expect(view.buffer.byteLength).toBe(session.bytes);
  });

  test("sizes: defaults, resize, bindings side by side, memory that grows", async () => {
    for (const threads of [1, 2]) {
      const session = await start(speaker(), { threads, sizes: { T: 2 } });
      expect(session.sizes).toEqual({ B: 1, T: 2, C: 16 });
      const table = session.read("table");
      expect(session.run("decode", { text: [3, 1] })["logits"]).toHaveLength(2 * vocabulary);
      const one = session.bind({ T: 1 });
      expect(one.run("decode", { text: [3] })["logits"]).toEqual(table.slice(21, 28));
      expect(session.bind({ T: 1 })).toBe(one);
      // Kernels do not look at B: the arena alone grows, past the first allocation.
      const before = session.bytes;
      session.resize({ B: 20_000 });
      expect(session.run("decode", { text: new Int32Array(40_000) })["logits"]).toHaveLength(
        40_000 * vocabulary,
      );
      expect(session.bytes).toBeGreaterThan(before);
      expect(session.read("table")).toEqual(table);
      expect(one.run("decode", { text: [3] })["logits"]).toEqual(table.slice(21, 28));
      // More bindings than are kept: those in use still work.
      for (let T = 1; T <= 16; T++)
        for (let B = 1; B <= 3; B++) session.bind({ T, B }).run("decode", { text: new Int32Array(T * B) });
      expect(one.run("decode", { text: [3] })["logits"]).toEqual(table.slice(21, 28));
    }
  });

  test("a binding that was put aside still works, when the room for records was used by others meanwhile", async () => {
    const session = await start(regression(), { threads: 2 });
    const inputs = (B: number) => ({ x: wave(width * B), y: wave(B, 2) });
    const held = session.bind({ B: 3000 });
    const expected = held.run("evaluate", inputs(3000));
    for (let round = 0; round < 3; round++) {
      for (let n = 1; n <= 20; n++)
        session.bind({ B: 3000 + 500 * n }).run("evaluate", inputs(3000 + 500 * n));
      expect(held.run("evaluate", inputs(3000))).toEqual(expected);
    }
  });

  test("the same seed gives the same tensors; another seed others", async () => {
    const [a, b, c] = [
      await start(regression(), { seed: 7 }),
      await start(regression(), { seed: 7 }),
      await start(regression(), { seed: 8 }),
    ];
    expect(a.read("w")).toEqual(b.read("w"));
    expect(a.read("w")).not.toEqual(c.read("w"));
    c.initialise(7);
    expect(c.read("w")).toEqual(a.read("w"));
    c.load(
      new Map([
        ["w", wave(width)],
        ["unknown", wave(1)],
      ]),
    );
    expect(c.read("w")).toEqual(wave(width));
  });

  test("a trace shows each dispatch and what it touched", async () => {
    const session = await start(regression(), { sizes: { B: 8 } });
    const seen: string[] = [];
    session.trace("train", { x: wave(32), y: wave(8) }, ({ label, buffers }, values) => {
      seen.push(
        `${label}: ${buffers
          .filter((b) => b.access !== "read")
          .map((b) => `${b.name}[${values(b).length}]`)
          .join()}`,
      );
      return seen.length < 2;
    });
    expect(seen).toEqual(["prediction: error[8]", "gradient of w: grad.w[4]"]);
  });

  test("timings add up by dispatch", async () => {
    const session = await start(blur(3, 4096), { profile: true });
    for (let n = 0; n < 3; n++) session.run("forward", { x: wave(4096) });
    const timings = session.timings();
    expect(timings.map(({ label, runs }) => `${label} x${runs}`)).toEqual([
      "pass 0 x3",
      "pass 1 x3",
      "pass 2 x3",
    ]);
    expect(timings.every(({ milliseconds }) => milliseconds > 0)).toBe(true);
  });
});

describe("memory", () => {
  test.each([1, 2])("what the plan says is what is allocated (%i threads)", async (threads) => {
    const { program, wasm } = regression();
    const sizes = { B: 50_000 };
    const session = await start({ program, wasm }, { sizes, threads });
    const { total } = memoryPlan(program, Object.keys(program.entries), sizes, threads);
    expect(session.bytes - total).toBeGreaterThanOrEqual(0);
    expect(session.bytes - total).toBeLessThan(65536);
    session.run("train", { x: new Float32Array(200_000), y: new Float32Array(50_000) });
    expect(session.bytes - total).toBeLessThan(65536);
  });
});

describe("threads", () => {
  test("a kernel that fails says where, in any thread, and the session goes on", async () => {
    // Reads far outside of the memory when a row is not zero.
    const wild = kernel({
      buffers: [buffer("x", "read", 64), buffer("y", "write", 64)],
      grid: constant(64),
      multiplyAdds: constant(1_000_000),
      body: [
        store(
          "y",
          workgroup,
          load("x", mul({ op: "cast", type: "i32", a: load("x", workgroup) }, i(1 << 29))),
        ),
      ],
    });
    const port = (name: string) => ({ name, type: "f32", shape: [constant(64)] }) as const;
    const dispatches = [dispatch("block.0: wild", wild, input("x"), output("y"))];
    const entry = { name: "forward", inputs: [port("x")], outputs: [port("y")], dispatches, refusals: [] };
    const made = artifact(
      plan([entry], { name: "Wild", sizes: [], tensors: [], modalities: [], routers: [] }),
    );
    for (const threads of [1, 2, 4]) {
      const session = await start(made, { threads });
      for (let row = 0; row < 64; row++) {
        expect(() => session.run("forward", { x: new Float32Array(64).fill(1, row) })).toThrow(
          "internal: kernel 0 failed (`block.0: wild`)",
        );
        expect(session.run("forward", { x: new Float32Array(64) })["y"]).toEqual(new Float32Array(64));
      }
    }
  });

  test("any number of threads gives the same bits", async () => {
    const length = 100_003;
    const artifact = blur(20, length);
    const x = wave(length, 0.37);
    const alone = await start(artifact, { threads: 1 });
    const expected = alone.run("forward", { x })["y"]!;
    for (const threads of [2, 3, 5]) {
      const session = await start(artifact, { threads });
      expect(session.threads).toBe(threads);
      for (let n = 0; n < 10; n++)
        expect(Buffer.compare(bytes(session.run("forward", { x })["y"]!), bytes(expected))).toBe(0);
    }
  });

  test("thousands of short runs with pauses between them", async () => {
    const artifact = blur(6, 9000);
    const session = await start(artifact, { threads: 3 });
    const alone = await start(artifact, { threads: 1 });
    for (let n = 0; n < 400; n++) {
      const x = wave(9000, n + 1).fill(n, 0, 10);
      const y = session.run("forward", { x }, { views: true })["y"]!;
      if (n % 100 === 0) {
        expect(y).toEqual(alone.run("forward", { x })["y"]);
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
    }
  });

  test("threads do not keep a process alive, working or asleep", () => {
    const script = `
      import { openSession } from "./runtime/session.ts";
      import { blur } from "./test/helpers/blur.ts";
      const { program, wasm } = blur(4, 50000);
      const session = await openSession(program, wasm, { threads: 3 });
      session.run("forward", { x: new Float32Array(50000) });
      await new Promise((resolve) => setTimeout(resolve, 20));
      console.log("threads", session.threads);
    `;
    const bundled = spawnSync(
      "npx",
      ["esbuild", "--bundle", "--platform=node", "--format=esm", "--packages=external", "--loader=ts"],
      { input: script, encoding: "utf8" },
    );
    const run = spawnSync(process.execPath, ["--input-type=module", "-"], {
      input: bundled.stdout,
      encoding: "utf8",
      timeout: 20_000,
    });
    expect({ status: run.status, out: run.stdout.trim(), error: run.stderr }).toEqual({
      status: 0,
      out: "threads 3",
      error: "",
    });
  });
});

describe("mistakes", () => {
  const fails = async (code: string, text: string, act: (session: Session) => unknown): Promise<void> => {
    const session = await start(regression(), { threads: 1, entries: ["evaluate"], sizes: { B: 2 } });
    let error: unknown;
    try {
      await act(session);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(UserError);
    expect(`${(error as UserError).code}: ${(error as UserError).message}`).toBe(`${code}: ${text}`);
    expect((error as UserError).help).toBeTruthy();
  };
  const x = [1, 2, 3, 4, 5, 6, 7, 8];
  test.each<[string, string, (session: Session) => unknown]>([
    ["R0504", "`evaluate` needs the input `y`, which is not given", (s) => s.run("evaluate", { x })],
    ["R0504", "the input `y` of `evaluate` has 1 elements, not 2", (s) => s.run("evaluate", { x, y: 1 })],
    ["R0504", "`evaluate` has no input `z`", (s) => s.run("evaluate", { x, y: [1, 2], z: 0 })],
    [
      "R0504",
      "the input `$draw` of `evaluate` is not made of whole numbers",
      (s) => s.run("evaluate", { x, y: [1, 2], $draw: 0.5 }),
    ],
    ["R0505", "this session was not opened for `train`", (s) => s.run("train", {})],
    ["R0505", "the model has no `forward`", (s) => s.run("forward", {})],
    ["R0505", "the model has no tensor `v`", (s) => s.read("v")],
    ["R0505", "this session does not hold `m.w`", (s) => s.read("m.w")],
    ["R0505", "the tensor `w` has 4 elements, not 3", (s) => s.write("w", [1, 2, 3])],
    ["R0506", "the size `B` cannot be 0", (s) => s.bind({ B: 0 })],
    ["R0506", "the model has no size `T`", (s) => s.resize({ T: 4 })],
    [
      "R0501",
      "the model needs 12.00 GiB, and WebAssembly can address 4 GiB",
      (s) => s.bind({ B: 2 ** 29 / 1 }).run("evaluate", { x, y: x }),
    ],
    [
      "R0501",
      "the model needs 12.00 GiB, and WebAssembly can address 4 GiB",
      () => start(regression(), { sizes: { B: 2 ** 29 } }),
    ],
  ])("%s: %s", fails);

  test("a system that gives little memory: no reserve is asked for then; what it cannot give at all is one message", async () => {
    const { Memory } = WebAssembly;
    const giving = (fits: (wanted: WebAssembly.MemoryDescriptor) => boolean): void => {
      WebAssembly.Memory = class extends Memory {
        constructor(wanted: WebAssembly.MemoryDescriptor) {
          if (!fits(wanted)) throw new RangeError("could not allocate memory");
          super(wanted);
        }
      };
    };
    try {
      giving(({ initial, maximum }) => maximum === initial);
      const session = await start(regression(), { sizes: { B: 2 } });
      expect(session.run("evaluate", { x, y: [1, 2] })["loss"]).toHaveLength(1);
      expect(() => session.bind({ B: 2 ** 20 }).run("evaluate", { x, y: x })).toThrow(
        /^the system refuses the 0\.\d\d GiB of memory that the model needs$/,
      );
      giving(() => false);
      await expect(start(regression(), { sizes: { B: 2 } })).rejects.toMatchObject({ code: "R0502" });
    } finally {
      WebAssembly.Memory = Memory;
    }
  });

  test("a session survives a wrong call", async () => {
    const session = await start(regression(), { threads: 2, sizes: { B: 2 } });
    expect(() => session.run("evaluate", {})).toThrow(UserError);
    expect(session.run("evaluate", { x, y: [1, 2] })["loss"]).toHaveLength(1);
    session.dispose();
    session.dispose();
    expect(() => session.run("evaluate", { x, y: [1, 2] })).toThrow(
      expect.objectContaining({ code: "R0509", message: "the model Regression was disposed" }),
    );
  });
});

describe("modules", () => {
  test("unshare clears the flag of the memory import and nothing else", () => {
    const { plain } = regression().wasm;
    const unshared = unshare(plain);
    const changed = [...plain.keys()].filter((n) => plain[n] !== unshared[n]);
    expect(changed).toHaveLength(1);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
    expect(
      () => new WebAssembly.Instance(new WebAssembly.Module(unshared), { env: { memory } }),
    ).not.toThrow();
  });
});

const bytes = (values: Float32Array | Int32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
