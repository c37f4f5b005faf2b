// How a program finds the calls: those of HS_CUDA_FUNCTIONS by their names, all others are refused by name.
#include "Driver.h"

#include <cstring>

extern "C" {
#define DECLARE(name, parameters) int name parameters;
HS_CUDA_FUNCTIONS(DECLARE)
#undef DECLARE
int cuDriverGetVersion(int *version);

int cuGetErrorName(int error, const char **name) {
  *name = error == HS_CU_OUT_OF_MEMORY   ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == HS_CU_LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED"
                                         : "CUDA_ERROR";
  return HS_CU_SUCCESS;
}

int cuGetErrorString(int error, const char **text) {
  *text = error == HS_CU_OUT_OF_MEMORY   ? "out of memory"
          : error == HS_CU_LAUNCH_FAILED ? "unspecified launch failure"
          : error == HS_CU_INVALID_PTX   ? "a PTX JIT compilation failed"
          : error == HS_CU_NO_DEVICE     ? "no CUDA-capable device is detected"
                                         : "an error of the emulated driver";
  return HS_CU_SUCCESS;
}

__attribute__((visibility("default"))) int cuGetProcAddress_v2(const char *symbol, void **function,
                                                               int version, uint64_t flags, int *status) {
  (void)flags;
  *function = nullptr;
  if (status)
    *status = 1; // CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND
  if (version > halfstep::emulator::Settings::read().driver)
    return HS_CU_NOT_FOUND;
#define FIND(name, parameters)                                                                               \
  if (std::strcmp(symbol, #name) == 0)                                                                       \
    *function = reinterpret_cast<void *>(&name);
  HS_CUDA_FUNCTIONS(FIND)
#undef FIND
  if (!*function) {
    halfstep::emulator::reportMisuse(std::string("the driver call '") + symbol + "' is not emulated");
    return HS_CU_NOT_FOUND;
  }
  if (status)
    *status = 0;
  return HS_CU_SUCCESS;
}
}
