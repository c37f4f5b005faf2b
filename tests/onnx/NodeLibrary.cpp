// See NodeLibrary.h.
#include "NodeLibrary.h"

#include "codegen/library/Compile.h"
#include "halfstep/types.h"

#include <dlfcn.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace halfstep::test {

namespace {

/// A generated library's functions, by their names without the prefix.
class Library {
public:
  explicit Library(const std::string &path) : handle(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!handle)
      throw std::runtime_error(dlerror());
  }
  ~Library() { dlclose(handle); }

  template <typename Function>
  Function *find(const char *name) const {
    void *symbol = dlsym(handle, (std::string("nodes_") + name).c_str());
    if (!symbol)
      throw std::runtime_error(dlerror());
    return reinterpret_cast<Function *>(symbol);
  }

private:
  void *handle;
};

template <typename T>
std::vector<std::vector<double>> runLibrary(const Assembled &model, const std::string &path) {
  Library library(path);
  std::vector<std::vector<T>> inputs = {{T(0)}}, outputs = {{T(0)}};
  for (const AssembledTensor &input : model.inputs) {
    std::vector<double> elements = elementsOf(input.tensor());
    inputs.emplace_back(elements.begin(), elements.end());
  }
  for (const AssembledTensor &output : model.outputs)
    outputs.emplace_back(elementsOf(output.tensor()).size());
  std::vector<const void *> inputPointers;
  std::vector<void *> outputPointers;
  for (const auto &input : inputs)
    inputPointers.push_back(input.data());
  for (auto &output : outputs)
    outputPointers.push_back(output.data());

  void *instance = nullptr;
  hs_config config = HS_CONFIG_INIT;
  if (library.find<int(const hs_config *, void **)>("create")(&config, &instance) != HS_OK)
    throw std::runtime_error("no instance can be made");
  int status = library.find<int(void *, const void *const *, void *const *)>("forward")(
      instance, inputPointers.data(), outputPointers.data());
  std::string error = library.find<const char *(void *)>("last_error")(instance);
  library.find<int(void *)>("destroy")(instance);
  if (status != HS_OK)
    throw std::runtime_error("forward: " + error);

  std::vector<std::vector<double>> results;
  for (size_t i = 1; i < outputs.size(); ++i)
    results.emplace_back(outputs[i].begin(), outputs[i].end());
  return results;
}

} // namespace

std::vector<std::vector<double>> runForward(const Assembled &model, bool isDouble,
                                            const std::string &folder) {
  std::filesystem::create_directories(folder);
  const std::string file = folder + "/nodes.onnx";
  std::ofstream(file, std::ios::binary) << model.model.SerializeAsString();
  CompileRequest request;
  request.model = file;
  request.name = "nodes";
  request.outputDir = folder + "/out";
  request.hostOnly = true;
  request.recipe.batch = 1;
  request.recipe.loss.kind = "mse";
  if (isDouble) {
    PrecisionSpec &precision = request.recipe.precision;
    precision.name = "64-true";
    precision.params = precision.compute = precision.output = "f64";
  }
  compileLibrary(request);
  const std::string library = request.outputDir + "/libnodes.so";
  return isDouble ? runLibrary<double>(model, library) : runLibrary<float>(model, library);
}

} // namespace halfstep::test
