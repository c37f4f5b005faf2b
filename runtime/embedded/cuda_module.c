/* Chooses the form of the kernels that fits the device, and loads it. */
#include "cuda_device.h"

#include <stdio.h>
#include <string.h>

enum { LOG_BYTES = 256, DEFAULT_SHARED = 48 << 10 };

/* The better the form, the larger; 0 when it does not run on the device. Machine code of the same major
 * number and of at most the device's minor number runs as it is; the driver compiles PTX of any older
 * architecture. */
static int32_t fitness(const hs_cuda_image *image, int32_t arch) {
  if (image->arch == 0)
    return image->min_arch <= arch ? 1 : 0;
  return image->arch / 10 == arch / 10 && image->arch <= arch ? image->arch : 0;
}

/* The best image below `bound`, or NULL. */
static const hs_cuda_image *best_image(const hs_cuda_model *cuda, int32_t arch, int32_t bound) {
  const hs_cuda_image *best = NULL;
  for (int32_t i = 0; i < cuda->image_count; ++i) {
    int32_t fits = fitness(&cuda->images[i], arch);
    if (fits > 0 && fits < bound && (!best || fits > fitness(best, arch)))
      best = &cuda->images[i];
  }
  return best;
}

static int32_t lowest_arch(const hs_cuda_model *cuda) {
  int32_t lowest = cuda->images[0].min_arch;
  for (int32_t i = 1; i < cuda->image_count; ++i)
    if (cuda->images[i].min_arch < lowest)
      lowest = cuda->images[i].min_arch;
  return lowest;
}

static hs_status not_covered(hs_cuda_device *device, const hs_error *error) {
  char name[64] = "?";
  device->driver.cuDeviceGetName(name, sizeof name, device->ordinal);
  return hs_fail(error, HS_ERROR_ISA,
                 "device %d (%s) is sm_%d, this library is for sm_%d and newer: compile with "
                 "--cuda-arch=%d",
                 device->ordinal, name, device->arch, lowest_arch(device->model->cuda), device->arch);
}

/* Tries the images from the best one on: a driver may refuse machine code that it should know, but takes the
 * PTX. */
static hs_status load_module(hs_cuda_device *device, const hs_error *error) {
  const hs_cuda_model *cuda = device->model->cuda;
  int32_t bound = INT32_MAX;
  int result = HS_CU_NO_BINARY_FOR_GPU;
  char log[LOG_BYTES] = "";
  for (const hs_cuda_image *image; (image = best_image(cuda, device->arch, bound)) != NULL;) {
    int options[] = {HS_CU_JIT_ERROR_LOG_BUFFER, HS_CU_JIT_ERROR_LOG_BYTES};
    void *values[] = {log, (void *)(size_t)(LOG_BYTES - 1)};
    result = device->driver.cuModuleLoadDataEx(&device->module, image->data, 2, options, values);
    if (result == HS_CU_SUCCESS || result == HS_CU_OUT_OF_MEMORY)
      break;
    bound = fitness(image, device->arch);
  }
  if (bound == INT32_MAX && result == HS_CU_NO_BINARY_FOR_GPU)
    return not_covered(device, error);
  char what[LOG_BYTES + 32];
  snprintf(what, sizeof what, "load the kernels%s%s", *log ? ": " : "", log);
  return hs_cuda_check(&device->driver, result, what, error);
}

static uint32_t most_shared(const hs_cuda_step *step, int32_t kernel, uint32_t most) {
  for (int32_t i = 0; i < step->launch_count; ++i)
    if (step->launches[i].kernel == kernel && step->launches[i].shared_bytes > most)
      most = step->launches[i].shared_bytes;
  return most;
}

/* A launch with more shared memory than every device has must be announced. */
static hs_status allow_shared(hs_cuda_device *device, int32_t kernel, const hs_error *error) {
  const hs_cuda_model *cuda = device->model->cuda;
  uint32_t most = 0;
  for (int32_t i = 0; i < cuda->variant_count; ++i) {
    most = most_shared(&cuda->variants[i].train, kernel, most);
    most = most_shared(&cuda->variants[i].eval, kernel, most);
    most = most_shared(&cuda->variants[i].forward, kernel, most);
  }
  if (most <= DEFAULT_SHARED)
    return HS_OK;
  return hs_cuda_check(&device->driver,
                       device->driver.cuFuncSetAttribute(device->functions[kernel],
                                                         HS_CU_FUNCTION_MAX_DYNAMIC_SHARED, (int)most),
                       "get the shared memory that a kernel needs", error);
}

hs_status hs_cuda_load_kernels(hs_cuda_device *device, const hs_error *error) {
  const hs_cuda_model *cuda = device->model->cuda;
  hs_status status = load_module(device, error);
  for (int32_t i = 0; i < cuda->kernel_count && !status; ++i) {
    status = hs_cuda_check(
        &device->driver,
        device->driver.cuModuleGetFunction(&device->functions[i], device->module, cuda->kernels[i].name),
        "find a kernel of this library", error);
    if (!status)
      status = allow_shared(device, i, error);
  }
  return status;
}
