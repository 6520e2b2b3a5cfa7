// Print for WebGPU: one kernel becomes one WGSL module with the entry point `main`. Bindings of group 0: the kernel's buffers in
// its order, read-only where the kernel only reads, then one uniform buffer with the sizes in the kernel's order, an infinity
// and a NaN (no shader may spell those out). Launched with at least as many workgroups as the grid says, over x and y.
// In: any kernel, scheduled for a GPU or for a CPU. Out: text that people can read.
// Deliberately absent: schedules (the kernels come scheduled), limits of devices (the runtime's).

import type { Shader as ShaderTexts } from "../../runtime/artifact.ts";
import { known } from "../../runtime/size.ts";
import { memoriesOf } from "../c-like/memories.ts";
import { Names } from "../c-like/names.ts";
import { roundedIn } from "../c-like/rounded.ts";
import { isHalf } from "../half.ts";
import { someStatement } from "../kernel-walk.ts";
import type { ElementType, Kernel } from "../kernel.ts";
import { withPlainCopies } from "../plain-copy.ts";
import { readAs } from "../kernel-type.ts";
import { elementOf, sizeText, type Shader } from "./expression.ts";
import { functionName, functionNames, functionTexts, readsLaunch, threefryText } from "./functions.ts";
import { calledBy, elementOfReduction, reducerText } from "./reduce.ts";
import { statements, type Body, type Reduction } from "./statement.ts";
import { taken } from "./words.ts";

export interface WgslOptions {
  /** Combine values of a workgroup by subgroups; for devices that have them. */
  readonly subgroups?: boolean;
  /** What the user wrote that the kernel does, for the comment at the top. */
  readonly label?: string;
}

/** WebGPU launches at most so many workgroups along one axis. */
const longestAxis = 65535;

/** With a second text where subgroups make one. */
export function printShader(kernel: Kernel, options: Pick<WgslOptions, "label"> = {}): ShaderTexts {
  const plain = printWgsl(kernel, options);
  if (!reduces(kernel)) return plain;
  return { plain, subgroups: printWgsl(kernel, { ...options, subgroups: true }) };
}

/** Whether it combines values of a workgroup. */
const reduces = ({ workgroup, body }: Kernel): boolean =>
  workgroup > 1 && someStatement(body, ({ op }) => op === "reduce");

export function printWgsl(given: Kernel, options: WgslOptions = {}): string {
  const kernel = withPlainCopies(given);
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
  for (const name of ["threefry", "ceil_of", "floor_of", ...functionNames()]) names.reserve(name);
  for (const { name } of [...kernel.buffers, ...kernel.scratch]) {
    const made = names.ofMemory(name);
    names.reserve(`load4_${made}`);
    names.reserve(`half4_${made}`);
    names.reserve(`store4_${made}`);
  }
  const words = new Map<Reduction, string>();
  const body: Body = {
    kernel,
    memories: memoriesOf(kernel),
    names,
    functions: new Map(),
    loads4: new Set(),
    halfLoads4: new Set(),
    stores4: new Set(),
    needs: new Set(),
    reductions: new Set(),
    variables: new Set(),
    rounded: roundedIn(kernel, "f16"),
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
    for (const [name, width] of calledBy(reduction, subgroups))
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
  const sections = [
    [
      `// ${kernel.name}${options.label === undefined ? "" : `: ${oneLine(options.label)}`}`,
      ...(needsF16(body) ? ["enable f16;"] : []),
      ...(subgroups && reducers.length > 0 ? ["enable subgroups;"] : []),
    ],
    bindings(body),
    kernel.scratch.map(
      ({ name, type, length }) =>
        `var<workgroup> ${names.ofMemory(name)}: array<${type}, ${Math.max(1, length)}>;`,
    ),
    ...rounding(body),
    ...(body.needs.has("threefry") ? [[threefryText()]] : []),
    ...functionTexts(body.functions.values()).map((text) => [text]),
    [...memories].map(([type, name]) => `var<workgroup> ${name}: array<${type}, ${kernel.workgroup}>;`),
    ...reducers.map((text) => [text]),
    ...[...body.loads4].map((name) => [loadFour(body, name)]),
    ...[...body.halfLoads4].map((name) => [loadHalves(body, name)]),
    ...[...body.stores4].map((name) => [storeFour(body, name)]),
    [
      `@compute @workgroup_size(${kernel.workgroup})`,
      "fn main(",
      "  @builtin(workgroup_id) workgroup_id: vec3<u32>,",
      ...(guard.length > 0 ? ["  @builtin(num_workgroups) workgroups: vec3<u32>,"] : []),
      "  @builtin(local_invocation_index) invocation_index: u32,",
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

/** Whether it has memory or values of f16, which a device must be asked for. bf16 is no type of WGSL. */
function needsF16({ kernel, needs }: Shader): boolean {
  const all = [...kernel.buffers, ...kernel.scratch];
  const none = all.find(({ type }) => type === "bf16");
  if (none !== undefined)
    throw new Error(`internal: kernel ${kernel.name}: ${none.name} is bf16, which WebGPU has not`);
  return needs.has("f16") || all.some(({ type }) => type === "f16");
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");

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

function loadFour(shader: Shader, buffer: string): string {
  const name = shader.names.ofMemory(buffer);
  const held = elementOf(shader, buffer);
  const type = readAs(held);
  const widen = (four: string): string => (isHalf(held) ? `vec4<f32>(${four})` : four);
  return [`fn load4_${name}(at: i32) -> vec4<${type}> {`, `  return ${widen(fourOf(name, held))};`, "}"].join(
    "\n",
  );
}

const fourOf = (name: string, type: ElementType): string =>
  `vec4<${type}>(${name}[at], ${name}[at + 1], ${name}[at + 2], ${name}[at + 3])`;

/** As they are. */
function loadHalves(shader: Shader, buffer: string): string {
  const name = shader.names.ofMemory(buffer);
  return [`fn half4_${name}(at: i32) -> vec4<f16> {`, `  return ${fourOf(name, "f16")};`, "}"].join("\n");
}

function storeFour(shader: Shader, buffer: string): string {
  const [name, type] = [shader.names.ofMemory(buffer), elementOf(shader, buffer)];
  const lines = ["x", "y", "z", "w"].map(
    (lane, at) => `  ${name}[at${at === 0 ? "" : ` + ${at}`}] = values.${lane};`,
  );
  return [`fn store4_${name}(at: i32, values: vec4<${type}>) {`, ...lines, "}"].join("\n");
}
