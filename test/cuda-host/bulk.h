// Bulk copies of tensors and the signals that count them, for device.h: phases, arrivals, bytes, boxes with zeros beyond the edge, and the order of
// rows in shared memory. In: included after units.h. Out: the functions that printed kernels have in assembly. What is copied arrives only
// when somebody waits for it, and until then there are no numbers; a phase that cannot end is found.
#pragma once

namespace moe {

struct Box {
  unsigned char* to;
  TensorMapParts map;
  int at[5];
};
struct Signal {
  int arrivals, arrived;
  // Whether copies were told that it has begun.
  bool told;
  long announced, brought;
  unsigned ended;
  std::vector<Box> boxes;
};
static std::map<const void*, Signal> signals;

inline unsigned boxBytes(const TensorMapParts& map) {
  unsigned bytes = map.elementBytes;
  for (unsigned axis = 0; axis < map.axes; axis++) bytes *= map.box[axis];
  return bytes;
}

/** Where byte `at` of a box lies: sixteen bytes change places, as the PTX manual has them for each order of rows. */
inline unsigned char* placeOf(unsigned char* to, unsigned at, unsigned swizzle) {
  const auto address = reinterpret_cast<std::uintptr_t>(to) + at;
  const std::uintptr_t mask = swizzle == 3 ? 7 : swizzle == 2 ? 3 : swizzle == 1 ? 1 : 0;
  return reinterpret_cast<unsigned char*>(address ^ (address >> 7 & mask) << 4);
}

inline void land(const Box& box) {
  const TensorMapParts& map = box.map;
  const unsigned bytes = boxBytes(map), size = map.elementBytes;
  for (unsigned at = 0; at < bytes; at += size) {
    unsigned rest = at / size;
    const unsigned char* from = reinterpret_cast<const unsigned char*>(map.address);
    bool there = true;
    for (unsigned axis = 0; axis < map.axes; axis++) {
      const long place = box.at[axis] + static_cast<long>(rest % map.box[axis]);
      rest /= map.box[axis];
      there = there && place >= 0 && place < static_cast<long>(map.extents[axis]);
      from += place * static_cast<long>(axis == 0 ? size : map.strides[axis - 1]);
    }
    unsigned char* to = placeOf(box.to, at, map.swizzle);
    if (there)
      std::memcpy(to, from, size);
    else
      std::memset(to, 0, size);
  }
}

inline Signal* signalAt(const void* at) {
  const auto found = signals.find(at);
  if (found != signals.end() && found->second.told) return &found->second;
  // Nothing is done with what is given here.
  static Signal none;
  fail(found == signals.end() ? "uses a signal that has not begun" : "uses a signal that copies were not told of");
  return &none;
}

/** The phase ends when all have arrived and all bytes that they announced have come. */
inline void advance(Signal& signal) {
  if (signal.arrived < signal.arrivals) return;
  if (signal.brought > signal.announced) return fail("more bytes are brought than were announced");
  if (signal.brought < signal.announced) return;
  for (const Box& box : signal.boxes) land(box);
  signal.boxes.clear();
  signal.arrived = 0;
  signal.announced = signal.brought = 0;
  signal.ended++;
}

inline void arriveAt(const void* at, int bytes) {
  Signal* signal = signalAt(at);
  // Bytes that are on their way end a phase when somebody looks, or when the next one begins.
  if (signal->arrived == signal->arrivals) advance(*signal);
  if (signal->arrived == signal->arrivals) return fail("arrives once more than a phase wants");
  signal->arrived++;
  signal->announced += bytes;
}

inline bool hasEnded(const void* at, unsigned phase) {
  Signal* signal = signalAt(at);
  if (signal->ended % 2 != phase) return true;
  advance(*signal);
  return signal->ended % 2 != phase;
}

inline void bulkCopy(void* to, const TensorMap& given, const void* at, std::initializer_list<int> from) {
  Box box{static_cast<unsigned char*>(to), {}, {}};
  std::memcpy(&box.map, &given, sizeof box.map);
  if (box.map.mark != tensorMark) return fail("copies by a map that no driver has made");
  if (from.size() != box.map.axes) return fail("copies a box of other axes than its map's");
  std::copy(from.begin(), from.end(), box.at);
  const unsigned bytes = boxBytes(box.map);
  if (!isShared(to) || !isShared(box.to + bytes - 1)) return fail("copies a box to what is no shared memory");
  // Eight rows: where a box begins nothing changes places.
  const unsigned rows = box.map.swizzle == 0 ? 16 : 128u << box.map.swizzle;
  if (reinterpret_cast<std::uintptr_t>(to) % rows != 0) return fail("copies a box into the middle of eight rows");
  for (unsigned i = 0; i < bytes; i += 16)
    if (unpublished[offsetOf(box.to + i).second][offsetOf(box.to + i).first / 16] != 0)
      return fail("copies a box over what is not published");
  std::memset(to, 0xff, bytes);
  Signal* signal = signalAt(at);
  signal->brought += bytes;
  signal->boxes.push_back(box);
}

static void forgetSignals() { signals.clear(); }

/** What a block leaves behind. */
static void endedBlock() {
  for (const auto& [at, signal] : signals)
    if (!signal.boxes.empty()) return fail("the block ends while boxes are on their way");
  forgetSignals();
}

} // namespace moe

inline void signal_begin(unsigned long long* signal, int arrivals) {
  if (!moe::isShared(signal)) return moe::fail("a signal in what is no shared memory");
  if (reinterpret_cast<std::uintptr_t>(signal) % 8 != 0) return moe::fail("a signal at no multiple of 8 bytes");
  moe::signals[signal] = {arrivals, 0, false, 0, 0, 0, {}};
}
inline void signals_begun() {
  for (auto& [at, signal] : moe::signals) signal.told = true;
}
inline void arrive(unsigned long long* signal) { moe::arriveAt(signal, 0); }
inline void arrive_with(unsigned long long* signal, int bytes) { moe::arriveAt(signal, bytes); }
inline void await_phase(unsigned long long* signal, int phase) {
  if (phase != 0 && phase != 1) return moe::fail("waits for a phase that is neither odd nor even");
  moe::fibers[moe::current].signal = signal;
  moe::fibers[moe::current].phase = phase;
  if (!moe::hasEnded(signal, phase)) moe::wait(moe::State::phase, -4);
}
/** What `setmaxnreg` takes. */
template <int count>
void registers_more() {
  static_assert(count >= 24 && count <= 256 && count % 8 == 0);
}
template <int count>
void registers_fewer() {
  static_assert(count >= 24 && count <= 256 && count % 8 == 0);
}
template <class... Places>
void bulk_copy(void* to, const TensorMap& map, unsigned long long* signal, Places... at) {
  moe::bulkCopy(to, map, signal, {at...});
}
