/* Making and ending instances, and access to their parameters and settings. The steps are in step.c. */
#include "instance.h"

#include "convert.h"
#include "device.h"
#include "init.h"
#include "isa.h"
#include "values.h"

#include <math.h>
#include <string.h>

enum { LARGEST_CONFIG = 4096 /* bytes; beyond that, struct_size was never set */ };

size_t hs_instance_block_bytes(const hs_model *model) {
  return sizeof(hs_instance) + (size_t)model->variant_count * sizeof(void *) + sizeof(hs_device_link) +
         HS_ERROR_BYTES;
}

size_t hs_instance_arena_bytes(const hs_model *model, int32_t threads) {
  if (model->device_ops)
    return (size_t)model->state_bytes;
  return (size_t)model->arena_bytes + (size_t)model->scratch_bytes * (size_t)threads;
}

/* Copies what the caller's hs_config has of ours. Fields that we do not know must be zero. */
static hs_status read_config(const hs_config *given, hs_config *config) {
  hs_config defaults = HS_CONFIG_INIT;
  *config = defaults;
  if (!given)
    return HS_OK;
  if (given->struct_size < sizeof given->struct_size || given->struct_size > LARGEST_CONFIG)
    return HS_ERROR_USAGE;
  memcpy(config, given, given->struct_size < sizeof *config ? given->struct_size : sizeof *config);
  hs_error error = {config->error, config->error_bytes};
  for (size_t i = sizeof *config; i < given->struct_size; ++i)
    if (((const char *)given)[i])
      return hs_fail(&error, HS_ERROR_USAGE, "hs_config sets a field that this library does not know");
  if (config->threads < 0 || config->threads > HS_MAX_THREADS)
    return hs_fail(&error, HS_ERROR_USAGE, "threads is %d, expected 0 to %d", config->threads,
                   HS_MAX_THREADS);
  if (config->on_nonfinite < HS_NONFINITE_DEFAULT || config->on_nonfinite > HS_NONFINITE_IGNORE)
    return hs_fail(&error, HS_ERROR_USAGE, "on_nonfinite is %d, expected 0 to %d", config->on_nonfinite,
                   HS_NONFINITE_IGNORE);
  if (config->device < 0)
    return hs_fail(&error, HS_ERROR_USAGE, "device is %d, expected 0 or more", config->device);
  if (config->allocator && (!config->allocator->allocate || !config->allocator->release))
    return hs_fail(&error, HS_ERROR_USAGE, "the allocator lacks allocate or release");
  return HS_OK;
}

static hs_instance *allocate_block(const hs_model *model, const hs_allocator *allocator) {
  size_t bytes = hs_instance_block_bytes(model);
  char *block = allocator->allocate(allocator->user, bytes, HS_ALIGNMENT);
  if (!block)
    return NULL;
  memset(block, 0, bytes);
  hs_instance *instance = (hs_instance *)(void *)block;
  instance->primitives = (void **)(void *)(block + sizeof *instance);
  if (model->device_ops)
    instance->device = (hs_device_link *)(void *)(instance->primitives + model->variant_count);
  instance->error.text = block + bytes - HS_ERROR_BYTES;
  instance->error.bytes = HS_ERROR_BYTES;
  instance->allocator = *allocator;
  instance->model = model;
  return instance;
}

static void set_fields(hs_instance *instance, const hs_config *config) {
  const hs_model *model = instance->model;
  instance->threads = config->threads ? config->threads : 1;
  instance->on_nonfinite = config->on_nonfinite ? config->on_nonfinite
                           : model->has_scaler  ? HS_NONFINITE_SKIP
                                                : HS_NONFINITE_STOP;
  instance->variant = &model->variants[0];
  instance->lr = model->lr;
  instance->seed = config->seed ? config->seed : model->seed;
  instance->scaler_config.struct_size = sizeof instance->scaler_config;
  instance->scaler_config.growth = model->growth;
  instance->scaler_config.backoff = model->backoff;
  instance->scaler_config.interval = model->growth_interval;
  instance->scaler_config.min = model->scale_min;
  instance->scaler_config.max = model->scale_max;
  instance->scaler_config.hysteresis = model->hysteresis > 1 ? model->hysteresis : 1;
  instance->scaler_config.hysteresis_refill = model->hysteresis_refill;
  instance->scaler.scale = model->loss_scale;
  instance->hysteresis_left = instance->scaler_config.hysteresis;
}

