// Print for CUDA: kernels become one text of CUDA C++ that people can read. Kernel number i is the function `k{i}`; its arguments are
// the kernel's buffers in its order, then its sizes as int. One block is one workgroup, one thread one invocation; launched with
// exactly as many blocks as the grid says, along x. Buffers begin at multiples of 16 bytes and do not overlap.
// Scratch is static shared memory where 48 KiB suffice, else dynamic, of `sharedBytes` bytes (the scratch that the program states).
// In: any kernels, scheduled for a GPU or for a CPU. To be compiled with -fmad=false: sums and products are rounded as written.
// Deliberately absent: schedules (the kernels come scheduled), host code (the runtime launches through the driver).

import { Names } from "../c-like/names.ts";
import { bytesOf, isHalf } from "../half.ts";
import type { ElementType, Kernel, Stmt } from "../kernel.ts";
import { functionNames, functionTexts, type FunctionName } from "./functions.ts";
import type { Unit } from "./expression.ts";
import { reduceMemory, reduceTurn, statements, type Body } from "./statement.ts";
import { taken } from "./words.ts";

export interface CudaOptions {
  /** What the user wrote that each kernel does, for the comments. */
  readonly labels?: readonly (string | undefined)[];
}

/** Static shared memory that a block may have, less what reductions need. */
const mostStatic = 48 * 1024 - 1024;

const elementNames: Readonly<Record<ElementType, string>> = {
  f32: "float",
  i32: "int",
  bf16: "bf16",
  f16: "f16",
};

export function printCuda(kernels: readonly Kernel[], options: CudaOptions = {}): string {
  const unit: Unit = { functions: new Set<FunctionName>(), wide: new Map() };
  const printed = kernels.map((kernel, at) => printKernel(unit, kernel, at, options.labels?.[at]));
  return `${[
    "// Compile with -fmad=false: sums and products are rounded one by one.",
    ...functionTexts(unit.functions),
    ...unit.wide.values(),
    ...printed,
  ].join("\n\n")}\n`;
}

function printKernel(unit: Unit, kernel: Kernel, number: number, label: string | undefined): string {
  const own = [reduceTurn, reduceMemory("f32"), reduceMemory("i32"), "scratch", `k${number}`];
  const names = new Names([...taken, ...functionNames, ...own]);
  const body: Body = {
    ...unit,
    kernel,
    names,
    divisors: new Map(),
    reduced: new Set(),
    variables: new Set(),
    inVariant: false,
  };
  const parameters = [
    ...kernel.buffers.map(
      ({ name, type, access }) =>
        `${access === "read" ? "const " : ""}${elementNames[type]}* __restrict__ ${names.ofMemory(name)}`,
    ),
    ...kernel.sizes.map((size) => `int ${names.ofSize(size)}`),
  ];
  const scratch = declareScratch(kernel, names);
  if ([...kernel.buffers, ...kernel.scratch].some(({ type }) => isHalf(type))) unit.functions.add("half");
  const lines = statements(body, kernel.body, "  ");
  const warps = Math.ceil(kernel.workgroup / 32);
  const shared = [...body.reduced].map(
    (type) => `  __shared__ ${elementNames[type]} ${reduceMemory(type)}[2][${warps}];`,
  );
  const uses = (word: string): boolean => lines.some((line) => new RegExp(`\\b${word}\\b`).test(line));
  return [
    `// ${oneLine(kernel.name)}${label === undefined ? "" : `: ${oneLine(label)}`}`,
    `extern "C" __global__ void __launch_bounds__(${launchBounds(kernel)})`,
    ...wrapped(`k${number}(`, parameters, ") {"),
    ...(uses("workgroup") ? ["  const int workgroup = blockIdx.x;"] : []),
    ...(uses("invocation") ? ["  const int invocation = threadIdx.x;"] : []),
    ...scratch,
    ...shared,
    ...(shared.length > 0 ? [`  int ${reduceTurn} = 0;`] : []),
    ...lines,
    "}",
  ].join("\n");
}

/** Invocations of a block, and how many blocks a multiprocessor should be able to hold: 512 invocations, which leaves 128 registers
 * to each, or 256 of those that keep many sums. The contractions' schedules count on that: one workgroup multiplies while the other
 * waits. */
function launchBounds(kernel: Kernel): string {
  const { workgroup } = kernel;
  if (workgroup < 128 || workgroup > 256) return `${workgroup}`;
  const registers = sumsIn(kernel.body) * 8;
  const many = registers > 64 || (registers === 64 && workgroup === 128);
  return `${workgroup}, ${Math.floor((many ? 256 : 512) / workgroup)}`;
}

/** Fragments of sums that an invocation holds at once. */
const sumsIn = (list: readonly Stmt[]): number =>
  list.reduce((most, statement) => {
    if (statement.op === "fragment" && statement.is.of === "sums") return most + 1;
    if (statement.op === "for") return most + sumsIn(statement.body);
    if (statement.op === "if") return most + Math.max(sumsIn(statement.then), sumsIn(statement.otherwise));
    if (statement.op === "variant")
      return most + Math.max(sumsIn(statement.warpgroups), sumsIn(statement.otherwise));
    return most;
  }, 0);

/** A line, or one line for each part where they do not fit. */
function wrapped(head: string, parts: readonly string[], tail: string): string[] {
  const whole = `${head}${parts.join(", ")}${tail}`;
  if (whole.length <= 100) return [whole];
  return parts.map(
    (part, at) =>
      `${at === 0 ? head : " ".repeat(head.length)}${part}${at === parts.length - 1 ? tail : ","}`,
  );
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").replace(/[\\ ]+$/, "");

const aligned = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/** Bytes of dynamic shared memory that a launch must give; 0 where the scratch is static. `scratch` is the kernel's whole scratch in bytes. */
export const sharedBytes = (scratch: number): number => (scratch > mostStatic ? scratch : 0);

function declareScratch(kernel: Kernel, names: Names): string[] {
  const total = kernel.scratch.reduce((sum, { type, length }) => sum + aligned(bytesOf(type) * length), 0);
  if (sharedBytes(total) === 0)
    return kernel.scratch.map(
      ({ name, type, length, rows }) =>
        `  __shared__ __align__(${rows === undefined ? 16 : 1024}) ${elementNames[type]} ${names.ofMemory(name)}[${Math.max(1, length)}];`,
    );
  let from = 0;
  return [
    kernel.scratch[0]!.rows === undefined
      ? "  extern __shared__ uint4 scratch[];"
      : "  extern __shared__ __align__(1024) uint4 scratch[];",
    ...kernel.scratch.map(({ name, type, length }) => {
      const element = elementNames[type];
      const line = `  ${element}* const ${names.ofMemory(name)} = reinterpret_cast<${element}*>(scratch)${from === 0 ? "" : ` + ${from / bytesOf(type)}`};`;
      from += aligned(bytesOf(type) * length);
      return line;
    }),
  ];
}
