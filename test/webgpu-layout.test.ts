// Where the values of an entry lie on a GPU: no dispatch reads and writes one buffer, what never lives together shares bytes, and
// buffers are no longer than the device allows. Pure: needs no device.

import { describe, expect, test } from "vitest";
import { plan } from "../compiler/plan.ts";
import type { Program } from "../runtime/program.ts";
import { constant } from "../runtime/size.ts";
import { layoutGpu, type GpuLayout } from "../runtime/webgpu/layout.ts";
import { blur } from "./helpers/blur.ts";
import { add, buffer, f, kernel, load, store, workgroup } from "./helpers/kernels.ts";

describe("the layout", () => {
  const limits = { alignment: 256, buffer: 1 << 20 };
  const copy = kernel({
    buffers: [buffer("x", "read", 100), buffer("out", "write", 100)],
    body: [store("out", workgroup, add(load("x", workgroup), f(1)))],
  });

  /** No two that live together overlap; no dispatch reads and writes in one pool. */
  function check(program: Program, layout: GpuLayout): void {
    const entry = program.entries["forward"]!;
    entry.temporaries.forEach((one, i) =>
      entry.temporaries.forEach((other, j) => {
        const [a, b] = [layout.temporaries[i]!, layout.temporaries[j]!];
        const together = one.first <= other.last && other.first <= one.last;
        if (i === j || a.pool !== b.pool || !together) return;
        expect(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset).toBe(true);
      }),
    );
    for (const { kernel: number, buffers } of entry.dispatches) {
      const pools = (writes: boolean): number[] =>
        buffers.flatMap((ref, at) => {
          if ((program.kernels[number]!.buffers[at]!.access !== "read") !== writes) return [];
          if (ref.kind === "temporary") return [layout.temporaries[ref.index]!.pool];
          return ref.kind === "output" ? [layout.outputs.get(ref.name)!.pool] : [];
        });
      for (const pool of pools(true)) expect(pools(false)).not.toContain(pool);
    }
    for (const { offset } of layout.temporaries) expect(offset % limits.alignment).toBe(0);
  }

  test("keeps what is read apart from what is written, and shares the rest", () => {
    const chain = blur(20, 3000);
    const layout = layoutGpu(chain.program, chain.program.entries["forward"]!, {}, limits);
    check(chain.program, layout);
    // Twenty values, of which two live at a time.
    expect(layout.pools.length).toBe(2);
    expect(layout.pools.reduce((a, b) => a + b)).toBeLessThanOrEqual(3 * 12_032);
  });

  test("opens another pool rather than a buffer that is too large", () => {
    const lengths = [60_000, 60_000, 60_000, 60_000];
    const buffers = lengths.map((length, at) => ({
      ...({ kind: "temporary", label: `t${at}`, type: "f32" } as const),
      length: constant(length),
    }));
    const dispatches = buffers.map((to) => ({
      kernel: kernel({ buffers: [buffer("out", "write", 60_000)], body: [store("out", workgroup, f(1))] }),
      buffers: [to],
      label: to.label,
    }));
    const all = kernel({
      buffers: [...lengths.map((length, at) => buffer(`x${at}`, "read", length)), buffer("y", "write", 1)],
      body: [store("y", workgroup, f(1))],
    });
    const output = { kind: "output", name: "y" } as const;
    const { program } = plan(
      [
        {
          name: "forward",
          inputs: [],
          outputs: [{ name: "y", type: "f32", shape: [constant(1)] }],
          dispatches: [...dispatches, { kernel: all, buffers: [...buffers, output], label: "all" }],
          refusals: [],
        },
      ],
      { name: "Wide", sizes: [], tensors: [], modalities: [], routers: [] },
      "webgpu",
    );
    const layout = layoutGpu(program, program.entries["forward"]!, {}, { alignment: 256, buffer: 500_000 });
    check(program, layout);
    for (const bytes of layout.pools) expect(bytes).toBeLessThanOrEqual(500_000);
    expect(layout.pools.length).toBe(3);
  });

  test("a kernel that reads and writes one value by two names is our mistake", () => {
    const tensor = { kind: "tensor", name: "w" } as const;
    const { program } = plan(
      [
        {
          name: "forward",
          inputs: [],
          outputs: [],
          dispatches: [{ kernel: copy, buffers: [tensor, tensor], label: "twice" }],
          refusals: [],
        },
      ],
      {
        ...{ name: "Twice", sizes: [], modalities: [], routers: [] },
        tensors: [
          { name: "w", role: "parameter", type: "f32", shape: [100], init: { kind: "constant", value: 0 } },
        ],
      },
      "webgpu",
    );
    expect(() => layoutGpu(program, program.entries["forward"]!, {}, limits)).toThrow(
      "internal: twice: the kernel test binds tensor w twice and writes it",
    );
  });
});
