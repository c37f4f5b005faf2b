/* See checkpoint.h. */
#include "checkpoint.h"

#include "convert.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

const hs_checkpoint_number hs_checkpoint_numbers[HS_CHECKPOINT_NUMBERS] = {
    {"updates", INT64_MAX},         {"step", UINT64_MAX},       {"seed", UINT64_MAX},
    {"lr_bits", UINT32_MAX},        {"scale_bits", UINT32_MAX}, {"growth_tracker", INT32_MAX},
    {"hysteresis_left", INT32_MAX},
};

void hs_checkpoint_get_numbers(const hs_instance *instance, uint64_t *numbers) {
  uint32_t lr, scale;
  memcpy(&lr, &instance->lr, sizeof lr);
  memcpy(&scale, &instance->scaler.scale, sizeof scale);
  numbers[0] = (uint64_t)instance->updates;
  numbers[1] = instance->step;
  numbers[2] = instance->seed;
  numbers[3] = lr;
  numbers[4] = scale;
  numbers[5] = (uint64_t)instance->scaler.growth_tracker;
  numbers[6] = (uint64_t)instance->hysteresis_left;
}

static hs_scaler_state scaler_of(const uint64_t *numbers) {
  hs_scaler_state state;
  uint32_t scale = (uint32_t)numbers[4];
  memcpy(&state.scale, &scale, sizeof scale);
  state.growth_tracker = (int32_t)numbers[5];
  return state;
}

int hs_checkpoint_numbers_valid(const hs_instance *instance, const uint64_t *numbers) {
  hs_scaler_state state = scaler_of(numbers);
  uint32_t infinite = 0x7f800000; /* exponent bits of infinities and NaNs */
  return hs_scaler_state_valid(&state) && (numbers[3] & infinite) != infinite && numbers[6] >= 1 &&
         numbers[6] <= (uint64_t)instance->scaler_config.hysteresis;
}

void hs_checkpoint_set_numbers(hs_instance *instance, const uint64_t *numbers) {
  uint32_t lr = (uint32_t)numbers[3];
  memcpy(&instance->lr, &lr, sizeof lr);
  instance->updates = (int64_t)numbers[0];
  instance->step = numbers[1];
  instance->seed = numbers[2];
  instance->scaler = scaler_of(numbers);
  instance->hysteresis_left = (int32_t)numbers[6];
  instance->accumulated = 0;
  instance->weighted_loss = 0;
}

static const char *dtype_name(int32_t dtype) {
  static const char names[][5] = {"F32", "F64", "F16", "BF16", "I64", "I32", "U8"};
  return names[dtype];
}

static hs_checkpoint_tensor *add(hs_checkpoint *checkpoint, const hs_param_desc *param, const char *prefix,
                                 const char *slot, int32_t dtype, char *data) {
  hs_checkpoint_tensor *tensor = &checkpoint->tensors[checkpoint->count++];
  memset(tensor, 0, sizeof *tensor);
  tensor->prefix = prefix;
  tensor->slot = slot;
  tensor->name = param->info.name;
  tensor->dtype = dtype_name(dtype);
  tensor->rank = param->info.rank;
  tensor->shape = param->info.shape;
  tensor->bytes = (size_t)param->info.count * hs_dtype_bytes(dtype);
  tensor->data = data;
  checkpoint->bytes += tensor->bytes;
  return tensor;
}

static void add_param(hs_checkpoint *checkpoint, const hs_instance *instance, const hs_param_desc *param,
                      char **merged) {
  const hs_model *model = instance->model;
  char *arena = instance->arena;
  int has_copy = param->copy_offset >= 0;
  if (has_copy)
    add(checkpoint, param, "model.", "", param->copy_dtype, arena + param->copy_offset);
  const char *prefix = has_copy ? "master." : "model.";
  if (param->low_offset >= 0) {
    hs_load_values(param, arena, *merged);
    hs_checkpoint_tensor *tensor = add(checkpoint, param, prefix, "", param->info.dtype, *merged);
    tensor->split = param;
    *merged += tensor->bytes;
  } else {
    add(checkpoint, param, prefix, "", param->info.dtype, arena + param->offset);
  }
  for (int32_t slot = 0; slot < HS_MAX_SLOTS; ++slot)
    if (model->slot_name[slot] && param->slot_offset[slot] >= 0)
      add(checkpoint, param, "opt.", model->slot_name[slot], param->slot_dtype,
          arena + param->slot_offset[slot]);
}

static size_t merged_bytes(const hs_model *model) {
  size_t bytes = 0;
  for (int32_t i = 0; i < model->param_count; ++i)
    if (model->params[i].low_offset >= 0)
      bytes += (size_t)model->params[i].info.count * hs_dtype_bytes(model->params[i].info.dtype);
  return bytes;
}

hs_status hs_checkpoint_list(const hs_instance *instance, hs_checkpoint *checkpoint) {
  const hs_model *model = instance->model;
  size_t most = (size_t)model->param_count * (2 + HS_MAX_SLOTS), split = merged_bytes(model);
  memset(checkpoint, 0, sizeof *checkpoint);
  checkpoint->tensors = malloc((most ? most : 1) * sizeof *checkpoint->tensors);
  checkpoint->merged = malloc(split ? split : 1);
  if (!checkpoint->tensors || !checkpoint->merged) {
    hs_checkpoint_free(checkpoint);
    return HS_ERROR_MEMORY;
  }
  char *merged = checkpoint->merged;
  for (int32_t i = 0; i < model->param_count; ++i)
    add_param(checkpoint, instance, &model->params[i], &merged);
  return HS_OK;
}

void hs_checkpoint_restore(hs_instance *instance, const hs_checkpoint_tensor *tensor, const char *data) {
  if (tensor->bytes == 0)
    return;
  memcpy(tensor->data, data, tensor->bytes);
  if (tensor->split)
    hs_store_values(tensor->split, instance->arena, tensor->data);
}

void hs_checkpoint_free(hs_checkpoint *checkpoint) {
  free(checkpoint->tensors);
  free(checkpoint->merged);
  checkpoint->tensors = NULL;
  checkpoint->merged = NULL;
}

/* The rest of text after `prefix`, or NULL. */
static const char *after(const char *text, const char *prefix) {
  size_t size = strlen(prefix);
  return text && strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

int hs_checkpoint_is_named(const hs_checkpoint_tensor *tensor, const char *text) {
  const char *rest = after(text, tensor->prefix);
  if (*tensor->slot)
    rest = after(after(rest, tensor->slot), ".");
  return rest && strcmp(rest, tensor->name) == 0;
}

uint64_t hs_checksum(const void *data, size_t bytes) {
  const char *at = data;
  uint64_t hash = 0xcbf29ce484222325u ^ bytes, word;
  while (bytes) {
    size_t count = bytes < sizeof word ? bytes : sizeof word;
    word = 0;
    memcpy(&word, at, count);
    hash = (hash ^ word) * 0x100000001b3u;
    hash ^= hash >> 32;
    at += count;
    bytes -= count;
  }
  return hash;
}
