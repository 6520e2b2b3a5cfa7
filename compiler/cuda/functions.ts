// Device functions that printed kernels call besides CUDA's own. In: their names. Out: their texts, those they call first.
// CUDA's expf, logf, tanhf, erff, sinf, cosf, powf are accurate to one or two units in the last place without fast-math and are
// used as they are; here is what the kernel IR wants otherwise, and values of four.
// fminf and fmaxf return the other operand when one is NaN, as the IR does; which zero of min(0, -0) they return is the device's.

import { threefryParity } from "../../runtime/random.ts";
import { threefryRounds } from "../c-like/threefry.ts";
import { bulkNames, bulkText } from "./bulk.ts";
import { copyText, matrixRowsText, swizzledText } from "./copy.ts";
import { halfFourText, halfText, matrixText } from "./matrix.ts";
import { warpgroupsText } from "./warpgroup.ts";

export type FunctionName =
  | "bool4"
  | "sign_of"
  | "is_nan"
  | "order_of"
  | "truncate"
  | "pow_of"
  | "ceil_of"
  | "floor_of"
  | "threefry"
  | "uniform"
  | "load4"
  | "gather4"
  | "store4"
  | "scatter4"
  | "reduce"
  | "half"
  | "half4"
  | "matrix"
  | "matrix_rows"
  | "swizzled"
  | "copy"
  | "warpgroups"
  | "bulk";

interface Text {
  readonly calls: readonly FunctionName[];
  readonly text: string;
}

const fn = "__device__ __forceinline__";

const texts: Readonly<Record<FunctionName, Text>> = {
  bool4: { calls: [], text: `struct bool4 {\n  bool x, y, z, w;\n};` },
  sign_of: {
    calls: [],
    text: `
// NaN has no sign.
${fn} float sign_of(float x) {
  return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
}
${fn} int sign_of(int x) {
  return (x > 0) - (x < 0);
}`,
  },
  is_nan: { calls: [], text: `${fn} bool is_nan(float x) {\n  return x != x;\n}` },
  order_of: {
    calls: [],
    text: `
// The bits as a number that is in order like x.
${fn} int order_of(float x) {
  const int bits = __float_as_int(x);
  return bits ^ (int)((unsigned)(bits >> 31) >> 1);
}`,
  },
  truncate: {
    calls: [],
    text: `
// Towards zero; what is too large becomes the largest, NaN becomes 0.
${fn} int truncate(float x) {
  return x != x ? 0 : __float2int_rz(x);
}`,
  },
  pow_of: {
    calls: [],
    text: `
// C's powf, but for what has no answer: 1 to an infinite power, and anything but 0 to the power NaN.
${fn} float pow_of(float a, float b) {
  const bool unanswered = b != b || (fabsf(a) == 1.0f && fabsf(b) == __int_as_float(0x7f800000));
  return unanswered ? __int_as_float(0x7fffffff) : powf(a, b);
}`,
  },
  ceil_of: {
    calls: [],
    text: `
// Of sizes, which may be negative where one has a difference in it; divisors are positive.
${fn} int ceil_of(int value, int by) {
  return value / by + (value % by > 0);
}`,
  },
  floor_of: {
    calls: [],
    text: `
${fn} int floor_of(int value, int by) {
  return value / by - (value % by < 0);
}`,
  },
  threefry: { calls: [], text: threefryText() },
  uniform: {
    calls: ["threefry"],
    text: `
// 24 random bits in [0, 1).
${fn} float uniform(int key0, int key1, int counter, int stream) {
  return (float)((unsigned)threefry(key0, key1, counter, stream) >> 8) * 0x1p-24f;
}`,
  },
  load4: {
    calls: [],
    text: `
// Four neighbours, the first at a multiple of 16 bytes.
${fn} float4 load4(const float* at) {
  return *reinterpret_cast<const float4*>(at);
}
${fn} int4 load4(const int* at) {
  return *reinterpret_cast<const int4*>(at);
}`,
  },
  gather4: {
    calls: [],
    text: `
// Four neighbours anywhere.
${fn} float4 gather4(const float* at) {
  return make_float4(at[0], at[1], at[2], at[3]);
}
${fn} int4 gather4(const int* at) {
  return make_int4(at[0], at[1], at[2], at[3]);
}`,
  },
  store4: {
    calls: [],
    text: `
${fn} void store4(float* at, float4 values) {
  *reinterpret_cast<float4*>(at) = values;
}
${fn} void store4(int* at, int4 values) {
  *reinterpret_cast<int4*>(at) = values;
}`,
  },
  scatter4: {
    calls: [],
    text: `
${fn} void scatter4(float* at, float4 values) {
  at[0] = values.x;
  at[1] = values.y;
  at[2] = values.z;
  at[3] = values.w;
}
${fn} void scatter4(int* at, int4 values) {
  at[0] = values.x;
  at[1] = values.y;
  at[2] = values.z;
  at[3] = values.w;
}`,
  },
  half: { calls: [], text: halfText },
  half4: { calls: ["half"], text: halfFourText },
  matrix: { calls: ["half"], text: matrixText },
  matrix_rows: { calls: ["matrix", "swizzled"], text: matrixRowsText },
  swizzled: { calls: [], text: swizzledText },
  copy: { calls: [], text: copyText },
  warpgroups: { calls: ["matrix"], text: warpgroupsText },
  bulk: { calls: ["warpgroups"], text: bulkText },
  reduce: {
    calls: [],
    text: `
struct Add {
  ${fn} static float of(float a, float b) {
    return a + b;
  }
  ${fn} static int of(int a, int b) {
    return a + b;
  }
};
struct Min {
  ${fn} static float of(float a, float b) {
    return fminf(a, b);
  }
  ${fn} static int of(int a, int b) {
    return min(a, b);
  }
};
struct Max {
  ${fn} static float of(float a, float b) {
    return fmaxf(a, b);
  }
  ${fn} static int of(int a, int b) {
    return max(a, b);
  }
};

// Combines a value of every invocation; each gets the result, and all have met. Warps combine their own by exchanging values,
// then every invocation adds up the warps in order: the same bits in all of them and in every run. Two rows of shared memory
// take turns, so that one barrier is enough.
template <class Fn, int workgroup, class Value>
${fn} Value reduce(Value value, int invocation, Value (*shared)[(workgroup + 31) / 32], int& turn) {
  constexpr int warps = (workgroup + 31) / 32;
  const int rest = workgroup - (invocation & ~31);
  const int lanes = workgroup % 32 == 0 || rest >= 32 ? 32 : rest;
  const unsigned mask = 0xffffffffu >> (32 - lanes);
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const Value other = __shfl_xor_sync(mask, value, distance);
    if (((invocation & 31) ^ distance) < lanes)
      value = Fn::of(value, other);
  }
  if ((invocation & 31) == 0)
    shared[turn][invocation >> 5] = value;
  __syncthreads();
  Value result = shared[turn][0];
#pragma unroll
  for (int warp = 1; warp < warps; warp++)
    result = Fn::of(result, shared[turn][warp]);
  turn ^= 1;
  return result;
}`,
  },
};

