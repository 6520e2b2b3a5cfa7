// Words that a kernel's own names may not be.

/** Keywords of C++ and CUDA, types and functions that kernels use, and words that headers define as macros. */
export const taken: readonly string[] = (
  "alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval constexpr " +
  "constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else enum explicit " +
  "export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or " +
  "or_eq private protected public register reinterpret_cast requires return short signed sizeof static static_assert " +
  "static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned using virtual " +
  "void volatile wchar_t while xor xor_eq " +
  "float2 float4 int4 bool4 uint2 uint4 half abs min max fmaf fminf fmaxf expf logf sqrtf tanhf sinf cosf erff floorf ceilf rintf fabsf powf " +
  "y0 y1 yn j0 j1 jn signbit isnan isinf gamma signgam index rindex linux unix NULL NAN INFINITY EOF errno assert stdin stdout stderr " +
  "threadIdx blockIdx blockDim gridDim warpSize main workgroup invocation"
).split(" ");
