// See Dataset.h.
#include "runtime/trainer/Dataset.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/Csv.h"

#include <algorithm>
#include <numeric>

namespace halfstep {
namespace {

constexpr size_t checkRows = 256; ///< samples that are converted at a time when values are checked

[[noreturn]] void refuse(const std::string &where, const std::string &what) {
  throw Diagnostic(ExitCode::BadInput, where + ": " + what);
}

std::string toText(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

/// The name for messages: .npy files have none.
std::string label(const TensorFile &file, const TensorView &tensor, const TensorSpec &spec) {
  return file.path + ": '" + (tensor.name.empty() ? spec.name : tensor.name) + "'";
}

} // namespace

Batch::Batch(const std::vector<TensorSpec> &inputs, const std::vector<TensorSpec> &targets, int64_t size)
    : inputCount(inputs.size()) {
  for (const auto *list : {&inputs, &targets})
    for (const TensorSpec &spec : *list) {
      rowBytes.push_back(spec.sampleBytes());
      buffers.emplace_back(size_t(size) * spec.sampleBytes());
      pointers.push_back(buffers.back().data());
    }
}

Dataset::Dataset(const std::string &data, const Manifest &manifest, bool withTargets)
    : inputs(manifest.inputs) {
  DataFile read = readData(data);
  file = std::move(read.file);
  if (withTargets)
    targets = manifest.targets;
  if (read.kind == DataKind::Npy)
    bindNpy(manifest);
  else if (read.kind == DataKind::Csv)
    bindCsv();
  else
    bindNamed(manifest);
  for (size_t i = 0; i < columns.size(); ++i)
    check(columns[i], i < inputs.size() ? inputs[i] : targets[i - inputs.size()]);
}

void Dataset::bindNpy(const Manifest &manifest) {
  size_t wanted = inputs.size() + targets.size(), have = file.tensors.size();
  if (have != wanted && have != inputs.size() + manifest.targets.size())
    refuse(file.path, "got " + std::to_string(have) + " .npy files, expected " + std::to_string(wanted) +
                          (targets.empty() ? ": one for each input"
                                           : ": one for each input and target, as in x.npy,y.npy"));
  columns.assign(file.tensors.begin(), file.tensors.begin() + std::ptrdiff_t(wanted));
}

void Dataset::bindCsv() {
  if (inputs.size() != 1 || targets.size() > 1)
    refuse(file.path, "a .csv file can only feed a model with one input and one target; use .safetensors");
  size_t width = size_t(file.tensors[0].shape[1]), target = width - 1;
  auto named = file.metadata.find("target");
  if (named != file.metadata.end())
    target = std::stoul(named->second);
  // Without targets, a table that is exactly as wide as the input has none.
  bool hasTarget = !targets.empty() || named != file.metadata.end() || width != inputs[0].sampleCount();
  std::vector<size_t> features;
  for (size_t i = 0; i < width; ++i)
    if (!hasTarget || i != target)
      features.push_back(i);
  TensorView x = csvColumns(file, inputs[0].name, features, false);
  columns = {x};
  if (!targets.empty())
    columns.push_back(csvColumns(file, targets[0].name, {target}, true));
}

const TensorView &Dataset::require(const std::vector<std::string> &names) const {
  for (const std::string &name : names)
    if (const TensorView *tensor = file.find(name))
      return *tensor;
  std::vector<std::string> have;
  have.reserve(file.tensors.size());
  for (const TensorView &tensor : file.tensors)
    have.push_back(tensor.name);
  refuse(file.path, "lacks the tensor '" + names[0] + "'; it has " +
                        (have.empty() ? std::string("none") : quotedNames(have)));
}

void Dataset::bindNamed(const Manifest &manifest) {
  for (const TensorSpec &input : inputs)
    columns.push_back(require({input.name}));
  for (size_t i = 0; i < targets.size(); ++i) {
    std::vector<std::string> names = {targets[i].name};
    if (targets.size() == 1)
      names.insert(names.begin(), "y");
    if (i < manifest.outputs.size())
      names.push_back(manifest.outputs[i].name);
    columns.push_back(require(names));
  }
}

void Dataset::check(const TensorView &tensor, const TensorSpec &spec) {
  std::string where = label(file, tensor, spec);
  if (tensor.shape.empty())
    refuse(where, "is a single number, expected one row a sample");
  size_t have = size_t(tensor.shape[0]);
  if (have == 0)
    refuse(where, "has no samples");
  if (tensor.count / have != spec.sampleCount())
    refuse(where, "got " + std::to_string(tensor.count / have) + " values a sample (shape " +
                      toText(tensor.shape) + "), expected " + std::to_string(spec.sampleCount()) +
                      " (the model's shape is " + toText(spec.shape) + ")");
  if (samples && have != samples)
    refuse(where, "got " + std::to_string(have) + " samples, expected " + std::to_string(samples) +
                      " as in '" + inputs[0].name + "'");
  samples = have;
  checkValues(tensor, spec);
}

/// Converts everything once, a few rows at a time, so that no step meets a value that it cannot take.
void Dataset::checkValues(const TensorView &tensor, const TensorSpec &spec) const {
  std::string where = label(file, tensor, spec);
  size_t row = spec.sampleCount(), size = byteSize(spec.type);
  auto at = [&](size_t element) { return " in sample " + std::to_string(element / row); };
  size_t bad = findNonFinite(tensor.type, tensor.data, tensor.count);
  if (bad < tensor.count)
    refuse(where, "value is " + toText(loadElement(tensor.type, tensor.data + bad * byteSize(tensor.type))) +
                      at(bad));
  if (spec.type == tensor.type && spec.classes == 0)
    return;
  std::vector<std::byte> rows(std::min(checkRows, samples) * row * size);
  for (size_t begin = 0; begin < tensor.count; begin += checkRows * row) {
    size_t count = std::min(checkRows * row, tensor.count - begin);
    const std::byte *from = tensor.data + begin * byteSize(tensor.type);
    size_t done = convert(spec.type, rows.data(), tensor.type, from, count);
    if (done < count)
      refuse(where, "value " + toText(loadElement(tensor.type, from + done * byteSize(tensor.type))) +
                        at(begin + done) + " cannot be converted to " + name(spec.type));
    for (size_t i = 0; i < count && spec.classes; ++i) {
      double id = loadElement(spec.type, rows.data() + i * size);
      if ((id < 0 || id >= double(spec.classes)) && !(spec.ignore && id == double(*spec.ignore)))
        refuse(where,
               "id " + toText(id) + at(begin + i) + " is outside [0, " + std::to_string(spec.classes) + ")");
    }
  }
}

void Dataset::gather(std::span<const size_t> indices, Batch &batch) const {
  for (size_t tensor = 0; tensor < columns.size(); ++tensor) {
    const TensorSpec &spec = tensor < inputs.size() ? inputs[tensor] : targets[tensor - inputs.size()];
    const TensorView &from = columns[tensor];
    size_t row = spec.sampleCount(), rowBytes = row * byteSize(from.type);
    for (size_t i = 0; i < indices.size(); ++i)
      convert(spec.type, batch.row(tensor, i), from.type, from.data + indices[i] * rowBytes, row);
  }
}

int64_t countSamples(const DataFile &data) {
  const TensorView *tensor = data.file.find("x");
  if (!tensor && !data.file.tensors.empty())
    tensor = &data.file.tensors.front();
  if (!tensor || tensor->shape.empty() || tensor->shape[0] == 0)
    refuse(data.file.path, "holds no samples");
  return tensor->shape[0];
}

} // namespace halfstep
