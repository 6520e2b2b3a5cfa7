// Compile with -fmad=false: sums and products are rounded one by one.

struct Add {
  __device__ __forceinline__ static float of(float a, float b) {
    return a + b;
  }
  __device__ __forceinline__ static int of(int a, int b) {
    return a + b;
  }
};
struct Min {
  __device__ __forceinline__ static float of(float a, float b) {
    return fminf(a, b);
  }
  __device__ __forceinline__ static int of(int a, int b) {
    return min(a, b);
  }
};
struct Max {
  __device__ __forceinline__ static float of(float a, float b) {
    return fmaxf(a, b);
  }
  __device__ __forceinline__ static int of(int a, int b) {
    return max(a, b);
  }
};

// Combines a value of every invocation; each gets the result, and all have met. Warps combine their own by exchanging values,
// then every invocation adds up the warps in order: the same bits in all of them and in every run. Two rows of shared memory
// take turns, so that one barrier is enough.
template <class Fn, int workgroup, class Value>
__device__ __forceinline__ Value reduce(Value value, int invocation, Value (*shared)[(workgroup + 31) / 32], int& turn) {
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
}

__device__ __forceinline__ void store4(float* at, float4 values) {
  *reinterpret_cast<float4*>(at) = values;
}
__device__ __forceinline__ void store4(int* at, int4 values) {
  *reinterpret_cast<int4*>(at) = values;
}

// Four neighbours, the first at a multiple of 16 bytes.
__device__ __forceinline__ float4 load4(const float* at) {
  return *reinterpret_cast<const float4*>(at);
}
__device__ __forceinline__ int4 load4(const int* at) {
  return *reinterpret_cast<const int4*>(at);
}

__device__ __forceinline__ float4 div4(float4 a, float4 b) {
  return make_float4(a.x / b.x, a.y / b.y, a.z / b.z, a.w / b.w);
}

__device__ __forceinline__ float4 all4(float a) {
  return make_float4(a, a, a, a);
}

__device__ __forceinline__ float4 fma4(float4 a, float4 b, float4 c) {
  return make_float4(fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y), fmaf(a.z, b.z, c.z), fmaf(a.w, b.w, c.w));
}

// softmax: softmax(score over s)
extern "C" __global__ void __launch_bounds__(64)
k0(const float* __restrict__ x, float* __restrict__ out, int N, int R) {
  const int workgroup = blockIdx.x;
  const int invocation = threadIdx.x;
  __shared__ __align__(16) float kept[64];
  __shared__ float reduce_f32[2][2];
  int reduce_turn = 0;
  // One row of 64 for each workgroup.
  const int row = workgroup * 64;
  const int at = row + invocation;
  const float largest = reduce<Max, 64>(x[at], invocation, reduce_f32, reduce_turn);
  kept[invocation] = expf(x[at] - largest);
  const float sum = reduce<Add, 64>(kept[invocation], invocation, reduce_f32, reduce_turn);
  if (invocation < 16) {
    const int four = invocation * 4;
    store4(out + row + four, div4(load4(kept + four), all4(sum)));
  }
}

// micro_2x4
extern "C" __global__ void __launch_bounds__(1)
k1(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c) {
  float4 c0_0 = all4(0.0f);
  float4 c1_0 = all4(0.0f);
  for (int k = 0; k < 8; k++) {
    const float4 b0_0 = load4(b + (k + 0) * 4 + 0);
    const float4 a0_0 = all4(a[(k + 0) * 2 + 0]);
    c0_0 = fma4(a0_0, b0_0, c0_0);
    const float4 a1_0 = all4(a[(k + 0) * 2 + 1]);
    c1_0 = fma4(a1_0, b0_0, c1_0);
  }
  store4(c + 0, c0_0);
  store4(c + 4, c1_0);
}