/** The texts of these functions and of all that they call, each once, callees first. */
export function functionTexts(used: Iterable<FunctionName>): readonly string[] {
  const done = new Map<FunctionName, string>();
  const visit = (name: FunctionName): void => {
    if (done.has(name)) return;
    for (const called of texts[name].calls) visit(called);
    done.set(name, texts[name].text.trim());
  };
  for (const name of used) visit(name);
  return [...done.values()];
}

/** Names that they declare: no kernel may use them for its own. */
export const functionNames: readonly string[] = [
  ...Object.keys(texts),
  ..."Add Min Max bf16 f16 to_float to_bf16 to_f16 Sums Operand ldmatrix ldmatrix_transposed mma multiply spill".split(
    " ",
  ),
  ..."left_by_k left_by_rows right_by_k right_by_columns copy_async copies_group copies_wait".split(" "),
  ...bulkNames,
  ..."publish products_begin products_end settle shared_address tile_of MOE_WARPGROUPS".split(" "),
];

/** Threefry-2x32 with 20 rounds, first word; see runtime/random.ts. */
function threefryText(): string {
  return [
    "// Threefry-2x32-20 (Salmon et al. 2011), first word.",
    `${fn} int threefry(int first, int second, int counter, int stream) {`,
    "  const unsigned key0 = first;",
    "  const unsigned key1 = second;",
    `  const unsigned key2 = 0x${threefryParity.toString(16)}u ^ key0 ^ key1;`,
    "  unsigned x = (unsigned)counter + key0;",
    "  unsigned y = (unsigned)stream + key1;",
    ...threefryRounds((by) => `(y << ${by} | y >> ${32 - by})`),
    "  return (int)x;",
    "}",
  ].join("\n");
}
