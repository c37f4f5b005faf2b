/* See FakeModel.h. */
#include "FakeModel.h"

#include "runtime/embedded/convert.h"

#include <math.h>

/* Offsets in the arena. */
enum {
  WEIGHT = 256,
  COPY = WEIGHT + 64,
  MOMENTUM = COPY + 64,
  BIAS = MOMENTUM + 64,
  BIAS_MOMENTUM = BIAS + 64,
  STEPS = BIAS_MOMENTUM + 64,
  STATE_END = STEPS + 64,
  OUTPUT = STATE_END,
  ARENA_END = OUTPUT + 64,
  SCRATCH = 64,
  WEIGHTS = FAKE_IN * FAKE_OUT
};

static float *floats(const hs_step_args *args, int offset) { return (float *)(void *)(args->arena + offset); }

static hs_scalars *scalars(const hs_step_args *args) { return (hs_scalars *)(void *)args->arena; }

static void forward(const hs_step_args *args, int64_t batch) {
  const float *x = args->inputs[0], *bias = floats(args, BIAS);
  const uint16_t *weight = (const uint16_t *)(const void *)(args->arena + COPY);
  float *out = floats(args, OUTPUT);
  for (int64_t n = 0; n < batch; ++n)
    for (int o = 0; o < FAKE_OUT; ++o) {
      float sum = bias[o];
      for (int i = 0; i < FAKE_IN; ++i)
        sum += hs_f32_from_bf16(weight[o * FAKE_IN + i]) * x[n * FAKE_IN + i];
      out[n * FAKE_OUT + o] = sum;
    }
}

static void loss(const hs_step_args *args, int64_t batch) {
  const float *y = args->targets[0], *out = floats(args, OUTPUT);
  double sum = 0;
  for (int64_t i = 0; i < batch * FAKE_OUT; ++i)
    sum += 0.5 * (out[i] - y[i]) * (out[i] - y[i]);
  scalars(args)->loss = sum / (double)batch;
}

/* Scaled gradients of the weight and, behind it, the bias. */
static void gradients(const hs_step_args *args, int64_t batch, float *gradient) {
  const float *x = args->inputs[0], *y = args->targets[0], *out = floats(args, OUTPUT);
  for (int k = 0; k < WEIGHTS + FAKE_OUT; ++k)
    gradient[k] = 0;
  for (int64_t n = 0; n < batch; ++n)
    for (int o = 0; o < FAKE_OUT; ++o) {
      float delta = (out[n * FAKE_OUT + o] - y[n * FAKE_OUT + o]) / (float)batch * scalars(args)->loss_scale;
      for (int i = 0; i < FAKE_IN; ++i)
        gradient[o * FAKE_IN + i] += delta * x[n * FAKE_IN + i];
      gradient[WEIGHTS + o] += delta;
    }
  for (int k = 0; k < WEIGHTS + FAKE_OUT; ++k) {
    scalars(args)->found_inf |= !isfinite(gradient[k]);
    scalars(args)->grad_sqnorm += (double)gradient[k] * gradient[k];
  }
}

static void update(const hs_step_args *args, int values, int momentum, int count, const float *gradient) {
  for (int i = 0; i < count; ++i) {
    float *m = floats(args, momentum) + i;
    *m = 0.5f * *m + gradient[i] * scalars(args)->inv_scale;
    floats(args, values)[i] -= scalars(args)->lr * *m;
  }
}

static void train(const hs_step_args *args, int64_t batch) {
  float gradient[WEIGHTS + FAKE_OUT];
  forward(args, batch);
  loss(args, batch);
  gradients(args, batch, gradient);
  if (scalars(args)->found_inf && scalars(args)->guard)
    return;
  update(args, WEIGHT, MOMENTUM, WEIGHTS, gradient);
  update(args, BIAS, BIAS_MOMENTUM, FAKE_OUT, gradient + WEIGHTS);
  hs_convert(HS_BF16, args->arena + COPY, HS_F32, args->arena + WEIGHT, WEIGHTS);
  ++*(int64_t *)(void *)(args->arena + STEPS);
}

