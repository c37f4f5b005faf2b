/* What generated code and the runtime parts inside a generated library agree on.
 *
 * codegen/library/ writes an hs_model as a constant; runtime/embedded/ reads it. The compiler finds the
 * fields of hs_scalars and hs_step_args by offset: a change here is a change of HS_ABI and of
 * codegen/library/Contract.h, which static_asserts the offsets.
 *
 * An instance is one arena:
 *   [hs_scalars | state: parameters, copies, optimizer slots, buffers | work: activations, gradients |
 * scratch a worker]
 */
#ifndef HALFSTEP_EMBEDDED_CONTRACT_H
#define HALFSTEP_EMBEDDED_CONTRACT_H

#include "halfstep/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { HS_ABI = 3, HS_SCALARS_BYTES = 256, HS_ALIGNMENT = 64, HS_MAX_SLOTS = 3, HS_ISA_LEVELS = 2 };

/* At offset 0 of the arena. Kernels get pointers to single fields. */
typedef struct hs_scalars {
  float lr;           /*  0 learning rate of this step */
  float loss_scale;   /*  4 seed of the backward pass */
  float inv_scale;    /*  8 f32(1 / f64(loss_scale)) */
  int32_t found_inf;  /* 12 out: 1 when a gradient is not finite */
  double grad_sqnorm; /* 16 out: sum of squares of the gradients, still scaled */
  double loss;        /* 24 out: unscaled */
  double update;      /* 32 updates applied so far + 1: Adam's t */
  uint64_t seed;      /* 40 */
  uint64_t step;      /* 48 attempts so far, from 0: dropout's counter */
  float clip_norm;    /* 56 largest gradient norm, 0 for no clipping */
  int32_t guard;      /* 60 1: found_inf leaves the state untouched; 0: update all the same */
  /* Of a model that sums gradients over batches: */
  double weight;     /* 64 out: what this batch counts */
  double weight_sum; /* 72 in, out: of the batches since the last update */
  int32_t first;     /* 80 1: the first batch since the last update, or attempt */
  int32_t apply;     /* 84 1: this step ends in an update */
} hs_scalars;

typedef struct hs_step_args {
  char *arena;                     /*  0 aligned to HS_ALIGNMENT */
  const void *const *inputs;       /*  8 model inputs, in the order of hs_model.inputs */
  const void *const *targets;      /* 16 targets, in the order of hs_model.targets */
  hs_parallel_for_fn parallel_for; /* 24 NULL: run everything on the calling thread */
  void *parallel_user;             /* 32 */
  void *primitives;                /* 40 oneDNN primitives of this variant, or NULL */
} hs_step_args;

typedef void (*hs_step_fn)(const hs_step_args *args);

typedef struct hs_tensor_desc {
  const char *name;
  int32_t dtype; /* hs_dtype */
  int32_t rank;
  const int64_t *shape; /* without the batch extent's value: shape[0] is the variant's batch when batched */
  int64_t classes;      /* ids of classes or of an embedding's rows must be in [0, classes); 0: not ids */
  int32_t batched;      /* 1: the first extent is the batch */
  int32_t has_ignore;   /* 1: ids may also be `ignore` */
  int64_t ignore;
} hs_tensor_desc;

typedef enum hs_init_kind {
  HS_INIT_CONSTANT = 0, /* a */
  HS_INIT_UNIFORM = 1,  /* [a, b) */
  HS_INIT_NORMAL = 2,   /* mean a, standard deviation b */
  HS_INIT_DATA = 3      /* copied from data, in the parameter's dtype */
} hs_init_kind;

typedef struct hs_param_desc {
  hs_param_info info;
  int64_t offset;      /* of the master, or the only values, in the arena; -1 when they are split */
  int64_t copy_offset; /* working copy in the mode's low type, -1 for none */
  int64_t
      low_offset; /* the low halves of split values, whose high ones are the working copy; -1: not split */
  int32_t copy_dtype;
  int64_t slot_offset[HS_MAX_SLOTS]; /* optimizer state in slot_dtype, -1 for none */
  int32_t slot_dtype;
  int32_t init; /* hs_init_kind */
  double init_a, init_b;
  const void *init_data;
} hs_param_desc;

/* One compiled batch size. Entries of an ISA level that was not compiled are NULL. Index: hs_isa - 1. */
typedef struct hs_variant_desc {
  int64_t batch;
  hs_step_fn train[HS_ISA_LEVELS];
  hs_step_fn eval[HS_ISA_LEVELS];    /* leaves the loss in hs_scalars.loss and outputs at output_offset */
  hs_step_fn forward[HS_ISA_LEVELS]; /* leaves outputs at output_offset */
  const int64_t *eval_output_offset; /* per output, in the arena */
  const int64_t *forward_output_offset;
  int32_t primitive_count;
  const struct hs_primitive_desc *primitives;
} hs_variant_desc;

/* How an instance makes the primitives of a variant. Only a library that has primitives refers to the table
 * below, so the others do not link embedded/onednn.c. */
typedef struct hs_primitive_ops {
  /* *out is what hs_step_args.primitives becomes; threads bounds the workers of parallel_for. On failure
   * error (error_bytes long, or NULL) holds a message. */
  hs_status (*create)(const hs_variant_desc *variant, int32_t threads, void **out, char *error,
                      size_t error_bytes);
  void (*destroy)(void *primitives);
} hs_primitive_ops;
extern const hs_primitive_ops hs_onednn_primitive_ops;

