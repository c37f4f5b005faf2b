// Samples that are rows of tensors of a file.
#include "runtime/trainer/SampleSource.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/Csv.h"
#include "runtime/trainer/data/DataFile.h"

#include <algorithm>

namespace halfstep {
namespace {

constexpr size_t checkRows = 256; ///< samples that are converted at a time when values are checked

[[noreturn]] void refuse(const std::string &where, const std::string &what) {
  throw Diagnostic(ExitCode::BadInput, where + ": " + what);
}

std::string numberText(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

/// The name for messages: .npy files have none.
std::string label(const TensorFile &file, const TensorView &tensor, const TensorSpec &spec) {
  return file.path + ": '" + (tensor.name.empty() ? spec.name : tensor.name) + "'";
}

class TensorSource : public SampleSource {
public:
  explicit TensorSource(SourceRequest request);

  size_t size() const override { return samples; }
  DataFormat format() const override { return request.format; }
  void gather(std::span<const size_t> indices, Batch &batch) const override;

private:
  void bindNpy();
  void bindCsv();
  void bindNamed();
  const TensorView &require(const std::vector<std::string> &names) const;
  void check(const TensorView &tensor, const TensorSpec &spec);
  void checkValues(const TensorView &tensor, const TensorSpec &spec) const;
  const TensorSpec &specOf(size_t tensor) const {
    size_t inputs = request.inputs.size();
    return tensor < inputs ? request.inputs[tensor] : request.targets[tensor - inputs];
  }

  SourceRequest request;
  TensorFile file;
  std::vector<TensorView> columns; ///< by tensor, inputs first
  size_t samples = 0;
};

TensorSource::TensorSource(SourceRequest wanted) : request(std::move(wanted)) {
  DataFile read = readData(request.data, request.format.target, !request.targets.empty());
  file = std::move(read.file);
  if (read.kind == DataKind::Npy)
    bindNpy();
  else if (read.kind == DataKind::Csv)
    bindCsv();
  else
    bindNamed();
  for (size_t i = 0; i < columns.size(); ++i)
    check(columns[i], specOf(i));
}

void TensorSource::bindNpy() {
  size_t wanted = request.inputs.size() + request.targets.size(), have = file.tensors.size();
  if (have != wanted && have != request.inputs.size() + request.allTargets.size())
    refuse(file.path, "got " + std::to_string(have) + " .npy files, expected " + std::to_string(wanted) +
                          (request.targets.empty() ? ": one for each input"
                                                   : ": one for each input and target, as in x.npy,y.npy"));
  columns.assign(file.tensors.begin(), file.tensors.begin() + std::ptrdiff_t(wanted));
}

void TensorSource::bindCsv() {
  if (request.inputs.size() != 1 || request.targets.size() > 1)
    refuse(file.path, "a .csv file can only feed a model with one input and one target; use .safetensors");
  size_t width = size_t(file.tensors[0].shape[1]), target = width - 1;
  auto named = file.metadata.find("target");
  if (named != file.metadata.end())
    target = std::stoul(named->second);
  // Without targets, a table that is exactly as wide as the input has none.
  bool hasTarget =
      !request.targets.empty() || named != file.metadata.end() || width != request.inputs[0].sampleCount();
  std::vector<size_t> features;
  for (size_t i = 0; i < width; ++i)
    if (!hasTarget || i != target)
      features.push_back(i);
  TensorView x = csvColumns(file, request.inputs[0].name, features, false);
  columns = {x};
  if (!request.targets.empty())
    columns.push_back(csvColumns(file, request.targets[0].name, {target}, true));
}

const TensorView &TensorSource::require(const std::vector<std::string> &names) const {
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

void TensorSource::bindNamed() {
  for (const TensorSpec &input : request.inputs)
    columns.push_back(require({input.name}));
  for (size_t i = 0; i < request.targets.size(); ++i) {
    std::vector<std::string> names = {request.targets[i].name};
    if (request.targets.size() == 1)
      names.insert(names.begin(), "y");
    if (i < request.outputs.size())
      names.push_back(request.outputs[i].name);
    columns.push_back(require(names));
  }
}

void TensorSource::check(const TensorView &tensor, const TensorSpec &spec) {
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
                      " as in '" + request.inputs[0].name + "'");
  samples = have;
  checkValues(tensor, spec);
}

/// Converts everything once, a few rows at a time, so that no step meets a value that it cannot take.
void TensorSource::checkValues(const TensorView &tensor, const TensorSpec &spec) const {
  std::string where = label(file, tensor, spec);
  size_t row = spec.sampleCount(), size = byteSize(spec.type);
  auto at = [&](size_t element) { return " in sample " + std::to_string(element / row); };
  size_t bad = findNonFinite(tensor.type, tensor.data, tensor.count);
  if (bad < tensor.count)
    refuse(where, "value is " +
                      numberText(loadElement(tensor.type, tensor.data + bad * byteSize(tensor.type))) +
                      at(bad));
  if (spec.type == tensor.type && spec.classes == 0)
    return;
  std::vector<std::byte> rows(std::min(checkRows, samples) * row * size);
  for (size_t begin = 0; begin < tensor.count; begin += checkRows * row) {
    size_t count = std::min(checkRows * row, tensor.count - begin);
    const std::byte *from = tensor.data + begin * byteSize(tensor.type);
    size_t done = convert(spec.type, rows.data(), tensor.type, from, count);
    if (done < count)
      refuse(where, "value " + numberText(loadElement(tensor.type, from + done * byteSize(tensor.type))) +
                        at(begin + done) + " cannot be converted to " + name(spec.type));
    for (size_t i = 0; i < count && spec.classes; ++i) {
      double id = loadElement(spec.type, rows.data() + i * size);
      if ((id < 0 || id >= double(spec.classes)) && !(spec.ignore && id == double(*spec.ignore)))
        refuse(where, "id " + numberText(id) + at(begin + i) + " is outside [0, " +
                          std::to_string(spec.classes) + ")");
    }
  }
}

void TensorSource::gather(std::span<const size_t> indices, Batch &batch) const {
  for (size_t tensor = 0; tensor < columns.size(); ++tensor) {
    const TensorSpec &spec = specOf(tensor);
    const TensorView &from = columns[tensor];
    size_t row = spec.sampleCount(), rowBytes = row * byteSize(from.type);
    for (size_t i = 0; i < indices.size(); ++i)
      convert(spec.type, batch.row(tensor, i), from.type, from.data + indices[i] * rowBytes, row);
  }
}

} // namespace

std::unique_ptr<SampleSource> openTensors(SourceRequest request) {
  return std::make_unique<TensorSource>(std::move(request));
}

} // namespace halfstep
