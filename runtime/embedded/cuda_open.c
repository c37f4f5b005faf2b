/* Finds the driver's functions and turns its errors into statuses. */
#include "cuda_device.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef int (*get_version_fn)(int *version);
typedef int (*get_address_fn)(const char *name, void **function, int version, uint64_t flags, int *status);

/* A function pointer from dlsym, by way of memory since C has no conversion for it. */
static int find(void *library, const char *name, void *function, size_t bytes) {
  void *symbol = dlsym(library, name);
  memcpy(function, &symbol, bytes);
  return symbol != NULL;
}

static hs_status too_old(int version, const hs_error *error) {
  return hs_fail(
      error, HS_ERROR_ISA,
      "the NVIDIA driver is for CUDA %d.%d, this library needs one for %d.%d or newer: update the driver",
      version / 1000, version % 1000 / 10, HS_CU_API_VERSION / 1000, HS_CU_API_VERSION % 1000 / 10);
}

hs_status hs_cuda_open(hs_cuda_driver *driver, const hs_error *error) {
  const char *path = getenv("HALFSTEP_LIBCUDA");
  /* Never unloaded: the driver has threads of its own. */
  void *library = dlopen(path && *path ? path : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    return hs_fail(
        error, HS_ERROR_ISA,
        "libcuda.so.1 (the NVIDIA driver) is missing: install it, name its file in HALFSTEP_LIBCUDA, or "
        "compile with --target cpu");
  get_version_fn get_version;
  get_address_fn get_address;
  int version = 0;
  int all = find(library, "cuDriverGetVersion", &get_version, sizeof get_version);
  if (all)
    get_version(&version);
  all &= find(library, "cuGetProcAddress_v2", &get_address, sizeof get_address);
  dlclose(library);
  if (!all || version < HS_CU_API_VERSION)
    return too_old(version, error);
#define HS_FIND(name, parameters)                                                                            \
  {                                                                                                          \
    void *symbol = NULL;                                                                                     \
    all &= get_address(#name, &symbol, HS_CU_API_VERSION, 0, NULL) == HS_CU_SUCCESS && symbol;               \
    memcpy(&driver->name, &symbol, sizeof symbol);                                                           \
  }
  HS_CUDA_FUNCTIONS(HS_FIND)
#undef HS_FIND
  return all ? HS_OK : too_old(version, error);
}

static hs_status status_of(int result) {
  switch (result) {
  case HS_CU_OUT_OF_MEMORY:
    return HS_ERROR_MEMORY;
  case HS_CU_NO_DEVICE:
  case HS_CU_NO_BINARY_FOR_GPU:
  case HS_CU_UNSUPPORTED_PTX_VERSION:
    return HS_ERROR_ISA;
  default:
    return HS_ERROR_INTERNAL;
  }
}

hs_status hs_cuda_check(const hs_cuda_driver *driver, int result, const char *what, const hs_error *error) {
  if (result == HS_CU_SUCCESS)
    return HS_OK;
  const char *text = NULL;
  if (driver->cuGetErrorString(result, &text) != HS_CU_SUCCESS || !text)
    text = "an unknown error";
  return hs_fail(error, status_of(result), "cannot %s: the CUDA driver says: %s (%d)", what, text, result);
}
