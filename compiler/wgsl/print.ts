// Print for WebGPU: one kernel becomes one WGSL module with the entry point `main`. Bindings of group 0: the kernel's buffers in
// its order, read-only where the kernel only reads, then one uniform buffer with the sizes in the kernel's order, an infinity
// and a NaN (no shader may spell those out). Launched with at least as many workgroups as the grid says, over x and y.
// In: any kernel, scheduled for a GPU or for a CPU. Out: text that people can read.
// Deliberately absent: schedules (the kernels come scheduled), limits of devices (the runtime's).

import { known } from "../../runtime/size.ts";
import { Names } from "../c-like/names.ts";
import type { Kernel } from "../kernel.ts";
import { sizeText, type Shader } from "./expression.ts";
import {
  functionName,
  functionTexts,
  readsLaunch,
  threefryText,
  type FunctionName,
  type Width,
} from "./functions.ts";
import { calledBy, elementOfReduction, reducerText } from "./reduce.ts";
import { statements, type Body, type Reduction } from "./statement.ts";
import { taken } from "./words.ts";

export interface WgslOptions {
  /** Combine values of a workgroup by subgroups first; for devices that have them. */
  readonly subgroups?: boolean;
  /** What the user wrote that the kernel does, for the comment at the top. */
  readonly label?: string;
}

/** WebGPU launches at most so many workgroups along one axis. */
const longestAxis = 65535;

