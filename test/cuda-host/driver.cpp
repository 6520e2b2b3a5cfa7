// A CUDA driver without a GPU, for tests: the functions of the driver API that the runtime calls, on memory of the host, with kernels that g++
// compiled (device.h). An image is the text `HOST:` and the path of such a library. Strict where the real driver is: addresses must lie
// in what was allocated, a recording stream does nothing, handles must be live, and all that was made can be counted.
// `fake_set` changes what it pretends to be: its version, its device, its memory, and which call fails with which status.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <set>
#include <string>
#include <vector>

using u64 = std::uint64_t;

namespace {

std::map<std::string, long> settings;
long setting(const char* key, long otherwise) {
  const auto found = settings.find(key);
  return found == settings.end() ? otherwise : found->second;
}

std::map<std::string, long> calls;
/** The status that the call shall have. */
int began(const char* name) {
  calls[name]++;
  return static_cast<int>(setting((std::string("fail ") + name).c_str(), 0));
}
#define BEGIN                                                                                                  \
  if (const int status = began(__func__)) return status
enum { invalidValue = 1, outOfMemory = 2, invalidHandle = 400, invalidImage = 200, outOfResources = 701, notFound = 500, launchFailed = 719 };

struct Library {
  void* handle;
  int (*find)(const char*);
  int (*arguments)(int);
  int (*argumentBytes)(int, int);
  int (*launch)(int, unsigned, unsigned, unsigned, void**);
  const char* (*error)();
};
struct Function {
  Library* library;
  int kernel;
  int shared;
};
/** What a kernel is given: as large and as aligned as the largest argument. */
struct alignas(128) Argument {
  unsigned char bytes[128];
};
struct Launch {
  Function* function;
  unsigned blocks, threads, shared;
  std::vector<Argument> values;
};
/** A copy from the host that a device does later, where it can read the host's memory. */
struct Late {
  u64 to;
  const void* from;
  u64 bytes;
};
struct Stream {
  bool recording;
  std::vector<Launch> recorded;
  std::vector<Late> late;
  /** An error on the device shows at the next call that waits. */
  int broken;
};

std::map<u64, u64> memory; // address -> bytes
u64 allocated = 0;
std::set<void*> live;
std::string lastError;
long replays = 0, launches = 0;

template <class T>
u64 keep(T* made) {
  live.insert(made);
  return reinterpret_cast<u64>(made);
}
template <class T>
T* alive(u64 handle) {
  return live.count(reinterpret_cast<void*>(handle)) != 0 ? reinterpret_cast<T*>(handle) : nullptr;
}
template <class T>
int drop(u64 handle) {
  T* found = alive<T>(handle);
  if (found == nullptr) return invalidHandle;
  live.erase(found);
  delete found;
  return 0;
}
bool inside(u64 address, u64 bytes) {
  auto next = memory.upper_bound(address);
  if (next == memory.begin()) return false;
  --next;
  return address >= next->first && address + bytes <= next->first + next->second;
}

/** A kernel that the device cannot start: a recording takes it, a graph of it does not. */
bool refused(const Launch& one) { return setting("refused kernel", -1) == one.function->kernel; }

int perform(const Launch& one, Stream* stream) {
  launches++;
  std::vector<void*> pointers;
  std::vector<Argument> values = one.values;
  for (Argument& value : values) pointers.push_back(&value);
  pointers.push_back(nullptr);
  Library* library = one.function->library;
  if (setting("fault at launch", 0) == launches) {
    stream->broken = 700;
    return 0;
  }
  if (library->launch(one.function->kernel, one.blocks, one.threads, one.shared, pointers.data()) == 0) return 0;
  lastError = library->error();
  stream->broken = launchFailed;
  return 0;
}

} // namespace

