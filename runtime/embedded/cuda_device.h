/* What the parts of the CUDA host side share: a device with the arena, the kernels and the graphs of one
 * instance. */
#ifndef HALFSTEP_EMBEDDED_CUDA_DEVICE_H
#define HALFSTEP_EMBEDDED_CUDA_DEVICE_H

#include "contract.h"
#include "cuda_driver.h"
#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  HS_CUDA_STEPS = 3 /* kinds: hs_device_step */,
  HS_CUDA_MAX_ARGUMENTS = 512 /* 4 KiB, all that a launch can have */
};

typedef struct hs_cuda_device {
  hs_cuda_driver driver;
  const hs_model *model;
  hs_allocator allocator;
  int ordinal, arch;     /* sm number */
  hs_cu_context context; /* the primary one, so that programs share it */
  hs_cu_module module;
  hs_cu_stream stream, copies; /* steps; the way of inputs to the device */
  hs_cu_event copied;          /* all inputs of the step are on their way */
  hs_cu_pointer arena;
  char *staging; /* pinned: [scalars out | scalars in | inputs, targets | outputs] */
  size_t staging_bytes;
  hs_cu_function *functions; /* a kernel of the model */
  hs_cu_graph_exec *graphs;  /* a variant and a kind of step; NULL until the first such step */
} hs_cuda_device;

/* Finds the driver's functions. HS_ERROR_ISA without a driver or with one that is too old. */
hs_status hs_cuda_open(hs_cuda_driver *driver, const hs_error *error);

/* HS_OK for a CUresult of 0, else the status that stands for it, with a message: "cannot WHAT: ...". */
hs_status hs_cuda_check(const hs_cuda_driver *driver, int result, const char *what, const hs_error *error);

/* Loads the image that runs best on the device and finds the model's kernels in it. */
hs_status hs_cuda_load_kernels(hs_cuda_device *device, const hs_error *error);

/* hs_device_ops.step, with the device's context current. */
hs_status hs_cuda_run_step(hs_cuda_device *device, int32_t step, int32_t variant, const void *const *inputs,
                           const void *const *targets, void *const *outputs, hs_scalars *scalars,
                           const hs_error *error);

/* Bytes of staging that the largest step needs. */
size_t hs_cuda_staging_bytes(const hs_model *model);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_CUDA_DEVICE_H */
