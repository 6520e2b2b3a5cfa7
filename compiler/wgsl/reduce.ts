// Combining a value of each invocation of a workgroup. In: which reductions a shader uses, and the size of its workgroups. Out:
// WGSL functions that give the result to every invocation. Halves until one value is left, as the kernel interpreter does: the
// sums are its sums. With subgroups, each subgroup first combines its own by exchanging values, which needs no barriers; the
// order of additions is then the device's, and the same in every run.

import type { FunctionName, Width } from "./functions.ts";
import type { Reduction } from "./statement.ts";

export interface Reducer {
  readonly reduction: Reduction;
  /** Its function's name, and that of the array that it uses; reductions may share one, each ends with a barrier. */
  readonly name: string;
  readonly memory: string;
}

/** Functions of functions.ts that reductions call. */
export const calledBy = (reduction: Reduction): readonly (readonly [FunctionName, Width])[] =>
  reduction === "min f32" ? [["smaller", "f32"]] : reduction === "max f32" ? [["larger", "f32"]] : [];

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
  const tree = (count: string): string[] => [
    `  for (var left = ${count}; left > 1u; ) {`,
    "    let half = (left + 1u) / 2u;",
    "    if (lane + half < left) {",
    `      ${memory}[lane] = ${combine(reduction, `${memory}[lane]`, `${memory}[lane + half]`)};`,
    "    }",
    "    left = half;",
    "    workgroupBarrier();",
    "  }",
  ];
  const head = [
    `fn ${name}(value: ${type}, invocation: i32${subgroups ? ", subgroup_lanes: u32" : ""}) -> ${type} {`,
    "  let lane = u32(invocation);",
  ];
  const exchange = [
    "  var sum = value;",
    "  for (var distance = subgroup_lanes / 2u; distance > 0u; distance = distance / 2u) {",
    "    let other = subgroupShuffleXor(sum, distance);",
    // Invocations past the end of the last subgroup have nothing to give.
    `    if ((lane ^ distance) < ${workgroup}u) {`,
    `      sum = ${combine(reduction, "sum", "other")};`,
    "    }",
    "  }",
    "  if (lane % subgroup_lanes == 0u) {",
    `    ${memory}[lane / subgroup_lanes] = sum;`,
    "  }",
    "  workgroupBarrier();",
    ...tree(`(${workgroup}u + subgroup_lanes - 1u) / subgroup_lanes`),
  ];
  const plain = [`  ${memory}[lane] = value;`, "  workgroupBarrier();", ...tree(`${workgroup}u`)];
  return [
    ...head,
    ...(subgroups ? exchange : plain),
    `  return workgroupUniformLoad(&${memory}[0]);`,
    "}",
  ].join("\n");
}
