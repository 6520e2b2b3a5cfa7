// Random kernels for differential tests. In: a seed and a depth of nesting (fast-check shrinks the depth). Out: a well-formed kernel without races and out-of-bounds accesses: loops, branches, variables, scratch, moving and
// computed indices, scalars and vectors. Workgroup w writes only its own slice of `update`, and of `halves` where there is memory of 16 bits.
// Values of f16 are rounded alike everywhere, as no operation on them is fused.

import type { BinaryFn, Expr, HalfType, Kernel, Stmt, ValueType } from "../../compiler/kernel.ts";
import { threefry } from "../../runtime/random.ts";
import { constant } from "../../runtime/size.ts";
import {
  add,
  binary,
  buffer,
  f,
  i,
  kernel,
  load,
  local,
  mul,
  size,
  splat,
  store,
  workgroup,
} from "./kernels.ts";

export const slice = 256;
export const groups = 3;
export const tableLength = 256;

interface Names {
  readonly counters: readonly string[];
  /** Names by type, innermost last. */
  readonly values: readonly { readonly name: string; readonly type: ValueType; readonly variable: boolean }[];
}

/** With `half`, a buffer and scratch of that type, too; without, a kernel of f32 and i32 only. `computed`: it computes in f16 as well. */
export function randomKernel(seed: number, depth: number, half?: HalfType, computed = false): Kernel {
  let position = 0;
  let names = 0;
  const choose = (count: number): number => threefry(seed, depth, position++, 0)[0] % count;
  const pick = <T>(options: readonly T[]): T => options[choose(options.length)]!;
  const fresh = (): string => `n${names++}`;

  /** At most 3 * 7 * counters + 7 * 7 + 60, at least 0. */
  const offset = (scope: Names): Expr => {
    if (choose(3) === 1) return i(choose(6));
    let sum: Expr = i(choose(60));
    for (const counter of scope.counters) {
      const by = choose(8);
      if (by > 0)
        sum = pick([
          add(mul(local(counter, "i32"), i(by)), sum),
          add(sum, mul(i(by), local(counter, "i32"))),
        ]);
    }
    if (choose(3) === 1) sum = add(sum, mul(size("S"), i(choose(8))));
    if (choose(6) === 1) sum = binary("sub", add(sum, i(21)), mul(local(scope.counters[0]!, "i32"), i(7)));
    if (choose(6) === 1)
      sum = binary("and", add(sum, load("index", binary("and", sum, i(15)), "i32")), i(127));
    return sum;
  };
  const place = (scope: Names, name: string): Expr =>
    name === "update" || name === "halves" ? add(mul(workgroup, i(slice)), offset(scope)) : offset(scope);
  /** Where results go. */
  const written = (): string => (half === undefined ? "update" : pick(["update", "halves"]));
  const ofHalves = (scope: Names, type: "f32" | "f32x4"): readonly Expr[] =>
    half === undefined ? [] : [load("halves", place(scope, "halves"), type)];

  const inF16 = (scope: Names, type: "f16" | "f16x4", depth: number): Expr => {
    const wide = type === "f16" ? "f32" : "f32x4";
    if (depth === 0)
      return pick([
        load("halves", place(scope, "halves"), type),
        { op: "cast", type, a: expr(scope, wide, 0) },
      ]);
    const inner = (of: ValueType): Expr => expr(scope, of, depth - 1);
    const ofFour = (): Expr => ({ op: "extract", type: "f16", a: inner("f16x4"), lane: pick([0, 1, 2, 3]) });
    const ofOne = (): Expr => ({
      op: "vector",
      type: "f16x4",
      lanes: [inner("f16"), inner("f16"), inner("f16"), inner("f16")],
    });
    switch (choose(6)) {
      case 0:
      case 1:
        return binary(pick(["add", "sub", "mul"] as const), inner(type), inner(type));
      case 2:
        return { op: "select", type, condition: inner("bool"), a: inner(type), b: inner(type) };
      case 3:
        return { op: "unary", type, fn: pick(["neg", "abs"] as const), a: inner(type) };
      case 4:
        return type === "f16x4" ? splat(inner("f16")) : { op: "cast", type, a: inner(wide) };
      default:
        return type === "f16" ? ofFour() : ofOne();
    }
  };

  const expr = (scope: Names, type: ValueType, depth: number): Expr => {
    const known = scope.values.filter((value) => value.type === type);
    if (depth === 0 || choose(4) === 0) {
      if (known.length > 0 && choose(3) !== 0) return local(pick(known).name, type);
      if (type === "f16" || type === "f16x4") return inF16(scope, type, 0);
      if (type === "f32x4")
        return pick([
          splat(f(choose(5) - 2)),
          splat(load("table", offset(scope))),
          load("table", offset(scope), "f32x4"),
          ...ofHalves(scope, "f32x4"),
        ]);
      if (type === "f32")
        return pick([
          f(choose(7) - 3),
          load("table", offset(scope)),
          load("update", place(scope, "update")),
          ...ofHalves(scope, "f32"),
        ]);
      if (type === "i32")
        return pick([
          i(choose(9) - 4),
          offset(scope),
          load("index", binary("and", offset(scope), i(15)), "i32"),
          size("S"),
        ]);
      return binary("lt", expr(scope, "i32", 0), expr(scope, "i32", 0));
    }
    const inner = (of: ValueType): Expr => expr(scope, of, depth - 1);
    if (type === "f16" || type === "f16x4") return inF16(scope, type, depth);
    if (type === "bool") {
      const of = pick(["i32", "f32"] as const);
      const test = binary(pick(["lt", "le", "eq", "ne"] as const), inner(of), inner(of));
      return choose(3) === 1 ? { op: "unary", type: "bool", fn: "not", a: test } : test;
    }
    if (type === "i32") {
      const fn: BinaryFn = pick(["add", "sub", "mul", "min", "max", "and", "xor", "shr"]);
      if (fn === "shr") return binary(fn, inner("i32"), i(choose(5)));
      if (choose(5) === 1)
        return binary(
          pick(["div", "mod"] as const),
          binary("and", inner("i32"), i(1023)),
          pick([i(8), i(3), size("S")]),
        );
      return binary(fn, inner("i32"), inner("i32"));
    }
    switch (choose(computed ? 7 : 6)) {
      case 6:
        return { op: "cast", type, a: inner(type === "f32" ? "f16" : "f16x4") };
      case 0:
        return binary(pick(["add", "sub", "mul", "min", "max"] as const), inner(type), inner(type));
      case 1:
        return { op: "fma", type: type as "f32", a: inner(type), b: inner(type), c: inner(type) };
      case 2:
        return { op: "select", type, condition: inner("bool"), a: inner(type), b: inner(type) };
      case 3:
        return { op: "unary", type, fn: pick(["neg", "abs", "floor", "sign"] as const), a: inner(type) };
      case 4:
        return type === "f32x4" ? splat(inner("f32")) : { op: "cast", type: "f32", a: inner("i32") };
      default:
        if (type === "f32")
          return { op: "extract", type: "f32", a: inner("f32x4"), lane: pick([0, 1, 2, 3] as const) };
        return {
          op: "vector",
          type: "f32x4",
          lanes: [inner("f32"), inner("f32"), inner("f32"), inner("f32")],
        };
    }
  };

  const body = (outer: Names, left: number): Stmt[] => {
    let scope = outer;
    return Array.from({ length: 2 + choose(4) }).flatMap((): Stmt[] => {
      const type = pick<ValueType>(["f32", "f32x4", "i32", ...(computed ? (["f16", "f16x4"] as const) : [])]);
      const variables = scope.values.filter(({ variable }) => variable);
      switch (choose(left === 0 ? 6 : 9)) {
        case 0: {
          const name = written();
          const as =
            computed && name === "halves" ? (["f16", "f16x4"] as const) : (["f32", "f32x4"] as const);
          return [store(name, place(scope, name), expr(scope, pick(as), 2))];
        }
        case 1:
        case 2: {
          const [name, variable] = [fresh(), choose(2) === 1];
          const statement: Stmt = { op: variable ? "var" : "let", name, value: expr(scope, type, 3) };
          scope = { ...scope, values: [...scope.values, { name, type, variable }] };
          return [statement];
        }
        case 3:
        case 4: {
          if (variables.length === 0) return [{ op: "comment", text: "nothing to set" }];
          const { name, type: of } = pick(variables);
          return [{ op: "set", name, value: expr(scope, of, 3) }];
        }
        case 5: {
          const at = offset(scope);
          const [scratch, name] = [half === undefined ? "scratch" : pick(["scratch", "narrow"]), written()];
          const as = half === undefined ? "f32" : pick(["f32", "f32x4"] as const);
          return [
            store(scratch, at, expr(scope, as, 2)),
            store(name, place(scope, name), load(scratch, at, as)),
          ];
        }
        case 6:
        case 7: {
          if (scope.counters.length >= 3) return [];
          const name = fresh();
          const inside = { ...scope, counters: [...scope.counters, name] };
          const to = pick([i(4), i(choose(4)), size("S"), binary("min", size("S"), i(choose(5)))]);
          const from = i(choose(2));
          return [{ op: "for", name, from, to, step: 1 + choose(2), body: body(inside, left - 1) }];
        }
        default:
          return [
            {
              op: "if",
              condition: expr(scope, "bool", 2),
              then: body(scope, left - 1),
              otherwise: choose(2) === 1 ? body(scope, left - 1) : [],
            },
          ];
      }
    });
  };

  return kernel({
    name: "random",
    buffers: [
      buffer("table", "read", tableLength),
      buffer("index", "read", 16, "i32"),
      buffer("update", "update", groups * slice),
      ...(half === undefined ? [] : [buffer("halves", "update", groups * slice, half)]),
    ],
    sizes: ["S"],
    grid: constant(groups),
    scratch: [
      { name: "unused", type: "i32", length: 3 },
      { name: "scratch", type: "f32", length: slice },
      ...(half === undefined ? [] : [{ name: "narrow", type: half, length: slice }]),
    ],
    body: [
      {
        op: "for",
        name: "outer",
        from: i(0),
        to: i(4),
        step: 1,
        body: body({ counters: ["outer"], values: [] }, depth),
      },
    ],
  });
}
