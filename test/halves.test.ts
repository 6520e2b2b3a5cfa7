// Half width through the levels: rounding in the graph, in kernels and on the host; what the pass narrows and what it leaves; copies of
// parameters in a session by CUDA; planned bytes against the formulas.

import { describe, expect, test } from "vitest";
import { costOf } from "../cli/cost.ts";
import { planOf } from "../cli/planned.ts";
import { planModel } from "../compiler/compile.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Graph, Node } from "../compiler/graph.ts";
import { nodesOf, rootsOf } from "../compiler/graph-walk.ts";
import { roundHalf } from "../compiler/half.ts";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { HalfType } from "../compiler/kernel.ts";
import { verifyGraph } from "../compiler/verify-graph.ts";
import { memoryPlan } from "../runtime/arena-plan.ts";
import { narrowed, widened } from "../runtime/halves.ts";
import { LoadedModel } from "../runtime/model.ts";
import { decodeWeights } from "../runtime/weights.ts";
import { layerText } from "../bench/gpu/layers.ts";
import { both } from "./helpers/cuda-both.ts";
import { hasCompiler, loadKernels } from "./helpers/cuda-host.ts";
import { openOnHost, planCuda } from "./helpers/cuda-session.ts";
import { layered } from "./helpers/device-texts.ts";
import { expectAlike, inputsFor, tensorsFor } from "./helpers/differential.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { halfEdges } from "./helpers/half-edges.ts";
import { add, buffer, i, kernel, load, local, loop, store } from "./helpers/kernels.ts";
import { withCopies } from "./helpers/narrowed.ts";

const types = ["bf16", "f16"] as const;
const numbers = new Float32Array(2);
const bits = new Uint32Array(numbers.buffer);

describe.each(types)("%s", (type) => {
  test("all of its numbers are themselves, on the host as in the specification", () => {
    const all = Uint16Array.from({ length: 2 ** 16 }, (_, at) => at);
    const values = widened(type, all);
    const again = narrowed(type, values);
    values.forEach((value, at) => {
      if (Number.isNaN(value)) expect(widened(type, again.subarray(at, at + 1))[0]).toBeNaN();
      else if (again[at] !== at || !Object.is(roundHalf(type, value), value))
        expect.fail(`${at} is ${value}`);
    });
  });

  test("between two of them, the nearer one; halfway, the even one", () => {
    const all = widened(
      type,
      Uint16Array.from({ length: 2 ** 15 }, (_, at) => at),
    ).filter(Number.isFinite);
    for (let at = 0; at + 1 < all.length; at += 7) {
      const [below, above] = [all[at]!, all[at + 1]!];
      numbers[0] = (below + above) / 2;
      const middle = numbers[0];
      const even = at % 2 === 0 ? below : above;
      const host = (value: number): number => widened(type, narrowed(type, Float32Array.of(value)))[0]!;
      for (const round of [host, (value: number) => roundHalf(type, value)]) {
        if (middle !== below && middle !== above) expect(round(middle)).toBe(even);
        bits[0]!--;
        expect(round(numbers[0])).toBe(numbers[0] >= middle ? even : below);
        bits[0]! += 2;
        expect(round(numbers[0])).toBe(above);
        bits[0]!--;
      }
    }
  });

  test("the edges, by the graph and on the host", () => {
    const b = new GraphBuilder();
    const input = b.input("x", "f32", [halfEdges.length]);
    const graph: Graph = {
      name: "edges",
      outputs: [{ name: "y", node: b.cast(b.cast(input, type), "f32") }],
      updates: [],
    };
    verifyGraph(graph);
    const found = interpretGraph(graph, {
      sizes: {},
      inputs: new Map([["x", halfEdges]]),
      tensors: new Map(),
    });
    const wanted = halfEdges.map((each) => roundHalf(type, each));
    expect(Array.from(found.outputs.get("y")!.data)).toEqual(wanted);
    expect(Array.from(widened(type, narrowed(type, Float32Array.from(halfEdges))))).toEqual(wanted);
    expect(wanted.slice(-3)).toEqual([Infinity, -Infinity, NaN]);
  });
});

test("the graph moves and contracts half width, and does nothing else with it", () => {
  const b = new GraphBuilder();
  const x = b.cast(b.input("x", "f32", [4, 4]), "bf16");
  const other = b.cast(b.input("x", "f32", [4, 4]), "f16");
  expect(b.contract(x, b.permute(x, [1, 0]), "ik,kj->ij").dtype).toBe("f32");
  expect(() => b.contract(x, other, "ik,kj->ij")).toThrow("contracts f32, or one half width");
  expect(() => b.add(x, x)).toThrow("add does not take bf16");
  expect(() => b.reduce("sum", x)).toThrow("reduces f32 and i32 only");
  expect(() => b.scan(x, 0)).toThrow("sums f32 and i32 only");
});

