/* Types shared by the runtime and every generated library.
 *
 * Conventions
 *  1. Handles are opaque. Whoever calls *_create owns the handle and ends it with *_destroy.
 *  2. Every call returns an hs_status; HS_OK is 0. Nothing prints, exits, aborts or installs handlers.
 *  3. A handle is used by one thread at a time; different handles may be used at once.
 *  4. Pointers passed in are borrowed for the call only. Strings are UTF-8 and end in NUL.
 *  5. Sizes ending in _bytes are bytes; all others count elements.
 *  6. A struct that begins with struct_size is filled by its HS_*_INIT macro; fields may be appended later.
 *
 * Does not support: changing a model's shapes after it was compiled (other than between its compiled
 * batch sizes), several threads on one handle, big-endian machines.
 *
 * The text of this file is part of every generated header, so it includes nothing of the project.
 */
#ifndef HALFSTEP_TYPES_H
#define HALFSTEP_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hs_status {
  HS_OK = 0,
  HS_ERROR_INTERNAL = 1,
  HS_ERROR_USAGE = 2,       /* a null pointer, a wrong size, an unknown option */
  HS_ERROR_INPUT = 3,       /* data or a file with wrong contents */
  HS_ERROR_UNSUPPORTED = 4, /* a batch size or operation that was not compiled in */
  HS_ERROR_NUMERICS = 5,    /* non-finite gradients where the mode has no scaler */
  HS_ERROR_IO = 6,
  HS_ERROR_CHECKPOINT = 7, /* a checkpoint of another model or with a wrong checksum */
  HS_ERROR_ISA =
      8, /* this machine lacks what the library was compiled for: CPU level, libdnnl, CUDA device */
  HS_ERROR_MEMORY = 9
} hs_status;

typedef enum hs_dtype {
  HS_F32 = 0,
  HS_F64 = 1,
  HS_F16 = 2,
  HS_BF16 = 3,
  HS_I64 = 4,
  HS_I32 = 5,
  HS_U8 = 6
} hs_dtype;

/* Runs body(arg, lo, hi, worker) over disjoint ranges that cover [0, n), each at least grain long unless
 * it is the last, and returns when all are done. worker is in [0, threads) and no two bodies that run at
 * once share it. */
typedef void (*hs_range_fn)(void *arg, int64_t lo, int64_t hi, int32_t worker);
typedef void (*hs_parallel_for_fn)(void *user, hs_range_fn body, void *arg, int64_t n, int64_t grain);

/* allocate returns memory aligned to `alignment` bytes, or NULL. */
typedef struct hs_allocator {
  void *(*allocate)(void *user, size_t bytes, size_t alignment);
  void (*release)(void *user, void *memory, size_t bytes);
  void *user;
} hs_allocator;

typedef enum hs_isa { HS_ISA_AUTO = 0, HS_ISA_X86_64_V3 = 1, HS_ISA_X86_64_V4_BF16 = 2 } hs_isa;

typedef enum hs_on_nonfinite {
  HS_NONFINITE_DEFAULT = 0, /* with a scaler: skip; without: stop */
  HS_NONFINITE_STOP = 1,    /* leave everything as it was and return HS_ERROR_NUMERICS */
  HS_NONFINITE_SKIP = 2,    /* leave everything as it was and go on */
  HS_NONFINITE_IGNORE = 3   /* update all the same */
} hs_on_nonfinite;

/* Configuration of one instance. Zero in any field means its default. */
typedef struct hs_config {
  size_t struct_size;
  int32_t threads;                 /* 0: one */
  int32_t isa;                     /* hs_isa */
  hs_parallel_for_fn parallel_for; /* NULL: a pool of its own */
  void *parallel_user;
  const hs_allocator *allocator; /* NULL: the C library's */
  uint64_t seed;                 /* initial weights and dropout; 0: the library's */
  int32_t on_nonfinite;          /* hs_on_nonfinite */
  char *error; /* error_bytes of the caller's, for the message when ID_create fails, or NULL */
  size_t error_bytes;
  int32_t device; /* index of the CUDA device that a library for CUDA uses */
} hs_config;
#define HS_CONFIG_INIT {sizeof(hs_config), 0, 0, NULL, NULL, NULL, 0, 0, NULL, 0, 0}

typedef struct hs_step_result {
  size_t struct_size;
  double loss;      /* unscaled, mean over the batch */
  double grad_norm; /* unscaled, before clipping; NaN when the step was skipped */
  float scale;      /* loss scale used in this step, 1 without a scaler */
  int32_t skipped;  /* 1: non-finite gradients, nothing was changed */
  int64_t updates;  /* updates applied so far, this step included */
  float next_scale; /* that of the next step, as if a dynamic scale had no minimum to be held at */
} hs_step_result;
#define HS_STEP_RESULT_INIT {sizeof(hs_step_result), 0, 0, 0, 0, 0, 0}

typedef enum hs_param_kind { HS_PARAMETER = 0, HS_BUFFER = 1 } hs_param_kind;

typedef struct hs_param_info {
  size_t struct_size;
  const char *name; /* owned by the library */
  int32_t dtype;    /* hs_dtype */
  int32_t rank;
  const int64_t *shape; /* rank extents, owned by the library */
  int64_t count;        /* elements */
  int32_t kind;         /* hs_param_kind */
} hs_param_info;
#define HS_PARAM_INFO_INIT {sizeof(hs_param_info), NULL, 0, 0, NULL, 0, 0}

/* The two numbers that torch.amp.GradScaler carries from step to step. Hysteresis has one more, which is not
 * here. */
typedef struct hs_scaler_state {
  float scale;
  int32_t growth_tracker;
} hs_scaler_state;

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_TYPES_H */
