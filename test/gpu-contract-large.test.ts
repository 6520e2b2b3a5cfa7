// Contractions in tiles of the size that a large GPU gets, for which the interpreter is too slow: printed as CUDA C++ and run on
// the CPU.

import { beforeAll, describe, test } from "vitest";
import { narrowTarget, targets, type Parallel } from "../compiler/target.ts";
import { evaluate } from "../runtime/size.ts";
import type { Case } from "./helpers/contraction.ts";
import { hasCompiler, loadKernels, type HostKernels } from "./helpers/cuda-host.ts";
import { expectResult, prepareFor } from "./helpers/gpu-contraction.ts";

describe.skipIf(!hasCompiler)("the tiles of a large GPU, printed for it", () => {
  const cuda = targets.cuda.parallel!;
  const halved = narrowTarget(targets.cuda, "bf16").parallel!;
  const rows = [0, 150, 1, 70, 0, 37];
  const ragged = {
    ragged: "rows",
    rows,
    m: 300,
    n: 72,
    k: 80,
    gather: true,
    siblings: 2,
    epilogue: true,
  } as const;
  const reduction = { ragged: "reduction", rows, k: 300, n: 140, m: 72, a: "m", gather: true } as const;
  const cases: readonly (readonly [string, Case, Parallel])[] = [
    ["dense", { m: 200, n: 150, k: 100, symbolic: "m" }, cuda],
    ["dense, transposed", { m: 132, n: 260, k: 64, a: "m", b: "k" }, cuda],
    ["a batch", { batch: 40, m: 130, n: 129, k: 16, b: "k", symbolic: "mn" }, cuda],
    ["rows of a routing", { ...ragged, symbolic: "m" }, cuda],
    ["a reduction over rows", { ...reduction, symbolic: "k" }, cuda],
    ["a long reduction", { m: 40, n: 24, k: 3000, a: "m", symbolic: "k" }, cuda],
    ["few rows", { m: 3, n: 300, k: 512, siblings: 3, epilogue: true }, cuda],
    ["few rows, b along k", { m: 10, n: 70, k: 300, b: "k", symbolic: "m" }, cuda],
    ["dense, on matrix units", { m: 200, n: 260, k: 100, symbolic: "m" }, halved],
    ["dense, transposed, on matrix units", { m: 132, n: 260, k: 64, a: "m", b: "k" }, halved],
    ["rows of a routing, on matrix units", { ...ragged, symbolic: "m" }, halved],
    ["a reduction over rows, on matrix units", { ...reduction, symbolic: "k" }, halved],
  ];
  const prepared = cases.map(([, item, parallel]) => prepareFor(item, parallel));
  let library: HostKernels;
  beforeAll(() => {
    library = loadKernels(prepared.map(({ kernel }) => kernel));
  }, 120_000);
  test.each(cases.map(([title, item], i) => [title, item, prepared[i]!] as const))("%s", (_, item, each) => {
    const { kernel, buffers, sizes } = each;
    library.run(
      prepared.indexOf(each),
      evaluate(kernel.grid, sizes),
      kernel.buffers.map(({ name }) => buffers.get(name)!),
      kernel.sizes.map((name) => sizes[name]!),
    );
    expectResult(item, each);
  });
});
