// Compile with -fmad=false: sums and products are rounded one by one.

// Of sizes, which may be negative where one has a difference in it; divisors are positive.
__device__ __forceinline__ int ceil_of(int value, int by) {
  return value / by + (value % by > 0);
}

// Four neighbours, the first at a multiple of 16 bytes.
__device__ __forceinline__ float4 load4(const float* at) {
  return *reinterpret_cast<const float4*>(at);
}
__device__ __forceinline__ int4 load4(const int* at) {
  return *reinterpret_cast<const int4*>(at);
}

__device__ __forceinline__ void store4(float* at, float4 values) {
  *reinterpret_cast<float4*>(at) = values;
}
__device__ __forceinline__ void store4(int* at, int4 values) {
  *reinterpret_cast<int4*>(at) = values;
}

__device__ __forceinline__ int floor_of(int value, int by) {
  return value / by - (value % by < 0);
}

__device__ __forceinline__ float4 all4(float a) {
  return make_float4(a, a, a, a);
}

__device__ __forceinline__ float4 fma4(float4 a, float4 b, float4 c) {
  return make_float4(fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y), fmaf(a.z, b.z, c.z), fmaf(a.w, b.w, c.w));
}

__device__ __forceinline__ float4 add4(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

__device__ __forceinline__ float4 select4(bool a, float4 b, float4 c) {
  return make_float4(a ? b.x : c.x, a ? b.y : c.y, a ? b.z : c.z, a ? b.w : c.w);
}

__device__ __forceinline__ float4 mul4(float4 a, float4 b) {
  return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
}

__device__ __forceinline__ float4 div4(float4 a, float4 b) {
  return make_float4(a.x / b.x, a.y / b.y, a.z / b.z, a.w / b.w);
}

__device__ __forceinline__ float4 exp4(float4 a) {
  return make_float4(expf(a.x), expf(a.y), expf(a.z), expf(a.w));
}

__device__ __forceinline__ float4 neg4(float4 a) {
  return make_float4(-a.x, -a.y, -a.z, -a.w);
}

// block_experts_router_contract: block.0.experts.router: contract
extern "C" __global__ void __launch_bounds__(64)
k0(const float* __restrict__ p0,
   const float* __restrict__ p1,
   float* __restrict__ p2,
   int B,
   int T) {
  const int workgroup = blockIdx.x;
  const int invocation = threadIdx.x;
  __shared__ __align__(16) float block[8704];
  if (B * T <= 16) {
    if (workgroup < ceil_of(min(16, B * T), 8)) {
      const int rowTile0 = workgroup % ceil_of(min(16, B * T), 8);
      const int task0 = workgroup / ceil_of(min(16, B * T), 8);
      const int mFrom0 = rowTile0 * 8;
      const int slice0 = invocation >> 3;
      const int column0 = invocation & 7;
      const int n0 = min(column0, 3);
      const int rows0 = B * T - mFrom0;
      float4 sum0 = all4(0.0f);
      float4 sum1 = all4(0.0f);
      const int fast0 = invocation & 31;
      const int slow0 = invocation >> 5;
      const int row0 = min(mFrom0 + slow0, B * T + -1);
      const int row1 = min(mFrom0 + slow0 + 2, B * T + -1);
      const int row2 = min(mFrom0 + slow0 + 4, B * T + -1);
      const int row3 = min(mFrom0 + slow0 + 6, B * T + -1);
      const float weight0 = p1[n0 + slice0 * 4];
      const int k0_2 = slice0 + 8;
      const float weight1 = p1[k0_2 * 4 + n0];
      const int k1 = slice0 + 16;
      const float weight2 = p1[k1 * 4 + n0];
      const int k2 = slice0 + 24;
      const float weight3 = p1[k2 * 4 + n0];
      const float v4 = p0[fast0 + row0 * 32];
      const float v5 = p0[fast0 + row1 * 32];
      const float v6 = p0[fast0 + row2 * 32];
      const float v7 = p0[fast0 + row3 * 32];
      block[fast0 * 12 + slow0] = v4;
      block[fast0 * 12 + slow0 + 2] = v5;
      block[fast0 * 12 + slow0 + 4] = v6;
      block[fast0 * 12 + slow0 + 6] = v7;
      __syncthreads();
      const float4 x8 = load4(block + slice0 * 12);
      sum0 = fma4(all4(weight0), x8, sum0);
      const float4 x9 = load4(block + slice0 * 12 + 96);
      sum0 = fma4(all4(weight1), x9, sum0);
      const float4 x10 = load4(block + slice0 * 12 + 192);
      sum0 = fma4(all4(weight2), x10, sum0);
      const float4 x11 = load4(block + slice0 * 12 + 288);
      sum0 = fma4(all4(weight3), x11, sum0);
      if (4 < rows0) {
        const float4 x12 = load4(block + slice0 * 12 + 4);
        sum1 = fma4(all4(weight0), x12, sum1);
        const float4 x13 = load4(block + slice0 * 12 + 100);
        sum1 = fma4(all4(weight1), x13, sum1);
        const float4 x14 = load4(block + slice0 * 12 + 196);
        sum1 = fma4(all4(weight2), x14, sum1);
        const float4 x15 = load4(block + slice0 * 12 + 292);
        sum1 = fma4(all4(weight3), x15, sum1);
      }
      __syncthreads();
      const int row4 = invocation >> 3;
      const int n1 = invocation & 7;
      const int m0 = mFrom0 + row4;
      block[column0 * 9 + slice0] = sum0.x;
      block[column0 * 9 + slice0 + 72] = sum0.y;
      block[column0 * 9 + slice0 + 144] = sum0.z;
      block[column0 * 9 + slice0 + 216] = sum0.w;
      block[column0 * 9 + slice0 + 288] = sum1.x;
      block[column0 * 9 + slice0 + 360] = sum1.y;
      block[column0 * 9 + slice0 + 432] = sum1.z;
      block[column0 * 9 + slice0 + 504] = sum1.w;
      __syncthreads();
      float total0 = 0.0f;
      if (invocation < 64) {
        const int base0 = invocation * 9;
        for (int part0 = 0; part0 < 8; part0++) {
          total0 = total0 + block[base0 + part0];
        }
      }
      if (row4 < rows0 && row4 < 8 && n1 < 4) {
        p2[m0 * 4 + n1] = total0;
      }
    }
  } else {
    if (workgroup < ceil_of(B * T, 128)) {
      const int rowTile1 = workgroup % ceil_of(B * T, 128);
      const int task1 = workgroup / ceil_of(B * T, 128);
      const int mFrom1 = rowTile1 * 128;
      const int member0 = invocation & 15;
      const int slice1 = invocation >> 4;
      const int rowFour0 = member0 * 4;
      float4 sum2 = all4(0.0f);
      float4 sum3 = all4(0.0f);
      float4 sum4 = all4(0.0f);
      float4 sum5 = all4(0.0f);
      float4 sum6 = all4(0.0f);
      float4 sum7 = all4(0.0f);
      float4 sum8 = all4(0.0f);
      float4 sum9 = all4(0.0f);
      const int slow1 = invocation;
      float4 next0 = all4(0.0f);
      const int k3 = min(slow1, 31);
      const int x18 = 0;
      const float4 value0 = load4(p1 + k3 * 4 + x18);
      next0 = value0;
      if (slow1 * 4 < 128) {
        store4(block + slow1 * 4 + 4224, next0);
      }
      for (int round0 = 0; round0 < 16; round0 += 8) {
        const int element0 = round0 * 64 + invocation;
        const int fast1 = (element0 & 7) * 4;
        const int slow2 = element0 >> 3;
        const int row5 = min(mFrom1 + slow2, B * T + -1);
        const int element1 = element0 + 64;
        const int fast2 = (element1 & 7) * 4;
        const int slow3 = element1 >> 3;
        const int row6 = min(mFrom1 + slow3, B * T + -1);
        const int element2 = element0 + 128;
        const int fast3 = (element2 & 7) * 4;
        const int slow4 = element2 >> 3;
        const int row7 = min(mFrom1 + slow4, B * T + -1);
        const int element3 = element0 + 192;
        const int fast4 = (element3 & 7) * 4;
        const int slow5 = element3 >> 3;
        const int row8 = min(mFrom1 + slow5, B * T + -1);
        const int element4 = element0 + 256;
        const int fast5 = (element4 & 7) * 4;
        const int slow6 = element4 >> 3;
        const int row9 = min(mFrom1 + slow6, B * T + -1);
        const int element5 = element0 + 320;
        const int fast6 = (element5 & 7) * 4;
        const int slow7 = element5 >> 3;
        const int row10 = min(mFrom1 + slow7, B * T + -1);
        const int element6 = element0 + 384;
        const int fast7 = (element6 & 7) * 4;
        const int slow8 = element6 >> 3;
        const int row11 = min(mFrom1 + slow8, B * T + -1);
        const int element7 = element0 + 448;
        const int fast8 = (element7 & 7) * 4;
        const int slow9 = element7 >> 3;
        const int row12 = min(mFrom1 + slow9, B * T + -1);
        const float4 v16 = load4(p0 + fast1 + row5 * 32);
        const float4 v17 = load4(p0 + fast2 + row6 * 32);
        const float4 v18 = load4(p0 + fast3 + row7 * 32);
        const float4 v19 = load4(p0 + fast4 + row8 * 32);
        const float4 v20 = load4(p0 + fast5 + row9 * 32);
        const float4 v21 = load4(p0 + fast6 + row10 * 32);
        const float4 v22 = load4(p0 + fast7 + row11 * 32);
        const float4 v23 = load4(p0 + fast8 + row12 * 32);
        block[fast1 * 132 + slow2] = v16.x;
        block[fast1 * 132 + slow2 + 132] = v16.y;
        block[fast1 * 132 + slow2 + 264] = v16.z;
        block[fast1 * 132 + slow2 + 396] = v16.w;
        block[fast2 * 132 + slow3] = v17.x;
        block[fast2 * 132 + slow3 + 132] = v17.y;
        block[fast2 * 132 + slow3 + 264] = v17.z;
        block[fast2 * 132 + slow3 + 396] = v17.w;
        block[fast3 * 132 + slow4] = v18.x;
        block[fast3 * 132 + slow4 + 132] = v18.y;
        block[fast3 * 132 + slow4 + 264] = v18.z;
        block[fast3 * 132 + slow4 + 396] = v18.w;
        block[fast4 * 132 + slow5] = v19.x;
        block[fast4 * 132 + slow5 + 132] = v19.y;
        block[fast4 * 132 + slow5 + 264] = v19.z;
        block[fast4 * 132 + slow5 + 396] = v19.w;
        block[fast5 * 132 + slow6] = v20.x;
        block[fast5 * 132 + slow6 + 132] = v20.y;
        block[fast5 * 132 + slow6 + 264] = v20.z;
        block[fast5 * 132 + slow6 + 396] = v20.w;
        block[fast6 * 132 + slow7] = v21.x;
        block[fast6 * 132 + slow7 + 132] = v21.y;
        block[fast6 * 132 + slow7 + 264] = v21.z;
        block[fast6 * 132 + slow7 + 396] = v21.w;
        block[fast7 * 132 + slow8] = v22.x;
        block[fast7 * 132 + slow8 + 132] = v22.y;
        block[fast7 * 132 + slow8 + 264] = v22.z;
        block[fast7 * 132 + slow8 + 396] = v22.w;
        block[fast8 * 132 + slow9] = v23.x;
        block[fast8 * 132 + slow9 + 132] = v23.y;
        block[fast8 * 132 + slow9 + 264] = v23.z;
        block[fast8 * 132 + slow9 + 396] = v23.w;
      }
      __syncthreads();
      const int k4 = slice1 * 8;
      for (int k5 = k4, k5_end = k4 + 8; k5 < k5_end; k5++) {
        const float4 a0 = load4(block + k5 * 132 + rowFour0);
        const float4 a1 = load4(block + k5 * 132 + rowFour0 + 64);
        const float4 b0 = load4(block + k5 * 4 + 4224);
        sum2 = fma4(all4(a0.x), b0, sum2);
        sum3 = fma4(all4(a0.y), b0, sum3);
        sum4 = fma4(all4(a0.z), b0, sum4);
        sum5 = fma4(all4(a0.w), b0, sum5);
        sum6 = fma4(all4(a1.x), b0, sum6);
        sum7 = fma4(all4(a1.y), b0, sum7);
        sum8 = fma4(all4(a1.z), b0, sum8);
        sum9 = fma4(all4(a1.w), b0, sum9);
      }
      __syncthreads();
      if (2 <= slice1 && slice1 < 4) {
        store4(block + (slice1 * 128 + member0) * 4 + -1024, sum2);
        store4(block + (slice1 * 128 + member0) * 4 + -960, sum3);
        store4(block + (slice1 * 128 + member0) * 4 + -896, sum4);
        store4(block + (slice1 * 128 + member0) * 4 + -832, sum5);
        store4(block + (slice1 * 128 + member0) * 4 + -768, sum6);
        store4(block + (slice1 * 128 + member0) * 4 + -704, sum7);
        store4(block + (slice1 * 128 + member0) * 4 + -640, sum8);
        store4(block + (slice1 * 128 + member0) * 4 + -576, sum9);
      }
      __syncthreads();
      if (slice1 < 2) {
        sum2 = add4(sum2, load4(block + (slice1 * 128 + member0) * 4));
        sum3 = add4(sum3, load4(block + (slice1 * 128 + member0) * 4 + 64));
        sum4 = add4(sum4, load4(block + (slice1 * 128 + member0) * 4 + 128));
        sum5 = add4(sum5, load4(block + (slice1 * 128 + member0) * 4 + 192));
        sum6 = add4(sum6, load4(block + (slice1 * 128 + member0) * 4 + 256));
        sum7 = add4(sum7, load4(block + (slice1 * 128 + member0) * 4 + 320));
        sum8 = add4(sum8, load4(block + (slice1 * 128 + member0) * 4 + 384));
        sum9 = add4(sum9, load4(block + (slice1 * 128 + member0) * 4 + 448));
      }
      __syncthreads();
      if (1 <= slice1 && slice1 < 2) {
        store4(block + (slice1 * 128 + member0) * 4 + -512, sum2);
        store4(block + (slice1 * 128 + member0) * 4 + -448, sum3);
        store4(block + (slice1 * 128 + member0) * 4 + -384, sum4);
        store4(block + (slice1 * 128 + member0) * 4 + -320, sum5);
        store4(block + (slice1 * 128 + member0) * 4 + -256, sum6);
        store4(block + (slice1 * 128 + member0) * 4 + -192, sum7);
        store4(block + (slice1 * 128 + member0) * 4 + -128, sum8);
        store4(block + (slice1 * 128 + member0) * 4 + -64, sum9);
      }
      __syncthreads();
      if (slice1 < 1) {
        sum2 = add4(sum2, load4(block + (slice1 * 128 + member0) * 4));
        sum3 = add4(sum3, load4(block + (slice1 * 128 + member0) * 4 + 64));
        sum4 = add4(sum4, load4(block + (slice1 * 128 + member0) * 4 + 128));
        sum5 = add4(sum5, load4(block + (slice1 * 128 + member0) * 4 + 192));
        sum6 = add4(sum6, load4(block + (slice1 * 128 + member0) * 4 + 256));
        sum7 = add4(sum7, load4(block + (slice1 * 128 + member0) * 4 + 320));
        sum8 = add4(sum8, load4(block + (slice1 * 128 + member0) * 4 + 384));
        sum9 = add4(sum9, load4(block + (slice1 * 128 + member0) * 4 + 448));
      }
      __syncthreads();
      if (slice1 < 1) {
        for (int i0 = 0; i0 < 8; i0++) {
          const int m1 = mFrom1 + rowFour0 + (i0 >> 2) * 64 + (i0 & 3);
          if (m1 < B * T) {
            const float4 total1 = select4(i0 == 0, sum2, select4(i0 == 1, sum3, select4(i0 == 2, sum4, select4(i0 == 3, sum5, select4(i0 == 4, sum6, select4(i0 == 5, sum7, select4(i0 == 6, sum8, sum9)))))));
            const int x28 = 0;
            store4(p2 + m1 * 4 + x28, total1);
          }
        }
      }
    }
  }
}

// block_experts_router_max_exp_sum_x2_div_choose_le: block.0.experts.router: max, exp, sum x2, div, choose, le
extern "C" __global__ void __launch_bounds__(64)
k1(const float* __restrict__ p0, int* __restrict__ p1, float* __restrict__ p2, int B, int T) {
  const int workgroup = blockIdx.x;
  const int invocation = threadIdx.x;
  __shared__ __align__(16) float s0[256];
  __shared__ __align__(16) float s1[256];
  __shared__ __align__(16) int s2[128];
  __shared__ __align__(16) int s3[128];
  __shared__ __align__(16) float s4[128];
  const int f0 = workgroup * 64;
  const int n0 = B * T - f0;
  const int x1 = invocation;
  if (invocation < n0) {
    const int x0 = f0 + invocation;
    float a0 = -__int_as_float(0x7f800000);
    for (int i0 = 0; i0 < 4; i0++) {
      const float v0 = p0[i0 + x0 * 4];
      a0 = fmaxf(a0, v0);
    }
    for (int i1 = 0; i1 < 4; i1++) {
      const float v1 = p0[i1 + x0 * 4];
      const float v2 = expf(v1 - a0);
      s0[i1 * 64 + x1] = v2;
    }
    float a1 = 0.0f;
    for (int i2 = 0; i2 < 4; i2++) {
      a1 = a1 + s0[i2 * 64 + x1];
    }
    for (int i3 = 0; i3 < 4; i3++) {
      const float v3 = s0[i3 * 64 + x1] / a1;
      s1[i3 * 64 + x1] = v3;
    }
    float a2 = -__int_as_float(0x7f800000);
    int a3 = -1;
    float a4 = -__int_as_float(0x7f800000);
    int a5 = -1;
    for (int i4 = 0; i4 < 4; i4++) {
      const float v4 = s1[i4 * 64 + x1];
      if (a4 < v4) {
        const bool v5 = a4 < v4;
        a4 = v5 ? (a2 < v4 ? a2 : v4) : a4;
        a5 = v5 ? (a2 < v4 ? a3 : i4) : a5;
        const bool v6 = a2 < v4;
        a2 = v6 ? v4 : a2;
        a3 = v6 ? i4 : a3;
      }
    }
    p1[x0 * 2] = a3;
    s2[x1] = a3;
    p1[x0 * 2 + 1] = a5;
    s2[x1 + 64] = a5;
    const bool v7 = 0 <= s2[x1];
    s3[x1] = (int)v7;
    const bool v8 = 0 <= s2[x1 + 64];
    s3[x1 + 64] = (int)v8;
    const int x2 = max(0, min(s2[x1], 3));
    const float v9 = (0 <= s2[x1] && s2[x1] < 4) ? s1[x2 * 64 + x1] : 0.0f;
    s4[x1] = v9;
    const int x3 = max(0, min(s2[x1 + 64], 3));
    const float v10 = (0 <= s2[x1 + 64] && s2[x1 + 64] < 4) ? s1[x3 * 64 + x1] : 0.0f;
    s4[x1 + 64] = v10;
    float a6 = 0.0f;
    a6 = a6 + (s3[x1] != 0 ? s4[x1] : 0.0f);
    a6 = a6 + (s3[x1 + 64] != 0 ? s4[x1 + 64] : 0.0f);
    p2[x0 * 2] = s3[x1] != 0 ? s4[x1] / a6 : 0.0f;
    p2[x0 * 2 + 1] = s3[x1 + 64] != 0 ? s4[x1 + 64] / a6 : 0.0f;
  }
}

// block_experts_router_route_counts: block.0.experts.router: route counts
extern "C" __global__ void __launch_bounds__(256, 2)
k2(const int* __restrict__ p0, int* __restrict__ p1, int B, int T) {
  const int workgroup = blockIdx.x;
  const int invocation = threadIdx.x;
  __shared__ __align__(16) int s0[512];
  const int f0 = workgroup * 512;
  for (int p0_2 = invocation; p0_2 < 512; p0_2 += 256) {
    const int v0 = f0 + p0_2;
    int g0 = -1;
    if (v0 < 2 * B * T) {
      const int x0 = v0;
      const int v1 = p0[x0];
      g0 = (0 <= v1 && v1 < 4) ? v1 : -1;
    }
    s0[p0_2] = g0;
  }
  __syncthreads();
  const int n0 = min(512, 2 * B * T - f0);
  const int f1 = workgroup * 4;
  for (int g1 = invocation; g1 < 4; g1 += 256) {
    int a0 = 0;
    for (int q0 = 0; q0 < n0; q0++) {
      a0 = a0 + (s0[q0] == g1 ? 1 : 0);
    }
    p1[f1 + g1] = a0;
  }
}

// block_experts_router_route: block.0.experts.router: route
extern "C" __global__ void __launch_bounds__(256, 2)
k3(const int* __restrict__ p0,
   const int* __restrict__ p1,
   int* __restrict__ p2,
   int* __restrict__ p3,
   int* __restrict__ p4,
   int B,
   int T) {
  const int workgroup = blockIdx.x;
  const int invocation = threadIdx.x;
  __shared__ __align__(16) int s0[512];
  __shared__ __align__(16) int s1[4];
  __shared__ __align__(16) int s2[4];
  __shared__ __align__(16) int s3[512];
  const int f0 = workgroup * 512;
  for (int p0_2 = invocation; p0_2 < 512; p0_2 += 256) {
    const int v0 = f0 + p0_2;
    int g0 = -1;
    if (v0 < 2 * B * T) {
      const int x0 = v0;
      const int v1 = p0[x0];
      g0 = (0 <= v1 && v1 < 4) ? v1 : -1;
    }
    s0[p0_2] = g0;
  }
  __syncthreads();
  const int n0 = min(512, 2 * B * T - f0);
  for (int g1 = invocation; g1 < 4; g1 += 256) {
    int a0 = 0;
    int a1 = 0;
    for (int b0 = 0; b0 < ceil_of(2 * B * T, 512); b0++) {
      const int v2 = p1[b0 * 4 + g1];
      a0 = a0 + (b0 < workgroup ? v2 : 0);
      a1 = a1 + v2;
    }
    s1[g1] = a1;
    s2[g1] = a0;
  }
  __syncthreads();
  const int f1 = min(invocation, 4);
  const int e0 = min(f1 + 1, 4);
  int a2 = 0;
  for (int g2 = f1; g2 < e0; g2++) {
    a2 = a2 + s1[g2];
  }
  s3[invocation] = a2;
  __syncthreads();
  const int v3 = s3[invocation] + (1 <= invocation ? s3[max(invocation - 1, 0)] : 0);
  s3[256 + invocation] = v3;
  __syncthreads();
  const int v4 = s3[256 + invocation] + (2 <= invocation ? s3[256 + max(invocation - 2, 0)] : 0);
  s3[invocation] = v4;
  __syncthreads();
  const int v5 = s3[invocation] + (4 <= invocation ? s3[max(invocation - 4, 0)] : 0);
  s3[256 + invocation] = v5;
  __syncthreads();
  const int v6 = s3[256 + invocation] + (8 <= invocation ? s3[256 + max(invocation - 8, 0)] : 0);
  s3[invocation] = v6;
  __syncthreads();
  const int v7 = s3[invocation] + (16 <= invocation ? s3[max(invocation - 16, 0)] : 0);
  s3[256 + invocation] = v7;
  __syncthreads();
  const int v8 = s3[256 + invocation] + (32 <= invocation ? s3[256 + max(invocation - 32, 0)] : 0);
  s3[invocation] = v8;
  __syncthreads();
  const int v9 = s3[invocation] + (64 <= invocation ? s3[max(invocation - 64, 0)] : 0);
  s3[256 + invocation] = v9;
  __syncthreads();
  const int v10 = s3[256 + invocation] + (128 <= invocation ? s3[256 + max(invocation - 128, 0)] : 0);
  s3[invocation] = v10;
  __syncthreads();
  const int v11 = 1 <= invocation ? s3[max(invocation - 1, 0)] : 0;
  const int v12 = s3[invocation];
  const int v13 = s3[255];
  int a3 = v11;
  for (int g3 = f1; g3 < e0; g3++) {
    const int v14 = s1[g3];
    s1[g3] = a3;
    a3 = a3 + v14;
  }
  __syncthreads();
  if (workgroup == 0) {
    for (int g4 = invocation; g4 < 4; g4 += 256) {
      p2[g4] = s1[g4];
    }
    if (invocation == 0) {
      p2[4] = v13;
    }
  }
  for (int p1_2 = invocation; p1_2 < n0; p1_2 += 256) {
    const int g5 = s0[p1_2];
    const int x1 = f0 + p1_2;
    if (0 <= g5) {
      int a4 = 0;
      for (int q0 = 0; q0 < p1_2; q0++) {
        a4 = a4 + (s0[q0] == g5 ? 1 : 0);
      }
      const int x2 = s1[g5] + a4 + s2[g5];
      p3[x2] = x1;
      p4[x1] = x2;
    } else {
      p4[x1] = -1;
    }
  }
}

// block_experts_routed_contract_x2_mul: block.0.experts.routed: contract x2, mul
extern "C" __global__ void __launch_bounds__(256, 2)
k4(const int* __restrict__ p0,
   const int* __restrict__ p1,
   const float* __restrict__ p2,
   const float* __restrict__ p3,
   const float* __restrict__ p4,
   float* __restrict__ p5,
   int B,
   int T) {
  const int workgroup = blockIdx.x;
  const int invocation = threadIdx.x;
  __shared__ __align__(16) float block[6272];
  if (2 * B * T <= 32) {
    if (workgroup < 8 * min(floor_of(min(2 * B * T, 32), 8) + 4, min(2 * B * T, 32))) {
      const int tile0 = workgroup % (min(floor_of(min(2 * B * T, 32), 8) + 4, min(2 * B * T, 32)) * 8);
      const int task0 = workgroup / (min(floor_of(min(2 * B * T, 32), 8) + 4, min(2 * B * T, 32)) * 8);
      const int firstRow0 = (tile0 >> 6) * 8;
      const int height0 = min(8, min(floor_of(min(2 * B * T, 32), 8) + 4, min(2 * B * T, 32)) - firstRow0);
      const int within0 = tile0 & 63;
      const int rowTile0 = firstRow0 + within0 % height0;
      const int columnTile0 = within0 / height0;
      const bool byRow0 = 2 * B * T <= ((2 * B * T) >> 3) + 4;
      const int first0 = p0[2];
      const int group0 = (byRow0 ? first0 : (first0 >> 3) + 2) <= rowTile0 ? 2 : 0;
      const int probe0 = min(group0 + 1, 3);
      const int first1 = p0[probe0];
      const int group1 = (byRow0 ? first1 : (first1 >> 3) + probe0) <= rowTile0 ? probe0 : group0;
      const int groupFrom0 = p0[group1];
      const int x0 = group1 + 1;
      const int groupEnd0 = p0[x0];
      const int number0 = rowTile0 - (byRow0 ? groupFrom0 : (groupFrom0 >> 3) + group1);
      const int mFrom0 = groupFrom0 + (byRow0 ? number0 : number0 * 8);
      if ((!byRow0 || (number0 & 7) == 0) && mFrom0 < groupEnd0) {
        const int slice0 = invocation >> 3;
        const int column0 = invocation & 7;
        const int nFrom0 = columnTile0 * 8;
        const int n0 = nFrom0 + column0;
        const int rows0 = groupEnd0 - mFrom0;
        float4 sum0 = all4(0.0f);
        float4 sum1 = all4(0.0f);
        float4 sum2 = all4(0.0f);
        float4 sum3 = all4(0.0f);
        const int fast0 = invocation & 31;
        const int slow0 = invocation >> 5;
        const int row0 = min(mFrom0 + slow0, groupEnd0 + -1);
        const int v0 = p1[row0];
        const int x2 = v0 >> 1;
        const float weight0 = p3[group1 * 2048 + n0 + slice0 * 64];
        const float weight1 = p4[group1 * 2048 + n0 + slice0 * 64];
        const float v2 = p2[x2 * 32 + fast0];
        block[fast0 * 12 + slow0] = v2;
        __syncthreads();
        const float4 x5 = load4(block + slice0 * 12);
        sum0 = fma4(all4(weight0), x5, sum0);
        sum2 = fma4(all4(weight1), x5, sum2);
        if (4 < rows0) {
          const float4 x6 = load4(block + slice0 * 12 + 4);
          sum1 = fma4(all4(weight0), x6, sum1);
          sum3 = fma4(all4(weight1), x6, sum3);
        }
        __syncthreads();
        const int row1 = invocation >> 3;
        const int n1 = nFrom0 + (invocation & 7);
        const int m0 = mFrom0 + row1;
        block[column0 * 33 + slice0] = sum0.x;
        block[column0 * 33 + slice0 + 264] = sum0.y;
        block[column0 * 33 + slice0 + 528] = sum0.z;
        block[column0 * 33 + slice0 + 792] = sum0.w;
        block[column0 * 33 + slice0 + 1056] = sum1.x;
        block[column0 * 33 + slice0 + 1320] = sum1.y;
        block[column0 * 33 + slice0 + 1584] = sum1.z;
        block[column0 * 33 + slice0 + 1848] = sum1.w;
        __syncthreads();
        float total0 = 0.0f;
        if (invocation < 64) {
          const int base0 = invocation * 33;
          for (int part0 = 0; part0 < 32; part0++) {
            total0 = total0 + block[base0 + part0];
          }
        }
        __syncthreads();
        block[column0 * 33 + slice0] = sum2.x;
        block[column0 * 33 + slice0 + 264] = sum2.y;
        block[column0 * 33 + slice0 + 528] = sum2.z;
        block[column0 * 33 + slice0 + 792] = sum2.w;
        block[column0 * 33 + slice0 + 1056] = sum3.x;
        block[column0 * 33 + slice0 + 1320] = sum3.y;
        block[column0 * 33 + slice0 + 1584] = sum3.z;
        block[column0 * 33 + slice0 + 1848] = sum3.w;
        __syncthreads();
        float total1 = 0.0f;
        if (invocation < 64) {
          const int base1 = invocation * 33;
          for (int part1 = 0; part1 < 32; part1++) {
            total1 = total1 + block[base1 + part1];
          }
        }
        if (row1 < rows0 && row1 < 8 && n1 < 64) {
          p5[m0 * 64 + n1] = total0 * (1.0f / (1.0f + expf(-total0))) * total1;
        }
      }
    }
  } else {
    if (workgroup < floor_of(2 * B * T, 64) + 4) {
      const int rowTile1 = workgroup % (floor_of(2 * B * T, 64) + 4);
      const int task1 = workgroup / (floor_of(2 * B * T, 64) + 4);
      const int first2 = p0[2];
      const int group2 = (first2 >> 6) + 2 <= rowTile1 ? 2 : 0;
      const int probe1 = min(group2 + 1, 3);
      const int first3 = p0[probe1];
      const int group3 = (first3 >> 6) + probe1 <= rowTile1 ? probe1 : group2;
      const int groupFrom1 = p0[group3];
      const int x8 = group3 + 1;
      const int groupEnd1 = p0[x8];
      const int number1 = rowTile1 - ((groupFrom1 >> 6) + group3);
      const int mFrom1 = groupFrom1 + number1 * 64;
      if (mFrom1 < groupEnd1) {
        const int member0 = invocation & 127;
        const int slice1 = invocation >> 7;
        const int rowFour0 = (member0 >> 4) * 4;
        const int columnFour0 = (member0 & 15) * 4;
        float4 sum4 = all4(0.0f);
        float4 sum5 = all4(0.0f);
        float4 sum6 = all4(0.0f);
        float4 sum7 = all4(0.0f);
        float4 sum8 = all4(0.0f);
        float4 sum9 = all4(0.0f);
        float4 sum10 = all4(0.0f);
        float4 sum11 = all4(0.0f);
        float4 sum12 = all4(0.0f);
        float4 sum13 = all4(0.0f);
        float4 sum14 = all4(0.0f);
        float4 sum15 = all4(0.0f);
        float4 sum16 = all4(0.0f);
        float4 sum17 = all4(0.0f);
        float4 sum18 = all4(0.0f);
        float4 sum19 = all4(0.0f);
        const int fast1 = (invocation & 3) * 4;
        const int slow1 = invocation >> 2;
        const int row2 = min(mFrom1 + slow1, groupEnd1 + -1);
        const int v3 = p1[row2];
        const int x10 = v3 >> 1;
        const int fast2 = (invocation & 15) * 4;
        const int slow2 = invocation >> 4;
        const int fast3 = (invocation & 15) * 4;
        const int slow3 = invocation >> 4;
        float4 next0 = all4(0.0f);
        float4 next1 = all4(0.0f);
        float4 next2 = all4(0.0f);
        const float4 v5 = load4(p2 + x10 * 32 + fast1);
        next0 = v5;
        const float4 value0 = load4(p3 + fast2 + group3 * 2048 + slow2 * 64);
        next1 = value0;
        const float4 value1 = load4(p4 + fast3 + group3 * 2048 + slow3 * 64);
        next2 = value1;
        for (int k00 = 0; k00 < 32; k00 += 16) {
          const int half0 = ((k00 >> 4) & 1) * 3136;
          block[fast1 * 68 + slow1 + half0] = next0.x;
          block[fast1 * 68 + slow1 + half0 + 68] = next0.y;
          block[fast1 * 68 + slow1 + half0 + 136] = next0.z;
          block[fast1 * 68 + slow1 + half0 + 204] = next0.w;
          store4(block + slow2 * 64 + fast2 + half0 + 1088, next1);
          store4(block + slow3 * 64 + fast3 + half0 + 2112, next2);
          __syncthreads();
          const int k0 = k00 + 16;
          if (k0 < 32) {
            const int k1 = k0 + fast1;
            const float4 v6 = load4(p2 + x10 * 32 + k1);
            next0 = v6;
            const int k2 = k0 + slow2;
            const float4 value2 = load4(p3 + fast2 + group3 * 2048 + k2 * 64);
            next1 = value2;
            const int k3 = k0 + slow3;
            const float4 value3 = load4(p4 + fast3 + group3 * 2048 + k3 * 64);
            next2 = value3;
          }
          const int k4_2 = slice1 * 8;
          for (int k5 = k4_2, k5_end = k4_2 + 8; k5 < k5_end; k5++) {
            const float4 a0 = load4(block + k5 * 68 + rowFour0 + half0);
            const float4 a1 = load4(block + k5 * 68 + rowFour0 + half0 + 32);
            const float4 b0 = load4(block + k5 * 64 + columnFour0 + half0 + 1088);
            sum4 = fma4(all4(a0.x), b0, sum4);
            sum5 = fma4(all4(a0.y), b0, sum5);
            sum6 = fma4(all4(a0.z), b0, sum6);
            sum7 = fma4(all4(a0.w), b0, sum7);
            sum8 = fma4(all4(a1.x), b0, sum8);
            sum9 = fma4(all4(a1.y), b0, sum9);
            sum10 = fma4(all4(a1.z), b0, sum10);
            sum11 = fma4(all4(a1.w), b0, sum11);
            const float4 b1 = load4(block + k5 * 64 + columnFour0 + half0 + 2112);
            sum12 = fma4(all4(a0.x), b1, sum12);
            sum13 = fma4(all4(a0.y), b1, sum13);
            sum14 = fma4(all4(a0.z), b1, sum14);
            sum15 = fma4(all4(a0.w), b1, sum15);
            sum16 = fma4(all4(a1.x), b1, sum16);
            sum17 = fma4(all4(a1.y), b1, sum17);
            sum18 = fma4(all4(a1.z), b1, sum18);
            sum19 = fma4(all4(a1.w), b1, sum19);
          }
        }
        __syncthreads();
        if (1 <= slice1 && slice1 < 2) {
          store4(block + (slice1 * 1024 + member0) * 4 + -4096, sum4);
          store4(block + (slice1 * 1024 + member0) * 4 + -3584, sum5);
          store4(block + (slice1 * 1024 + member0) * 4 + -3072, sum6);
          store4(block + (slice1 * 1024 + member0) * 4 + -2560, sum7);
          store4(block + (slice1 * 1024 + member0) * 4 + -2048, sum8);
          store4(block + (slice1 * 1024 + member0) * 4 + -1536, sum9);
          store4(block + (slice1 * 1024 + member0) * 4 + -1024, sum10);
          store4(block + (slice1 * 1024 + member0) * 4 + -512, sum11);
        }
        __syncthreads();
        if (slice1 < 1) {
          sum4 = add4(sum4, load4(block + (slice1 * 1024 + member0) * 4));
          sum5 = add4(sum5, load4(block + (slice1 * 1024 + member0) * 4 + 512));
          sum6 = add4(sum6, load4(block + (slice1 * 1024 + member0) * 4 + 1024));
          sum7 = add4(sum7, load4(block + (slice1 * 1024 + member0) * 4 + 1536));
          sum8 = add4(sum8, load4(block + (slice1 * 1024 + member0) * 4 + 2048));
          sum9 = add4(sum9, load4(block + (slice1 * 1024 + member0) * 4 + 2560));
          sum10 = add4(sum10, load4(block + (slice1 * 1024 + member0) * 4 + 3072));
          sum11 = add4(sum11, load4(block + (slice1 * 1024 + member0) * 4 + 3584));
        }
        __syncthreads();
        if (1 <= slice1 && slice1 < 2) {
          store4(block + (slice1 * 1024 + member0) * 4 + -4096, sum12);
          store4(block + (slice1 * 1024 + member0) * 4 + -3584, sum13);
          store4(block + (slice1 * 1024 + member0) * 4 + -3072, sum14);
          store4(block + (slice1 * 1024 + member0) * 4 + -2560, sum15);
          store4(block + (slice1 * 1024 + member0) * 4 + -2048, sum16);
          store4(block + (slice1 * 1024 + member0) * 4 + -1536, sum17);
          store4(block + (slice1 * 1024 + member0) * 4 + -1024, sum18);
          store4(block + (slice1 * 1024 + member0) * 4 + -512, sum19);
        }
        __syncthreads();
        if (slice1 < 1) {
          sum12 = add4(sum12, load4(block + (slice1 * 1024 + member0) * 4));
          sum13 = add4(sum13, load4(block + (slice1 * 1024 + member0) * 4 + 512));
          sum14 = add4(sum14, load4(block + (slice1 * 1024 + member0) * 4 + 1024));
          sum15 = add4(sum15, load4(block + (slice1 * 1024 + member0) * 4 + 1536));
          sum16 = add4(sum16, load4(block + (slice1 * 1024 + member0) * 4 + 2048));
          sum17 = add4(sum17, load4(block + (slice1 * 1024 + member0) * 4 + 2560));
          sum18 = add4(sum18, load4(block + (slice1 * 1024 + member0) * 4 + 3072));
          sum19 = add4(sum19, load4(block + (slice1 * 1024 + member0) * 4 + 3584));
        }
        __syncthreads();
        if (slice1 < 1) {
          for (int i0 = 0; i0 < 8; i0++) {
            const int m1 = mFrom1 + rowFour0 + (i0 >> 2) * 32 + (i0 & 3);
            if (m1 < groupEnd1) {
              const float4 total2 = select4(i0 == 0, sum4, select4(i0 == 1, sum5, select4(i0 == 2, sum6, select4(i0 == 3, sum7, select4(i0 == 4, sum8, select4(i0 == 5, sum9, select4(i0 == 6, sum10, sum11)))))));
              const float4 total3 = select4(i0 == 0, sum12, select4(i0 == 1, sum13, select4(i0 == 2, sum14, select4(i0 == 3, sum15, select4(i0 == 4, sum16, select4(i0 == 5, sum17, select4(i0 == 6, sum18, sum19)))))));
              store4(p5 + columnFour0 + m1 * 64, mul4(mul4(total2, div4(all4(1.0f), add4(all4(1.0f), exp4(neg4(total2))))), total3));
            }
          }
        }
      }
    }
  }
}

// block_experts_routed_contract_mul: block.0.experts.routed: contract, mul
extern "C" __global__ void __launch_bounds__(256, 2)
k5(const int* __restrict__ p0,
   const float* __restrict__ p1,
   const float* __restrict__ p2,
   const int* __restrict__ p3,
   const float* __restrict__ p4,
   float* __restrict__ p5,
   int B,
   int T) {
  const int workgroup = blockIdx.x;
  const int invocation = threadIdx.x;
  __shared__ __align__(16) float block[8192];
  if (2 * B * T <= 32) {
    if (workgroup < 4 * min(floor_of(min(2 * B * T, 32), 8) + 4, min(2 * B * T, 32))) {
      const int tile0 = workgroup % (min(floor_of(min(2 * B * T, 32), 8) + 4, min(2 * B * T, 32)) * 4);
      const int task0 = workgroup / (min(floor_of(min(2 * B * T, 32), 8) + 4, min(2 * B * T, 32)) * 4);
      const int firstRow0 = (tile0 >> 5) * 8;
      const int height0 = min(8, min(floor_of(min(2 * B * T, 32), 8) + 4, min(2 * B * T, 32)) - firstRow0);
      const int within0 = tile0 & 31;
      const int rowTile0 = firstRow0 + within0 % height0;
      const int columnTile0 = within0 / height0;
      const bool byRow0 = 2 * B * T <= ((2 * B * T) >> 3) + 4;
      const int first0 = p0[2];
      const int group0 = (byRow0 ? first0 : (first0 >> 3) + 2) <= rowTile0 ? 2 : 0;
      const int probe0 = min(group0 + 1, 3);
      const int first1 = p0[probe0];
      const int group1 = (byRow0 ? first1 : (first1 >> 3) + probe0) <= rowTile0 ? probe0 : group0;
      const int groupFrom0 = p0[group1];
      const int x0 = group1 + 1;
      const int groupEnd0 = p0[x0];
      const int number0 = rowTile0 - (byRow0 ? groupFrom0 : (groupFrom0 >> 3) + group1);
      const int mFrom0 = groupFrom0 + (byRow0 ? number0 : number0 * 8);
      if ((!byRow0 || (number0 & 7) == 0) && mFrom0 < groupEnd0) {
        const int slice0 = invocation >> 3;
        const int column0 = invocation & 7;
        const int nFrom0 = columnTile0 * 8;
        const int n0 = nFrom0 + column0;
        const int rows0 = groupEnd0 - mFrom0;
        float4 sum0 = all4(0.0f);
        float4 sum1 = all4(0.0f);
        const int fast0 = invocation & 63;
        const int slow0 = invocation >> 6;
        const int row0 = min(mFrom0 + slow0, groupEnd0 + -1);
        const int row1 = min(mFrom0 + slow0 + 4, groupEnd0 + -1);
        const float weight0 = p2[group1 * 2048 + n0 + slice0 * 32];
        const int k0 = slice0 + 32;
        const float weight1 = p2[group1 * 2048 + k0 * 32 + n0];
        const float value0 = p1[fast0 + row0 * 64];
        const float value1 = p1[fast0 + row1 * 64];
        block[fast0 * 12 + slow0] = value0;
        block[fast0 * 12 + slow0 + 4] = value1;
        __syncthreads();
        const float4 x5 = load4(block + slice0 * 12);
        sum0 = fma4(all4(weight0), x5, sum0);
        const float4 x6 = load4(block + slice0 * 12 + 384);
        sum0 = fma4(all4(weight1), x6, sum0);
        if (4 < rows0) {
          const float4 x7 = load4(block + slice0 * 12 + 4);
          sum1 = fma4(all4(weight0), x7, sum1);
          const float4 x8 = load4(block + slice0 * 12 + 388);
          sum1 = fma4(all4(weight1), x8, sum1);
        }
        __syncthreads();
        const int row2 = invocation >> 3;
        const int n1 = nFrom0 + (invocation & 7);
        const int m0 = mFrom0 + row2;
        block[column0 * 33 + slice0] = sum0.x;
        block[column0 * 33 + slice0 + 264] = sum0.y;
        block[column0 * 33 + slice0 + 528] = sum0.z;
        block[column0 * 33 + slice0 + 792] = sum0.w;
        block[column0 * 33 + slice0 + 1056] = sum1.x;
        block[column0 * 33 + slice0 + 1320] = sum1.y;
        block[column0 * 33 + slice0 + 1584] = sum1.z;
        block[column0 * 33 + slice0 + 1848] = sum1.w;
        __syncthreads();
        float total0 = 0.0f;
        if (invocation < 64) {
          const int base0 = invocation * 33;
          for (int part0 = 0; part0 < 32; part0++) {
            total0 = total0 + block[base0 + part0];
          }
        }
        if (row2 < rows0 && row2 < 8 && n1 < 32) {
          const int v0 = p3[m0];
          const float v1 = p4[v0];
          p5[m0 * 32 + n1] = total0 * v1;
        }
      }
    }
  } else {
    if (workgroup < floor_of(2 * B * T, 64) + 4) {
      const int rowTile1 = workgroup % (floor_of(2 * B * T, 64) + 4);
      const int task1 = workgroup / (floor_of(2 * B * T, 64) + 4);
      const int first2 = p0[2];
      const int group2 = (first2 >> 6) + 2 <= rowTile1 ? 2 : 0;
      const int probe1 = min(group2 + 1, 3);
      const int first3 = p0[probe1];
      const int group3 = (first3 >> 6) + probe1 <= rowTile1 ? probe1 : group2;
      const int groupFrom1 = p0[group3];
      const int x10 = group3 + 1;
      const int groupEnd1 = p0[x10];
      const int number1 = rowTile1 - ((groupFrom1 >> 6) + group3);
      const int mFrom1 = groupFrom1 + number1 * 64;
      if (mFrom1 < groupEnd1) {
        const int member0 = invocation & 31;
        const int slice1 = invocation >> 5;
        const int rowFour0 = (member0 >> 2) * 4;
        const int columnFour0 = (member0 & 3) * 4;
        float4 sum2 = all4(0.0f);
        float4 sum3 = all4(0.0f);
        float4 sum4 = all4(0.0f);
        float4 sum5 = all4(0.0f);
        float4 sum6 = all4(0.0f);
        float4 sum7 = all4(0.0f);
        float4 sum8 = all4(0.0f);
        float4 sum9 = all4(0.0f);
        float4 sum10 = all4(0.0f);
        float4 sum11 = all4(0.0f);
        float4 sum12 = all4(0.0f);
        float4 sum13 = all4(0.0f);
        float4 sum14 = all4(0.0f);
        float4 sum15 = all4(0.0f);
        float4 sum16 = all4(0.0f);
        float4 sum17 = all4(0.0f);
        const int fast1 = (invocation & 15) * 4;
        const int slow1 = invocation >> 4;
        const int row3 = min(mFrom1 + slow1, groupEnd1 + -1);
        const int row4 = min(mFrom1 + slow1 + 16, groupEnd1 + -1);
        const int row5 = min(mFrom1 + slow1 + 32, groupEnd1 + -1);
        const int row6 = min(mFrom1 + slow1 + 48, groupEnd1 + -1);
        const int fast2 = (invocation & 7) * 4;
        const int slow2 = invocation >> 3;
        const float4 value2 = load4(p1 + fast1 + row3 * 64);
        const float4 value3 = load4(p1 + fast1 + row4 * 64);
        const float4 value4 = load4(p1 + fast1 + row5 * 64);
        const float4 value5 = load4(p1 + fast1 + row6 * 64);
        block[fast1 * 68 + slow1] = value2.x;
        block[fast1 * 68 + slow1 + 68] = value2.y;
        block[fast1 * 68 + slow1 + 136] = value2.z;
        block[fast1 * 68 + slow1 + 204] = value2.w;
        block[fast1 * 68 + slow1 + 16] = value3.x;
        block[fast1 * 68 + slow1 + 84] = value3.y;
        block[fast1 * 68 + slow1 + 152] = value3.z;
        block[fast1 * 68 + slow1 + 220] = value3.w;
        block[fast1 * 68 + slow1 + 32] = value4.x;
        block[fast1 * 68 + slow1 + 100] = value4.y;
        block[fast1 * 68 + slow1 + 168] = value4.z;
        block[fast1 * 68 + slow1 + 236] = value4.w;
        block[fast1 * 68 + slow1 + 48] = value5.x;
        block[fast1 * 68 + slow1 + 116] = value5.y;
        block[fast1 * 68 + slow1 + 184] = value5.z;
        block[fast1 * 68 + slow1 + 252] = value5.w;
        const float4 value6 = load4(p2 + fast2 + group3 * 2048 + slow2 * 32);
        const int k1 = slow2 + 32;
        const float4 value7 = load4(p2 + fast2 + group3 * 2048 + k1 * 32);
        store4(block + slow2 * 32 + fast2 + 4352, value6);
        store4(block + slow2 * 32 + fast2 + 5376, value7);
        __syncthreads();
        const int k2 = slice1 * 8;
        for (int k3 = k2, k3_end = k2 + 8; k3 < k3_end; k3++) {
          const float4 a0 = load4(block + k3 * 68 + rowFour0);
          const float4 a1 = load4(block + k3 * 68 + rowFour0 + 32);
          const float4 b0 = load4(block + k3 * 32 + columnFour0 + 4352);
          const float4 b1 = load4(block + k3 * 32 + columnFour0 + 4368);
          sum2 = fma4(all4(a0.x), b0, sum2);
          sum3 = fma4(all4(a0.x), b1, sum3);
          sum4 = fma4(all4(a0.y), b0, sum4);
          sum5 = fma4(all4(a0.y), b1, sum5);
          sum6 = fma4(all4(a0.z), b0, sum6);
          sum7 = fma4(all4(a0.z), b1, sum7);
          sum8 = fma4(all4(a0.w), b0, sum8);
          sum9 = fma4(all4(a0.w), b1, sum9);
          sum10 = fma4(all4(a1.x), b0, sum10);
          sum11 = fma4(all4(a1.x), b1, sum11);
          sum12 = fma4(all4(a1.y), b0, sum12);
          sum13 = fma4(all4(a1.y), b1, sum13);
          sum14 = fma4(all4(a1.z), b0, sum14);
          sum15 = fma4(all4(a1.z), b1, sum15);
          sum16 = fma4(all4(a1.w), b0, sum16);
          sum17 = fma4(all4(a1.w), b1, sum17);
        }
        __syncthreads();
        if (4 <= slice1 && slice1 < 8) {
          store4(block + (slice1 * 512 + member0) * 4 + -8192, sum2);
          store4(block + (slice1 * 512 + member0) * 4 + -8064, sum3);
          store4(block + (slice1 * 512 + member0) * 4 + -7936, sum4);
          store4(block + (slice1 * 512 + member0) * 4 + -7808, sum5);
          store4(block + (slice1 * 512 + member0) * 4 + -7680, sum6);
          store4(block + (slice1 * 512 + member0) * 4 + -7552, sum7);
          store4(block + (slice1 * 512 + member0) * 4 + -7424, sum8);
          store4(block + (slice1 * 512 + member0) * 4 + -7296, sum9);
          store4(block + (slice1 * 512 + member0) * 4 + -7168, sum10);
          store4(block + (slice1 * 512 + member0) * 4 + -7040, sum11);
          store4(block + (slice1 * 512 + member0) * 4 + -6912, sum12);
          store4(block + (slice1 * 512 + member0) * 4 + -6784, sum13);
          store4(block + (slice1 * 512 + member0) * 4 + -6656, sum14);
          store4(block + (slice1 * 512 + member0) * 4 + -6528, sum15);
          store4(block + (slice1 * 512 + member0) * 4 + -6400, sum16);
          store4(block + (slice1 * 512 + member0) * 4 + -6272, sum17);
        }
        __syncthreads();
        if (slice1 < 4) {
          sum2 = add4(sum2, load4(block + (slice1 * 512 + member0) * 4));
          sum3 = add4(sum3, load4(block + (slice1 * 512 + member0) * 4 + 128));
          sum4 = add4(sum4, load4(block + (slice1 * 512 + member0) * 4 + 256));
          sum5 = add4(sum5, load4(block + (slice1 * 512 + member0) * 4 + 384));
          sum6 = add4(sum6, load4(block + (slice1 * 512 + member0) * 4 + 512));
          sum7 = add4(sum7, load4(block + (slice1 * 512 + member0) * 4 + 640));
          sum8 = add4(sum8, load4(block + (slice1 * 512 + member0) * 4 + 768));
          sum9 = add4(sum9, load4(block + (slice1 * 512 + member0) * 4 + 896));
          sum10 = add4(sum10, load4(block + (slice1 * 512 + member0) * 4 + 1024));
          sum11 = add4(sum11, load4(block + (slice1 * 512 + member0) * 4 + 1152));
          sum12 = add4(sum12, load4(block + (slice1 * 512 + member0) * 4 + 1280));
          sum13 = add4(sum13, load4(block + (slice1 * 512 + member0) * 4 + 1408));
          sum14 = add4(sum14, load4(block + (slice1 * 512 + member0) * 4 + 1536));
          sum15 = add4(sum15, load4(block + (slice1 * 512 + member0) * 4 + 1664));
          sum16 = add4(sum16, load4(block + (slice1 * 512 + member0) * 4 + 1792));
          sum17 = add4(sum17, load4(block + (slice1 * 512 + member0) * 4 + 1920));
        }
        __syncthreads();
        if (2 <= slice1 && slice1 < 4) {
          store4(block + (slice1 * 512 + member0) * 4 + -4096, sum2);
          store4(block + (slice1 * 512 + member0) * 4 + -3968, sum3);
          store4(block + (slice1 * 512 + member0) * 4 + -3840, sum4);
          store4(block + (slice1 * 512 + member0) * 4 + -3712, sum5);
          store4(block + (slice1 * 512 + member0) * 4 + -3584, sum6);
          store4(block + (slice1 * 512 + member0) * 4 + -3456, sum7);
          store4(block + (slice1 * 512 + member0) * 4 + -3328, sum8);
          store4(block + (slice1 * 512 + member0) * 4 + -3200, sum9);
          store4(block + (slice1 * 512 + member0) * 4 + -3072, sum10);
          store4(block + (slice1 * 512 + member0) * 4 + -2944, sum11);
          store4(block + (slice1 * 512 + member0) * 4 + -2816, sum12);
          store4(block + (slice1 * 512 + member0) * 4 + -2688, sum13);
          store4(block + (slice1 * 512 + member0) * 4 + -2560, sum14);
          store4(block + (slice1 * 512 + member0) * 4 + -2432, sum15);
          store4(block + (slice1 * 512 + member0) * 4 + -2304, sum16);
          store4(block + (slice1 * 512 + member0) * 4 + -2176, sum17);
        }
        __syncthreads();
        if (slice1 < 2) {
          sum2 = add4(sum2, load4(block + (slice1 * 512 + member0) * 4));
          sum3 = add4(sum3, load4(block + (slice1 * 512 + member0) * 4 + 128));
          sum4 = add4(sum4, load4(block + (slice1 * 512 + member0) * 4 + 256));
          sum5 = add4(sum5, load4(block + (slice1 * 512 + member0) * 4 + 384));
          sum6 = add4(sum6, load4(block + (slice1 * 512 + member0) * 4 + 512));
          sum7 = add4(sum7, load4(block + (slice1 * 512 + member0) * 4 + 640));
          sum8 = add4(sum8, load4(block + (slice1 * 512 + member0) * 4 + 768));
          sum9 = add4(sum9, load4(block + (slice1 * 512 + member0) * 4 + 896));
          sum10 = add4(sum10, load4(block + (slice1 * 512 + member0) * 4 + 1024));
          sum11 = add4(sum11, load4(block + (slice1 * 512 + member0) * 4 + 1152));
          sum12 = add4(sum12, load4(block + (slice1 * 512 + member0) * 4 + 1280));
          sum13 = add4(sum13, load4(block + (slice1 * 512 + member0) * 4 + 1408));
          sum14 = add4(sum14, load4(block + (slice1 * 512 + member0) * 4 + 1536));
          sum15 = add4(sum15, load4(block + (slice1 * 512 + member0) * 4 + 1664));
          sum16 = add4(sum16, load4(block + (slice1 * 512 + member0) * 4 + 1792));
          sum17 = add4(sum17, load4(block + (slice1 * 512 + member0) * 4 + 1920));
        }
        __syncthreads();
        if (1 <= slice1 && slice1 < 2) {
          store4(block + (slice1 * 512 + member0) * 4 + -2048, sum2);
          store4(block + (slice1 * 512 + member0) * 4 + -1920, sum3);
          store4(block + (slice1 * 512 + member0) * 4 + -1792, sum4);
          store4(block + (slice1 * 512 + member0) * 4 + -1664, sum5);
          store4(block + (slice1 * 512 + member0) * 4 + -1536, sum6);
          store4(block + (slice1 * 512 + member0) * 4 + -1408, sum7);
          store4(block + (slice1 * 512 + member0) * 4 + -1280, sum8);
          store4(block + (slice1 * 512 + member0) * 4 + -1152, sum9);
          store4(block + (slice1 * 512 + member0) * 4 + -1024, sum10);
          store4(block + (slice1 * 512 + member0) * 4 + -896, sum11);
          store4(block + (slice1 * 512 + member0) * 4 + -768, sum12);
          store4(block + (slice1 * 512 + member0) * 4 + -640, sum13);
          store4(block + (slice1 * 512 + member0) * 4 + -512, sum14);
          store4(block + (slice1 * 512 + member0) * 4 + -384, sum15);
          store4(block + (slice1 * 512 + member0) * 4 + -256, sum16);
          store4(block + (slice1 * 512 + member0) * 4 + -128, sum17);
        }
        __syncthreads();
        if (slice1 < 1) {
          sum2 = add4(sum2, load4(block + (slice1 * 512 + member0) * 4));
          sum3 = add4(sum3, load4(block + (slice1 * 512 + member0) * 4 + 128));
          sum4 = add4(sum4, load4(block + (slice1 * 512 + member0) * 4 + 256));
          sum5 = add4(sum5, load4(block + (slice1 * 512 + member0) * 4 + 384));
          sum6 = add4(sum6, load4(block + (slice1 * 512 + member0) * 4 + 512));
          sum7 = add4(sum7, load4(block + (slice1 * 512 + member0) * 4 + 640));
          sum8 = add4(sum8, load4(block + (slice1 * 512 + member0) * 4 + 768));
          sum9 = add4(sum9, load4(block + (slice1 * 512 + member0) * 4 + 896));
          sum10 = add4(sum10, load4(block + (slice1 * 512 + member0) * 4 + 1024));
          sum11 = add4(sum11, load4(block + (slice1 * 512 + member0) * 4 + 1152));
          sum12 = add4(sum12, load4(block + (slice1 * 512 + member0) * 4 + 1280));
          sum13 = add4(sum13, load4(block + (slice1 * 512 + member0) * 4 + 1408));
          sum14 = add4(sum14, load4(block + (slice1 * 512 + member0) * 4 + 1536));
          sum15 = add4(sum15, load4(block + (slice1 * 512 + member0) * 4 + 1664));
          sum16 = add4(sum16, load4(block + (slice1 * 512 + member0) * 4 + 1792));
          sum17 = add4(sum17, load4(block + (slice1 * 512 + member0) * 4 + 1920));
        }
        __syncthreads();
        if (slice1 < 1) {
          for (int i0 = 0; i0 < 8; i0++) {
            const int m1 = mFrom1 + rowFour0 + (i0 >> 2) * 32 + (i0 & 3);
            if (m1 < groupEnd1) {
              const int v2 = p3[m1];
              const float v3 = p4[v2];
              const float4 total1 = select4(i0 == 0, sum2, select4(i0 == 1, sum4, select4(i0 == 2, sum6, select4(i0 == 3, sum8, select4(i0 == 4, sum10, select4(i0 == 5, sum12, select4(i0 == 6, sum14, sum16)))))));
              const float4 v4 = all4(v3);
              store4(p5 + columnFour0 + m1 * 32, mul4(total1, v4));
              const int n2 = columnFour0 + 16;
              const float4 total2 = select4(i0 == 0, sum3, select4(i0 == 1, sum5, select4(i0 == 2, sum7, select4(i0 == 3, sum9, select4(i0 == 4, sum11, select4(i0 == 5, sum13, select4(i0 == 6, sum15, sum17)))))));
              const float4 v5 = all4(v3);
              store4(p5 + m1 * 32 + n2, mul4(total2, v5));
            }
          }
        }
      }
    }
  }
}
