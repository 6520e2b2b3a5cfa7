// Combining a value of each invocation of a workgroup. In: which reductions a shader uses, and the size of its workgroups. Out:
// WGSL functions that give the result to every invocation. Halves until one value is left, as the kernel interpreter does: the
// sums are its sums. With subgroups, the one of the first invocation does it all: each of its lanes combines every n-th value, then
// the lanes are combined, with four barriers in the place of one for each halving. The order of additions is then the device's, and
// the same in every run. Nothing is taken for granted of subgroups: they may be of any size, only partly filled, and hold whichever
// invocations the device likes; lanes are counted, not asked for. What they give is no longer uniform for WGSL's analysis, which
// the last line mends.

import type { FunctionName, Width } from "./functions.ts";
import type { Reduction } from "./statement.ts";

export interface Reducer {
  readonly reduction: Reduction;
  /** Its function's name, and that of the array that it uses; reductions may share one, each ends with a barrier. */
  readonly name: string;
  readonly memory: string;
}

/** Functions of functions.ts that reductions call. */
export function calledBy(
  reduction: Reduction,
  subgroups: boolean,
): readonly (readonly [FunctionName, Width])[] {
  if (reduction !== "min f32" && reduction !== "max f32") return [];
  const own = reduction === "min f32" ? "smaller" : "larger";
  return [[own, "f32"], ...(subgroups ? ([["order_of", "f32"]] as const) : [])];
}

export const elementOfReduction = (reduction: Reduction): "f32" | "i32" =>
  reduction.endsWith("f32") ? "f32" : "i32";

function combine(reduction: Reduction, a: string, b: string): string {
  const [fn, type] = reduction.split(" ");
  if (fn === "add") return `${a} + ${b}`;
  const name = type === "i32" ? fn : fn === "min" ? "smaller" : "larger";
  return `${name}(${a}, ${b})`;
}

export function reducerText(
  { reduction, name, memory }: Reducer,
  workgroup: number,
  subgroups: boolean,
): string {
  const type = elementOfReduction(reduction);
  const plain = [
    "  let lane = u32(invocation);",
    `  ${memory}[lane] = value;`,
    "  workgroupBarrier();",
    `  for (var left = ${workgroup}u; left > 1u; ) {`,
    "    let half = (left + 1u) / 2u;",
    "    if (lane + half < left) {",
    `      ${memory}[lane] = ${combine(reduction, `${memory}[lane]`, `${memory}[lane + half]`)};`,
    "    }",
    "    left = half;",
    "    workgroupBarrier();",
    "  }",
  ];
  const bySubgroup = [
    `  ${memory}[invocation] = value;`,
    "  workgroupBarrier();",
    "  let lanes = subgroupAdd(1);",
    "  let lane = subgroupExclusiveAdd(1);",
    "  var all = value;",
    "  if (subgroupAny(invocation == 0)) {",
    `    all = ${memory}[lane];`,
    `    for (var at = lane + lanes; at < ${workgroup}; at += lanes) {`,
    `      all = ${combine(reduction, "all", `${memory}[at]`)};`,
    "    }",
    "  }",
    ...acrossLanes(reduction),
    "  workgroupBarrier();",
    "  if (invocation == 0) {",
    `    ${memory}[0] = all;`,
    "  }",
  ];
  return [
    `fn ${name}(value: ${type}, invocation: i32) -> ${type} {`,
    ...(subgroups ? bySubgroup : plain),
    `  return workgroupUniformLoad(&${memory}[0]);`,
    "}",
  ].join("\n");
}

/** WGSL leaves open what its own `subgroupMin` makes of NaN, which the kernel language passes over. Floats are compared by integers in
 * the same order; NaN comes last. */
function acrossLanes(reduction: Reduction): string[] {
  const [fn, type] = reduction.split(" ") as [string, string];
  const across = `subgroup${fn[0]!.toUpperCase()}${fn.slice(1)}`;
  if (fn === "add" || type === "i32") return [`  all = ${across}(all);`];
  const last = fn === "min" ? "0x7fffffff" : "i32(-2147483648)";
  return [
    `  let found = ${across}(select(order_of(all), ${last}, is_nan(all)));`,
    "  all = bitcast<f32>(found ^ ((found >> 31u) & 0x7fffffff));",
  ];
}
