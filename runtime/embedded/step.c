/* Training, evaluation and forward steps: what surrounds the generated step function. */
#include "convert.h"
#include "instance.h"

#include <math.h>
#include <string.h>

/* Elements of one sample, or of the whole tensor when it has no batch extent. */
static int64_t sample_count(const hs_tensor_desc *tensor) {
  int64_t count = 1;
  for (int32_t i = tensor->batched ? 1 : 0; i < tensor->rank; ++i)
    count *= tensor->shape[i];
  return count;
}

static int64_t element_count(const hs_tensor_desc *tensor, int64_t batch) {
  return sample_count(tensor) * (tensor->batched ? batch : 1);
}

static int64_t load_class(int32_t dtype, const void *data, int64_t i) {
  switch (dtype) {
  case HS_I64:
    return ((const int64_t *)data)[i];
  case HS_I32:
    return ((const int32_t *)data)[i];
  default:
    return ((const uint8_t *)data)[i];
  }
}

static hs_status check_classes(const hs_instance *instance, const hs_tensor_desc *tensor, const void *data) {
  int64_t count = element_count(tensor, instance->variant->batch), a_sample = sample_count(tensor);
  for (int64_t i = 0; i < count; ++i) {
    int64_t id = load_class(tensor->dtype, data, i);
    if ((id < 0 || id >= tensor->classes) && !(tensor->has_ignore && id == tensor->ignore))
      return hs_fail(&instance->error, HS_ERROR_INPUT, "id %lld in sample %lld of '%s' is outside [0, %lld)",
                     (long long)id, (long long)(i / a_sample), tensor->name, (long long)tensor->classes);
  }
  return HS_OK;
}

/* Everything that a kernel would otherwise meet as a wild address. */
static hs_status check_tensors(const hs_instance *instance, const hs_tensor_desc *tensors, int32_t count,
                               const void *const *data) {
  if (count && !data)
    return hs_fail(&instance->error, HS_ERROR_USAGE, "the array of pointers for '%s' is NULL",
                   tensors[0].name);
  for (int32_t i = 0; i < count; ++i) {
    if (!data[i])
      return hs_fail(&instance->error, HS_ERROR_USAGE, "the data of '%s' is NULL", tensors[i].name);
    hs_status status = tensors[i].classes ? check_classes(instance, &tensors[i], data[i]) : HS_OK;
    if (status)
      return status;
  }
  return HS_OK;
}

static void run(const hs_instance *instance, hs_step_fn step, const void *const *inputs,
                const void *const *targets) {
  const hs_model *model = instance->model;
  hs_scalars *scalars = hs_instance_scalars(instance);
  scalars->lr = instance->lr;
  scalars->loss_scale = instance->scaler.scale;
  scalars->inv_scale = hs_scaler_inverse(instance->scaler.scale);
  scalars->found_inf = 0;
  scalars->grad_sqnorm = 0;
  scalars->loss = 0;
  scalars->update = (double)instance->updates + 1;
  scalars->seed = instance->seed;
  scalars->step = instance->step;
  scalars->clip_norm = model->clip_norm;
  scalars->guard = instance->on_nonfinite != HS_NONFINITE_IGNORE;
  scalars->first = instance->accumulated == 0;

  hs_step_args args = {instance->arena,
                       inputs,
                       targets,
                       instance->parallel_for,
                       instance->parallel_user,
                       instance->primitives[instance->variant - model->variants]};
  step(&args);
}

static hs_status missing(const hs_instance *instance, const char *what) {
  return hs_fail(&instance->error, HS_ERROR_UNSUPPORTED, "this library was compiled without a %s step", what);
}

/* Moves a dynamic scale; returns it as it would be without a minimum. */
static float move_scale(hs_instance *instance, int found) {
  int falls = found && instance->hysteresis_left <= 1;
  float shrunk = hs_scaler_shrunk(&instance->scaler_config, &instance->scaler);
  hs_scaler_rule_update(&instance->scaler_config, &instance->scaler, &instance->hysteresis_left, found);
  return falls ? shrunk : instance->scaler.scale;
}

/* What the gradients and the loss of an update are divided by: they are sums when they come from several
 * batches. */
static double weight_of(const hs_instance *instance, const hs_scalars *scalars) {
  return instance->model->accumulates ? scalars->weight_sum : 1;
}

static void report(const hs_instance *instance, const hs_scalars *scalars, int has_norm, int skipped,
                   float next_scale, hs_step_result *result) {
  double weight = weight_of(instance, scalars);
  hs_step_result full = HS_STEP_RESULT_INIT;
  full.struct_size = result->struct_size;
  full.loss = scalars->loss;
  full.grad_norm =
      has_norm ? sqrt(scalars->grad_sqnorm) / ((double)scalars->loss_scale * weight) : (double)NAN;
  full.scale = scalars->loss_scale;
  full.skipped = skipped;
  full.updates = instance->updates;
  full.next_scale = next_scale;
  memcpy(result, &full, result->struct_size < sizeof full ? result->struct_size : sizeof full);
}

