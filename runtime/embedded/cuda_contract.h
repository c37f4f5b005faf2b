/* What the compiler and the host side of CUDA libraries agree on.
 *
 * The device has the CPU's arena: hs_scalars at its head, the same offsets of state and work. Behind it lie
 * the staging places of inputs and targets, so that each argument of a kernel is `arena + offset`; a step is
 * a list of launches, in order, that never changes and may be captured once. All of the arena is zero before
 * the first step.
 *
 * The host writes hs_scalars and the inputs and targets before a step. The launches of a training step leave
 * found_inf and grad_sqnorm in hs_scalars, and those of a training or evaluation step the loss (unscaled,
 * f64).
 */
#ifndef HALFSTEP_EMBEDDED_CUDA_CONTRACT_H
#define HALFSTEP_EMBEDDED_CUDA_CONTRACT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One form of all kernels. The host takes the cubin that runs on the device (same major number, highest minor
 * not above the device's), else the PTX. */
typedef struct hs_cuda_image {
  int32_t arch;     /* a cubin: its sm number, such as 80. 0: PTX, NUL-terminated */
  int32_t min_arch; /* PTX: the lowest sm number that takes it. A cubin: arch */
  const void *data;
  size_t bytes; /* of PTX, with the NUL */
} hs_cuda_image;

typedef struct hs_cuda_kernel {
  const char *name;
  int32_t shared_bytes; /* static and dynamic together, for reports */
  int32_t reserved;
} hs_cuda_kernel;

typedef struct hs_cuda_launch {
  int32_t kernel; /* index in hs_cuda_model.kernels */
  uint32_t grid[3], block[3];
  uint32_t shared_bytes; /* dynamic; above 48 KiB only after cuFuncSetAttribute */
  int32_t arg_count;
  const int64_t *arg_offsets; /* of each argument, a device pointer, in the arena */
} hs_cuda_launch;

typedef struct hs_cuda_step {
  int32_t launch_count;
  const hs_cuda_launch *launches;
} hs_cuda_step;

/* One compiled batch size, at the index of hs_model.variants. Offsets are bytes in the arena, one an input, a
 * target or an output; places of different variants and of different steps may overlap. */
typedef struct hs_cuda_variant {
  int64_t batch;
  hs_cuda_step train, eval, forward;
  const int64_t *input_offset;  /* of train, eval and forward alike */
  const int64_t *target_offset; /* of train and eval */
  const int64_t *eval_output_offset, *forward_output_offset;
} hs_cuda_variant;

typedef struct hs_cuda_model {
  int32_t image_count;
  const hs_cuda_image *images;
  int32_t kernel_count;
  const hs_cuda_kernel *kernels;
  int32_t variant_count;
  const hs_cuda_variant *variants;
  int64_t arena_bytes; /* staging and scratch included; the base must be aligned to 256 */
} hs_cuda_model;

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_CUDA_CONTRACT_H */
