// What the pretended driver keeps of a tensor, and bulk copies on the host read: in the place of the 128 bytes that only a device understands.
#pragma once
#include <cstdint>
#include <cstring>

namespace moe {

constexpr std::uint64_t tensorMark = 0x6d6f655f74656e73;

struct TensorMapParts {
  std::uint64_t mark, address;
  std::uint32_t axes, swizzle, extents[5];
  // Bytes from one to the next, but for the first axis.
  std::uint64_t strides[4];
  std::uint16_t box[5], elementBytes;
};
static_assert(sizeof(TensorMapParts) <= 128);

/** As strict as the driver's manual about alignment, steps and boxes. Bytes from the first element to the end of the last; 0 where it refuses. */
inline std::uint64_t encodeTensorMap(void* map, int type, unsigned axes, std::uint64_t address, const std::uint64_t* extents,
                                     const std::uint64_t* strides, const unsigned* box, const unsigned* steps, int swizzle) {
  if (reinterpret_cast<std::uintptr_t>(map) % 128 != 0 || address % 16 != 0 || axes < 1 || axes > 5) return 0;
  if ((type != 3 && type != 6 && type != 7 && type != 9) || swizzle < 0 || swizzle > 3) return 0;
  const std::uint16_t bytes = type == 6 || type == 9 ? 2 : 4;
  TensorMapParts parts{tensorMark, address, axes, static_cast<std::uint32_t>(swizzle), {}, {}, {}, bytes};
  std::uint64_t last = 0;
  for (unsigned axis = 0; axis < axes; axis++) {
    if (extents[axis] == 0 || extents[axis] > 1ULL << 31 || box[axis] == 0 || box[axis] > 256 || steps[axis] != 1) return 0;
    parts.extents[axis] = static_cast<std::uint32_t>(extents[axis]);
    parts.box[axis] = static_cast<std::uint16_t>(box[axis]);
    const std::uint64_t step = axis == 0 ? bytes : strides[axis - 1];
    if (axis > 0 && (step % 16 != 0 || step >= 1ULL << 40)) return 0;
    if (axis > 0) parts.strides[axis - 1] = step;
    last += step * (extents[axis] - 1);
  }
  const unsigned row = box[0] * bytes;
  if (row % 16 != 0 || (swizzle != 0 && row > 16u << swizzle)) return 0;
  std::memset(map, 0xff, 128);
  std::memcpy(map, &parts, sizeof parts);
  return last + bytes;
}

} // namespace moe

struct alignas(128) TensorMap {
  unsigned long long words[16];
};
