// See Manifest.h.
#include "runtime/trainer/Manifest.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/embedded/contract.h"
#include "runtime/trainer/data/FileBytes.h"
#include "runtime/trainer/data/Tensor.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

using nlohmann::json;

namespace halfstep {
namespace {

/// Reads one document; every fault names the file and the key.
class Reader {
public:
  explicit Reader(std::string path) : path(std::move(path)) {}

  json parse() const {
    std::shared_ptr<const FileBytes> contents = FileBytes::open(path);
    const char *begin = reinterpret_cast<const char *>(contents->bytes().data());
    json document = json::parse(begin, begin + contents->bytes().size(), nullptr, false);
    if (!document.is_object())
      refuse("it is not a JSON object");
    return document;
  }

  [[noreturn]] void refuse(const std::string &what) const {
    throw Diagnostic(ExitCode::BadInput, path + ": not a valid manifest: " + what);
  }

  /// The value of `key`, or `fallback` when it is absent; without a fallback it is required.
  template <typename T>
  T get(const json &object, const std::string &key, std::optional<T> fallback = std::nullopt) const {
    auto found = object.find(key);
    if (found == object.end() && fallback)
      return *fallback;
    try {
      if (found != object.end())
        return found->get<T>();
    } catch (const json::exception &) {
    }
    refuse("'" + key + "' is missing or of another type");
  }

  TensorSpec tensor(const json &object, const char *list) const {
    TensorSpec spec;
    if (!object.is_object())
      refuse(std::string("'") + list + "' is not a list of objects");
    spec.name = get<std::string>(object, "name");
    spec.shape = get<std::vector<int64_t>>(object, "shape");
    spec.classes = get<int64_t>(object, "classes", 0);
    if (object.contains("ignore"))
      spec.ignore = get<int64_t>(object, "ignore");
    std::optional<DataType> type = dataTypeOf(get<std::string>(object, "dtype"));
    size_t count;
    if (!type || *type > DataType::U8)
      refuse("tensor '" + spec.name + "' has an unknown dtype");
    if (spec.shape.empty() || !countElements(spec.shape, *type, count) || count == 0)
      refuse("tensor '" + spec.name + "' has a malformed shape");
    spec.type = *type;
    return spec;
  }

  std::vector<TensorSpec> tensors(const json &document, const char *list) const {
    std::vector<TensorSpec> specs;
    for (const json &each : get<json>(document, list))
      specs.push_back(tensor(each, list));
    return specs;
  }

private:
  std::string path;
};

/// The recipe is optional: a library works without it, only the log then lacks the learning rate.
void readRecipe(const std::string &path, Manifest &manifest) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return;
  Reader reader(path);
  json recipe = reader.parse();
  json lr = recipe.value("/optimizer/lr"_json_pointer, json());
  json least = recipe.value("/precision/scaler/min"_json_pointer, json());
  if (lr.is_number())
    manifest.lr = lr.get<double>();
  if (least.is_number())
    manifest.minScale = least.get<double>();
  manifest.accumulate = reader.get<int64_t>(recipe, "accumulate", 1);
  if (manifest.accumulate < 1)
    reader.refuse("'accumulate' is malformed");
  try {
    manifest.schedule = Schedule(recipe.value("schedule", json::object()));
  } catch (const json::exception &) {
    reader.refuse("'schedule' is malformed");
  }
}

void readLoss(const Reader &reader, const json &document, Manifest &manifest) {
  auto loss = document.find("loss");
  if (loss == document.end() || !loss->is_object())
    return;
  manifest.loss = reader.get<std::string>(*loss, "kind", "");
  manifest.reduction = reader.get<std::string>(*loss, "reduction", "mean");
  manifest.classWeights = reader.get<std::vector<double>>(*loss, "weight", std::vector<double>());
  if (loss->contains("axis") && (*loss)["axis"].is_number_integer())
    manifest.axis = (*loss)["axis"].get<int64_t>();
}

} // namespace

size_t TensorSpec::sampleCount() const {
  size_t count = 1;
  for (size_t i = 1; i < shape.size(); ++i)
    count *= size_t(shape[i]);
  return count;
}

bool Manifest::hasBatch(int64_t batch) const {
  return std::find(batches.begin(), batches.end(), batch) != batches.end();
}

Manifest readManifest(const std::string &folder, const std::string &id) {
  std::string stem = (std::filesystem::path(folder) / id).string();
  Manifest manifest;
  manifest.path = stem + ".manifest.json";
  Reader reader(manifest.path);
  json document = reader.parse();
  if (reader.get<int64_t>(document, "abi") != HS_ABI)
    throw Diagnostic(ExitCode::BadInput, manifest.path + ": ABI " + document["abi"].dump() + ", expected " +
                                             std::to_string(HS_ABI) + "; compile the model again");
  manifest.name = reader.get<std::string>(document, "name");
  manifest.precision = reader.get<std::string>(document, "precision");
  manifest.target = reader.get<std::string>(document, "target", "cpu");
  manifest.arenaBytes = reader.get<int64_t>(document, "arena_bytes");
  manifest.inputs = reader.tensors(document, "inputs");
  manifest.targets = reader.tensors(document, "targets");
  manifest.outputs = reader.tensors(document, "outputs");
  manifest.isas = reader.get<std::vector<std::string>>(document, "isas", std::vector<std::string>());
  if (manifest.inputs.empty())
    reader.refuse("it has no inputs");
  manifest.batches =
      reader.get<std::vector<int64_t>>(document, "batches", std::vector{manifest.inputs[0].shape[0]});
  if (manifest.batches.empty() || *std::min_element(manifest.batches.begin(), manifest.batches.end()) < 1)
    reader.refuse("'batches' is malformed");
  for (const auto *list : {&manifest.inputs, &manifest.targets, &manifest.outputs})
    for (const TensorSpec &spec : *list)
      if (spec.shape[0] != manifest.batch())
        reader.refuse("tensor '" + spec.name + "' does not begin with the batch");
  readLoss(reader, document, manifest);
  readRecipe(stem + ".recipe.json", manifest);
  return manifest;
}

} // namespace halfstep
