// NVRTC without a GPU, for tests, after driver.cpp in one library: its compiler is that of the test, so the binary is what `fake_compiled` was told.

#include <cstdint>
#include <cstring>
#include <string>

extern "C" {

static std::string compiled, source, options;
void fake_compiled(const char* image) { compiled = image; }
const char* fake_options() { return options.c_str(); }
int nvrtcCreateProgram(u64* program, const char* text, const char*, int, u64, u64) {
  source = text;
  *program = 7;
  return 0;
}
int nvrtcCompileProgram(u64 program, int count, const char** given) {
  options.clear();
  for (int i = 0; i < count; i++) options += std::string(given[i]) + " ";
  // As the real one does when it first compiles: by name alone.
  if (source.find("// whole") == 0 && dlopen("libnvrtc-builtins.so.13.0", RTLD_NOW) == nullptr) return 7;
  return program != 7 ? 5 : source.find("#error") != std::string::npos ? 6 : 0;
}
int nvrtcGetProgramLogSize(u64, u64* bytes) {
  *bytes = 32;
  return 0;
}
int nvrtcGetProgramLog(u64, char* log) {
  std::strcpy(log, "kernels.cu(1): error: stop");
  return 0;
}
int nvrtcGetCUBINSize(u64, u64* bytes) {
  *bytes = compiled.size();
  return 0;
}
int nvrtcGetCUBIN(u64, char* image) {
  std::memcpy(image, compiled.data(), compiled.size());
  return 0;
}
int nvrtcDestroyProgram(u64* program) { return *program == 7 ? 0 : 5; }

} // extern "C"
