// See NonfiniteDoctor.h.
#include "runtime/trainer/observe/NonfiniteDoctor.h"

#include <cmath>
#include <cstdio>

namespace halfstep {
namespace {

template <typename... Arguments>
std::string format(const char *pattern, Arguments... arguments) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, arguments...);
  return text;
}

std::string typeText(const StepTensor &tensor) {
  std::string text = name(tensor.type);
  for (char &letter : text)
    letter = char(std::tolower(static_cast<unsigned char>(letter)));
  return text + toText(tensor.shape);
}

/// "'fc1' (nn.matmul)".
std::string opText(const StepOp &op) {
  return op.layer.empty() ? op.op : "'" + op.layer + "' (" + op.op + ")";
}

/// "3 inf and 1 nan".
std::string wrongText(const TensorRange &range) {
  std::string text;
  if (range.infinite)
    text = format("%zu inf", range.infinite);
  if (range.nan)
    text += format("%s%zu nan", range.infinite ? " and " : "", range.nan);
  return text;
}

std::string rangeText(const TensorRange &range) {
  std::string wrong = wrongText(range);
  if (!range.finite())
    return "no finite value, " + wrong;
  return format("from %g to %g", range.min, range.max) + (wrong.empty() ? "" : ", " + wrong);
}

class Explanation {
public:
  Explanation(const ObservedStep &observed, const StepOp &op) : observed(observed), op(op) {}

  std::string text(double scale) const {
    const StepTensor &result = wrongResult();
    TensorRange range = observed.range(result);
    std::string text = opText(op) + (op.place.empty() ? "" : ", " + op.place) +
                       (op.phase == "update" ? ", before the update: " : ", in the " + op.phase + " pass: ") +
                       format("%zu of %zu elements", range.count - range.finite(), range.count) +
                       " of its result " + typeText(result) + " are not finite (" + wrongText(range) + ")";
    for (const StepTensor &operand : op.operands)
      text += "\n  reads " + source(operand) + " " + typeText(operand) + ": " +
              rangeText(observed.range(operand));
    return text + advice(result, scale);
  }

private:
  const ObservedStep &observed;
  const StepOp &op;

  const StepTensor &wrongResult() const {
    for (const StepTensor &result : op.results)
      if (isWrong(result))
        return result;
    return op.results.front();
  }

  bool isWrong(const StepTensor &tensor) const {
    TensorRange range = observed.range(tensor);
    return range.finite() != range.count;
  }

  std::string source(const StepTensor &operand) const {
    const Manifest &manifest = observed.manifest();
    switch (operand.kind) {
    case StepTensor::Kind::Result:
      return opText(observed.table().ops[operand.op]);
    case StepTensor::Kind::Parameter:
      return "parameter '" + operand.name + "'";
    case StepTensor::Kind::Scalar:
      return operand.name;
    case StepTensor::Kind::Input:
      return "input '" + manifest.inputs[operand.index].name + "'";
    case StepTensor::Kind::Target:
      return "target '" + manifest.targets[operand.index].name + "'";
    case StepTensor::Kind::Constant:
      break;
    }
    return "a constant";
  }

  /// What helps where the range of the result's type was too small for finite operands.
  std::string advice(const StepTensor &result, double scale) const {
    for (const StepTensor &operand : op.operands)
      if (isWrong(operand))
        return "";
    if (result.type != DataType::F16)
      return "";
    std::string text = "\n  f16 ends at 65504";
    if (op.phase == "backward" && scale > 1)
      return text + format(", and gradients are multiplied by the loss scale, %.9g", scale);
    return op.layer.empty() || op.phase != "forward" ? text
                                                     : text + "; to keep this layer in f32: \"layers\": {\"" +
                                                           op.layer + "\": \"fp32\"} in the precision spec";
  }
};

} // namespace

bool NonfiniteDoctor::isNeeded(const hs_step_result &result) {
  return result.skipped || !std::isfinite(result.loss) || !std::isfinite(result.grad_norm);
}

std::optional<size_t> NonfiniteDoctor::findCulprit() const {
  const ValueTable &table = observed->table();
  std::vector<const StepTensor *> pending = {&table.loss};
  for (const ValueTable::Gradient &gradient : table.gradients)
    pending.push_back(&gradient.value);
  std::vector<bool> seen(table.ops.size());
  std::optional<size_t> first;
  while (!pending.empty()) {
    const StepTensor &tensor = *pending.back();
    pending.pop_back();
    if (tensor.kind != StepTensor::Kind::Result || seen[tensor.op] || !isFloat(tensor.type))
      continue;
    TensorRange range = observed->range(tensor);
    if (range.finite() == range.count)
      continue;
    seen[tensor.op] = true;
    first = std::min(first.value_or(tensor.op), tensor.op);
    for (const StepTensor &operand : table.ops[tensor.op].operands)
      pending.push_back(&operand);
  }
  return first;
}

std::optional<std::string> NonfiniteDoctor::explain(int64_t step, const std::string &fate,
                                                    const hs_step_result &result, const Batch &batch,
                                                    int64_t size) {
  if (!observed)
    observed.emplace(options.separateOps(), options);
  restoreState(observed->get(), before);
  observed->run(batch, size);
  std::optional<size_t> culprit = findCulprit();
  if (last && *last == culprit)
    return std::nullopt;
  last = culprit;
  std::string text = format("step %lld %s, at a loss scale of %.9g", static_cast<long long>(step),
                            fate.c_str(), double(result.scale));
  if (!culprit)
    return text + ", but is finite where each op runs on its own: a value within a kernel of several ops "
                  "was at the end of its type's range";
  return text + ": the first value that is not finite is made by " +
         Explanation(*observed, observed->table().ops[*culprit]).text(double(result.scale));
}

} // namespace halfstep
