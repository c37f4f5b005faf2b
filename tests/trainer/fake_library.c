/* A generated library by hand, for the tests of the trainer: 3 features, 3 classes, logits = x W^T + b, and
 * the squared error against the one-hot classes (linear regression), by gradient descent. Batches of 4 and
 * of 2. */
#include "runtime/embedded/contract.h"

#include <math.h>
#include <string.h>

enum { FEATURES = 3, CLASSES = 3, BATCH = 4, SHORT_BATCH = 2 };
enum { WEIGHT = HS_SCALARS_BYTES, BIAS = WEIGHT + 64, STATE = BIAS + 64, LOGITS = STATE, ARENA = STATE + 64 };

static double forward(const hs_step_args *args, int batch) {
  const float *x = args->inputs[0];
  const float *weight = (const float *)(args->arena + WEIGHT), *bias = (const float *)(args->arena + BIAS);
  const int64_t *y = args->targets ? args->targets[0] : NULL;
  float *logits = (float *)(args->arena + LOGITS);
  double loss = 0;
  for (int i = 0; i < batch; ++i)
    for (int c = 0; c < CLASSES; ++c) {
      float sum = bias[c];
      for (int f = 0; f < FEATURES; ++f)
        sum += x[i * FEATURES + f] * weight[c * FEATURES + f];
      logits[i * CLASSES + c] = sum;
      double error = (double)sum - (y && y[i] == c);
      loss += 0.5 * error * error / batch;
    }
  ((hs_scalars *)args->arena)->loss = loss;
  return loss;
}

static void train(const hs_step_args *args, int batch) {
  hs_scalars *scalars = (hs_scalars *)args->arena;
  const float *x = args->inputs[0], *logits = (const float *)(args->arena + LOGITS);
  const int64_t *y = args->targets[0];
  float *weight = (float *)(args->arena + WEIGHT), *bias = (float *)(args->arena + BIAS);
  float gradient[CLASSES][FEATURES + 1] = {{0}};
  forward(args, batch);
  for (int i = 0; i < batch; ++i)
    for (int c = 0; c < CLASSES; ++c) {
      float error = (logits[i * CLASSES + c] - (y[i] == c)) / (float)batch;
      for (int f = 0; f < FEATURES; ++f)
        gradient[c][f] += error * x[i * FEATURES + f];
      gradient[c][FEATURES] += error;
    }
  for (int c = 0; c < CLASSES; ++c)
    for (int f = 0; f <= FEATURES; ++f) {
      scalars->found_inf |= !isfinite(gradient[c][f]);
      scalars->grad_sqnorm += (double)gradient[c][f] * gradient[c][f];
    }
  if (scalars->found_inf && scalars->guard)
    return;
  for (int c = 0; c < CLASSES; ++c) {
    for (int f = 0; f < FEATURES; ++f)
      weight[c * FEATURES + f] -= scalars->lr * gradient[c][f];
    bias[c] -= scalars->lr * gradient[c][FEATURES];
  }
}

static void train_full(const hs_step_args *args) { train(args, BATCH); }
static void train_short(const hs_step_args *args) { train(args, SHORT_BATCH); }
static void forward_full(const hs_step_args *args) { forward(args, BATCH); }
static void forward_short(const hs_step_args *args) { forward(args, SHORT_BATCH); }

static const int64_t weight_shape[] = {CLASSES, FEATURES}, bias_shape[] = {CLASSES};
static const int64_t x_shape[] = {BATCH, FEATURES}, y_shape[] = {BATCH}, logits_shape[] = {BATCH, CLASSES};
static const int64_t output_offset[] = {LOGITS};

static const hs_param_desc params[] = {
    {.info = {sizeof(hs_param_info), "fc.weight", HS_F32, 2, weight_shape, CLASSES * FEATURES, HS_PARAMETER},
     .offset = WEIGHT,
     .copy_offset = -1,
     .low_offset = -1,
     .slot_offset = {-1, -1, -1},
     .init = HS_INIT_UNIFORM,
     .init_a = -0.5,
     .init_b = 0.5},
    {.info = {sizeof(hs_param_info), "fc.bias", HS_F32, 1, bias_shape, CLASSES, HS_PARAMETER},
     .offset = BIAS,
     .copy_offset = -1,
     .low_offset = -1,
     .slot_offset = {-1, -1, -1},
     .init = HS_INIT_CONSTANT}};