export function printWgsl(kernel: Kernel, options: WgslOptions = {}): string {
  const subgroups = options.subgroups === true;
  const names = new Names(taken);
  for (const name of [
    "launch",
    "Launch",
    "workgroup",
    "invocation",
    "workgroup_id",
    "workgroups",
    "invocation_index",
  ])
    names.reserve(name);
  for (const name of ["threefry", "ceil_of", "floor_of", "subgroup_lanes"]) names.reserve(name);
  reserveFunctions(names);
  for (const { name } of [...kernel.buffers, ...kernel.scratch]) {
    const made = names.ofMemory(name);
    names.reserve(`load4_${made}`);
    names.reserve(`store4_${made}`);
  }
  const words = new Map<Reduction, string>();
  const body: Body = {
    kernel,
    names,
    functions: new Map(),
    loads4: new Set(),
    stores4: new Set(),
    needs: new Set(),
    reductions: new Set(),
    variables: new Set(),
    subgroups,
    wordOf: (reduction) => {
      const before = words.get(reduction);
      const word = before ?? names.fresh(`reduce_${reduction.replace(" ", "_")}`);
      words.set(reduction, word);
      return word;
    },
  };
  const lines = statements(body, kernel.body, "  ");
  const grid = known(kernel.grid);
  const guard =
    grid !== undefined && grid <= longestAxis
      ? []
      : [`  if (workgroup >= ${sizeText(body, kernel.grid)}) {`, "    return;", "  }"];

  for (const reduction of words.keys())
    for (const [name, width] of calledBy(reduction))
      body.functions.set(functionName(name, width), [name, width]);
  // One array for all reductions of a type: devices need not have more scratch than fusion counts on.
  const memories = new Map(
    [...new Set([...words.keys()].map(elementOfReduction))].map((type) => [
      type,
      names.fresh(`reduce_${type}`),
    ]),
  );
  const reducers = [...words].map(([reduction, name]) => {
    const memory = memories.get(elementOfReduction(reduction))!;
    return reducerText({ reduction, name, memory }, kernel.workgroup, subgroups);
  });
  const shuffles = subgroups && reducers.length > 0;
  const sections = [
    [
      `// ${kernel.name}${options.label === undefined ? "" : `: ${oneLine(options.label)}`}`,
      ...(shuffles ? ["enable subgroups;"] : []),
    ],
    bindings(body),
    kernel.scratch.map(({ name, type, length }) => {
      if (type === "f32" || type === "i32")
        return `var<workgroup> ${names.ofMemory(name)}: array<${type}, ${Math.max(1, length)}>;`;
      throw new Error(`internal: kernel ${kernel.name}: ${name} is ${type}, which WebGPU has not`);
    }),
    ...rounding(body),
    ...(body.needs.has("threefry") ? [[threefryText()]] : []),
    ...functionTexts(body.functions.values()).map((text) => [text]),
    [...memories].map(([type, name]) => `var<workgroup> ${name}: array<${type}, ${kernel.workgroup}>;`),
    ...reducers.map((text) => [text]),
    ...[...body.loads4].map((name) => [loadFour(body, name)]),
    ...[...body.stores4].map((name) => [storeFour(body, name)]),
    [
      `@compute @workgroup_size(${kernel.workgroup})`,
      "fn main(",
      "  @builtin(workgroup_id) workgroup_id: vec3<u32>,",
      ...(guard.length > 0 ? ["  @builtin(num_workgroups) workgroups: vec3<u32>,"] : []),
      "  @builtin(local_invocation_index) invocation_index: u32,",
      ...(shuffles ? ["  @builtin(subgroup_size) subgroup_lanes: u32,"] : []),
      ") {",
      `  let workgroup = i32(workgroup_id.x${guard.length > 0 ? " + workgroup_id.y * workgroups.x" : ""});`,
      "  let invocation = i32(invocation_index);",
      ...guard,
      ...lines,
      "}",
    ],
  ];
  return `${sections
    .filter((section) => section.length > 0)
    .map((section) => section.join("\n"))
    .join("\n\n")}\n`;
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");

function reserveFunctions(names: Names): void {
  const all: readonly FunctionName[] = [
    ...(["is_nan", "smaller", "larger", "sign_of", "truncate", "power_of_two", "exp_of", "log_of"] as const),
    ...(["tanh_of", "sin_of", "cos_of", "erf_of", "pow_of", "lost"] as const),
  ];
  for (const name of all)
    for (const width of ["f32", "vec4f"] as Width[]) names.reserve(functionName(name, width));
}

function bindings(shader: Shader): string[] {
  const { kernel, names } = shader;
  const lines = kernel.buffers.map(({ name, type, access }, at) => {
    const mode = access === "read" ? "read" : "read_write";
    return `@group(0) @binding(${at}) var<storage, ${mode}> ${names.ofMemory(name)}: array<${type}>;`;
  });
  const extremes =
    shader.needs.has("extremes") || [...shader.functions.values()].some(([name]) => readsLaunch(name));
  if (kernel.sizes.length === 0 && !extremes) return lines;
  return [
    "struct Launch {",
    ...kernel.sizes.map((size) => `  ${names.ofSize(size)}: i32,`),
    ...(extremes ? ["  infinity: f32,", "  nan: f32,"] : []),
    "}",
    ...lines,
    `@group(0) @binding(${kernel.buffers.length}) var<uniform> launch: Launch;`,
  ];
}

/** Divisions of sizes, which may be negative where a size has a difference in it; divisors are positive. */
function rounding({ needs }: Shader): string[][] {
  const text = (name: string, correction: string): string[] => [
    `fn ${name}(value: i32, by: i32) -> i32 {`,
    `  return value / by ${correction};`,
    "}",
  ];
  return [
    ...(needs.has("ceil_of") ? [text("ceil_of", "+ select(0, 1, value % by > 0)")] : []),
    ...(needs.has("floor_of") ? [text("floor_of", "- select(0, 1, value % by < 0)")] : []),
  ];
}

const elementOf = ({ kernel }: Shader, name: string): string =>
  [...kernel.buffers, ...kernel.scratch].find((each) => each.name === name)!.type;

function loadFour(shader: Shader, buffer: string): string {
  const [name, type] = [shader.names.ofMemory(buffer), elementOf(shader, buffer)];
  return [
    `fn load4_${name}(at: i32) -> vec4<${type}> {`,
    `  return vec4<${type}>(${name}[at], ${name}[at + 1], ${name}[at + 2], ${name}[at + 3]);`,
    "}",
  ].join("\n");
}

function storeFour(shader: Shader, buffer: string): string {
  const [name, type] = [shader.names.ofMemory(buffer), elementOf(shader, buffer)];
  const lines = ["x", "y", "z", "w"].map(
    (lane, at) => `  ${name}[at${at === 0 ? "" : ` + ${at}`}] = values.${lane};`,
  );
  return [`fn store4_${name}(at: i32, values: vec4<${type}>) {`, ...lines, "}"].join("\n");
}
