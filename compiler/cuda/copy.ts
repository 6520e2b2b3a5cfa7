// Asynchronous copies and scratch in rows in CUDA. In: nothing. Out: texts of functions. `cp.async` brings sixteen bytes past the first
// cache straight to shared memory (sm_80 and later); its groups are each thread's own. Left out under MOE_HOST: tests give the
// copies a meaning on a CPU.

const fn = "__device__ __forceinline__";

export const swizzledText = `
// Where element \`index\` of rows of so many bytes lies: its sixteen bytes change places within 128, so that those of eight
// neighbouring rows are in different banks. Elements are of \`size\` bytes.
template <int row, int size>
${fn} int swizzled(int index) {
  return index ^ ((index * size >> 7) & (row / 16 - 1)) * (16 / size);
}`;

export const copyText = `
#ifndef MOE_HOST
// Sixteen bytes, or as many zeros.
${fn} void copy_async(void* to, const void* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"((unsigned)__cvta_generic_to_shared(to)), "l"(__cvta_generic_to_global(from)), "r"(there ? 16 : 0)
               : "memory");
}
${fn} void copies_group() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int open>
${fn} void copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(open) : "memory");
}
#endif`;

const operand = (name: string, side: "left" | "right", transposed: boolean, outer: string): string => `
template <int row, class Half>
${fn} Operand<Half> ${name}(const Half* scratch, int index, int stride, int invocation) {
  Operand<Half> ${side};
  ldmatrix${transposed ? "_transposed" : ""}(${side}.values, scratch + swizzled<row, 2>(index + ${outer}));
  return ${side};
}`;
/** Lane i gives a row of one of the four blocks: blocks side by side second, or first. */
const down = "(invocation & 15) * stride + ((invocation >> 4) & 1) * 8";
const across = "((invocation & 7) + ((invocation >> 4) & 1) * 8) * stride + ((invocation >> 3) & 1) * 8";

/** Operands of matrix units as those of scratch in order, from scratch in rows: \`index\` is that of the first element. */
export const matrixRowsText = [
  "// The same, from rows of so many bytes.",
  operand("left_by_k", "left", false, down).trim(),
  operand("left_by_rows", "left", true, across).trim(),
  operand("right_by_k", "right", false, across).trim(),
  operand("right_by_columns", "right", true, down).trim(),
].join("\n");
