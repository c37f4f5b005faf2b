/* An instance's arena on a CUDA device: see hs_device_ops in contract.h. */
#include "cuda_device.h"
#include "instance.h"

#include <string.h>

enum { LEAST_STAGING = 1 << 20 /* bytes; the state goes through it in pieces */ };

/* Programs may use CUDA themselves: each call leaves the context that was current before. */
static hs_cu_context enter(hs_cuda_device *device) {
  hs_cu_context before = NULL;
  device->driver.cuCtxGetCurrent(&before);
  device->driver.cuCtxSetCurrent(device->context);
  return before;
}

static void leave(hs_cuda_device *device, hs_cu_context before) { device->driver.cuCtxSetCurrent(before); }

static size_t block_bytes(const hs_model *model) {
  return sizeof(hs_cuda_device) + (size_t)model->cuda->kernel_count * sizeof(hs_cu_function) +
         (size_t)model->cuda->variant_count * HS_CUDA_STEPS * sizeof(hs_cu_graph_exec);
}

static hs_cuda_device *allocate_device(const hs_model *model, const hs_allocator *allocator) {
  char *block = allocator->allocate(allocator->user, block_bytes(model), HS_ALIGNMENT);
  if (!block)
    return NULL;
  memset(block, 0, block_bytes(model));
  hs_cuda_device *device = (hs_cuda_device *)(void *)block;
  device->functions = (hs_cu_function *)(void *)(block + sizeof *device);
  device->graphs = (hs_cu_graph_exec *)(void *)(device->functions + model->cuda->kernel_count);
  device->model = model;
  device->allocator = *allocator;
  return device;
}

static hs_status find_device(hs_cuda_device *device, int ordinal, const hs_error *error) {
  const hs_cuda_driver *driver = &device->driver;
  int count = 0, handle = 0, major = 0, minor = 0;
  int result = driver->cuInit(0);
  if (!result)
    result = driver->cuDeviceGetCount(&count);
  if (result == HS_CU_NO_DEVICE || (!result && count == 0))
    return hs_fail(error, HS_ERROR_ISA, "this machine has no CUDA device that the driver can use");
  if (!result && ordinal >= count)
    return hs_fail(error, HS_ERROR_USAGE, "device is %d, but this machine has %d CUDA device%s", ordinal,
                   count, count == 1 ? "" : "s");
  if (!result)
    result = driver->cuDeviceGet(&handle, ordinal);
  if (!result)
    result = driver->cuDeviceGetAttribute(&major, HS_CU_ATTRIBUTE_CAPABILITY_MAJOR, handle);
  if (!result)
    result = driver->cuDeviceGetAttribute(&minor, HS_CU_ATTRIBUTE_CAPABILITY_MINOR, handle);
  device->ordinal = handle;
  device->arch = 10 * major + minor;
  if (!result)
    result = driver->cuDevicePrimaryCtxRetain(&device->context, handle);
  return hs_cuda_check(driver, result, "use the CUDA device", error);
}

static hs_status make_memory(hs_cuda_device *device, const hs_error *error) {
  const hs_cuda_driver *driver = &device->driver;
  size_t bytes = (size_t)device->model->cuda->arena_bytes;
  size_t staging = hs_cuda_staging_bytes(device->model);
  int result = driver->cuMemAlloc(&device->arena, bytes);
  if (result == HS_CU_OUT_OF_MEMORY)
    return hs_fail(error, HS_ERROR_MEMORY, "device %d has too little memory for the arena of %zu bytes",
                   device->ordinal, bytes);
  device->staging_bytes = staging > LEAST_STAGING ? staging : LEAST_STAGING;
  if (!result)
    result = driver->cuMemHostAlloc((void **)&device->staging, device->staging_bytes, 0);
  if (!result)
    result = driver->cuMemsetD8Async(device->arena, 0, bytes, device->stream);
  if (!result)
    result = driver->cuStreamSynchronize(device->stream);
  return hs_cuda_check(driver, result, "make the arena on the device", error);
}

static hs_status build(hs_cuda_device *device, const hs_error *error) {
  const hs_cuda_driver *driver = &device->driver;
  hs_status status = hs_cuda_load_kernels(device, error);
  if (status)
    return status;
  int result = driver->cuStreamCreate(&device->stream, HS_CU_STREAM_NON_BLOCKING);
  if (!result)
    result = driver->cuStreamCreate(&device->copies, HS_CU_STREAM_NON_BLOCKING);
  if (!result)
    result = driver->cuEventCreate(&device->copied, HS_CU_EVENT_DISABLE_TIMING);
  return result ? hs_cuda_check(driver, result, "make streams", error) : make_memory(device, error);
}

