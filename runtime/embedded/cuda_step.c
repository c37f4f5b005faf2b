/* Steps on a CUDA device: inputs go to their places over a stream of their own, the launches follow as one
 * graph, and only the wait for the results blocks. */
#include "cuda_device.h"
#include "instance.h"

#include <string.h>

enum {
  PLACE = 256 /* bytes; places in staging are aligned to it */,
  SCALARS_IN = PLACE,
  TENSORS = 2 * PLACE
};
_Static_assert(sizeof(hs_scalars) <= PLACE, "hs_scalars has a place of its own in staging");

static size_t padded(size_t bytes) { return (bytes + PLACE - 1) / PLACE * PLACE; }

static size_t tensors_bytes(const hs_tensor_desc *tensors, int32_t count, int64_t batch) {
  size_t bytes = 0;
  for (int32_t i = 0; i < count; ++i)
    bytes += padded(hs_tensor_bytes(&tensors[i], batch));
  return bytes;
}

size_t hs_cuda_staging_bytes(const hs_model *model) {
  size_t most = 0;
  for (int32_t i = 0; i < model->variant_count; ++i) {
    int64_t batch = model->variants[i].batch;
    size_t bytes = tensors_bytes(model->inputs, model->input_count, batch) +
                   tensors_bytes(model->targets, model->target_count, batch) +
                   tensors_bytes(model->outputs, model->output_count, batch);
    most = bytes > most ? bytes : most;
  }
  return TENSORS + most;
}

static int upload(hs_cuda_device *device, int64_t offset, size_t place, const void *from, size_t bytes) {
  if (!bytes)
    return HS_CU_SUCCESS;
  memcpy(device->staging + place, from, bytes);
  return device->driver.cuMemcpyHtoDAsync(device->arena + (uint64_t)offset, device->staging + place, bytes,
                                          device->copies);
}

/* *place: where the next tensor goes in staging. */
static int upload_tensors(hs_cuda_device *device, const hs_tensor_desc *tensors, int32_t count, int64_t batch,
                          const int64_t *offsets, const void *const *data, size_t *place) {
  int result = HS_CU_SUCCESS;
  for (int32_t i = 0; i < count && !result; ++i) {
    size_t bytes = hs_tensor_bytes(&tensors[i], batch);
    result = upload(device, offsets[i], *place, data[i], bytes);
    *place += padded(bytes);
  }
  return result;
}

/* The launches, and the way of the scalars back. */
static int submit(hs_cuda_device *device, const hs_cuda_step *step) {
  const hs_cuda_driver *driver = &device->driver;
  int result = HS_CU_SUCCESS;
  for (int32_t i = 0; i < step->launch_count && !result; ++i) {
    const hs_cuda_launch *launch = &step->launches[i];
    uint64_t places[HS_CUDA_MAX_ARGUMENTS];
    void *arguments[HS_CUDA_MAX_ARGUMENTS];
    if (launch->arg_count > HS_CUDA_MAX_ARGUMENTS)
      return HS_CU_INVALID_VALUE;
    for (int32_t k = 0; k < launch->arg_count; ++k) {
      places[k] = device->arena + (uint64_t)launch->arg_offsets[k];
      arguments[k] = &places[k];
    }
    result = driver->cuLaunchKernel(device->functions[launch->kernel], launch->grid[0], launch->grid[1],
                                    launch->grid[2], launch->block[0], launch->block[1], launch->block[2],
                                    launch->shared_bytes, device->stream, arguments, NULL);
  }
  return result
             ? result
             : driver->cuMemcpyDtoHAsync(device->staging, device->arena, sizeof(hs_scalars), device->stream);
}

/* Records the step once; what is recorded never changes, since all places are fixed. */
static int capture(hs_cuda_device *device, const hs_cuda_step *step, hs_cu_graph_exec *exec) {
  const hs_cuda_driver *driver = &device->driver;
  hs_cu_graph graph = NULL;
  int result = driver->cuStreamBeginCapture(device->stream, HS_CU_CAPTURE_THREAD_LOCAL);
  if (result)
    return result;
  int submitted = submit(device, step);
  result = driver->cuStreamEndCapture(device->stream, &graph);
  if (!submitted && !result)
    result = driver->cuGraphInstantiateWithFlags(exec, graph, 0);
  if (graph)
    driver->cuGraphDestroy(graph);
  return submitted ? submitted : result;
}

static int start(hs_cuda_device *device, int32_t kind, int32_t variant, const void *const *inputs,
                 const void *const *targets, const hs_scalars *scalars, size_t *place) {
  const hs_model *model = device->model;
  const hs_cuda_variant *compiled = &model->cuda->variants[variant];
  const hs_cuda_driver *driver = &device->driver;
  const hs_cuda_step *steps[HS_CUDA_STEPS] = {&compiled->train, &compiled->eval, &compiled->forward};
  int64_t batch = compiled->batch;
  hs_cu_graph_exec *exec = &device->graphs[variant * HS_CUDA_STEPS + kind];
  int result = upload(device, 0, SCALARS_IN, scalars, sizeof *scalars);
  if (!result)
    result = upload_tensors(device, model->inputs, model->input_count, batch, compiled->input_offset, inputs,
                            place);
  if (!result && kind != HS_DEVICE_FORWARD)
    result = upload_tensors(device, model->targets, model->target_count, batch, compiled->target_offset,
                            targets, place);
  if (!result)
    result = driver->cuEventRecord(device->copied, device->copies);
  if (!result)
    result = driver->cuStreamWaitEvent(device->stream, device->copied, 0);
  if (!result && !*exec)
    result = capture(device, steps[kind], exec);
  return result ? result : driver->cuGraphLaunch(*exec, device->stream);
}

/* Sends the wanted outputs to staging behind the step; then, with collect, from there to the caller. */
static int fetch_outputs(hs_cuda_device *device, int32_t kind, int32_t variant, void *const *outputs,
                         size_t place, int collect) {
  const hs_model *model = device->model;
  const hs_cuda_variant *compiled = &model->cuda->variants[variant];
  const int64_t *offsets =
      kind == HS_DEVICE_EVAL ? compiled->eval_output_offset : compiled->forward_output_offset;
  int result = HS_CU_SUCCESS;
  for (int32_t i = 0; outputs && i < model->output_count && !result; ++i) {
    size_t bytes = hs_tensor_bytes(&model->outputs[i], compiled->batch);
    if (outputs[i] && bytes && collect)
      memcpy(outputs[i], device->staging + place, bytes);
    else if (outputs[i] && bytes)
      result = device->driver.cuMemcpyDtoHAsync(device->staging + place, device->arena + (uint64_t)offsets[i],
                                                bytes, device->stream);
    place += padded(bytes);
  }
  return result;
}

hs_status hs_cuda_run_step(hs_cuda_device *device, int32_t step, int32_t variant, const void *const *inputs,
                           const void *const *targets, void *const *outputs, hs_scalars *scalars,
                           const hs_error *error) {
  size_t place = TENSORS;
  int result = start(device, step, variant, inputs, targets, scalars, &place);
  if (!result)
    result = fetch_outputs(device, step, variant, outputs, place, /*collect=*/0);
  if (!result)
    result = device->driver.cuStreamSynchronize(device->stream);
  if (result)
    return hs_cuda_check(&device->driver, result, "run a step", error);
  memcpy(scalars, device->staging, sizeof *scalars);
  fetch_outputs(device, step, variant, outputs, place, /*collect=*/1);
  return HS_OK;
}