/** One kernel that reads and writes buffers of half width, one number at a time and four, and rounds. */
function moving(type: HalfType, count: number) {
  const [x, y] = [local("x", "i32"), local("y", "i32")];
  return kernel({
    name: `moving_${type}`,
    buffers: [
      buffer("in", "read", count),
      buffer("given", "read", count, type),
      buffer("made", "write", 2 * count, type),
      buffer("out", "write", 3 * count),
    ],
    body: [
      loop("x", i(count), [
        store("made", x, load("in", x)),
        store("out", x, load("given", x)),
        store("out", add(x, i(2 * count)), { op: "unary", type: "f32", fn: type, a: load("in", x) }),
      ]),
      loop(
        "y",
        i(count),
        [
          store("made", add(y, i(count)), load("in", y, "f32x4")),
          store("out", add(y, i(count)), load("given", y, "f32x4")),
        ],
        i(0),
        4,
      ),
    ],
  });
}

const count = Math.ceil(halfEdges.length / 4) * 4;
const edges = Float32Array.from({ length: count }, (_, at) => halfEdges[at % halfEdges.length]!);

test.skipIf(!hasCompiler)("buffers in printed CUDA", () => {
  const kernels = types.map((type) => moving(type, count));
  const library = loadKernels(kernels);
  for (const [at, type] of types.entries()) {
    const memory = (): Map<string, Float32Array> =>
      new Map([
        ["in", edges],
        ["given", edges.map((each) => roundHalf(type, each))],
        ["made", new Float32Array(2 * count)],
        ["out", new Float32Array(3 * count)],
      ]);
    const { actual, wanted } = both(library, at, kernels[at]!, memory);
    expect(actual).toEqual(wanted);
  }
});

test("the interpreter refuses what a buffer cannot hold", () => {
  const memory = new Map([
    ["in", edges],
    ["given", new Float32Array(count).fill(1 / 3)],
    ["made", new Float32Array(2 * count)],
    ["out", new Float32Array(3 * count)],
  ]);
  expect(() => runKernel(moving("bf16", count), memory, {})).toThrow("0.3333333432674408 is no bf16");
});

const compiledTo = (text: string, precision?: HalfType) =>
  planModel({
    host: hostOf({ "main.moe": text }),
    path: "main.moe",
    target: "cuda",
    verify: true,
    ...(precision === undefined ? {} : { precision }),
  }).planned!;

describe("what is narrowed", () => {
  const { graphs, program } = compiledTo(layered, "bf16");
  const all = (name: string): readonly Node[] => nodesOf(rootsOf(graphs[name]!));

  test("operands, one cast for all that read them; scores stay f32", () => {
    const contracts = all("forward").flatMap((node) => (node.op === "contract" ? [node] : []));
    expect(contracts.map((node) => `${node.a.dtype} ${node.b.dtype}`)).toEqual([
      "f32 f32",
      "bf16 bf16",
      "bf16 bf16",
      "bf16 bf16",
    ]);
    // The tokens, what the experts hold, and the rows that they hand back.
    expect(all("forward").filter((node) => node.op === "map" && node.fn === "bf16").length).toBe(3);
  });

  test("parameters by copies, which their update writes; gradients are f32", () => {
    const read = (name: string): string[] =>
      all(name).flatMap((node) => (node.op === "tensor" ? [node.name] : []));
    expect(read("forward").sort()).toEqual(["pool.down:bf16", "pool.gate:bf16", "pool.up:bf16", "router.w"]);
    const updates = graphs["update"]!.updates.map(({ tensor, node }) => [tensor, node.dtype]);
    expect(updates).toContainEqual(["pool.gate", "f32"]);
    expect(updates).toContainEqual(["pool.gate:bf16", "bf16"]);
    expect(graphs["train"]!.updates.every(({ node }) => node.dtype === "f32")).toBe(true);
    expect(program.tensors.every(({ type }) => type === "f32")).toBe(true);
  });

  test("a copy costs no kernel: the update of a parameter writes both", () => {
    const launches = (precision?: HalfType): number =>
      compiledTo(layered, precision).program.entries["update"]!.dispatches.length;
    expect(launches("bf16")).toBe(launches());
  });
});

