// Contractions over plain arrays for tests and benchmarks of the schedule: builds the kernel of a case, fills its buffers
// and computes the expected result with plain loops in double precision.

import { copiedTogether } from "../../compiler/half.ts";
import type { ElementType, Expr, HalfType, Kernel, KernelBuffer, Stmt } from "../../compiler/kernel.ts";
import { contractBody } from "../../compiler/schedule/contract.ts";
import { gpuContractBody } from "../../compiler/schedule/gpu-contract.ts";
import type { Parallel } from "../../compiler/target.ts";
import type { ContractOperand, ContractPlace, ContractSpec } from "../../compiler/schedule/contract-spec.ts";
import { add, int, letInt, multiply, sizeOf, store } from "../../compiler/schedule/expr.ts";
import { constant, named, namesOf, product, type Size, type Sizes } from "../../runtime/size.ts";

export interface Case {
  readonly batch?: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Extents that the kernel learns at launch only. */
  readonly symbolic?: string;
  /** Contiguous axis of each operand in memory. */
  readonly a?: "k" | "m";
  readonly b?: "n" | "k";
  readonly siblings?: number;
  /** Rows of each group. */
  readonly rows?: readonly number[];
  readonly ragged?: "rows" | "reduction";
  /** Rows of a pass through an index (only with a: "k"); a prologue doubles what it reads; the epilogue adds 1. */
  readonly gather?: boolean;
  readonly prologue?: boolean;
  readonly epilogue?: boolean;
  /** Operands that lie in memory at this width, to be copied as they are where the case allows it. */
  readonly half?: HalfType;
  readonly halved?: "a" | "b";
}

export interface Prepared {
  readonly kernel: Kernel;
  readonly sizes: Sizes;
  readonly buffers: Map<string, Float32Array | Int32Array>;
  /** What the outputs must hold, one output after the other: all of it, or at one position. */
  readonly expected: () => Float64Array;
  readonly expectedAt: (position: number) => number;
}

const scaled = (value: Expr, lanes: 1 | 4, factor: number): Expr => {
  const two: Expr = { op: "literal", type: "f32", value: factor };
  return lanes === 4
    ? { op: "binary", type: "f32x4", fn: "mul", a: value, b: { op: "splat", type: "f32x4", a: two } }
    : { op: "binary", type: "f32", fn: "mul", a: value, b: two };
};
const incremented = (value: Expr, lanes: 1 | 4): Expr => {
  const one: Expr = { op: "literal", type: "f32", value: 1 };
  return lanes === 4
    ? { op: "binary", type: "f32x4", fn: "add", a: value, b: { op: "splat", type: "f32x4", a: one } }
    : { op: "binary", type: "f32", fn: "add", a: value, b: one };
};

/** The axis of an operand that is not contiguous. */
const otherOf = (buffer: string, contiguous: "m" | "n" | "k"): "m" | "n" | "k" =>
  contiguous !== "k" ? "k" : buffer === "a" ? "m" : "n";

