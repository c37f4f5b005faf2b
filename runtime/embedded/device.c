/* See device.h. */
#include "device.h"

hs_status hs_device_open(hs_instance *instance, const hs_config *config) {
  instance->device->newer = HS_NEWER_HOST;
  return instance->model->device_ops->create(instance->model, config, &instance->device->handle,
                                             instance->error.text, instance->error.bytes);
}

void hs_device_close(hs_instance *instance) {
  if (instance->device && instance->device->handle)
    instance->model->device_ops->destroy(instance->device->handle);
}

hs_status hs_device_pull(const hs_instance *instance) {
  hs_device_link *link = instance->device;
  if (!link || link->newer != HS_NEWER_DEVICE)
    return HS_OK;
  hs_status status = instance->model->device_ops->read(
      link->handle, HS_SCALARS_BYTES, instance->arena + HS_SCALARS_BYTES,
      (size_t)instance->model->state_bytes - HS_SCALARS_BYTES, instance->error.text, instance->error.bytes);
  if (!status)
    link->newer = HS_NEWER_NEITHER;
  return status;
}

void hs_device_changed(const hs_instance *instance) {
  if (instance->device)
    instance->device->newer = HS_NEWER_HOST;
}

static hs_status push(const hs_instance *instance) {
  hs_device_link *link = instance->device;
  if (link->newer != HS_NEWER_HOST)
    return HS_OK;
  hs_status status = instance->model->device_ops->write(
      link->handle, HS_SCALARS_BYTES, instance->arena + HS_SCALARS_BYTES,
      (size_t)instance->model->state_bytes - HS_SCALARS_BYTES, instance->error.text, instance->error.bytes);
  if (!status)
    link->newer = HS_NEWER_NEITHER;
  return status;
}

hs_status hs_device_run(hs_instance *instance, int32_t step, const void *const *inputs,
                        const void *const *targets, void *const *outputs) {
  hs_device_link *link = instance->device;
  hs_status status = push(instance);
  if (status)
    return status;
  if (step == HS_DEVICE_TRAIN)
    link->newer = HS_NEWER_DEVICE; /* even if it fails half way */
  return instance->model->device_ops->step(
      link->handle, step, (int32_t)(instance->variant - instance->model->variants), inputs, targets, outputs,
      hs_instance_scalars(instance), instance->error.text, instance->error.bytes);
}
