// What threads of a GPU do besides plain C++, for device.h: halves, matrix units, asynchronous copies. In: included after it. Out: the functions
// that printed kernels have in assembly, strict where a device would be quietly wrong.
#pragma once

struct bf16 {
  unsigned short bits;
};
struct f16 {
  unsigned short bits;
};
namespace moe {

inline float halfToFloat(unsigned short bits) {
  const int exponent = bits >> 10 & 31;
  const float fraction = static_cast<float>(bits & 1023) / 1024.0f;
  const float size = exponent == 31  ? ((bits & 1023) != 0 ? NAN : INFINITY)
                     : exponent == 0 ? std::ldexp(fraction, -14)
                                     : std::ldexp(1.0f + fraction, exponent - 15);
  return bits >> 15 != 0 ? -size : size;
}

inline unsigned short halfOf(float x, int fractionBits, int least, int largest) {
  unsigned bits;
  std::memcpy(&bits, &x, 4);
  const unsigned sign = bits >> 31 << 15;
  const unsigned infinite = static_cast<unsigned>(largest) << fractionBits;
  if (x != x) return static_cast<unsigned short>(infinite | ((1u << fractionBits) - 1));
  const double size = std::fabs(static_cast<double>(x));
  if (std::isinf(size)) return static_cast<unsigned short>(sign | infinite);
  int exponent = size == 0 ? least : std::ilogb(size);
  if (exponent < least) exponent = least;
  // In units of the last place: nearbyint rounds ties to even.
  const double units = std::nearbyint(std::ldexp(size, fractionBits - exponent));
  const unsigned whole = static_cast<unsigned>(units) + (static_cast<unsigned>(exponent - least) << fractionBits);
  return static_cast<unsigned short>(sign | (whole < infinite ? whole : infinite));
}

} // namespace moe

inline float to_float(bf16 x) { return __int_as_float(static_cast<int>(static_cast<unsigned>(x.bits) << 16)); }
inline float to_float(f16 x) { return moe::halfToFloat(x.bits); }

namespace moe {

/** All that the lanes of a warp hand each other: `read(lane)` gives what that lane brought. */
template <class Value>
struct Together {
  unsigned turn, first;
  Together(const Value& value, int line) : turn(turns[current]), first(current & ~31u) {
    static_assert(sizeof(Value) <= 32);
    turns[current] ^= 1;
    std::memcpy(exchanged[turn][current], &value, sizeof value);
    wait(State::warp, line);
  }
  Value read(unsigned lane) const {
    Value value;
    std::memcpy(&value, exchanged[turn][first + lane], sizeof value);
    return value;
  }
};

// Dynamic shared memory: `extern __shared__` in the text becomes this, and begins at no rounder place than the text asks for.
constexpr unsigned mostDynamic = 227 * 1024, behind = 1024;
alignas(1024) static uint4 dynamic[(mostDynamic + behind) / 16 + 1];
inline uint4* dynamicFrom(unsigned align) { return dynamic + (align >= 1024 ? 0 : align / 16); }

inline bool isShared(const void* at) {
  const unsigned char* byte = static_cast<const unsigned char*>(at);
  const unsigned char* first = reinterpret_cast<const unsigned char*>(dynamic);
  return (byte >= first && byte < first + sizeof dynamic) || (byte >= __start_moe_shared && byte < __stop_moe_shared);
}

/** Of sixteen bytes, which of the eight groups of banks. */
inline unsigned bankOf(const void* at) { return reinterpret_cast<std::uintptr_t>(at) >> 4 & 7; }
/** Eight lanes are served together when each has banks of its own. */
template <class At>
void countConflicts(At at) {
  unsigned seen = 0;
  for (unsigned i = 0; i < 8; i++) {
    const unsigned bank = 1u << at(i);
    if (seen & bank) conflicts++;
    seen |= bank;
  }
}

struct Copy {
  void* to;
  const void* from;
};
struct Copies {
  std::vector<Copy> begun;
  std::vector<std::vector<Copy>> groups;
  // The banks of the last copies, by their number.
  unsigned count;
  unsigned char banks[256];
};
static Copies copies[mostThreads];

inline void copyAsync(void* to, const void* from, bool there) {
  if (!isShared(to)) fail("copies to what is no shared memory");
  if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0) fail("copies to no multiple of 16 bytes");
  if (there && reinterpret_cast<std::uintptr_t>(from) % 16 != 0) fail("copies from no multiple of 16 bytes");
  // No number until it has arrived.
  std::memset(to, 0xff, 16);
  Copies& own = copies[current];
  own.begun.push_back({to, there ? from : nullptr});
  const unsigned number = own.count++;
  own.banks[number % 256] = bankOf(to);
  if (current % 8 != 7) return;
  const unsigned first = current - 7;
  for (unsigned i = first; i < current; i++)
    if (copies[i].count <= number) return;
  countConflicts([&](unsigned i) { return copies[first + i].banks[number % 256]; });
}

