/* See checkpoint.h. */
#include "checkpoint.h"

#include "convert.h"

#include <stdlib.h>
#include <string.h>

const hs_checkpoint_number hs_checkpoint_numbers[HS_CHECKPOINT_NUMBERS] = {
    {"updates", INT64_MAX},  {"step", UINT64_MAX},       {"seed", UINT64_MAX},
    {"lr_bits", UINT32_MAX}, {"scale_bits", UINT32_MAX}, {"growth_tracker", INT32_MAX},
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
}

static hs_scaler_state scaler_of(const uint64_t *numbers) {
  hs_scaler_state state;
  uint32_t scale = (uint32_t)numbers[4];
  memcpy(&state.scale, &scale, sizeof scale);
  state.growth_tracker = (int32_t)numbers[5];
  return state;
}

int hs_checkpoint_numbers_valid(const uint64_t *numbers) {
  hs_scaler_state state = scaler_of(numbers);
  uint32_t infinite = 0x7f800000; /* exponent bits of infinities and NaNs */
  return hs_scaler_state_valid(&state) && (numbers[3] & infinite) != infinite;
}

void hs_checkpoint_set_numbers(hs_instance *instance, const uint64_t *numbers) {
  uint32_t lr = (uint32_t)numbers[3];
  memcpy(&instance->lr, &lr, sizeof lr);
  instance->updates = (int64_t)numbers[0];
  instance->step = numbers[1];
  instance->seed = numbers[2];
  instance->scaler = scaler_of(numbers);
}

static const char *dtype_name(int32_t dtype) {
  static const char names[][5] = {"F32", "F64", "F16", "BF16", "I64", "I32", "U8"};
  return names[dtype];
}

static void add(hs_checkpoint *checkpoint, const hs_instance *instance, const hs_param_desc *param,
                const char *prefix, const char *slot, int32_t dtype, int64_t offset) {
  hs_checkpoint_tensor *tensor = &checkpoint->tensors[checkpoint->count++];
  memset(tensor, 0, sizeof *tensor);
  tensor->prefix = prefix;
  tensor->slot = slot;
  tensor->name = param->info.name;
  tensor->dtype = dtype_name(dtype);
  tensor->rank = param->info.rank;
  tensor->shape = param->info.shape;
  tensor->bytes = (size_t)param->info.count * hs_dtype_bytes(dtype);
  tensor->data = instance->arena + offset;
  checkpoint->bytes += tensor->bytes;
}

hs_status hs_checkpoint_list(const hs_instance *instance, hs_checkpoint *checkpoint) {
  const hs_model *model = instance->model;
  size_t most = (size_t)model->param_count * (2 + HS_MAX_SLOTS);
  memset(checkpoint, 0, sizeof *checkpoint);
  checkpoint->tensors = malloc((most ? most : 1) * sizeof *checkpoint->tensors);
  if (!checkpoint->tensors)
    return HS_ERROR_MEMORY;
  for (int32_t i = 0; i < model->param_count; ++i) {
    const hs_param_desc *param = &model->params[i];
    if (param->copy_offset >= 0)
      add(checkpoint, instance, param, "model.", "", param->copy_dtype, param->copy_offset);
    add(checkpoint, instance, param, param->copy_offset >= 0 ? "master." : "model.", "", param->info.dtype,
        param->offset);
    for (int32_t slot = 0; slot < HS_MAX_SLOTS; ++slot)
      if (model->slot_name[slot] && param->slot_offset[slot] >= 0)
        add(checkpoint, instance, param, "opt.", model->slot_name[slot], param->slot_dtype,
            param->slot_offset[slot]);
  }
  return HS_OK;
}

void hs_checkpoint_free(hs_checkpoint *checkpoint) {
  free(checkpoint->tensors);
  checkpoint->tensors = NULL;
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