typedef struct hs_model {
  int32_t abi; /* HS_ABI */
  const char *name;
  const char *precision;     /* as in the manifest: "bf16-mixed" */
  const char *recipe_sha256; /* 64 hex digits */
  int64_t state_bytes;       /* of the arena's head: scalars and state */
  int64_t arena_bytes;       /* without scratch */
  int64_t scratch_bytes;     /* a worker; a multiple of HS_ALIGNMENT */
  int32_t param_count;
  const hs_param_desc *params;
  const char *slot_name[HS_MAX_SLOTS]; /* "momentum_buffer"; "exp_avg", "exp_avg_sq"; NULL for none */
  int32_t input_count, target_count, output_count;
  const hs_tensor_desc *inputs, *targets, *outputs;
  int32_t variant_count;
  const hs_variant_desc *variants; /* the first is the default batch */
  float lr;                        /* until ID_set_lr is called */
  float clip_norm;                 /* 0 for no clipping */
  int32_t has_scaler;              /* 1: dynamic loss scale */
  float loss_scale;                /* initial, or static; 1 without scaling */
  double growth, backoff;
  int32_t growth_interval;
  uint64_t seed;                         /* of the initial values and dropout, unless hs_config has one */
  const hs_primitive_ops *primitive_ops; /* &hs_onednn_primitive_ops, or NULL without primitives */
  float scale_min, scale_max;            /* bounds of a dynamic loss scale; 0 for none */
  int32_t hysteresis;                    /* overflows before the loss scale falls; 0 and 1: at the first */
  int32_t hysteresis_refill;             /* what fills that count again. 0: growth; 1: any step without one */
  int32_t accumulates;                   /* 1: steps sum gradients, and update only when told */
  double slot_init[HS_MAX_SLOTS];        /* what a slot holds at first */
} hs_model;

/* A contraction that oneDNN runs: C[batch] = A[batch] * B[batch] (+ bias), or a convolution.
 * Strides and extents in elements. */
typedef enum hs_primitive_kind {
  HS_PRIMITIVE_MATMUL = 0,
  HS_PRIMITIVE_CONV_FORWARD = 1,
  HS_PRIMITIVE_CONV_BACKWARD_DATA = 2,
  HS_PRIMITIVE_CONV_BACKWARD_WEIGHTS = 3
} hs_primitive_kind;

typedef struct hs_primitive_desc {
  int32_t kind;
  int32_t dtype; /* of all operands; accumulation is f32 */
  int32_t has_bias;
  /* matmul: {batch, m, n, k}; convolution: {n, c, h, w, o, oh, ow, kh, kw} */
  int64_t extent[9];
  /* matmul: {a_batch, a_row, a_col, b_batch, b_row, b_col} ; convolution: {stride_h, stride_w, pad_top,
     pad_left, pad_bottom, pad_right, dilation_h, dilation_w, groups} */
  int64_t layout[9];
} hs_primitive_desc;

/* Runs primitive `index` for the step: operands in the order
 * matmul: a, b, bias or NULL, c; conv forward: x, w, bias or NULL, y; backward data: dy, w, NULL, dx;
 * backward weights: x, dy, NULL, dw. Defined in embedded/onednn.c, called from generated code. */
void hs_primitive_run(const hs_step_args *args, int32_t index, const void *a, const void *b, const void *bias,
                      void *out);

/* The API thunks of a generated library (ID_create and so on) call these with the library's model. */
typedef struct hs_instance hs_instance;
hs_status hs_instance_create(const hs_model *model, const hs_config *config, hs_instance **out);
void hs_instance_destroy(hs_instance *instance);
hs_status hs_instance_train_step(hs_instance *instance, const void *const *inputs, const void *const *targets,
                                 hs_step_result *result);
hs_status hs_instance_accumulate_step(hs_instance *instance, const void *const *inputs,
                                      const void *const *targets, hs_step_result *result);
hs_status hs_instance_eval_step(hs_instance *instance, const void *const *inputs, const void *const *targets,
                                void *const *outputs, double *loss);
hs_status hs_instance_forward(hs_instance *instance, const void *const *inputs, void *const *outputs);
hs_status hs_instance_set_batch(hs_instance *instance, int64_t batch);
hs_status hs_instance_param_count(const hs_instance *instance, int32_t *count);
hs_status hs_instance_param_info(const hs_instance *instance, int32_t index, hs_param_info *info);
hs_status hs_instance_param_get(const hs_instance *instance, int32_t index, void *out, size_t bytes);
hs_status hs_instance_param_set(hs_instance *instance, int32_t index, const void *in, size_t bytes);
hs_status hs_instance_scaler_get(const hs_instance *instance, hs_scaler_state *state);
hs_status hs_instance_scaler_set(hs_instance *instance, const hs_scaler_state *state);
hs_status hs_instance_set_lr(hs_instance *instance, float lr);
hs_status hs_instance_save(const hs_instance *instance, const char *path, const char *metadata);
hs_status hs_instance_load(hs_instance *instance, const char *path);
const char *hs_instance_last_error(const hs_instance *instance);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_CONTRACT_H */