static hs_status make_arena(hs_instance *instance) {
  size_t bytes = hs_instance_arena_bytes(instance->model, instance->threads);
  instance->arena = instance->allocator.allocate(instance->allocator.user, bytes, HS_ALIGNMENT);
  if (!instance->arena)
    return hs_fail(&instance->error, HS_ERROR_MEMORY, "cannot allocate the arena of %zu bytes", bytes);
  memset(instance->arena, 0, bytes);
  hs_init_state(instance->model, instance->arena, instance->seed);
  return HS_OK;
}

static hs_status make_threads(hs_instance *instance, const hs_config *config) {
  if (instance->threads <= 1)
    return HS_OK;
  instance->parallel_for = config->parallel_for;
  instance->parallel_user = config->parallel_user;
  if (instance->parallel_for)
    return HS_OK;
  instance->pool = hs_pool_create(instance->threads);
  if (!instance->pool)
    return hs_fail(&instance->error, HS_ERROR_MEMORY, "cannot start %d threads", instance->threads - 1);
  instance->parallel_for = hs_pool_parallel_for;
  instance->parallel_user = instance->pool;
  return HS_OK;
}

static hs_status make_primitives(hs_instance *instance) {
  const hs_model *model = instance->model;
  for (int32_t i = 0; i < model->variant_count; ++i) {
    if (model->variants[i].primitive_count == 0)
      continue;
    if (!model->primitive_ops)
      return hs_fail(&instance->error, HS_ERROR_INTERNAL,
                     "the library lists primitives but cannot make them");
    hs_status status =
        model->primitive_ops->create(&model->variants[i], instance->threads, &instance->primitives[i],
                                     instance->error.text, instance->error.bytes);
    if (status)
      return status;
  }
  return HS_OK;
}

static hs_status build(hs_instance *instance, const hs_config *config) {
  hs_status status;
  if (instance->device) {
    status = make_arena(instance);
    return status ? status : hs_device_open(instance, config);
  }
  if (config->device)
    return hs_fail(&instance->error, HS_ERROR_USAGE, "device is %d, but this library is for the CPU",
                   config->device);
  status =
      hs_isa_choose(instance->model, config->isa, hs_isa_of_this_cpu(), &instance->isa, &instance->error);
  if (!status)
    status = make_arena(instance);
  if (!status)
    status = make_threads(instance, config);
  return status ? status : make_primitives(instance);
}

hs_status hs_instance_create(const hs_model *model, const hs_config *config, hs_instance **out) {
  hs_config full;
  if (!out)
    return HS_ERROR_USAGE;
  *out = NULL;
  hs_status status = read_config(config, &full);
  if (status)
    return status;
  hs_error error = {full.error, full.error_bytes};
  if (!model || model->abi != HS_ABI)
    return hs_fail(&error, HS_ERROR_INTERNAL, "the library and its runtime differ in their ABI number");
  const hs_allocator *allocator = full.allocator ? full.allocator : &hs_default_allocator;
  hs_instance *instance = allocate_block(model, allocator);
  if (!instance)
    return hs_fail(&error, HS_ERROR_MEMORY, "cannot allocate an instance");
  set_fields(instance, &full);
  status = build(instance, &full);
  if (status) {
    hs_fail(&error, status, "%s", instance->error.text);
    hs_instance_destroy(instance);
    return status;
  }
  *out = instance;
  return HS_OK;
}

void hs_instance_destroy(hs_instance *instance) {
  if (!instance)
    return;
  const hs_model *model = instance->model;
  hs_allocator allocator = instance->allocator;
  for (int32_t i = 0; i < model->variant_count; ++i)
    if (instance->primitives[i])
      model->primitive_ops->destroy(instance->primitives[i]);
  hs_device_close(instance);
  hs_pool_destroy(instance->pool);
  if (instance->arena)
    allocator.release(allocator.user, instance->arena, hs_instance_arena_bytes(model, instance->threads));
  allocator.release(allocator.user, instance, hs_instance_block_bytes(model));
}