/* Everything before a training step may run. */
static hs_status check_step(const hs_instance *instance, const void *const *inputs,
                            const void *const *targets, const hs_step_result *result) {
  const hs_model *model = instance->model;
  if (!instance->variant->train[instance->isa - 1])
    return missing(instance, "training");
  if (result && result->struct_size < sizeof result->struct_size)
    return hs_fail(&instance->error, HS_ERROR_USAGE, "struct_size of hs_step_result is not set");
  hs_status status = check_tensors(instance, model->inputs, model->input_count, inputs);
  return status ? status : check_tensors(instance, model->targets, model->target_count, targets);
}

/* Runs one batch; of several, the loss becomes their mean once the last one, which ends in an update, has
 * run. */
static void run_batch(hs_instance *instance, const void *const *inputs, const void *const *targets,
                      int apply) {
  hs_scalars *scalars = hs_instance_scalars(instance);
  scalars->apply = apply;
  run(instance, instance->variant->train[instance->isa - 1], inputs, targets);
  if (!instance->model->accumulates)
    return;
  instance->weighted_loss += scalars->weight * scalars->loss;
  ++instance->accumulated;
  if (!apply)
    return;
  scalars->loss = instance->weighted_loss / scalars->weight_sum;
  instance->weighted_loss = 0;
  instance->accumulated = 0;
}

hs_status hs_instance_accumulate_step(hs_instance *instance, const void *const *inputs,
                                      const void *const *targets, hs_step_result *result) {
  if (!instance)
    return HS_ERROR_USAGE;
  if (!instance->model->accumulates)
    return hs_fail(&instance->error, HS_ERROR_UNSUPPORTED,
                   "this library updates in every step; compile it with --accumulate 2 or more");
  hs_status status = check_step(instance, inputs, targets, result);
  if (status)
    return status;
  run_batch(instance, inputs, targets, 0);
  ++instance->step;
  const hs_scalars *scalars = hs_instance_scalars(instance);
  if (result)
    report(instance, scalars, 0, 0, scalars->loss_scale, result);
  return HS_OK;
}

hs_status hs_instance_train_step(hs_instance *instance, const void *const *inputs, const void *const *targets,
                                 hs_step_result *result) {
  if (!instance)
    return HS_ERROR_USAGE;
  const hs_model *model = instance->model;
  hs_status status = check_step(instance, inputs, targets, result);
  if (status)
    return status;

  run_batch(instance, inputs, targets, 1);
  const hs_scalars *scalars = hs_instance_scalars(instance);
  int found = scalars->found_inf != 0, skipped = found && scalars->guard;
  int stopped = found && instance->on_nonfinite == HS_NONFINITE_STOP;
  float next_scale = scalars->loss_scale;
  if (!skipped)
    ++instance->updates;
  if (!stopped) {
    ++instance->step;
    if (model->has_scaler)
      next_scale = move_scale(instance, found);
  }
  if (result)
    report(instance, scalars, !skipped, skipped, next_scale, result);
  if (stopped)
    return hs_fail(&instance->error, HS_ERROR_NUMERICS,
                   "step %llu: a gradient is not finite (loss %g); nothing was changed",
                   (unsigned long long)instance->step + 1, scalars->loss);
  return HS_OK;
}

static void copy_outputs(const hs_instance *instance, const int64_t *offsets, void *const *outputs) {
  const hs_model *model = instance->model;
  for (int32_t i = 0; i < model->output_count; ++i) {
    const hs_tensor_desc *output = &model->outputs[i];
    size_t bytes = (size_t)element_count(output, instance->variant->batch) * hs_dtype_bytes(output->dtype);
    if (outputs[i] && bytes)
      memcpy(outputs[i], instance->arena + offsets[i], bytes);
  }
}

hs_status hs_instance_eval_step(hs_instance *instance, const void *const *inputs, const void *const *targets,
                                void *const *outputs, double *loss) {
  if (!instance)
    return HS_ERROR_USAGE;
  const hs_model *model = instance->model;
  hs_step_fn step = instance->variant->eval[instance->isa - 1];
  if (!step)
    return missing(instance, "evaluation");
  hs_status status = check_tensors(instance, model->inputs, model->input_count, inputs);
  if (!status)
    status = check_tensors(instance, model->targets, model->target_count, targets);
  if (status)
    return status;
  run(instance, step, inputs, targets);
  if (loss)
    *loss = hs_instance_scalars(instance)->loss;
  if (outputs)
    copy_outputs(instance, instance->variant->eval_output_offset, outputs);
  return HS_OK;
}

hs_status hs_instance_forward(hs_instance *instance, const void *const *inputs, void *const *outputs) {
  if (!instance)
    return HS_ERROR_USAGE;
  const hs_model *model = instance->model;
  hs_step_fn step = instance->variant->forward[instance->isa - 1];
  if (!step)
    return missing(instance, "forward");
  hs_status status = check_tensors(instance, model->inputs, model->input_count, inputs);
  if (status)
    return status;
  if (model->output_count && !outputs)
    return hs_fail(&instance->error, HS_ERROR_USAGE, "the array of output pointers is NULL");
  for (int32_t i = 0; i < model->output_count; ++i)
    if (!outputs[i])
      return hs_fail(&instance->error, HS_ERROR_USAGE, "the buffer for '%s' is NULL", model->outputs[i].name);
  run(instance, step, inputs, NULL);
  copy_outputs(instance, instance->variant->forward_output_offset, outputs);
  return HS_OK;
}