export function prepare(test: Case, parallel?: Parallel): Prepared {
  const siblings = test.siblings ?? 1;
  const batch = test.batch ?? 1;
  const groups = test.rows?.length ?? 1;
  const aAxis = test.a ?? "k";
  const bAxis = test.b ?? "n";
  const extent = (name: "m" | "n" | "k"): Size =>
    test.symbolic?.includes(name) === true ? named(name.toUpperCase()) : constant(test[name]);
  const [m, n, k] = [extent("m"), extent("n"), extent("k")];
  const sizes: Sizes = { M: test.m, N: test.n, K: test.k };
  let counter = 0;
  const fresh = (hint: string): string => `${hint}_${counter++}`;

  /** Row-major [batch or group][x][y] or its transpose, with the contiguous axis last. */
  const typeOf = (buffer: string): ElementType =>
    test.half !== undefined && (test.halved ?? buffer[0]) === buffer[0] ? test.half : "f32";
  const operand = (
    buffer: string,
    contiguous: "m" | "n" | "k",
    outerExtent: Size,
    innerExtent: Size,
    perGroup: boolean,
    gathered: boolean,
  ): ContractOperand => {
    const baseOf = (place: ContractPlace, fixed: Expr, into: Stmt[]): Expr => {
      let row = fixed;
      if (gathered) {
        const name = fresh("token");
        into.push({ op: "let", name, value: { op: "load", type: "i32", buffer: "index", index: fixed } });
        row = { op: "local", type: "i32", name };
      }
      const which = perGroup ? place.group! : (place.batch[0] ?? int(0));
      return letInt(
        fresh,
        into,
        "base",
        add(multiply(which, sizeOf(product([outerExtent, innerExtent]))), multiply(row, sizeOf(innerExtent))),
      );
    };
    const type = typeOf(buffer);
    const inPieces = innerExtent.every(({ coefficient }) => coefficient % copiedTogether(type) === 0);
    const ragged = contiguous === (test.ragged === "rows" ? "m" : test.ragged === "reduction" ? "k" : "");
    return {
      contiguous,
      plain: test.prologue !== true,
      open: (place: ContractPlace, fixed: Expr, into: Stmt[]) => {
        const base = baseOf(place, fixed, into);
        return (moving, lanes) => {
          const value: Expr = {
            op: "load",
            type: lanes === 4 ? "f32x4" : "f32",
            buffer,
            index: add(base, moving),
          };
          return test.prologue === true ? scaled(value, lanes, 2) : value;
        };
      },
      ...(type === "f32" || !inPieces || ragged || test.prologue === true
        ? {}
        : {
            copied: {
              type,
              ...(gathered || test.ragged === "reduction"
                ? {}
                : {
                    tensor: {
                      buffer: () => buffer,
                      offset: constant(0),
                      axes: [
                        { along: contiguous, extent: innerExtent, stride: constant(1) },
                        { along: otherOf(buffer, contiguous), extent: outerExtent, stride: innerExtent },
                        ...(perGroup || test.batch !== undefined
                          ? [
                              {
                                along: perGroup ? ("group" as const) : 0,
                                extent: constant(perGroup ? groups : batch),
                                stride: product([outerExtent, innerExtent]),
                              },
                            ]
                          : []),
                      ],
                    },
                  }),
              open: (place: ContractPlace, fixed: Expr, into: Stmt[]) => {
                const base = baseOf(place, fixed, into);
                return (moving: Expr) => ({ buffer, index: add(base, moving) });
              },
            },
          }),
    };
  };

  const ragged = test.ragged;
  const spec: ContractSpec = {
    ...(test.half === undefined || test.halved !== undefined ? {} : { half: test.half }),
    batch: test.batch === undefined ? [] : [constant(test.batch)],
    m,
    n,
    k,
    ...(ragged === undefined
      ? {}
      : {
          ragged: {
            kind: ragged,
            groups,
            offset: (group: Expr) => ({ op: "load", type: "i32", buffer: "offsets", index: group }) as const,
          },
        }),
    a: operand("a", aAxis, aAxis === "k" ? m : k, aAxis === "k" ? k : m, false, test.gather === true),
    b: Array.from({ length: siblings }, (_, i) =>
      operand(`b${i}`, bAxis, bAxis === "n" ? k : n, bAxis === "n" ? n : k, ragged === "rows", false),
    ),
    epilogue: (place, row, into) => {
      const which = ragged === "reduction" ? place.group! : (place.batch[0] ?? int(0));
      const base = letInt(
        fresh,
        into,
        "outAt",
        add(multiply(which, sizeOf(product([m, n]))), multiply(row, sizeOf(n))),
      );
      return (column, lanes, sums, inner) =>
        sums.forEach((sum, i) =>
          inner.push(
            store(`out${i}`, add(base, column), test.epilogue === true ? incremented(sum, lanes) : sum),
          ),
        );
    },
    fresh,
  };
  const made =
    parallel === undefined ? { ...contractBody(spec), workgroup: 1 } : gpuContractBody(spec, parallel);
  const gatherSource = aAxis === "k" ? test.m : test.k;
  const lengths = {
    a: ragged === undefined ? batch * test.m * test.k : test.m * test.k,
    b: (ragged === "rows" ? groups : batch) * test.k * test.n,
    out: (ragged === "reduction" ? groups : batch) * test.m * test.n,
  };
  const outer = test.batch === undefined ? constant(1) : constant(batch);
  const buffers: KernelBuffer[] = [
    { name: "a", type: typeOf("a"), access: "read", length: product([outer, m, k]) },
    ...Array.from({ length: siblings }, (_, i) => ({
      name: `b${i}`,
      type: typeOf("b"),
      access: "read" as const,
      length: product([ragged === "rows" ? constant(groups) : outer, k, n]),
    })),
    ...Array.from({ length: siblings }, (_, i) => ({
      name: `out${i}`,
      type: "f32" as const,
      access: "write" as const,
      length: product([ragged === "reduction" ? constant(groups) : outer, m, n]),
    })),
    ...(ragged === undefined
      ? []
      : [{ name: "offsets", type: "i32" as const, access: "read" as const, length: constant(groups + 1) }]),
    ...(test.gather === true
      ? [{ name: "index", type: "i32" as const, access: "read" as const, length: aAxis === "k" ? m : k }]
      : []),
  ];
  const names = new Set<string>();
  [m, n, k].forEach((size) => namesOf(size, names));
  const kernel: Kernel = {
    name: "contraction",
    buffers,
    sizes: [...names].sort(),
    grid: made.grid,
    workgroup: made.workgroup,
    scratch: made.scratch,
    body: made.body,
    multiplyAdds: made.multiplyAdds,
    ...(made.warpgroups === undefined ? {} : { warpgroups: made.warpgroups }),
  };

  let seed = 1;
  const random = (): number => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff) * 2 - 1;
  const memory = new Map<string, Float32Array | Int32Array>();
  const fill = (length: number): Float32Array => Float32Array.from({ length }, random);
  memory.set("a", fill(lengths.a));
  for (let i = 0; i < siblings; i++) memory.set(`b${i}`, fill(lengths.b));
  // Rows that no group has must stay what they are.
  for (let i = 0; i < siblings; i++) memory.set(`out${i}`, new Float32Array(lengths.out).fill(untouched));
  const offsets = [0];
  for (const rows of test.rows ?? []) offsets.push(offsets.at(-1)! + rows);
  if (ragged !== undefined) memory.set("offsets", Int32Array.from(offsets));
  const index = Int32Array.from({ length: gatherSource }, (_, i) => (i * 7 + 3) % gatherSource);
  if (test.gather === true) memory.set("index", index);

  const { m: M, n: N, k: K } = test;
  const factor = test.prologue === true ? 4 : 1;
  const a = memory.get("a")!;
  const atA = (which: number, row: number, p: number): number => {
    if (aAxis === "k") return a[which * M * K + (test.gather === true ? index[row]! : row) * K + p]!;
    return a[which * M * K + (test.gather === true ? index[p]! : p) * M + row]!;
  };
  const expectedAt = (position: number): number => {
    const sibling = Math.floor(position / lengths.out);
    const inside = position % lengths.out;
    const [column, row] = [inside % N, Math.floor(inside / N) % M];
    const outer = Math.floor(inside / (M * N));
    // Rows that no group has keep what was there before.
    if (ragged === "rows" && row >= offsets[groups]!) return untouched;
    const group = ragged === "rows" ? offsets.findLastIndex((first) => first <= row) : outer;
    const [from, to] = ragged === "reduction" ? [offsets[group]!, offsets[group + 1]!] : [0, K];
    const b = memory.get(`b${sibling}`)!;
    const matrix = ragged === "reduction" ? 0 : group * K * N;
    let sum = 0;
    for (let p = from; p < to; p++)
      sum +=
        atA(ragged === undefined ? outer : 0, row, p) *
        b[matrix + (bAxis === "n" ? p * N + column : column * K + p)]!;
    return sum * factor + (test.epilogue === true ? 1 : 0);
  };
  const expected = (): Float64Array =>
    Float64Array.from({ length: lengths.out * siblings }, (_, i) => expectedAt(i));
  return { kernel, sizes, buffers: memory, expected, expectedAt };
}

const untouched = -77;

/** All outputs of a prepared case, one after the other. */
export const outputsOf = (prepared: Prepared): Float32Array =>
  Float32Array.from(
    [...prepared.buffers].filter(([name]) => name.startsWith("out")).flatMap(([, values]) => [...values]),
  );
