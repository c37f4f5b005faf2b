// See Weights.h.
#include "runtime/trainer/Weights.h"

#include "runtime/trainer/Checkpoints.h"
#include "runtime/trainer/data/Safetensors.h"

#include <set>

namespace halfstep {
namespace {

constexpr std::string_view modelPrefix = "model.", masterPrefix = "master.";

std::vector<TensorView> ofCheckpoint(const TensorFile &file) {
  std::vector<TensorView> weights;
  for (const TensorView &tensor : file.tensors) {
    bool master = tensor.name.starts_with(masterPrefix);
    if (!master && !tensor.name.starts_with(modelPrefix))
      continue;
    std::string plain = tensor.name.substr(master ? masterPrefix.size() : modelPrefix.size());
    if (!master && file.find(std::string(masterPrefix) + plain))
      continue;
    weights.push_back(tensor);
    weights.back().name = plain;
  }
  return weights;
}

/// A counter that PyTorch's batch norm saves and that training here does not need.
bool isIgnored(const std::string &name) { return name.ends_with("num_batches_tracked"); }

/// Every parameter has its tensor, and every tensor is a parameter's.
void requireSameNames(const std::string &path, const std::vector<InstanceParameter> &parameters,
                      const std::map<std::string, const TensorView *> &weights) {
  std::vector<std::string> missing, unexpected;
  std::set<std::string> known;
  for (const InstanceParameter &parameter : parameters) {
    known.insert(parameter.name);
    if (!weights.contains(parameter.name))
      missing.push_back(parameter.name);
  }
  for (const auto &[name, tensor] : weights)
    if (!known.contains(name) && !isIgnored(name))
      unexpected.push_back(name);
  std::string what;
  if (!missing.empty())
    what = "lacks " + quotedNames(missing);
  if (!unexpected.empty())
    what += (what.empty() ? "" : "; ") + ("has " + quotedNames(unexpected)) + ", which the model lacks";
  if (!what.empty())
    throw Diagnostic(ExitCode::BadInput, path + ": not the weights of this model: " + what);
}

std::vector<std::byte> convertWeights(const std::string &path, const InstanceParameter &parameter,
                                      const TensorView &tensor) {
  std::string where = path + ": '" + parameter.name + "': ";
  if (tensor.shape != parameter.shape)
    throw Diagnostic(ExitCode::BadInput, where + "got the shape " + toText(tensor.shape) + ", expected " +
                                             toText(parameter.shape));
  std::vector<std::byte> values(parameter.bytes());
  size_t done = convert(parameter.type, values.data(), tensor.type, tensor.data, tensor.count);
  if (done < tensor.count)
    throw Diagnostic(ExitCode::BadInput, where + "element " + std::to_string(done) +
                                             " cannot be converted to " + name(parameter.type));
  return values;
}

} // namespace

std::vector<TensorView> plainWeights(const TensorFile &file) {
  return file.metadata.contains("halfstep_checkpoint") ? ofCheckpoint(file) : file.tensors;
}

TensorFile readWeights(const std::string &path) {
  TensorFile file = readSafetensors(findCheckpoint(path));
  if (file.metadata.contains("halfstep_checkpoint"))
    verifyChecksums(file);
  return file;
}

void loadWeights(Instance &instance, const std::string &path) {
  TensorFile file = readWeights(path);
  std::vector<TensorView> tensors = plainWeights(file);
  std::map<std::string, const TensorView *> weights;
  for (const TensorView &tensor : tensors)
    weights[tensor.name] = &tensor;
  std::vector<InstanceParameter> parameters = instance.parameters();
  requireSameNames(path, parameters, weights);
  std::vector<std::vector<std::byte>> values;
  values.reserve(parameters.size());
  for (const InstanceParameter &parameter : parameters)
    values.push_back(convertWeights(path, parameter, *weights.at(parameter.name)));
  for (size_t i = 0; i < values.size(); ++i)
    instance.set(i, values[i]);
}

void restoreWeights(Instance &instance, const RunOptions &options, bool required) {
  if (!options.weights.empty() && !options.resume.empty())
    throw Diagnostic(ExitCode::Usage, "weights and a checkpoint were given; choose one");
  if (!options.weights.empty())
    loadWeights(instance, options.weights);
  else if (!options.resume.empty())
    instance.load(findCheckpoint(options.resume));
  else if (required)
    throw Diagnostic(ExitCode::Usage, "weights are required: --weights FILE or --checkpoint DIR|FILE");
}

DataFormat requestedFormat(const RunOptions &options) {
  if (!options.weights.empty())
    return options.format.over(formatIn(readSafetensors(options.weights).metadata));
  if (!options.resume.empty())
    return options.format.over(formatIn(readCheckpoint(findCheckpoint(options.resume)).metadata));
  return options.format;
}

void exportWeights(const std::string &checkpoint, const std::string &output) {
  TensorFile file = readCheckpoint(findCheckpoint(checkpoint));
  verifyChecksums(file);
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  if (std::string format = formatIn(file.metadata).toJson(); !format.empty())
    metadata[dataFormatKey] = format;
  writeSafetensors(output, plainWeights(file), metadata);
}

} // namespace halfstep