hs_status hs_instance_set_batch(hs_instance *instance, int64_t batch) {
  if (!instance)
    return HS_ERROR_USAGE;
  for (int32_t i = 0; i < instance->model->variant_count; ++i)
    if (instance->model->variants[i].batch == batch) {
      instance->variant = &instance->model->variants[i];
      return HS_OK;
    }
  return hs_fail(&instance->error, HS_ERROR_UNSUPPORTED,
                 "batch size %lld is not compiled in; compile with --batch %lld (now: %lld)",
                 (long long)batch, (long long)batch, (long long)instance->variant->batch);
}

hs_status hs_instance_param_count(const hs_instance *instance, int32_t *count) {
  if (!instance || !count)
    return HS_ERROR_USAGE;
  *count = instance->model->param_count;
  return HS_OK;
}

/* The parameter, or NULL with a message. */
static const hs_param_desc *find_param(const hs_instance *instance, int32_t index) {
  if (index >= 0 && index < instance->model->param_count)
    return &instance->model->params[index];
  hs_fail(&instance->error, HS_ERROR_USAGE, "parameter index %d is outside [0, %d)", index,
          instance->model->param_count);
  return NULL;
}

hs_status hs_instance_param_info(const hs_instance *instance, int32_t index, hs_param_info *info) {
  if (!instance || !info)
    return HS_ERROR_USAGE;
  const hs_param_desc *param = find_param(instance, index);
  if (!param)
    return HS_ERROR_USAGE;
  size_t size = info->struct_size;
  if (size < sizeof size)
    return hs_fail(&instance->error, HS_ERROR_USAGE, "struct_size of hs_param_info is not set");
  hs_param_info full = param->info;
  full.struct_size = size;
  memcpy(info, &full, size < sizeof full ? size : sizeof full);
  return HS_OK;
}

/* Checks a caller's buffer for the parameter's values. */
static hs_status check_buffer(const hs_instance *instance, const hs_param_desc *param, const void *buffer,
                              size_t bytes) {
  size_t expected = (size_t)param->info.count * hs_dtype_bytes(param->info.dtype);
  if (bytes != expected)
    return hs_fail(&instance->error, HS_ERROR_USAGE, "got %zu bytes for '%s', expected %zu", bytes,
                   param->info.name, expected);
  if (bytes && !buffer)
    return hs_fail(&instance->error, HS_ERROR_USAGE, "the buffer for '%s' is NULL", param->info.name);
  return HS_OK;
}

hs_status hs_instance_param_get(const hs_instance *instance, int32_t index, void *out, size_t bytes) {
  const hs_param_desc *param = instance ? find_param(instance, index) : NULL;
  if (!param)
    return HS_ERROR_USAGE;
  hs_status status = check_buffer(instance, param, out, bytes);
  if (!status)
    status = hs_device_pull(instance);
  if (!status && bytes)
    hs_load_values(param, instance->arena, out);
  return status;
}

hs_status hs_instance_param_set(hs_instance *instance, int32_t index, const void *in, size_t bytes) {
  const hs_param_desc *param = instance ? find_param(instance, index) : NULL;
  if (!param)
    return HS_ERROR_USAGE;
  hs_status status = check_buffer(instance, param, in, bytes);
  if (!status)
    status = hs_device_pull(instance);
  if (status)
    return status;
  if (bytes)
    hs_store_values(param, instance->arena, in);
  hs_device_changed(instance);
  return HS_OK;
}

hs_status hs_instance_scaler_get(const hs_instance *instance, hs_scaler_state *state) {
  if (!instance || !state)
    return HS_ERROR_USAGE;
  *state = instance->scaler;
  return HS_OK;
}

hs_status hs_instance_scaler_set(hs_instance *instance, const hs_scaler_state *state) {
  if (!instance || !state)
    return HS_ERROR_USAGE;
  if (!hs_scaler_state_valid(state))
    return hs_fail(&instance->error, HS_ERROR_USAGE,
                   "scaler state {%g, %d}: the scale must be finite and neither may be negative",
                   (double)state->scale, state->growth_tracker);
  instance->scaler = *state;
  return HS_OK;
}

hs_status hs_instance_set_lr(hs_instance *instance, float lr) {
  if (!instance)
    return HS_ERROR_USAGE;
  if (!isfinite(lr))
    return hs_fail(&instance->error, HS_ERROR_USAGE, "the learning rate is not finite");
  instance->lr = lr;
  return HS_OK;
}

const char *hs_instance_last_error(const hs_instance *instance) {
  return instance ? instance->error.text : "";
}