static void train_4(const hs_step_args *args) { train(args, FAKE_BATCH); }
static void train_2(const hs_step_args *args) { train(args, FAKE_SMALL_BATCH); }
static void eval_4(const hs_step_args *args) { forward(args, FAKE_BATCH), loss(args, FAKE_BATCH); }
static void eval_2(const hs_step_args *args) {
  forward(args, FAKE_SMALL_BATCH), loss(args, FAKE_SMALL_BATCH);
}
static void forward_4(const hs_step_args *args) { forward(args, FAKE_BATCH); }

static const int64_t weight_shape[] = {FAKE_OUT, FAKE_IN}, bias_shape[] = {FAKE_OUT};
static const int64_t x_shape[] = {FAKE_BATCH, FAKE_IN}, y_shape[] = {FAKE_BATCH, FAKE_OUT},
                     id_shape[] = {FAKE_BATCH};
static const int64_t output_offset[] = {OUTPUT};
static const float bias_values[] = {0.25f, -0.5f};

static const hs_param_desc params[FAKE_PARAMS] = {
    {{sizeof(hs_param_info), "fc.\"w\"", HS_F32, 2, weight_shape, WEIGHTS, HS_PARAMETER},
     WEIGHT,
     COPY,
     -1,
     HS_BF16,
     {MOMENTUM, -1},
     HS_F32,
     HS_INIT_UNIFORM,
     -0.5,
     0.5,
     NULL},
    {{sizeof(hs_param_info), "fc.bias", HS_F32, 1, bias_shape, FAKE_OUT, HS_PARAMETER},
     BIAS,
     -1,
     -1,
     HS_F32,
     {BIAS_MOMENTUM, -1},
     HS_F32,
     HS_INIT_DATA,
     0,
     0,
     bias_values},
    {{sizeof(hs_param_info), "count", HS_I64, 0, NULL, 1, HS_BUFFER},
     STEPS,
     -1,
     -1,
     HS_F32,
     {-1, -1},
     HS_F32,
     HS_INIT_CONSTANT,
     7,
     0,
     NULL},
};
static const hs_tensor_desc inputs[] = {{"x", HS_F32, 2, x_shape, 0, 1}};
static const hs_tensor_desc targets[] = {{"y", HS_F32, 2, y_shape, 0, 1},
                                         {"id", HS_I64, 1, id_shape, FAKE_CLASSES, 1}};
static const hs_tensor_desc outputs[] = {{"out", HS_F32, 2, y_shape, 0, 1}};
static const hs_variant_desc variants[] = {
    {FAKE_BATCH, {train_4, NULL}, {eval_4, NULL}, {forward_4, NULL}, output_offset, output_offset, 0, NULL},
    {FAKE_SMALL_BATCH, {train_2, NULL}, {eval_2, NULL}, {NULL, NULL}, output_offset, output_offset, 0, NULL},
};

#define FAKE_MODEL(has_scaler, scale)                                                                        \
  {HS_ABI,                                                                                                   \
   "fake",                                                                                                   \
   "bf16-mixed",                                                                                             \
   "00000000000000000000000000000000000000000000000000000000deadbeef",                                       \
   STATE_END,                                                                                                \
   ARENA_END,                                                                                                \
   SCRATCH,                                                                                                  \
   FAKE_PARAMS,                                                                                              \
   params,                                                                                                   \
   {"momentum_buffer", NULL},                                                                                \
   1,                                                                                                        \
   2,                                                                                                        \
   1,                                                                                                        \
   inputs,                                                                                                   \
   targets,                                                                                                  \
   outputs,                                                                                                  \
   2,                                                                                                        \
   variants,                                                                                                 \
   0.1f,                                                                                                     \
   0,                                                                                                        \
   has_scaler,                                                                                               \
   scale,                                                                                                    \
   2,                                                                                                        \
   0.5f,                                                                                                     \
   3,                                                                                                        \
   0,                                                                                                        \
   NULL,                                                                                                     \
   0,                                                                                                        \
   0,                                                                                                        \
   0,                                                                                                        \
   0}

const hs_model fake_model = FAKE_MODEL(0, 1);
const hs_model fake_scaled_model = FAKE_MODEL(1, 1024);