inline void copiesGroup() {
  Copies& own = copies[current];
  own.groups.push_back(std::move(own.begun));
  own.begun.clear();
}

// Pieces that have arrived and that their threads have not published, sixteen bytes each: in dynamic shared memory, and in static.
static std::vector<unsigned char> unpublished[2];
static std::vector<unsigned char*> toPublish[mostThreads];

/** Offset of what lies in shared memory, and which: 0 dynamic, 1 static. */
inline std::pair<unsigned, unsigned> offsetOf(const void* at) {
  const unsigned char* byte = static_cast<const unsigned char*>(at);
  const unsigned char* first = reinterpret_cast<const unsigned char*>(dynamic);
  if (byte >= first && byte < first + sizeof dynamic) return {byte - first, 0};
  return {byte - __start_moe_shared, 1};
}

inline void copiesWait(unsigned open) {
  auto& groups = copies[current].groups;
  while (groups.size() > open) {
    for (const Copy& copy : groups.front()) {
      if (copy.from != nullptr)
        std::memcpy(copy.to, copy.from, 16);
      else
        std::memset(copy.to, 0, 16);
      const auto [offset, which] = offsetOf(copy.to);
      unsigned char* mark = &unpublished[which][offset / 16];
      ++*mark;
      toPublish[current].push_back(mark);
    }
    groups.erase(groups.begin());
  }
}

inline void publish() {
  for (unsigned char* mark : toPublish[current]) --*mark;
  toPublish[current].clear();
}

// What a warpgroup multiplies: done when its threads settle, from what shared memory then holds.
struct Product {
  std::vector<float*> sums;
  unsigned long long left, right;
  bool leftRows, rightColumns;
  float (*valueOf)(unsigned short);
};
struct Products {
  bool open;
  std::vector<Product> begun, groups;
  // What sums will be; no numbers until then.
  std::vector<std::pair<float*, std::array<float, 8>>> sums;
  unsigned count;
};
static Products products[mostThreads];
static unsigned sharedWhich;
// The tiles of the last products of each warpgroup, by number: all of it must agree.
struct Seen {
  unsigned number;
  unsigned long long left, right;
};
static Seen seen[mostThreads / 128][256];

/** Byte of element (at, k) of a tile, as the units find it. */
inline unsigned byteOf(unsigned long long tile, bool alongOther, unsigned at, unsigned k) {
  const unsigned start = (tile & 0x3fff) << 4, leading = (tile >> 16 & 0x3fff) << 4, stride = (tile >> 32 & 0x3fff) << 4;
  const unsigned row = 256u >> (tile >> 62), half = row / 2;
  const unsigned byte = alongOther ? start + at / half * leading + at % half * 2 + k / 8 * stride + k % 8 * row
                                   : start + at / 8 * stride + at % 8 * row + k * 2;
  return byte ^ (byte >> 7 & (row / 16 - 1)) << 4;
}

inline unsigned short elementOf(unsigned long long tile, bool alongOther, unsigned at, unsigned k) {
  const unsigned byte = byteOf(tile, alongOther, at, k);
  const unsigned char* memory = sharedWhich == 0 ? reinterpret_cast<unsigned char*>(dynamic) : __start_moe_shared;
  if (unpublished[sharedWhich][byte / 16] != 0) fail("multiplies what has arrived and is not published");
  unsigned short bits;
  std::memcpy(&bits, memory + byte, 2);
  return bits;
}

