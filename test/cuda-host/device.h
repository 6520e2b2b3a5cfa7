// Gives CUDA C++ kernels a plain C++ meaning, so that g++ compiles them and a CPU runs them: blocks one after another, the threads of
// a block as fibers that take turns at barriers and exchanges. In: the text of kernels, included after this. Out: a library
// with `moe_launch`. Reports threads that end or wait elsewhere while others wait at a barrier, accesses that are not aligned as a GPU
// wants them, and shared memory that a launch has not asked for. What units of a GPU do beside the threads is in units.h. Knows what printed kernels use and no more; says nothing about speed, and nothing about races between threads (the kernel interpreter does).
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <map>
#include <sys/mman.h>
#include <tuple>
#include <utility>
#include <vector>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#define MOE_HOST
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
// All of it in one section, so that a launch can fill it with numbers that nobody wrote.
#define __shared__ static __attribute__((section("moe_shared")))

extern "C" {
extern unsigned char __start_moe_shared[] __attribute__((weak));
extern unsigned char __stop_moe_shared[] __attribute__((weak));
}

struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
struct alignas(8) uint2 {
  unsigned x, y;
};
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline int min(int a, int b) { return b < a ? b : a; }
inline int max(int a, int b) { return b > a ? b : a; }
inline float __int_as_float(int bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline int __float_as_int(float value) {
  int bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
inline int __float2int_rz(float x) {
  if (x != x) return 0;
  if (x >= 2147483648.0f) return 2147483647;
  if (x < -2147483648.0f) return -2147483647 - 1;
  return static_cast<int>(x);
}

struct Index3 {
  unsigned x, y, z;
};
static Index3 threadIdx, blockIdx, blockDim, gridDim;

namespace moe {

enum class State { ready, warp, block, phase, done };

struct Fiber {
  State state;
  int line;
  // What it waits for, where that is a phase of a signal (bulk.h).
  const void* signal;
  unsigned phase;
  char* stack;
#if defined(__x86_64__)
  void* at;
#else
  ucontext_t at;
#endif
};

constexpr std::size_t stackBytes = 128 * 1024;
constexpr unsigned mostThreads = 1024;

static Fiber fibers[mostThreads];
static unsigned threads, current;
static void (*entry)(void**);
static void** arguments;
static char message[256];
// What lanes hand each other, in two turns: nobody overwrites what another has yet to read.
static unsigned char exchanged[2][mostThreads][32];
static unsigned char turns[mostThreads];
static bool failed;
// Accesses of shared memory that had to wait for a bank.
static long conflicts;

#if defined(__x86_64__)
static void* scheduler;
extern "C" void moe_switch(void** from, void* to);
__asm__(R"(
.text
.local moe_switch
.type moe_switch, @function
moe_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
static void leave() { moe_switch(&fibers[current].at, scheduler); }
static void resume(Fiber& fiber) { moe_switch(&scheduler, fiber.at); }
#else
static ucontext_t scheduler;
static void leave() { swapcontext(&fibers[current].at, &scheduler); }
static void resume(Fiber& fiber) { swapcontext(&scheduler, &fiber.at); }
#endif

/** A GPU reads and writes sixteen bytes at multiples of sixteen only. g++ asks here, before what it was told to check (`-fsanitize=alignment`). */
extern "C" __attribute__((visibility("hidden"))) void __ubsan_handle_type_mismatch_v1(void*, void* at);

static void ended();

static void body() {
  entry(arguments);
  ended();
  fibers[current].state = State::done;
  leave();
  std::abort();
}

static void prepare(Fiber& fiber) {
  fiber.state = State::ready;
  fiber.line = 0;
  if (fiber.stack == nullptr)
    fiber.stack = static_cast<char*>(
        mmap(nullptr, stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
#if defined(__x86_64__)
  // As if `body` had been called: its frame begins 8 bytes past a multiple of 16.
  void** top = reinterpret_cast<void**>(fiber.stack + stackBytes - 16);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&body);
  top -= 6;
  std::memset(top, 0, 6 * sizeof(void*));
  fiber.at = top;
#else
  getcontext(&fiber.at);
  fiber.at.uc_stack.ss_sp = fiber.stack;
  fiber.at.uc_stack.ss_size = stackBytes;
  fiber.at.uc_link = nullptr;
  makecontext(&fiber.at, &body, 0);
#endif
}

/** The kernel has made a mistake: its launch ends here. Outside of fibers the message is all there is to do. */
inline void fail(const char* why) {
  if (!failed) std::snprintf(message, sizeof message, "block %u: thread %u: %s", blockIdx.x, current, why);
  failed = true;
  if (threads > 1 && fibers[current].state == State::ready) leave();
}

extern "C" void __ubsan_handle_type_mismatch_v1(void*, void*) { fail("reads or writes several numbers at once that do not begin at a multiple of their bytes"); }

inline void wait(State state, int line) {
  if (threads == 1) return;
  fibers[current].state = state;
  fibers[current].line = line;
  leave();
}

template <class Value>
Value exchange(Value value, unsigned from, int line) {
  static_assert(sizeof(Value) <= 32);
  const unsigned self = current;
  const unsigned turn = turns[self];
  turns[self] ^= 1;
  std::memcpy(exchanged[turn][self], &value, sizeof value);
  wait(State::warp, line);
  // A lane that is not there: what it gives is undefined on a device.
  if (from < threads) std::memcpy(&value, exchanged[turn][from], sizeof value);
  return value;
}

inline const char* describe(const Fiber& fiber, char* into, std::size_t size) {
  if (fiber.state == State::done)
    std::snprintf(into, size, "has ended");
  else
    std::snprintf(into, size, "waits %s at line %d",
                  fiber.state == State::warp    ? "for its warp"
                  : fiber.state == State::phase ? "for a phase that does not end"
                                                : "for its block",
                  fiber.line);
  return into;
}

/** The threads of one group have all stopped: they must have stopped at the same place. */
inline bool release(unsigned from, unsigned to, State state) {
  for (unsigned i = from; i < to; i++)
    if (fibers[i].state != state || fibers[i].line != fibers[from].line) {
      char one[64], other[64];
      std::snprintf(message, sizeof message, "block %u: thread %u %s, thread %u %s", blockIdx.x, from,
                    describe(fibers[from], one, sizeof one), i, describe(fibers[i], other, sizeof other));
      return false;
    }
  for (unsigned i = from; i < to; i++) fibers[i].state = State::ready;
  return true;
}

inline bool hasEnded(const void* signal, unsigned phase);
static void endedBlock();

/** A warp goes on by itself until its block has to meet, or one of it waits for what others do. Whether any has gone on. */
inline bool runWarp(unsigned first, unsigned end) {
  for (bool moved = false;;) {
    bool together = false, waits = false, stepped = false;
    for (unsigned i = first; i < end; i++) {
      current = i;
      if (fibers[i].state == State::phase && hasEnded(fibers[i].signal, fibers[i].phase)) fibers[i].state = State::ready;
      if (failed) return false;
      if (fibers[i].state == State::ready) {
        threadIdx.x = i;
        resume(fibers[i]);
        if (failed) return false;
        stepped = true;
      }
      together = together || fibers[i].state == State::warp;
      waits = waits || fibers[i].state == State::phase;
    }
    moved = moved || stepped;
    if (together && !waits) {
      if (!(failed = !release(first, end, State::warp))) continue;
      return false;
    }
    if (!stepped || !waits) return moved;
  }
}

inline bool runBlock() {
  if (threads == 1) {
    threadIdx.x = current = 0;
    entry(arguments);
    ended();
    return !failed;
  }
  for (unsigned i = 0; i < threads; i++) prepare(fibers[i]);
  for (;;) {
    bool moved = false;
    for (unsigned first = 0; first < threads; first += 32) {
      const bool stepped = runWarp(first, first + 32 < threads ? first + 32 : threads);
      if (failed) return false;
      moved = moved || stepped;
    }
    unsigned waiting = threads;
    for (unsigned i = 0; i < threads; i++)
      if (fibers[i].state == State::phase) waiting = i;
    if (waiting < threads) {
      if (moved) continue;
      char how[64];
      std::snprintf(message, sizeof message, "block %u: thread %u %s", blockIdx.x, waiting,
                    describe(fibers[waiting], how, sizeof how));
      return false;
    }
    if (fibers[0].state == State::done) {
      for (unsigned i = 1; i < threads; i++)
        if (fibers[i].state != State::done) return release(0, threads, State::done);
      endedBlock();
      return !failed;
    }
    if (!release(0, threads, State::block)) return false;
  }
}

static void begin(unsigned shared);
/** Whether what lies behind the shared memory of the launch was left alone. */
static bool untouched(unsigned shared);

/** 0 when it ran; else `moe_error` says why not. `dynamicBytes` of shared memory are given to a block. */
inline int launch(void (*kernel)(void**), unsigned blocks, unsigned block, unsigned dynamicBytes, void** args) {
  if (block == 0 || block > mostThreads) {
    std::snprintf(message, sizeof message, "a block of %u threads", block);
    return 1;
  }
  const std::size_t shared = __stop_moe_shared - __start_moe_shared;
  if (shared > 0 && shared < 256 * 1024) std::memset(__start_moe_shared, 0xff, shared);
  begin(dynamicBytes);
  entry = kernel;
  arguments = args;
  threads = block;
  std::memset(turns, 0, sizeof turns);
  blockDim = {block, 1, 1};
  gridDim = {blocks, 1, 1};
  threadIdx = blockIdx = {0, 0, 0};
  for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++)
    if (!runBlock()) return 1;
  if (untouched(dynamicBytes)) return 0;
  std::snprintf(message, sizeof message, "writes behind the %u bytes of shared memory that it was given", dynamicBytes);
  return 1;
}

template <class... Arguments, std::size_t... at>
void call(void (*kernel)(Arguments...), void** args, std::index_sequence<at...>) {
  kernel(*static_cast<Arguments*>(args[at])...);
}
template <class... Arguments>
void spread(void (*kernel)(Arguments...), void** args) {
  call(kernel, args, std::index_sequence_for<Arguments...>{});
}
template <auto kernel>
void adapted(void** args) {
  spread(kernel, args);
}

template <class... Arguments>
constexpr int countOf(void (*)(Arguments...)) {
  return sizeof...(Arguments);
}

template <class... Arguments>
int bytesOf(void (*)(Arguments...), int at) {
  constexpr int sizes[] = {sizeof(Arguments)..., 0};
  return sizes[at];
}
template <auto kernel>
int argumentBytes(int at) {
  return bytesOf(kernel, at);
}

struct Named {
  const char* name;
  void (*run)(void**);
  int arguments;
  int (*bytes)(int);
};

} // namespace moe

#define __syncthreads() moe::wait(moe::State::block, __LINE__)
#define __syncwarp(...) moe::wait(moe::State::warp, __LINE__)
#define __shfl_xor_sync(mask, value, distance) \
  moe::exchange(value, (moe::current & ~31u) | ((moe::current & 31u) ^ (distance)), __LINE__)
#define __shfl_sync(mask, value, lane) moe::exchange(value, (moe::current & ~31u) | ((lane) & 31u), __LINE__)

/** `align`: what the text says of it. */
#define MOE_DYNAMIC(type, name, align) type* const name = moe::dynamicFrom(align)

/** At the end of the text: MOE_KERNELS(MOE_KERNEL(k0) MOE_KERNEL(k1) ...). */
#define MOE_KERNEL(name) {#name, &moe::adapted<&name>, moe::countOf(&name), &moe::argumentBytes<&name>},
#define MOE_KERNELS(...)                                                                                     \
  static const moe::Named moe_kernels[] = {__VA_ARGS__};                                                     \
  extern "C" int moe_find(const char* name) {                                                                \
    for (std::size_t i = 0; i < sizeof moe_kernels / sizeof *moe_kernels; i++)                               \
      if (std::strcmp(moe_kernels[i].name, name) == 0) return static_cast<int>(i);                           \
    return -1;                                                                                               \
  }                                                                                                          \
  extern "C" int moe_launch(int kernel, unsigned blocks, unsigned block, unsigned shared, void** args) {     \
    return moe::launch(moe_kernels[kernel].run, blocks, block, shared, args);                                \
  }                                                                                                          \
  extern "C" int moe_arguments(int kernel) { return moe_kernels[kernel].arguments; }                           \
  extern "C" int moe_argument_bytes(int kernel, int at) { return moe_kernels[kernel].bytes(at); }              \
  extern "C" const char* moe_error() { return moe::message; }                                                \
  extern "C" long moe_conflicts() { return std::exchange(moe::conflicts, 0); }
