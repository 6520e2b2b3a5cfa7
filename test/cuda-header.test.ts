// What the runtime takes CUDA's functions and numbers to be is what the header of a toolkit says: sizes and order of arguments, names with their
// versions, enumerators, the tensor map. Skipped where there is no nvcc, which knows where the header lies.

import { expect, test } from "vitest";
import { attribute, ownStream } from "../runtime/cuda/device.ts";
import { declarations } from "../runtime/cuda/driver.ts";
import { dynamicSharedMemory } from "../runtime/cuda/kernels.ts";
import { threadLocal } from "../runtime/cuda/launches.ts";
import { mapAlignment, mapBytes, promotion, swizzles, types } from "../runtime/cuda/maps.ts";
import { hasNvcc, made } from "./helpers/cuda-host.ts";

/** Bytes of an argument, by how koffi is told of it. */
const bytesOf = (parameter: string): number =>
  /\*|uint64_t/.test(parameter) ? 8 : parameter.includes("uint8_t") ? 1 : 4;

const functions = Object.values(declarations).map((declaration) => {
  const [, name, parameters] = /^int (\w+)\((.*)\)$/.exec(declaration)!;
  return `static_assert(takes(&${name!}, {${parameters!.split(",").map(bytesOf).join(", ")}}), "${name!}");`;
});

const numbers: Readonly<Record<string, number>> = {
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: attribute.major,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: attribute.minor,
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: attribute.processors,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: attribute.sharedMemory,
  CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS: attribute.pageable,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: dynamicSharedMemory,
  CU_STREAM_NON_BLOCKING: ownStream,
  CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: threadLocal,
  CU_TENSOR_MAP_DATA_TYPE_INT32: types.i32,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT16: types.f16,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT32: types.f32,
  CU_TENSOR_MAP_DATA_TYPE_BFLOAT16: types.bf16,
  CU_TENSOR_MAP_SWIZZLE_32B: swizzles[32],
  CU_TENSOR_MAP_SWIZZLE_64B: swizzles[64],
  CU_TENSOR_MAP_SWIZZLE_128B: swizzles[128],
  CU_TENSOR_MAP_L2_PROMOTION_L2_128B: promotion,
  "sizeof(CUtensorMap)": mapBytes,
  "alignof(CUtensorMap)": mapAlignment,
};

const text = (changed: (line: string) => string): string =>
  [
    "#include <cuda.h>",
    "#include <initializer_list>",
    "template <class... Arguments>",
    "constexpr bool takes(CUresult (*)(Arguments...), std::initializer_list<unsigned long> wanted) {",
    "  constexpr unsigned long sizes[] = {sizeof(Arguments)...};",
    "  unsigned at = 0;",
    "  if (wanted.size() != sizeof...(Arguments)) return false;",
    "  for (const unsigned long each : wanted)",
    "    if (sizes[at++] != each) return false;",
    "  return true;",
    "}",
    ...[
      ...functions,
      ...Object.entries(numbers).map(([name, value]) => `static_assert(${name} == ${value}, "${name}");`),
    ].map(changed),
    "",
  ].join("\n");

test.skipIf(!hasNvcc)("functions, numbers and the tensor map are those of cuda.h", () => {
  const compile = (given: string): string => made(given, [".cpp", ".o"], ["nvcc", "-std=c++17", "-c"]);
  expect(compile(text((line) => line))).toMatch(/\.o$/);
  const wrong = (line: string): string => line.replace("{8, 8, 8, 8}", "{8, 8, 4, 8}");
  expect(() => compile(text(wrong))).toThrow(/static assertion failed: cu\w+/);
});
