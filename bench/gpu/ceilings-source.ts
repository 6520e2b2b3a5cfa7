// What a GPU can do at most, as kernels: reading and writing memory, multiplying on its matrix units, and multiplying in f32. CUDA C++ that
// is as plain as can be; ceilings.ts runs it. None of it is printed from a program.

export const ceilingsSource = `// Ceilings of a GPU. No kernel computes anything of use; sums are stored so that nothing is left out.
// k0: 16 bytes at a time from one place to another.
extern "C" __global__ void k0(const float4* __restrict__ from, float4* __restrict__ to, int count) {
  for (int at = blockIdx.x * blockDim.x + threadIdx.x; at < count; at += gridDim.x * blockDim.x) to[at] = from[at];
}

// k1: eight independent products of 16 x 8 x 16 in bf16 for each warp and round, from registers.
extern "C" __global__ void __launch_bounds__(256) k1(float* __restrict__ out, int rounds) {
  float sums[8][4] = {};
  unsigned left[4], right[2];
  for (int i = 0; i < 4; i++) left[i] = 0x3f803f80u + threadIdx.x + i;
  for (int i = 0; i < 2; i++) right[i] = 0x3f803f80u + threadIdx.x * 3 + i;
  for (int round = 0; round < rounds; round++) {
#ifndef MOE_HOST
#pragma unroll
    for (int i = 0; i < 8; i++)
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                   : "+f"(sums[i][0]), "+f"(sums[i][1]), "+f"(sums[i][2]), "+f"(sums[i][3])
                   : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
#endif
  }
  float sum = 0.0f;
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 4; j++) sum += sums[i][j];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

// k2: sixteen independent chains of fused multiply-adds in each invocation.
extern "C" __global__ void __launch_bounds__(256) k2(float* __restrict__ out, int rounds) {
  float sums[16];
  for (int i = 0; i < 16; i++) sums[i] = (float)(threadIdx.x + i);
  const float factor = 0.5f + 1e-6f * (float)threadIdx.x;
  for (int round = 0; round < rounds; round++) {
#pragma unroll
    for (int i = 0; i < 16; i++) sums[i] = fmaf(sums[i], factor, 1.0f);
  }
  float sum = 0.0f;
  for (int i = 0; i < 16; i++) sum += sums[i];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}
`;

/** Floating-point operations of one round of one block of 256. */
export const roundOperations = { k1: 8 * 8 * 2 * 16 * 8 * 16, k2: 256 * 16 * 2 } as const;