extern "C" {

void fake_set(const char* key, long value) { settings[key] = value; }
void fake_reset() {
  settings.clear();
  calls.clear();
  launches = replays = 0;
  lastError.clear();
}
/** Allocated bytes, live handles, launches, replays of graphs; or how often a function was called. */
long fake_count(const char* what) {
  const std::string name = what;
  if (name == "bytes") return static_cast<long>(allocated);
  if (name == "handles") return static_cast<long>(live.size());
  if (name == "launches") return launches;
  if (name == "replays") return replays;
  return calls[name];
}
const char* fake_error() { return lastError.c_str(); }

int cuInit(unsigned) {
  BEGIN;
  return 0;
}
int cuDriverGetVersion(int* version) {
  BEGIN;
  *version = static_cast<int>(setting("version", 13000));
  return 0;
}
int cuDeviceGetCount(int* count) {
  BEGIN;
  *count = static_cast<int>(setting("devices", 1));
  return 0;
}
int cuDeviceGet(int* device, int ordinal) {
  BEGIN;
  *device = ordinal;
  return 0;
}
int cuDeviceGetName(char* name, int length, int) {
  BEGIN;
  std::strncpy(name, "Imagined GPU", length);
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  BEGIN;
  const long capability = setting("capability", 90);
  *value = static_cast<int>(attribute == 75   ? capability / 10
                            : attribute == 76 ? capability % 10
                            : attribute == 97 ? setting("shared", 232448)
                            : attribute == 88 ? setting("reads host", 0)
                                              : 4);
  return 0;
}
int cuDevicePrimaryCtxRetain(u64* context, int) {
  BEGIN;
  *context = 1;
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int) {
  BEGIN;
  return 0;
}
int cuCtxSetCurrent(u64 context) {
  BEGIN;
  return context == 1 ? 0 : invalidHandle;
}
int cuMemGetInfo_v2(u64* free, u64* total) {
  BEGIN;
  *total = setting("memory", 1L << 30);
  *free = *total - allocated;
  return 0;
}
int cuMemAlloc_v2(u64* address, u64 bytes) {
  BEGIN;
  if (bytes == 0) return invalidValue;
  if (allocated + bytes > static_cast<u64>(setting("memory", 1L << 30))) return outOfMemory;
  void* made = nullptr;
  if (posix_memalign(&made, 256, bytes) != 0) return outOfMemory;
  // Neither zero nor a number: who reads what nobody wrote sees it.
  std::memset(made, 0xff, bytes);
  *address = reinterpret_cast<u64>(made);
  memory[*address] = bytes;
  allocated += bytes;
  return 0;
}
int cuMemFree_v2(u64 address) {
  BEGIN;
  const auto found = memory.find(address);
  if (found == memory.end()) return invalidValue;
  allocated -= found->second;
  std::free(reinterpret_cast<void*>(address));
  memory.erase(found);
  return 0;
}

#define STREAM                                                                                                 \
  Stream* stream = alive<Stream>(handle);                                                                      \
  if (stream == nullptr) return invalidHandle;                                                                 \
  if (stream->broken != 0) return stream->broken

int cuMemsetD8Async(u64 address, std::uint8_t value, u64 bytes, u64 handle) {
  BEGIN;
  STREAM;
  if (stream->recording || !inside(address, bytes)) return invalidValue;
  std::memset(reinterpret_cast<void*>(address), value, bytes);
  return 0;
}
int cuMemcpyHtoDAsync_v2(u64 to, const void* from, u64 bytes, u64 handle) {
  BEGIN;
  STREAM;
  if (stream->recording || !inside(to, bytes)) return invalidValue;
  if (setting("reads host", 0) != 0)
    stream->late.push_back({to, from, bytes});
  else
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return 0;
}
int cuMemcpyDtoHAsync_v2(void* to, u64 from, u64 bytes, u64 handle) {
  BEGIN;
  STREAM;
  if (stream->recording || !inside(from, bytes)) return invalidValue;
  std::memcpy(to, reinterpret_cast<void*>(from), bytes);
  return 0;
}

int cuMemcpyDtoDAsync_v2(u64 to, u64 from, u64 bytes, u64 handle) {
  BEGIN;
  STREAM;
  if (stream->recording || !inside(from, bytes) || !inside(to, bytes)) return invalidValue;
  std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes);
  return 0;
}

