// Short constructors of Kernel expressions for tests, and a packed matrix micro-kernel written with them.

import type { BinaryFn, ElementType, Expr, Kernel, Stmt, ValueType } from "../../compiler/kernel.ts";
import { constant, named, one, type Size } from "../../runtime/size.ts";

export const i = (value: number): Expr => ({ op: "literal", type: "i32", value });
export const f = (value: number): Expr => ({ op: "literal", type: "f32", value });
export const local = (name: string, type: ValueType): Expr => ({ op: "local", type, name });
export const size = (name: string): Expr => ({ op: "size", type: "i32", size: named(name) });
export const workgroup: Expr = { op: "workgroup", type: "i32" };
const comparisons: readonly BinaryFn[] = ["lt", "le", "eq", "ne"];
export const binary = (fn: BinaryFn, a: Expr, b: Expr): Expr => {
  const type = comparisons.includes(fn) ? (a.type.endsWith("x4") ? "boolx4" : "bool") : a.type;
  return { op: "binary", type, fn, a, b };
};
export const add = (a: Expr, b: Expr): Expr => binary("add", a, b);
export const mul = (a: Expr, b: Expr): Expr => binary("mul", a, b);
export const load = (
  buffer: string,
  index: Expr,
  type: Extract<Expr, { op: "load" }>["type"] = "f32",
): Expr => ({
  op: "load",
  type,
  buffer,
  index,
});
export const splat = (a: Expr): Expr => ({
  op: "splat",
  type: a.type === "i32" ? "i32x4" : a.type === "f16" ? "f16x4" : "f32x4",
  a,
});
export const store = (buffer: string, index: Expr, value: Expr): Stmt => ({
  op: "store",
  buffer,
  index,
  value,
});
export const loop = (name: string, to: Expr, body: readonly Stmt[], from: Expr = i(0), step = 1): Stmt => ({
  op: "for",
  name,
  from,
  to,
  step,
  body,
});

export function kernel(parts: Partial<Kernel> & Pick<Kernel, "buffers" | "body">): Kernel {
  return { name: "test", sizes: [], grid: one, workgroup: 1, scratch: [], ...parts };
}

export const buffer = (
  name: string,
  access: "read" | "write" | "update",
  length: Size | number,
  type: ElementType = "f32",
) => ({ name, access, type, length: typeof length === "number" ? constant(length) : length }) as const;

/** C tile (rows x 4 vectors) = packed A panel (depth x rows) * packed B panel (depth x 4 vectors). */
export function microKernel(rows: number, vectors: number, depth: number, unroll = 1): Kernel {
  const columns = 4 * vectors;
  const name = (row: number, column: number): string => `c${row}_${column}`;
  const tiles = Array.from(
    { length: rows * vectors },
    (_, at) => [Math.floor(at / vectors), at % vectors] as const,
  );
  const step = (k: Expr, suffix: string): Stmt[] => [
    ...Array.from({ length: vectors }, (_, column): Stmt => ({
      op: "let",
      name: `b${column}${suffix}`,
      value: load("b", add(mul(k, i(columns)), i(4 * column)), "f32x4"),
    })),
    ...Array.from({ length: rows }, (_, row) => row).flatMap((row): Stmt[] => [
      { op: "let", name: `a${row}${suffix}`, value: splat(load("a", add(mul(k, i(rows)), i(row)))) },
      ...Array.from({ length: vectors }, (_, column): Stmt => ({
        op: "set",
        name: name(row, column),
        value: {
          op: "fma",
          type: "f32x4",
          a: local(`a${row}${suffix}`, "f32x4"),
          b: local(`b${column}${suffix}`, "f32x4"),
          c: local(name(row, column), "f32x4"),
        },
      })),
    ]),
  ];
  const k = local("k", "i32");
  return kernel({
    name: `micro_${rows}x${columns}`,
    buffers: [
      buffer("a", "read", rows * depth),
      buffer("b", "read", columns * depth),
      buffer("c", "write", rows * columns),
    ],
    grid: constant(1),
    body: [
      ...tiles.map(([row, column]): Stmt => ({ op: "var", name: name(row, column), value: splat(f(0)) })),
      loop(
        "k",
        i(depth),
        Array.from({ length: unroll }, (_, at) => step(add(k, i(at)), `_${at}`)).flat(),
        i(0),
        unroll,
      ),
      ...tiles.map(([row, column]) =>
        store("c", i(row * columns + 4 * column), local(name(row, column), "f32x4")),
      ),
    ],
  });
}
