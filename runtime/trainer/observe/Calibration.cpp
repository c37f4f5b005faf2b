// See Calibration.h.
#include "runtime/trainer/observe/Calibration.h"

#include "runtime/trainer/Setup.h"
#include "runtime/trainer/Weights.h"
#include "runtime/trainer/observe/ObservedStep.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace halfstep {
namespace {

void addValues(const TensorView &values, TensorRecord &record) {
  const size_t bytes = byteSize(values.type);
  record.count += values.count;
  for (size_t i = 0; i < values.count; ++i) {
    double value = loadElement(values.type, values.data + i * bytes) * record.scale, size = std::fabs(value);
    if (!std::isfinite(value)) {
      ++record.notFinite;
      continue;
    }
    const bool first = record.count - values.count + i == record.notFinite;
    record.min = first ? value : std::min(record.min, value);
    record.max = first ? value : std::max(record.max, value);
    for (size_t type = 0; type < kNarrowTypes.size(); ++type) {
      record.overflows[type] += size >= kNarrowTypes[type].overflowFrom;
      record.zeros[type] += size > 0 && size <= kNarrowTypes[type].zeroUpTo;
    }
  }
}

TensorRecord named(TensorRecord::Role role, const std::string &name) {
  TensorRecord record;
  record.role = role;
  record.name = name;
  return record;
}

class Recorder {
public:
  Recorder(const ObservedStep &observed, double lossScale) : observed(observed), lossScale(lossScale) {}

  /// Adds the values of the step that was run last.
  void add(Calibration &calibration) {
    if (calibration.ops.empty())
      list(calibration);
    for (size_t i = 0; i < sources.size(); ++i)
      addValues(observed.view(sources[i]), calibration.tensors[i]);
    ++calibration.steps;
  }

private:
  const ObservedStep &observed;
  double lossScale;
  /// Of each record.
  std::vector<StepTensor> sources;
  std::map<std::string, size_t> parameters;
  std::map<size_t, size_t> inputs;
  std::map<std::pair<size_t, size_t>, size_t> results;

  template <typename Key>
  void addRecord(Calibration &calibration, std::map<Key, size_t> &numbers, const Key &key,
                 const StepTensor &source, TensorRecord record) {
    if (!isFloat(source.type) || !numbers.try_emplace(key, sources.size()).second)
      return;
    record.shape = source.shape;
    sources.push_back(source);
    calibration.tensors.push_back(std::move(record));
  }

  void list(Calibration &calibration) {
    const ValueTable &table = observed.table();
    for (const StepOp &op : table.ops)
      for (const StepTensor &operand : op.operands)
        listInput(calibration, operand);
    for (const StepOp &op : table.ops)
      for (const StepTensor &operand : op.operands)
        if (operand.kind == StepTensor::Kind::Parameter)
          addRecord(calibration, parameters, operand.name, operand,
                    named(TensorRecord::Role::Parameter, operand.name));
    for (const StepOp &op : table.ops)
      for (const StepTensor &result : op.results)
        listResult(calibration, op, result);
    for (const ValueTable::Gradient &gradient : table.gradients)
      if (auto found = results.find({gradient.value.op, gradient.value.result}); found != results.end())
        calibration.tensors[found->second].name = gradient.param;
    for (const StepOp &op : table.ops)
      calibration.ops.push_back(describe(op));
  }

  void listInput(Calibration &calibration, const StepTensor &operand) {
    if (operand.kind == StepTensor::Kind::Input)
      addRecord(calibration, inputs, operand.index, operand,
                named(TensorRecord::Role::Input, observed.manifest().inputs[operand.index].name));
  }

  void listResult(Calibration &calibration, const StepOp &op, const StepTensor &result) {
    bool gradient = op.phase != "forward";
    TensorRecord record = named(gradient ? TensorRecord::Role::Gradient : TensorRecord::Role::Forward, "");
    record.layer = op.layer;
    record.op = op.op;
    record.place = op.place;
    record.result = result.result;
    record.scale = gradient ? lossScale : 1;
    addRecord(calibration, results, std::pair(result.op, result.result), result, std::move(record));
  }

  OpRecord describe(const StepOp &op) const {
    return {op.layer, op.op, op.phase != "forward", numbersOf(op.operands), numbersOf(op.results)};
  }

  std::vector<size_t> numbersOf(const std::vector<StepTensor> &tensors) const {
    std::vector<size_t> numbers;
    for (const StepTensor &tensor : tensors)
      if (std::optional<size_t> number = numberOf(tensor))
        numbers.push_back(*number);
    return numbers;
  }

  std::optional<size_t> numberOf(const StepTensor &tensor) const {
    auto find = [](const auto &numbers, const auto &key) -> std::optional<size_t> {
      auto found = numbers.find(key);
      return found == numbers.end() ? std::nullopt : std::optional(found->second);
    };
    switch (tensor.kind) {
    case StepTensor::Kind::Result:
      return find(results, std::pair(tensor.op, tensor.result));
    case StepTensor::Kind::Parameter:
      return find(parameters, tensor.name);
    case StepTensor::Kind::Input:
      return find(inputs, tensor.index);
    default:
      return std::nullopt;
    }
  }
};

} // namespace

double TensorRecord::amax() const { return std::max(std::fabs(min), std::fabs(max)); }

Calibration calibrate(const RunOptions &options, double lossScale) {
  ObservedStep observed(options.library, options);
  Dataset data(options.data, observed.manifest(), true, requestedFormat(options));
  const std::vector<size_t> samples = data.samples();
  restoreWeights(observed.get(), options, false);
  const size_t size = size_t(observed.manifest().batch()), batches = data.size() / size;
  if (batches == 0)
    throw Diagnostic(ExitCode::BadInput, options.data + ": " + std::to_string(data.size()) +
                                             " samples are less than one batch of " + std::to_string(size) +
                                             "; give a smaller --batch");
  Recorder recorder(observed, lossScale);
  Calibration calibration;
  Batch batch = data.makeBatch(int64_t(size));
  for (int64_t step = 0; step < options.steps; ++step) {
    data.gather(std::span(samples).subspan(size_t(step) % batches * size, size), batch);
    calibration.skipped += observed.run(batch, int64_t(size)).skipped;
    recorder.add(calibration);
  }
  return calibration;
}

} // namespace halfstep
