import { describe, expect, test } from "vitest";
import { plan } from "../compiler/plan.ts";
import { sameData } from "../compiler/same-data.ts";
import { layoutArena } from "../runtime/arena.ts";
import { memoryPlan } from "../runtime/arena-plan.ts";
import type { Entry, Temporary } from "../runtime/program.ts";
import { constant, named, type Size } from "../runtime/size.ts";
import { threefry } from "../runtime/random.ts";
import { buffer, i, kernel, load, store } from "./helpers/kernels.ts";
import { blur } from "./helpers/blur.ts";
import { dispatch, input, output, regression, speaker, temporary } from "./helpers/hand-written.ts";

describe("equal data", () => {
  test.each([
    ["equal data", { a: 1, b: [2, { c: 3 }] }, { a: 1, b: [2, { c: 3 }] }, true],
    ["absent and undefined", { a: 1 }, { a: 1, b: undefined }, true],
    ["a number and its text", { a: 1 }, { a: "1" }, false],
    ["signs of zero", { a: 0 }, { a: -0 }, false],
    ["NaN", [NaN], [NaN], true],
    ["infinities", [Infinity], [-Infinity], false],
    ["nesting", [[1], 2], [[1, 2]], false],
  ])("%s", (_name, a, b, same) => {
    expect(sameData(a, b)).toBe(same);
    expect(sameData(b, a)).toBe(same);
  });

  test("shared parts cost nothing: a chain of 60 doublings", () => {
    const chain = () => Array.from({ length: 60 }).reduce<unknown>((inner) => [inner, inner], "x");
    expect(sameData(chain(), chain())).toBe(true);
  });
});

describe("plan", () => {
  const { program } = regression();
  test("equal kernels of all entries are one, whatever their names", () => {
    expect(program.kernels.map(({ name }) => name)).toEqual(["error", "gradient", "loss", "momentum"]);
    expect(program.entries["evaluate"]!.dispatches.map((d) => d.kernel)).toEqual([0, 2]);
  });
  test("temporaries have lifetimes", () => {
    expect(program.entries["train"]!.temporaries).toEqual([
      { label: "error", type: "f32", length: named("B"), first: 0, last: 2 },
    ]);
  });
  test("a program is JSON", () => {
    expect(JSON.parse(JSON.stringify(program))).toEqual(program);
  });

  const copy = kernel({
    buffers: [buffer("from", "read", 1), buffer("to", "write", 1)],
    body: [store("to", i(0), load("from", i(0)))],
  });
  const port = (name: string, type: "f32" | "i32" = "f32") => ({ name, type, shape: [constant(1)] });
  const about = { name: "M", sizes: [], tensors: [], modalities: [], routers: [] };
  const t = temporary("middle", constant(1));
  test.each([
    [
      "reads a temporary first",
      [dispatch("a", copy, t, output("y"))],
      "temporary middle is read before anything writes it",
    ],
    ["binds too few", [dispatch("a", copy, input("x"))], "binds 2 buffers, 1 given"],
    [
      "an unknown tensor",
      [dispatch("a", copy, { kind: "tensor", name: "w" } as const, output("y"))],
      "there is no tensor w",
    ],
    ["writes an input", [dispatch("a", copy, input("x"), input("x"))], "input x is written"],
    ["leaves an output", [dispatch("a", copy, input("x"), t)], "entry e never writes y"],
    ["other type", [dispatch("a", copy, input("n"), output("y"))], "input n is i32, from is f32"],
  ])("an entry that %s is our mistake", (_name, dispatches, message) => {
    const inputs = [port("x"), port("n", "i32")];
    const entry = { name: "e", inputs, outputs: [port("y")], dispatches, refusals: [] };
    expect(() => plan([entry], about)).toThrow(message);
    expect(() => plan([entry], about)).toThrow("internal: ");
  });
});

describe("arena", () => {
  const entryOf = (temporaries: readonly Temporary[]): Entry => ({
    name: "e",
    inputs: [],
    outputs: [],
    temporaries,
    dispatches: Array.from({ length: 60 }, (_, n) => ({ kernel: 0, buffers: [], label: `${n}` })),
    refusals: [],
  });
  const live = (first: number, last: number, length: Size): Temporary => ({
    label: "t",
    type: "f32",
    length,
    first,
    last,
  });

  test("a chain of equal buffers needs two", () => {
    const layout = layoutArena(entryOf(Array.from({ length: 20 }, (_, n) => live(n, n + 1, named("N")))), {
      N: 100,
    });
    expect(layout).toMatchObject({ bytes: 2 * 448, floor: 2 * 448 });
  });

  test("random lifetimes never overlap in memory, and stay near the floor", () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = (at: number, below: number) => threefry(seed, 1, at, 0)[0] % below;
      const temporaries = Array.from({ length: 80 }, (_, n) => {
        const first = random(3 * n, 50);
        return live(first, first + random(3 * n + 1, 9), constant(random(3 * n + 2, 5000)));
      });
      const layout = layoutArena(entryOf(temporaries), {});
      const placed = layout.temporaries;
      for (const [n, a] of placed.entries()) {
        expect(a.offset % 64).toBe(0);
        for (const b of placed.slice(n + 1)) {
          const together = a.first <= b.last && b.first <= a.last;
          if (together && a.bytes > 0 && b.bytes > 0)
            expect(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset).toBe(true);
        }
      }
      expect(layout.bytes).toBeLessThan(1.25 * layout.floor);
    }
  });

  test("five thousand temporaries take little time", () => {
    const many = Array.from({ length: 5000 }, (_, n) =>
      live(n % 3000, (n % 3000) + (n % 7 === 0 ? 900 : 3), constant(1 + (n % 97))),
    );
    const entry = {
      ...entryOf(many),
      dispatches: Array.from({ length: 4000 }, () => entryOf([]).dispatches[0]!),
    };
    const start = performance.now();
    layoutArena(entry, {});
    expect(performance.now() - start).toBeLessThan(1500);
  });

  test("inputs and outputs share the arena", () => {
    const { program } = blur(6, 1000);
    // Never more than two of the eight buffers live at once.
    expect(layoutArena(program.entries["forward"]!, {}).bytes).toBe(2 * 4032);
  });

  test("the memory plan names what is alive at the fullest moment", () => {
    const memory = memoryPlan(regression().program, ["train", "update"], { B: 100 }, 2);
    expect(memory).toMatchObject({ parameters: 64, optimiser: 128, state: 0 });
    const [train] = memory.entries;
    expect(train!.at).toBe("prediction");
    expect(train!.alive.slice(0, 2)).toEqual([
      { kind: "input", name: "x", bytes: 1600 },
      { kind: "input", name: "y", bytes: 448 },
    ]);
    expect(memory.total).toBe(64 + 128 + memory.arena + memory.threads);
  });

  test("caches and optimiser state are only held by sessions that use them", () => {
    expect(memoryPlan(speaker().program, ["decode"]).state).toBe(64);
    expect(memoryPlan(speaker().program, []).state).toBe(0);
    expect(memoryPlan(regression().program, ["evaluate"]).optimiser).toBe(0);
  });
});
