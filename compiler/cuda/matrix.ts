// Matrix units and halves in CUDA. In: names of functions. Out: their texts. Halves are structs around 16 bits, converted by the
// hardware's own instructions, so that no header is needed; fragments are read by `ldmatrix` and multiplied by `mma.sync` (m16n8k16,
// two for each 16 x 16 x 16), which sm_80 and all later devices have.
// Halves and the few functions of inline assembly are left out under MOE_HOST: tests give them a meaning on a CPU.

const fn = "__device__ __forceinline__";

/** Both halves, and between them and f32. */
export const halfText = `
#ifndef MOE_HOST
struct bf16 {
  unsigned short bits;
};
struct f16 {
  unsigned short bits;
};
${fn} float to_float(bf16 x) {
  return __int_as_float((int)((unsigned)x.bits << 16));
}
${fn} float to_float(f16 x) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
  return value;
}
// To the nearest, ties to even.
${fn} bf16 to_bf16(float x) {
  bf16 half;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(half.bits) : "f"(x));
  return half;
}
${fn} f16 to_f16(float x) {
  f16 half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half.bits) : "f"(x));
  return half;
}
#endif`;

const four = (type: string): string => `
${fn} float4 load4(const ${type}* at) {
  // Eight bytes at once.
  const uint2 pairs = *reinterpret_cast<const uint2*>(at);
  return make_float4(to_float(${type}{(unsigned short)pairs.x}), to_float(${type}{(unsigned short)(pairs.x >> 16)}),
                     to_float(${type}{(unsigned short)pairs.y}), to_float(${type}{(unsigned short)(pairs.y >> 16)}));
}
${fn} void store4(${type}* at, float4 values) {
  const ${type} halves[4] = {to_${type}(values.x), to_${type}(values.y), to_${type}(values.z), to_${type}(values.w)};
  *reinterpret_cast<uint2*>(at) = make_uint2((unsigned)halves[1].bits << 16 | halves[0].bits,
                                             (unsigned)halves[3].bits << 16 | halves[2].bits);
}
${fn} float4 gather4(const ${type}* at) {
  return make_float4(to_float(at[0]), to_float(at[1]), to_float(at[2]), to_float(at[3]));
}
${fn} void scatter4(${type}* at, float4 values) {
  at[0] = to_${type}(values.x);
  at[1] = to_${type}(values.y);
  at[2] = to_${type}(values.z);
  at[3] = to_${type}(values.w);
}`;

export const halfFourText = `${four("bf16")}${four("f16")}`;

const mma = (type: string): string => `
${fn} void mma(float* sums, const unsigned* left, const unsigned* right, ${type}) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.${type}.${type}.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
}`;

export const matrixText = `
// 16 x 16 numbers, eight of them in each of the 32 invocations of a warp: sums as mma.m16n8k16 leaves them, columns 0 to 7, then 8 to 15;
// operands as it takes them.
struct Sums {
  float values[8];
};
template <class Half>
struct Operand {
  unsigned values[4];
};
#ifndef MOE_HOST
// Four blocks of 8 x 8 halves; lane i gives the address of row i % 8 of block i / 8.
${fn} void ldmatrix(unsigned* values, const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]), "=r"(values[3])
               : "r"((unsigned)__cvta_generic_to_shared(row))
               : "memory");
}
${fn} void ldmatrix_transposed(unsigned* values, const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]), "=r"(values[3])
               : "r"((unsigned)__cvta_generic_to_shared(row))
               : "memory");
}
${mma("bf16").trim()}
${mma("f16").trim()}
#endif
// 16 rows by 16 of k, neighbours along k or along the rows.
template <class Half>
${fn} Operand<Half> left_by_k(const Half* at, int stride, int invocation) {
  Operand<Half> left;
  ldmatrix(left.values, at + (invocation & 15) * stride + ((invocation >> 4) & 1) * 8);
  return left;
}
template <class Half>
${fn} Operand<Half> left_by_rows(const Half* at, int stride, int invocation) {
  Operand<Half> left;
  ldmatrix_transposed(left.values,
                      at + ((invocation & 7) + ((invocation >> 4) & 1) * 8) * stride + ((invocation >> 3) & 1) * 8);
  return left;
}
// 16 of k by 16 columns.
template <class Half>
${fn} Operand<Half> right_by_k(const Half* at, int stride, int invocation) {
  Operand<Half> right;
  ldmatrix(right.values,
           at + ((invocation & 7) + ((invocation >> 4) & 1) * 8) * stride + ((invocation >> 3) & 1) * 8);
  return right;
}
template <class Half>
${fn} Operand<Half> right_by_columns(const Half* at, int stride, int invocation) {
  Operand<Half> right;
  ldmatrix_transposed(right.values, at + (invocation & 15) * stride + ((invocation >> 4) & 1) * 8);
  return right;
}
template <class Half>
${fn} void multiply(Sums& sums, const Operand<Half>& left, const Operand<Half>& right) {
  mma(sums.values, left.values, right.values, Half());
  mma(sums.values + 4, left.values, right.values + 2, Half());
}
${fn} void spill(const Sums& sums, float* at, int stride, int invocation) {
  float* first = at + ((invocation & 31) >> 2) * stride + (invocation & 3) * 2;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    // Eight bytes at once.
    *reinterpret_cast<float2*>(first + (i & 1) * 8 * stride + (i >> 1) * 8) =
        make_float2(sums.values[2 * i], sums.values[2 * i + 1]);
  }
}`;
