// See ObservedStep.h.
#include "runtime/trainer/observe/ObservedStep.h"

#include "runtime/embedded/contract.h"
#include "runtime/trainer/Setup.h"

#include <algorithm>
#include <filesystem>

namespace halfstep {
namespace {

hs_config skippingConfig(const RunOptions &options) {
  hs_config config = instanceConfig(options);
  config.on_nonfinite = HS_NONFINITE_SKIP;
  return config;
}

} // namespace

ObservedStep::ObservedStep(const std::string &path, const RunOptions &options)
    : instance(Library::open(path), skippingConfig(options)) {
  tables = readValueTables(std::filesystem::path(manifest().path).parent_path().string(), manifest().name);
}

hs_step_result ObservedStep::run(const Batch &samples, int64_t size) {
  auto found = std::find_if(tables.begin(), tables.end(),
                            [&](const ValueTable &table) { return table.batch == size; });
  if (found == tables.end())
    throw Diagnostic(ExitCode::Internal, "the table of values lacks a batch of " + std::to_string(size));
  current = size_t(found - tables.begin());
  batch = &samples;
  instance.setBatch(size);
  saveState(instance, before);
  return instance.trainStep(samples.inputs(), samples.targets());
}

TensorView ObservedStep::view(const StepTensor &tensor) const {
  TensorView view{tensor.name, tensor.type, tensor.shape, nullptr, tensor.count};
  switch (tensor.kind) {
  case StepTensor::Kind::Input:
    view.data = static_cast<const std::byte *>(batch->inputs()[tensor.index]);
    break;
  case StepTensor::Kind::Target:
    view.data = static_cast<const std::byte *>(batch->targets()[tensor.index]);
    break;
  case StepTensor::Kind::Parameter:
    view.data = before.bytes.data() + tensor.offset;
    break;
  default:
    view.data = arenaOf(instance) + tensor.offset;
    break;
  }
  return view;
}

TensorRange ObservedStep::range(const StepTensor &tensor) const {
  if (tensor.kind == StepTensor::Kind::Constant)
    return tensor.constant;
  return rangeOf(view(tensor));
}

} // namespace halfstep