describe.skipIf(!hasCompiler)("a session by CUDA", () => {
  const planned = planCuda(layered, "bf16");
  const { program, graphs } = planned;
  const sizes = { B: 7 };
  const half = (values: ArrayLike<number>): Float32Array =>
    Float32Array.from(values, (each) => roundHalf("bf16", each));

  test("every entry computes what its graph says", { timeout: 120_000 }, () => {
    const session = openOnHost(planned, { sizes });
    const tensors = tensorsFor(planned);
    for (const name of ["forward", "evaluate", "train", "update"]) {
      for (const [tensor, values] of tensors) session.write(tensor, values);
      const inputs = inputsFor(planned, program.entries[name]!, sizes);
      const environment = withCopies({ sizes, inputs, tensors }, program.copies);
      const wanted = interpretGraph(graphs[name]!, environment);
      const outputs = session.run(
        name,
        Object.fromEntries([...inputs].map(([port, data]) => [port, [...data]])),
      );
      for (const [port, { data }] of wanted.outputs)
        expectAlike(outputs[port]!, data, `${name} ${port}`, 2e-3);
      const masters = [...wanted.updates].filter(([tensor]) => !tensor.includes(":"));
      for (const [tensor, { data }] of masters)
        expectAlike(session.read(tensor), data, `${name} ${tensor}`, 2e-3);
    }
    session.dispose();
  });

  test("a step of the optimiser writes copies, too: what is computed next is of the new parameters", () => {
    const [trained, fresh] = [openOnHost(planned, { sizes }), openOnHost(planned, { sizes })];
    const inputs = Object.fromEntries(
      [...inputsFor(planned, program.entries["train"]!, sizes)].map(([port, data]) => [port, [...data]]),
    );
    const before = trained.run("forward", inputs)["logits"]!;
    trained.run("train", inputs);
    trained.run("update", {});
    for (const { name, role } of trained.tensors())
      if (role !== "carry") fresh.write(name, trained.read(name));
    const after = trained.run("forward", inputs)["logits"]!;
    expect(after).not.toEqual(before);
    expect(after).toEqual(fresh.run("forward", inputs)["logits"]);
    trained.dispose();
    fresh.dispose();
  });

  test("holds copies only where nothing reads the parameter, and gives what it holds", async () => {
    const [small, whole] = [
      openOnHost(planned, { sizes, entries: ["forward"] }),
      openOnHost(planned, { sizes, entries: ["forward", "train", "update"] }),
    ];
    const name = "pool.gate";
    const first = whole.read(name);
    expect(small.read(name)).toEqual(half(first));
    expect(half(first)).not.toEqual(first);
    expect(small.tensors().map((tensor) => tensor.name)).toContain(name);
    // What something is chosen by is not rounded.
    expect(small.read("router.w")).toEqual(whole.read("router.w"));
    whole.write(
      name,
      Array.from(first, (each) => each / 3),
    );
    small.write(name, whole.read(name));
    const inputs = { x: Array.from({ length: 7 * 72 }, (_, at) => Math.sin(at)) };
    expect(small.run("forward", inputs)).toEqual(whole.run("forward", inputs));
    // A checkpoint would hold less than what was loaded.
    const saving = (session: typeof small) => new LoadedModel(program, session, {}).saveWeights();
    expect(() => saving(small)).toThrow("`pool.gate` is there in bf16 only");
    expect(decodeWeights(program, await saving(whole), "weights").tensors.get(name)).toEqual(
      whole.read(name),
    );
    small.clear(name);
    expect(small.read(name).every((each) => each === 0)).toBe(true);
    small.dispose();
    whole.dispose();
  });

  test("its plan knows that", () => {
    const bytes = program.copies!.reduce((sum, { shape }) => sum + shape.reduce((a, c) => a * c, 2), 0);
    const router = program.tensors.find((tensor) => tensor.name === "router.w")!;
    const forward = memoryPlan(program, ["forward"], sizes);
    expect(forward.copies! - bytes).toBeLessThan(64 * program.copies!.length);
    expect(forward.parameters).toBeLessThan(4 * router.shape.reduce((a, c) => a * c, 1) + 64);
    const { memory } = planOf(program, sizes, 1);
    expect(memory["training"]!.copies).toBe(forward.copies);
    expect(memory["training"]!.parameters).toBeGreaterThan(2 * bytes - 1);
  });
});

describe("planned bytes of a routed layer", () => {
  const shape = { width: 2048, hidden: 1024, experts: 64, k: 8 };
  const { width: d, hidden: h, experts: E, k } = shape;
  const T = 4096;
  const costs = (precision?: HalfType) => {
    const { program } = compiledTo(layerText(shape), precision);
    const { launches, bytes } = costOf(program, "forward", { B: T });
    const of = (label: string): number => launches.find((each) => each.label.startsWith(label))!.bytes;
    return { bytes, up: of("pool: contract x2"), down: of("pool: contract, "), combined: of("combine") };
  };
  // Byte for byte, but for tables of rows: four whole numbers a pick at most.
  const table = 16 * T * k + 4 * (E + 1);
  const near = (found: number, wanted: number): void => {
    expect(found).toBeGreaterThanOrEqual(wanted);
    expect(found).toBeLessThanOrEqual(wanted + table);
  };

  test.each([
    ["f32", 4],
    ["bf16", 2],
  ] as const)("in %s: weights, rows and nothing else", (precision, width) => {
    const found = costs(precision === "f32" ? undefined : precision);
    near(found.up, width * (2 * E * d * h + T * d + T * k * h));
    near(found.down, width * (E * d * h + T * k * h + T * k * d));
    // The result of the layer is f32.
    near(found.combined, width * T * k * d + 4 * T * d);
  });

  test("of a forward pass half remain, but for the router, the cast and the result", () => {
    const [wide, half] = [costs(), costs("bf16")];
    const halved = 4 * (3 * E * d * h + 2 * T * k * (h + d) + T * d);
    expect(wide.bytes - half.bytes).toBeGreaterThan(halved / 2 - 4 * 2 * T * d);
    expect(half.bytes / wide.bytes).toBeLessThan(0.53);
  });
});
