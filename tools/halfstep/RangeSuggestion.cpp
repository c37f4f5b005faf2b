// See RangeSuggestion.h.
#include "tools/halfstep/RangeSuggestion.h"

#include "report/TextTable.h"

#include <algorithm>
#include <cmath>
#include <map>

using nlohmann::json;

namespace halfstep {
namespace {

class Suggester {
public:
  Suggester(const Calibration &calibration, const PrecisionReport &report)
      : calibration(calibration), spec(report.spec), type(*narrowTypeOf(report.spec)) {
    for (const OpReport &op : report.ops)
      if (op.type == spec.compute)
        narrowOps[{op.name, op.op}] = spec.convert || op.precisionClass == "lower";
  }

  RangeSuggestion suggest(json changed) {
    for (const OpRecord &op : calibration.ops)
      op.backward ? noteBackward(op) : noteForward(op);
    for (const auto &[layer, reason] : layers)
      changed["layers"][layer] = "fp32";
    double scale = std::exp2(std::floor(std::log2(limit().largest / largestGradient)));
    if (largestGradient > 0) {
      spec.scaler ? changed["scaler"]["init"] = scale : changed["loss_scale"] = scale;
      reasons.push_back(numberText("gradients reach %g", largestGradient) +
                        numberText(" and overflow at a loss scale of %.9g", spec.lossScale));
    }
    return {reasons.empty() ? json() : changed, reasons};
  }

private:
  const Calibration &calibration;
  const PrecisionSpec &spec;
  size_t type;
  /// Ops, by layer and name, that run in the narrow type; true for those that take their operands to it.
  std::map<std::pair<std::string, std::string>, bool> narrowOps;
  /// Why each layer goes to fp32.
  std::map<std::string, std::string> layers;
  std::vector<std::string> reasons;
  double largestGradient = 0; ///< without the loss scale, where only that takes it out of range

  const NarrowType &limit() const { return kNarrowTypes[type]; }
  const TensorRecord &tensor(size_t number) const { return calibration.tensors[number]; }
  bool overflows(size_t number) const { return tensor(number).overflows[type] > 0; }

  bool isNarrow(const std::string &layer) const {
    return std::any_of(narrowOps.begin(), narrowOps.end(),
                       [&](const auto &op) { return op.first.first == layer; });
  }

  void override(const std::string &layer, const TensorRecord &record, const std::string &what) {
    std::string reason = layer + ": " + what + numberText(" reaches %g, ", record.amax()) + limit().name +
                         numberText(" ends at %g", limit().largest);
    if (!layer.empty() && layers.try_emplace(layer, reason).second)
      reasons.push_back(reason);
  }

  void noteForward(const OpRecord &op) {
    auto found = narrowOps.find({op.layer, op.op});
    if (found == narrowOps.end())
      return;
    auto read = std::find_if(op.operands.begin(), op.operands.end(), [&](size_t i) { return overflows(i); });
    auto made = std::find_if(op.results.begin(), op.results.end(), [&](size_t i) { return overflows(i); });
    // An op that is not taken to the narrow type runs in the type of what it reads: a wide one, once that has
    // been kept from overflowing.
    if (read != op.operands.end() && found->second)
      override(op.layer, tensor(*read), "what " + op.op + " reads");
    else if (read == op.operands.end() && made != op.results.end())
      override(op.layer, tensor(*made), "the result of " + op.op);
  }

  void noteBackward(const OpRecord &op) {
    if (!isNarrow(op.layer) || layers.contains(op.layer))
      return;
    for (const auto *list : {&op.operands, &op.results})
      for (size_t number : *list) {
        const TensorRecord &record = tensor(number);
        if (record.role != TensorRecord::Role::Gradient || !overflows(number))
          continue;
        double unscaled = record.amax() / record.scale;
        if (unscaled < limit().largest && record.scale > 1)
          largestGradient = std::max(largestGradient, unscaled);
        else
          override(op.layer, record, "a gradient of " + op.op);
      }
  }
};

} // namespace

std::optional<size_t> narrowTypeOf(const PrecisionSpec &spec) {
  if (spec.compute == "f16")
    return 0;
  return spec.compute == "bf16" ? std::optional<size_t>(1) : std::nullopt;
}

RangeSuggestion suggestOverrides(const Calibration &calibration, const PrecisionReport &report,
                                 const json &given) {
  return Suggester(calibration, report).suggest(given);
}

} // namespace halfstep