int cuModuleLoadData(u64* module, const char* image) {
  BEGIN;
  if (std::strncmp(image, "HOST:", 5) != 0) return invalidImage;
  void* handle = dlopen(image + 5, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return invalidImage;
  Library* library = new Library{handle,
                                 reinterpret_cast<int (*)(const char*)>(dlsym(handle, "moe_find")),
                                 reinterpret_cast<int (*)(int)>(dlsym(handle, "moe_arguments")),
                                 reinterpret_cast<int (*)(int, int)>(dlsym(handle, "moe_argument_bytes")),
                                 reinterpret_cast<int (*)(int, unsigned, unsigned, unsigned, void**)>(dlsym(handle, "moe_launch")),
                                 reinterpret_cast<const char* (*)()>(dlsym(handle, "moe_error"))};
  *module = keep(library);
  return 0;
}
int cuModuleUnload(u64 module) {
  BEGIN;
  return drop<Library>(module);
}
int cuModuleGetFunction(u64* function, u64 module, const char* name) {
  BEGIN;
  Library* library = alive<Library>(module);
  if (library == nullptr) return invalidHandle;
  const int kernel = library->find(name);
  if (kernel < 0) return notFound;
  static std::vector<Function*> all; // they live as long as their module; never freed, as in a process that ends
  all.push_back(new Function{library, kernel, 0});
  *function = reinterpret_cast<u64>(all.back());
  return 0;
}
int cuFuncSetAttribute(u64 function, int attribute, int value) {
  BEGIN;
  if (attribute == 8) reinterpret_cast<Function*>(function)->shared = value;
  return 0;
}

int cuTensorMapEncodeTiled(void* map, int type, unsigned axes, u64 address, const u64* extents, const u64* strides,
                           const unsigned* box, const unsigned* steps, int interleave, int swizzle, int promotion,
                           int fill) {
  BEGIN;
  if (interleave != 0 || promotion < 0 || promotion > 3 || fill != 0) return invalidValue;
  const u64 bytes = moe::encodeTensorMap(map, type, axes, address, extents, strides, box, steps, swizzle);
  return bytes == 0 || (!inside(address, bytes) && setting("any memory", 0) == 0) ? invalidValue : 0;
}

int cuStreamCreate(u64* handle, unsigned) {
  BEGIN;
  *handle = keep(new Stream{});
  return 0;
}
int cuStreamSynchronize(u64 handle) {
  BEGIN;
  STREAM;
  if (stream->recording) return 900;
  for (const Late& copy : stream->late) std::memcpy(reinterpret_cast<void*>(copy.to), copy.from, copy.bytes);
  stream->late.clear();
  return 0;
}
int cuStreamDestroy_v2(u64 handle) {
  BEGIN;
  return drop<Stream>(handle);
}
int cuStreamBeginCapture_v2(u64 handle, int) {
  BEGIN;
  STREAM;
  if (stream->recording) return 901;
  stream->recording = true;
  stream->recorded.clear();
  return 0;
}
int cuStreamEndCapture(u64 handle, u64* graph) {
  BEGIN;
  STREAM;
  if (!stream->recording) return 901;
  stream->recording = false;
  *graph = keep(new std::vector<Launch>(stream->recorded));
  return 0;
}
int cuGraphInstantiateWithFlags(u64* executable, u64 graph, u64) {
  BEGIN;
  auto* recorded = alive<std::vector<Launch>>(graph);
  if (recorded == nullptr) return invalidHandle;
  for (const Launch& one : *recorded)
    if (refused(one)) return outOfResources;
  *executable = keep(new std::vector<Launch>(*recorded));
  return 0;
}
int cuGraphLaunch(u64 executable, u64 handle) {
  BEGIN;
  STREAM;
  auto* recorded = alive<std::vector<Launch>>(executable);
  if (recorded == nullptr) return invalidHandle;
  replays++;
  for (const Launch& one : *recorded) perform(one, stream);
  return 0;
}
int cuGraphExecDestroy(u64 executable) {
  BEGIN;
  return drop<std::vector<Launch>>(executable);
}
int cuGraphDestroy(u64 graph) {
  BEGIN;
  return drop<std::vector<Launch>>(graph);
}

int cuEventCreate(u64* event, unsigned) {
  BEGIN;
  *event = keep(new double(0));
  return 0;
}
int cuEventRecord(u64 event, u64 handle) {
  BEGIN;
  STREAM;
  double* at = alive<double>(event);
  if (at == nullptr) return invalidHandle;
  *at = static_cast<double>(launches);
  return 0;
}
/** A millisecond a launch. */
int cuEventElapsedTime(float* milliseconds, u64 from, u64 to) {
  BEGIN;
  *milliseconds = static_cast<float>(*alive<double>(to) - *alive<double>(from));
  return 0;
}
int cuEventDestroy_v2(u64 event) {
  BEGIN;
  return drop<double>(event);
}

int cuLaunchKernel(u64 function, unsigned x, unsigned y, unsigned z, unsigned blockX, unsigned blockY, unsigned blockZ,
                   unsigned shared, u64 handle, void** parameters, u64) {
  BEGIN;
  STREAM;
  Function* of = reinterpret_cast<Function*>(function);
  if (x == 0 || y != 1 || z != 1 || blockX == 0 || blockX > 1024 || blockY != 1 || blockZ != 1) return invalidValue;
  if (shared > 48 * 1024 && shared > static_cast<unsigned>(of->shared)) return invalidValue;
  Launch one{of, x, blockX, shared, {}};
  // As the driver does: arguments are copied when the launch is asked for.
  for (int i = 0; i < of->library->arguments(of->kernel); i++) {
    one.values.emplace_back();
    std::memcpy(&one.values.back(), parameters[i], of->library->argumentBytes(of->kernel, i));
  }
  if (stream->recording) {
    stream->recorded.push_back(one);
    return 0;
  }
  if (refused(one)) return outOfResources;
  return perform(one, stream);
}

} // extern "C"
