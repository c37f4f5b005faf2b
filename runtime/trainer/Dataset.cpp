// See Dataset.h.
#include "runtime/trainer/Dataset.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/ImageFolder.h"

namespace halfstep {

Batch::Batch(const std::vector<TensorSpec> &inputs, const std::vector<TensorSpec> &targets, int64_t size)
    : inputCount(inputs.size()) {
  for (const auto *list : {&inputs, &targets})
    for (const TensorSpec &spec : *list) {
      rowBytes.push_back(spec.sampleBytes());
      buffers.emplace_back(size_t(size) * spec.sampleBytes());
      pointers.push_back(buffers.back().data());
    }
}

static std::unique_ptr<SampleSource> openSource(SourceRequest request) {
  switch (kindOfData(request.data)) {
  case DataKind::Text:
    return openText(std::move(request));
  case DataKind::Images:
    return openImages(std::move(request));
  default:
    return openTensors(std::move(request));
  }
}

Dataset::Dataset(const std::string &data, const Manifest &manifest, bool withTargets,
                 const DataFormat &format, bool learnFormat)
    : inputs(manifest.inputs), targets(withTargets ? manifest.targets : std::vector<TensorSpec>()),
      source(openSource({data, inputs, targets, manifest.targets, manifest.outputs, format, learnFormat})) {}

static int64_t countRows(const DataFile &data) {
  const TensorView *tensor = data.file.find("x");
  if (!tensor && !data.file.tensors.empty())
    tensor = &data.file.tensors.front();
  if (!tensor || tensor->shape.empty() || tensor->shape[0] == 0)
    throw Diagnostic(ExitCode::BadInput, data.file.path + ": holds no samples");
  return tensor->shape[0];
}

int64_t countSamples(const std::string &data) {
  switch (kindOfData(data)) {
  case DataKind::Text:
    return 0;
  case DataKind::Images:
    return int64_t(ImageFolder(data).images().size());
  default:
    return countRows(readData(data));
  }
}

} // namespace halfstep
