// See ValueTable.h.
#include "runtime/trainer/observe/ValueTable.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/FileBytes.h"
#include "runtime/trainer/data/Tensor.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>

using nlohmann::json;

namespace halfstep {
namespace {

/// The compiler wrote the file for this run: whatever is wrong with it throws json's exceptions.
class Reader {
public:
  explicit Reader(const json &object) : object(object) {}

  ValueTable read() {
    table.batch = object.at("batch");
    for (const json &op : object.at("ops"))
      readOp(op);
    table.loss = tensor(object.at("loss"));
    for (const json &gradient : object.at("gradients"))
      table.gradients.push_back({gradient.at("param"), tensor(gradient.at("value"))});
    return std::move(table);
  }

private:
  const json &object;
  ValueTable table;

  void readOp(const json &entry) {
    StepOp op{entry.at("op"), entry.at("layer"), entry.at("place"), entry.at("phase"), {}, {}};
    for (const json &operand : entry.at("operands"))
      op.operands.push_back(tensor(operand));
    for (const json &result : entry.at("results")) {
      StepTensor made = typed(result);
      made.offset = result.at("offset");
      made.op = table.ops.size();
      made.result = op.results.size();
      op.results.push_back(std::move(made));
    }
    table.ops.push_back(std::move(op));
  }

  static StepTensor typed(const json &entry) {
    StepTensor tensor;
    tensor.type = dataTypeOf(entry.at("dtype").get<std::string>()).value();
    tensor.shape = entry.at("shape").get<std::vector<int64_t>>();
    if (!countElements(tensor.shape, tensor.type, tensor.count))
      throw std::length_error("shape");
    return tensor;
  }

  StepTensor tensor(const json &entry) const {
    static const std::map<std::string, StepTensor::Kind> kinds = {
        {"value", StepTensor::Kind::Result},  {"parameter", StepTensor::Kind::Parameter},
        {"scalar", StepTensor::Kind::Scalar}, {"input", StepTensor::Kind::Input},
        {"target", StepTensor::Kind::Target}, {"constant", StepTensor::Kind::Constant}};
    StepTensor found = typed(entry);
    found.kind = kinds.at(entry.at("kind"));
    if (found.kind == StepTensor::Kind::Result) {
      found.op = entry.at("op");
      found.result = entry.at("result");
      found.offset = table.ops.at(found.op).results.at(found.result).offset;
    }
    found.name = entry.value("name", "");
    found.offset = entry.value("offset", found.offset);
    found.index = entry.value("index", size_t{0});
    found.constant = {entry.value("min", 0.0), entry.value("max", 0.0), found.count,
                      entry.value("infinite", size_t{0}), entry.value("nan", size_t{0})};
    return found;
  }
};

} // namespace

std::vector<ValueTable> readValueTables(const std::string &folder, const std::string &id) {
  const std::string path = (std::filesystem::path(folder) / (id + ".values.json")).string();
  std::shared_ptr<const FileBytes> contents = FileBytes::open(path);
  const char *begin = reinterpret_cast<const char *>(contents->bytes().data());
  std::vector<ValueTable> tables;
  try {
    for (const json &object : json::parse(begin, begin + contents->bytes().size()))
      tables.push_back(Reader(object).read());
  } catch (const std::exception &error) {
    throw Diagnostic(ExitCode::Internal, path + ": not a table of values: " + error.what());
  }
  return tables;
}

} // namespace halfstep
