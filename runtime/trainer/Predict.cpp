// Trainer.h's predict: a model's outputs as a file.
#include "runtime/trainer/Evaluation.h"
#include "runtime/trainer/Setup.h"
#include "runtime/trainer/Weights.h"
#include "runtime/trainer/data/Npy.h"
#include "runtime/trainer/data/Safetensors.h"

namespace halfstep {
namespace {

bool isNpy(const std::string &path) { return path.ends_with(".npy"); }

/// What can be said before anything runs.
void checkOutput(const std::string &path, const Manifest &manifest) {
  if (!isNpy(path) && !path.ends_with(".safetensors"))
    throw Diagnostic(ExitCode::Usage, path + ": expected a name that ends in .npy or .safetensors");
  if (isNpy(path) && manifest.outputs.size() != 1)
    throw Diagnostic(ExitCode::Usage, path + ": the model has " + std::to_string(manifest.outputs.size()) +
                                          " outputs, and .npy holds one; write a .safetensors file");
}

/// NumPy has no BF16, and F32 holds its values exactly.
void widen(TensorView &tensor, std::vector<std::byte> &bytes) {
  if (tensor.type != DataType::BF16)
    return;
  std::vector<std::byte> wide(tensor.count * byteSize(DataType::F32));
  convert(DataType::F32, wide.data(), tensor.type, tensor.data, tensor.count);
  bytes = std::move(wide);
  tensor.type = DataType::F32;
  tensor.data = bytes.data();
}

} // namespace

void predict(const RunOptions &options) {
  std::shared_ptr<const Library> library = Library::open(options.library);
  const Manifest &manifest = library->manifest();
  checkOutput(options.output, manifest);
  Dataset data(options.data, manifest, false, requestedFormat(options), false);
  Instance instance(library, instanceConfig(options));
  restoreWeights(instance, options, true);
  std::vector<std::vector<std::byte>> results = predictSamples(instance, data);
  std::vector<TensorView> tensors;
  for (size_t i = 0; i < results.size(); ++i) {
    const TensorSpec &spec = manifest.outputs[i];
    TensorView tensor = {spec.name, spec.type, spec.shape, results[i].data(), 0};
    tensor.shape[0] = int64_t(data.size());
    tensor.count = results[i].size() / byteSize(spec.type);
    tensors.push_back(tensor);
  }
  if (isNpy(options.output)) {
    widen(tensors[0], results[0]);
    writeNpy(options.output, tensors[0]);
  } else {
    writeSafetensors(options.output, tensors);
  }
}

} // namespace halfstep