inline void product(std::vector<float*> sums, unsigned long long left, unsigned long long right, bool leftRows,
                    bool rightColumns, float (*valueOf)(unsigned short)) {
  Products& own = products[current];
  if (!own.open) fail("multiplies before products begin");
  if (left >> 62 == 0 || right >> 62 == 0) fail("multiplies a tile without rows");
  Seen& others = seen[current / 128][own.count % 256];
  if (others.number == own.count + 1 && (others.left != left || others.right != right))
    fail("multiplies other tiles than its warpgroup");
  others = {++own.count, left, right};
  // What the units read, they read later; that they may is seen now, by one for all.
  for (unsigned k = 0; current % 128 == 0 && k < 16; k++) {
    for (unsigned at = 0; at < 64; at++) elementOf(left, leftRows, at, k);
    for (unsigned at = 0; at < sums.size() * 16; at++) elementOf(right, rightColumns, at, k);
  }
  for (float* each : sums) {
    bool known = false;
    for (const auto& [place, values] : own.sums) known = known || place == each;
    if (known) continue;
    own.sums.push_back({each, {}});
    std::memcpy(own.sums.back().second.data(), each, 32);
    std::memset(each, 0xff, 32);
  }
  own.begun.push_back({std::move(sums), left, right, leftRows, rightColumns, valueOf});
}

inline void settle() {
  Products& own = products[current];
  if (!own.begun.empty()) fail("settles while products are open");
  const unsigned lane = current & 31u, warp = current / 32 % 4;
  for (const Product& each : own.groups) {
    // Two rows, and a quarter of the columns: pairs, eight apart.
    const auto value = [&](unsigned long long tile, bool alongOther, unsigned at, unsigned k) {
      return static_cast<double>(each.valueOf(elementOf(tile, alongOther, at, k)));
    };
    double rows[2][16], columns[64][16];
    for (unsigned k = 0; k < 16; k++) {
      for (unsigned i = 0; i < 2; i++) rows[i][k] = value(each.left, each.leftRows, 16 * warp + lane / 4 + 8 * i, k);
      for (unsigned i = 0; i < each.sums.size() * 4; i++)
        columns[i][k] = value(each.right, each.rightColumns, i / 2 * 8 + lane % 4 * 2 + i % 2, k);
    }
    for (unsigned f = 0; f < each.sums.size(); f++)
      for (auto& [place, values] : own.sums) {
        if (place != each.sums[f]) continue;
        for (unsigned i = 0; i < 8; i++) {
          double sum = values[i];
          for (unsigned k = 0; k < 16; k++) sum += rows[i % 4 / 2][k] * columns[4 * f + i / 4 * 2 + i % 2][k];
          values[i] = static_cast<float>(sum);
        }
      }
  }
  for (const auto& [place, values] : own.sums) std::memcpy(place, values.data(), 32);
  own.groups.clear();
  own.sums.clear();
}

static void forgetSignals();

static void begin(unsigned shared) {
  forgetSignals();
  failed = false;
  // Neither zero nor a number, as far as a launch may go.
  std::memset(dynamic, 0xff, shared + 16);
  std::memset(reinterpret_cast<char*>(dynamic) + shared + 16, 0x5a, behind);
  unpublished[0].assign(sizeof dynamic / 16, 0);
  // All kernels' of a text.
  unpublished[1].assign((__stop_moe_shared - __start_moe_shared) / 16 + 1, 0);
  std::memset(seen, 0, sizeof seen);
  for (Products& each : products) each = {};
  for (auto& each : toPublish) each.clear();
  for (Copies& each : copies) {
    each.begun.clear();
    each.groups.clear();
    each.count = 0;
  }
}

static bool untouched(unsigned shared) {
  const char* first = reinterpret_cast<const char*>(dynamic) + shared + 16;
  return std::all_of(first, first + behind, [](char each) { return each == 0x5a; });
}

static void ended() {
  const Copies& own = copies[current];
  bool left = !own.begun.empty();
  for (const auto& group : own.groups) left = left || !group.empty();
  if (left) fail("ends while copies are on their way");
  if (!products[current].begun.empty() || !products[current].groups.empty()) fail("ends while products are open");
  publish();
  copies[current].groups.clear();
}