/* Undoes what there is of find_device and build; errors have nobody to go to. */
static void destroy(void *opaque) {
  hs_cuda_device *device = opaque;
  const hs_cuda_driver *driver = &device->driver;
  hs_allocator allocator = device->allocator;
  if (device->context) {
    hs_cu_context before = enter(device);
    for (int32_t i = 0; i < device->model->cuda->variant_count * HS_CUDA_STEPS; ++i)
      if (device->graphs[i])
        driver->cuGraphExecDestroy(device->graphs[i]);
    if (device->copied)
      driver->cuEventDestroy(device->copied);
    if (device->copies)
      driver->cuStreamDestroy(device->copies);
    if (device->stream)
      driver->cuStreamDestroy(device->stream);
    if (device->arena)
      driver->cuMemFree(device->arena);
    if (device->staging)
      driver->cuMemFreeHost(device->staging);
    if (device->module)
      driver->cuModuleUnload(device->module);
    leave(device, before);
    driver->cuDevicePrimaryCtxRelease(device->ordinal);
  }
  allocator.release(allocator.user, device, block_bytes(device->model));
}

static hs_status create(const hs_model *model, const hs_config *config, void **out, char *text,
                        size_t text_bytes) {
  hs_error error = {text, text_bytes};
  hs_cuda_device *device =
      allocate_device(model, config->allocator ? config->allocator : &hs_default_allocator);
  if (!device)
    return hs_fail(&error, HS_ERROR_MEMORY, "cannot allocate the host's part of a CUDA device");
  hs_status status = hs_cuda_open(&device->driver, &error);
  if (!status)
    status = find_device(device, config->device, &error);
  if (!status) {
    hs_cu_context before = enter(device);
    status = build(device, &error);
    leave(device, before);
  }
  if (status)
    destroy(device);
  else
    *out = device;
  return status;
}

static hs_status step(void *opaque, int32_t kind, int32_t variant, const void *const *inputs,
                      const void *const *targets, void *const *outputs, hs_scalars *scalars, char *text,
                      size_t text_bytes) {
  hs_cuda_device *device = opaque;
  hs_error error = {text, text_bytes};
  hs_cu_context before = enter(device);
  hs_status status = hs_cuda_run_step(device, kind, variant, inputs, targets, outputs, scalars, &error);
  leave(device, before);
  return status;
}

/* Between the arena and `host`, which is written when `to_device` is 0. */
static hs_status copy(hs_cuda_device *device, int64_t offset, char *host, size_t bytes, int to_device,
                      const hs_error *error) {
  const hs_cuda_driver *driver = &device->driver;
  int result = HS_CU_SUCCESS;
  for (size_t done = 0, piece; done < bytes && !result; done += piece) {
    hs_cu_pointer place = device->arena + (uint64_t)offset + done;
    piece = bytes - done < device->staging_bytes ? bytes - done : device->staging_bytes;
    if (to_device)
      memcpy(device->staging, host + done, piece);
    result = to_device ? driver->cuMemcpyHtoDAsync(place, device->staging, piece, device->stream)
                       : driver->cuMemcpyDtoHAsync(device->staging, place, piece, device->stream);
    if (!result)
      result = driver->cuStreamSynchronize(device->stream);
    if (!result && !to_device)
      memcpy(host + done, device->staging, piece);
  }
  return hs_cuda_check(driver, result, "copy the state of the instance", error);
}

static hs_status read(void *opaque, int64_t offset, void *out, size_t bytes, char *text, size_t text_bytes) {
  hs_cuda_device *device = opaque;
  hs_error error = {text, text_bytes};
  hs_cu_context before = enter(device);
  hs_status status = copy(device, offset, out, bytes, /*to_device=*/0, &error);
  leave(device, before);
  return status;
}

static hs_status write(void *opaque, int64_t offset, const void *in, size_t bytes, char *text,
                       size_t text_bytes) {
  hs_cuda_device *device = opaque;
  hs_error error = {text, text_bytes};
  hs_cu_context before = enter(device);
  hs_status status = copy(device, offset, (char *)(uintptr_t)in, bytes, /*to_device=*/1, &error);
  leave(device, before);
  return status;
}

const hs_device_ops hs_cuda_device_ops = {create, destroy, step, read, write};
