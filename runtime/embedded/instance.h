/* An instance of a generated library, as the parts of the embedded runtime see it. */
#ifndef HALFSTEP_EMBEDDED_INSTANCE_H
#define HALFSTEP_EMBEDDED_INSTANCE_H

#include "contract.h"
#include "error.h"
#include "pool.h"
#include "scaler_rule.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { HS_MAX_THREADS = 1024, HS_ERROR_BYTES = 512 };

struct hs_instance {
  const hs_model *model;
  hs_allocator allocator;
  char *arena;
  int32_t isa;                     /* hs_isa, resolved */
  int32_t threads;                 /* at least 1 */
  int32_t on_nonfinite;            /* hs_on_nonfinite, resolved */
  hs_pool *pool;                   /* NULL with one thread or the caller's parallel_for */
  hs_parallel_for_fn parallel_for; /* NULL with one thread */
  void *parallel_user;
  const hs_variant_desc *variant; /* of the current batch size */
  void **primitives;              /* a variant */
  float lr;
  hs_scaler_config scaler_config;
  hs_scaler_state scaler;
  int32_t hysteresis_left; /* overflows until the scale falls, at least 1 */
  int64_t updates;         /* applied */
  uint64_t step;           /* attempts, and batches that were only accumulated */
  int64_t accumulated;     /* batches since the last update or attempt */
  double weighted_loss;    /* sum of their losses by weight */
  uint64_t seed;
  hs_error error; /* of the last call that failed; its text lies outside, so that const calls can write it */
};

/* Bytes of the instance's allocations. */
size_t hs_instance_block_bytes(const hs_model *model);
size_t hs_instance_arena_bytes(const hs_model *model, int32_t threads);

/* The default allocator: aligned, with huge pages where they help. */
extern const hs_allocator hs_default_allocator;

static inline hs_scalars *hs_instance_scalars(const hs_instance *instance) {
  return (hs_scalars *)(void *)instance->arena;
}

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_INSTANCE_H */