inline void ldmatrix(unsigned* values, const void* row, bool transposed, int line) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) fail("ldmatrix of no multiple of 16 bytes");
  const Together<const unsigned short*> rows(static_cast<const unsigned short*>(row), line);
  const unsigned lane = current & 31u;
  for (unsigned block = 0; block < 4; block++) {
    if (lane == 0) countConflicts([&](unsigned i) { return bankOf(rows.read(8 * block + i)); });
    unsigned pair[2];
    for (unsigned i = 0; i < 2; i++) {
      const unsigned r = lane / 4, c = lane % 4 * 2 + i;
      pair[i] = transposed ? rows.read(8 * block + c)[r] : rows.read(8 * block + r)[c];
    }
    values[block] = pair[1] << 16 | pair[0];
  }
}

struct Operands {
  unsigned left[4], right[2];
};

template <class Half>
void mma(float* sums, const unsigned* left, const unsigned* right) {
  Operands own;
  std::memcpy(own.left, left, sizeof own.left);
  std::memcpy(own.right, right, sizeof own.right);
  const Together<Operands> all(own, -1);
  const auto half = [](unsigned pair, unsigned at) {
    return to_float(Half{static_cast<unsigned short>(pair >> 16 * at)});
  };
  const unsigned lane = current & 31u;
  for (unsigned i = 0; i < 4; i++) {
    const unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    double sum = sums[i];
    for (unsigned k = 0; k < 16; k++) {
      const unsigned a = all.read(row % 8 * 4 + k % 8 / 2).left[row / 8 + k / 8 * 2];
      const unsigned b = all.read(column * 4 + k % 8 / 2).right[k / 8];
      sum += static_cast<double>(half(a, k % 2)) * half(b, k % 2);
    }
    sums[i] = static_cast<float>(sum);
  }
}

} // namespace moe

inline bf16 to_bf16(float x) { return {moe::halfOf(x, 7, -126, 255)}; }
inline f16 to_f16(float x) { return {moe::halfOf(x, 10, -14, 31)}; }
inline void mma(float* sums, const unsigned* left, const unsigned* right, bf16) { moe::mma<bf16>(sums, left, right); }
inline void mma(float* sums, const unsigned* left, const unsigned* right, f16) { moe::mma<f16>(sums, left, right); }
inline void ldmatrix(unsigned* values, const void* row) { moe::ldmatrix(values, row, false, -2); }
inline void ldmatrix_transposed(unsigned* values, const void* row) { moe::ldmatrix(values, row, true, -3); }

inline void copy_async(void* to, const void* from, bool there) { moe::copyAsync(to, from, there); }
inline void copies_group() { moe::copiesGroup(); }
template <int open>
void copies_wait() {
  moe::copiesWait(open);
}
inline void publish() { moe::publish(); }
inline void products_begin() { moe::products[moe::current].open = true; }
inline void products_end() {
  moe::Products& own = moe::products[moe::current];
  own.open = false;
  for (moe::Product& each : own.begun) own.groups.push_back(std::move(each));
  own.begun.clear();
}
inline void settle() { moe::settle(); }
inline unsigned shared_address(const void* at) {
  const auto [offset, which] = moe::offsetOf(at);
  moe::sharedWhich = which;
  if (offset >= 1u << 18) moe::fail("multiplies what lies past 256 KiB");
  return offset;
}

/** For each product that a text uses: MOE_PRODUCT(product_128_bf16, bf16). */
#define MOE_PRODUCT(name, Half)                                                                                 \
  template <int left_along_rows, int right_along_columns, class... Sums, std::size_t... at>                     \
  void name##_of(std::tuple<Sums...> all, std::index_sequence<at...>) {                                         \
    moe::product({std::get<at>(all).values...}, std::get<sizeof...(at)>(all), std::get<sizeof...(at) + 1>(all), \
                 left_along_rows, right_along_columns,                                                          \
                 [](unsigned short bits) { return to_float(Half{bits}); });                                     \
  }                                                                                                             \
  template <int left_along_rows, int right_along_columns, class... Given>                                       \
  void name(Given&&... given) {                                                                                 \
    name##_of<left_along_rows, right_along_columns>(std::tuple<Given&&...>(static_cast<Given&&>(given)...),     \
                                                    std::make_index_sequence<sizeof...(Given) - 2>{});          \
  }
