// Products of warpgroups in CUDA: `wgmma` of sm_90a, which reads its operands from shared memory by descriptors. In: how many columns, the type.
// Out: texts of functions. Layouts and descriptors are those of the PTX manual (Asynchronous warpgroup level matrix instructions):
// scratch in rows of 32, 64 or 128 bytes is what it calls a swizzle of so many bytes. Left out under MOE_HOST: tests give them a
// meaning on a CPU.

import type { HalfType } from "../kernel.ts";

const fn = "__device__ __forceinline__";

/** Whether a text is compiled for devices whose warpgroups multiply. */
export const warpgroupsText = `
#ifndef MOE_WARPGROUPS
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define MOE_WARPGROUPS 1
#else
#define MOE_WARPGROUPS 0
#endif
#endif
#if MOE_WARPGROUPS
#ifndef MOE_HOST
// What this thread has stored to shared memory may be read by units that read it themselves; before a barrier.
${fn} void publish() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
${fn} void products_begin() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
${fn} void products_end() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
${fn} void settle() {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}
${fn} unsigned shared_address(const void* at) {
  return (unsigned)__cvta_generic_to_shared(at);
}
#endif
// A tile of rows of so many bytes: where it begins, from one panel of rows to the next, from eight rows to the next eight.
template <int row>
${fn} unsigned long long tile_of(const void* at, int panel) {
  const unsigned long long mode = row == 128 ? 1 : row == 64 ? 2 : 3;
  return (unsigned long long)(shared_address(at) >> 4 & 0x3fff) | (unsigned long long)(panel >> 4) << 16 |
         (unsigned long long)(8 * row >> 4) << 32 | mode << 62;
}
#endif`;

const list = (count: number, text: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => text(at)).join(", ");

export const productName = (fragments: number, type: HalfType): string => `product_${16 * fragments}_${type}`;

/** Sums of `fragments` x 16 columns. */
export function productText(fragments: number, type: HalfType): string {
  const registers = 8 * fragments;
  const sums = list(fragments, (at) => `Sums& s${at}`);
  const shape = `m64n${16 * fragments}k16`;
  return `#if MOE_WARPGROUPS && !defined(MOE_HOST)
template <int left_along_rows, int right_along_columns>
${fn} void ${productName(fragments, type)}(${sums}, unsigned long long left, unsigned long long right) {
  asm volatile(
      "{ .reg .pred add; setp.ne.b32 add, 1, 0; "
      "wgmma.mma_async.sync.aligned.${shape}.f32.${type}.${type} "
      "{${list(registers, (at) => `%${at}`)}}, "
      "%${registers}, %${registers + 1}, add, 1, 1, %${registers + 2}, %${registers + 3}; }"
      : ${list(registers, (at) => `"+f"(s${at >> 3}.values[${at & 7}])`)}
      : "l"(left), "l"(right), "n"(left_along_rows), "n"(right_along_columns)
      : "memory");
}
#endif`;
}
