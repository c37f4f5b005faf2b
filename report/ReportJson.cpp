// See ReportJson.h.
#include "report/ReportJson.h"

#include "import/PrecisionTable.h"

#include <map>

using json = nlohmann::ordered_json;

namespace halfstep {

const char *castPlaceName(CastPlace place) {
  constexpr const char *names[] = {"kernel", "folded", "copy", "stored", "dropped"};
  return names[size_t(place)];
}

static json opToJson(const OpReport &op) {
  return {{"name", op.name},     {"op", op.op},   {"class", op.precisionClass}, {"type", op.type},
          {"reason", op.reason}, {"key", op.key}, {"shape", op.shape}};
}

static json castToJson(const CastReport &cast) {
  return {{"from", cast.from},
          {"to", cast.to},
          {"bytes", cast.bytes},
          {"op", cast.op},
          {"pass", cast.backward ? "backward" : "forward"},
          {"shape", cast.shape},
          {"place", castPlaceName(cast.place)},
          {"kernel", cast.kernel},
          {"cost_bytes", cast.cost},
          {"estimated_us", estimateMicroseconds(cast.cost)}};
}

static json castsToJson(const PrecisionReport &report) {
  json list = json::array();
  for (const CastReport &cast : report.casts)
    list.push_back(castToJson(cast));
  return {{"before", report.castsBefore},
          {"after", report.casts.size()},
          {"kernels", report.castKernels()},
          {"estimate_bytes_per_s", kBandwidth},
          {"list", list}};
}

static json weightToJson(const WeightReport &weight) {
  return {{"name", weight.name},   {"types", weight.types},   {"roles", weight.roles},
          {"shape", weight.shape}, {"buffer", weight.buffer}, {"bytes", weight.bytes}};
}

static json memoryToJson(const MemoryReport &memory) {
  json object = json::object();
  for (const MemoryKind &kind : memoryKinds())
    object[kind.name] = memory.*kind.bytes;
  return object;
}

static json activationToJson(const ActivationReport &activation) {
  return {{"name", activation.name},
          {"op", activation.op},
          {"type", activation.type},
          {"shape", activation.shape},
          {"bytes", activation.bytes}};
}

template <typename Element>
static json listOf(const std::vector<Element> &elements, json (*convert)(const Element &)) {
  json list = json::array();
  for (const Element &element : elements)
    list.push_back(convert(element));
  return list;
}

json reportToJson(const PrecisionReport &report) {
  return {{"model", report.model},
          {"target", report.target},
          {"batch", report.batch},
          {"precision", report.spec.name},
          {"label", report.label},
          {"spec", precisionToJson(report.spec)},
          {"notes", report.spec.notes},
          {"ops", listOf(report.ops, opToJson)},
          {"casts", castsToJson(report)},
          {"weights", listOf(report.weights, weightToJson)},
          {"memory", memoryToJson(report.memory)},
          {"memory_32_true", report.memory32 ? memoryToJson(*report.memory32) : json()},
          {"activations", listOf(report.activations, activationToJson)}};
}

json irToJson(const IrReport &ir) {
  // Each line's layer as a number: 0 none, else 1 + its place in `layers`.
  json layers = json::array(), lines = json::array();
  std::map<std::string, size_t> numbers;
  for (const std::string &layer : ir.layers) {
    if (!layer.empty() && numbers.try_emplace(layer, numbers.size() + 1).second)
      layers.push_back(layer);
    lines.push_back(layer.empty() ? 0 : numbers[layer]);
  }
  return {{"stage", ir.stage}, {"text", ir.text}, {"layers", layers}, {"lines", lines}};
}

std::string dumpJson(const json &value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

} // namespace halfstep
