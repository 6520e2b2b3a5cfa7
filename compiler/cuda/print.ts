// Print for CUDA: kernels become one text of CUDA C++ that people can read. Kernel number i is the function `k{i}`; its arguments are
// the kernel's buffers in its order, then its sizes as int, then its maps. One block is one workgroup, one thread one invocation; launched with
// exactly as many blocks as the grid says, along x. Buffers begin at multiples of 16 bytes and do not overlap.
// Scratch is static shared memory where 48 KiB suffice, else dynamic, of `sharedBytes` bytes (the scratch that the program states).
// In: any kernels, scheduled for a GPU or for a CPU. To be compiled with -fmad=false: sums and products are rounded as written.
// Deliberately absent: schedules (the kernels come scheduled), host code (the runtime launches through the driver).

import { memoriesOf } from "../c-like/memories.ts";
import { forDevice } from "../variant.ts";
import { Names } from "../c-like/names.ts";
import { bytesOf, isHalf } from "../half.ts";
import type { ElementType, Kernel, Stmt } from "../kernel.ts";
import { someStatement } from "../kernel-walk.ts";
import { beginSignals, signalBytes } from "./bulk.ts";
import { functionNames, functionTexts, type FunctionName } from "./functions.ts";
import { use, type Unit } from "./expression.ts";
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
  const printed = kernels.map((kernel, at) => printWays(unit, kernel, at, options.labels?.[at]));
  return `${[
    "// Compile with -fmad=false: sums and products are rounded one by one.",
    ...functionTexts(unit.functions),
    ...unit.wide.values(),
    ...printed,
  ].join("\n\n")}\n`;
}

/** What devices whose warpgroups multiply do in another way has the same name; which one there is the architecture decides. */
function printWays(unit: Unit, kernel: Kernel, number: number, label: string | undefined): string {
  const usual = printKernel(unit, kernel, number, label, false);
  if (kernel.warpgroups === undefined) return usual;
  use(unit, "warpgroups");
  const way = printKernel(unit, forDevice(kernel, true), number, label, true);
  return ["#if MOE_WARPGROUPS", way, "#else", usual, "#endif"].join("\n");
}

function printKernel(
  unit: Unit,
  kernel: Kernel,
  number: number,
  label: string | undefined,
  inVariant: boolean,
): string {
  const own = [reduceTurn, reduceMemory("f32"), reduceMemory("i32"), "scratch", `k${number}`];
  const names = new Names([...taken, ...functionNames, ...own]);
  const body: Body = {
    ...unit,
    kernel,
    memories: memoriesOf(kernel),
    names,
    divisors: new Map(),
    reduced: new Set(),
    variables: new Set(),
    inVariant,
  };
  const { maps = [], signals = [] } = kernel;
  const parameters = [
    ...kernel.buffers.map(
      ({ name, type, access }) =>
        `${access === "read" ? "const " : ""}${elementNames[type]}* __restrict__ ${names.ofMemory(name)}`,
    ),
    ...kernel.sizes.map((size) => `int ${names.ofSize(size)}`),
    ...maps.map(({ name }) => `const __grid_constant__ TensorMap ${names.ofMemory(name)}`),
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
    ...beginSignals(signals, (name) => names.ofMemory(name)),
    ...lines,
    "}",
  ].join("\n");
}

/** Invocations of a block, and how many blocks a multiprocessor should be able to hold: 512 invocations, which leaves 128 registers
 * to each, or 256 of those that keep many sums. The contractions' schedules count on that: one workgroup multiplies while the other
 * waits. Where warpgroups hand each other registers it is 512, and each has exactly 128 at first: those are what there is to hand. */
function launchBounds(kernel: Kernel): string {
  const { workgroup } = kernel;
  if (workgroup < 128 || workgroup > 256) return `${workgroup}`;
  if (someStatement(kernel.body, ({ op }) => op === "registers"))
    return `${workgroup}, ${Math.floor(512 / workgroup)}`;
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
  const { scratch, signals = [] } = kernel;
  const total = scratch.reduce((sum, { type, length }) => sum + aligned(bytesOf(type) * length), 0);
  if (sharedBytes(total + signalBytes(kernel)) === 0)
    return [
      ...scratch.map(
        ({ name, type, length, rows }) =>
          `  __shared__ __align__(${rows === undefined ? 16 : 1024}) ${elementNames[type]} ${names.ofMemory(name)}[${Math.max(1, length)}];`,
      ),
      ...signals.map(
        ({ name, count }) => `  __shared__ unsigned long long ${names.ofMemory(name)}[${count}];`,
      ),
    ];
  let from = 0;
  return [
    scratch[0]!.rows === undefined
      ? "  extern __shared__ uint4 scratch[];"
      : "  extern __shared__ __align__(1024) uint4 scratch[];",
    ...scratch.map(({ name, type, length }) => {
      const element = elementNames[type];
      const line = `  ${element}* const ${names.ofMemory(name)} = reinterpret_cast<${element}*>(scratch)${from === 0 ? "" : ` + ${from / bytesOf(type)}`};`;
      from += aligned(bytesOf(type) * length);
      return line;
    }),
    ...signals.map(({ name, count }) => {
      const line = `  unsigned long long* const ${names.ofMemory(name)} = reinterpret_cast<unsigned long long*>(scratch) + ${from / 8};`;
      from += 8 * count;
      return line;
    }),
  ];
}