static const hs_tensor_desc inputs[] = {{"x", HS_F32, 2, x_shape, 0, 1}};
static const hs_tensor_desc targets[] = {{"y", HS_I64, 1, y_shape, CLASSES, 1}};
static const hs_tensor_desc outputs[] = {{"logits", HS_F32, 2, logits_shape, 0, 1}};

static const hs_variant_desc variants[] = {{.batch = BATCH,
                                            .train = {train_full},
                                            .eval = {forward_full},
                                            .forward = {forward_full},
                                            .eval_output_offset = output_offset,
                                            .forward_output_offset = output_offset},
                                           {.batch = SHORT_BATCH,
                                            .train = {train_short},
                                            .eval = {forward_short},
                                            .forward = {forward_short},
                                            .eval_output_offset = output_offset,
                                            .forward_output_offset = output_offset}};

static const hs_model model = {
    .abi = HS_ABI,
    .name = "fake",
    .precision = "32-true",
    .recipe_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    .state_bytes = STATE,
    .arena_bytes = ARENA,
    .param_count = 2,
    .params = params,
    .input_count = 1,
    .target_count = 1,
    .output_count = 1,
    .inputs = inputs,
    .targets = targets,
    .outputs = outputs,
    .variant_count = 2,
    .variants = variants,
    .lr = 0.25f,
#ifdef FAKE_SCALER
    .has_scaler = 1,
    .loss_scale = 0x1p-20f,
    .growth = 2,
    .backoff = 0.5f,
    .growth_interval = 2000,
#else
    .loss_scale = 1,
#endif
};

#define API __attribute__((visibility("default")))
/* The trainer knows handles as void pointers, and UBSan compares the types of functions that are called by
 * pointer. */
typedef void fake;

API hs_status fake_create(const hs_config *c, fake **out) {
  return hs_instance_create(&model, c, (hs_instance **)out);
}
API void fake_destroy(fake *m) { hs_instance_destroy(m); }
API hs_status fake_train_step(fake *m, const void *const *x, const void *const *y, hs_step_result *r) {
  return hs_instance_train_step(m, x, y, r);
}
API hs_status fake_accumulate_step(fake *m, const void *const *x, const void *const *y, hs_step_result *r) {
  return hs_instance_accumulate_step(m, x, y, r);
}
API hs_status fake_eval_step(fake *m, const void *const *x, const void *const *y, void *const *o, double *l) {
  return hs_instance_eval_step(m, x, y, o, l);
}
API hs_status fake_forward(fake *m, const void *const *x, void *const *o) {
  return hs_instance_forward(m, x, o);
}
API hs_status fake_set_batch(fake *m, int64_t n) { return hs_instance_set_batch(m, n); }
API hs_status fake_param_count(const fake *m, int32_t *n) { return hs_instance_param_count(m, n); }
API hs_status fake_param_info(const fake *m, int32_t i, hs_param_info *p) {
  return hs_instance_param_info(m, i, p);
}
API hs_status fake_param_get(const fake *m, int32_t i, void *p, size_t n) {
  return hs_instance_param_get(m, i, p, n);
}
API hs_status fake_param_set(fake *m, int32_t i, const void *p, size_t n) {
  return hs_instance_param_set(m, i, p, n);
}
API hs_status fake_scaler_get(const fake *m, hs_scaler_state *s) { return hs_instance_scaler_get(m, s); }
API hs_status fake_scaler_set(fake *m, const hs_scaler_state *s) { return hs_instance_scaler_set(m, s); }
API hs_status fake_set_lr(fake *m, float lr) { return hs_instance_set_lr(m, lr); }
API hs_status fake_save(const fake *m, const char *path, const char *text) {
  return hs_instance_save(m, path, text);
}
API hs_status fake_load(fake *m, const char *path) { return hs_instance_load(m, path); }
API const char *fake_last_error(const fake *m) { return hs_instance_last_error(m); }
