// See OptimizerTable.h. The defaults are torch's, but that weight decay is 0 for all.
#include "dialect/train/OptimizerTable.h"

#include <algorithm>
#include <utility>

namespace halfstep {

using enum OptimizerConstant::Range;

static const std::vector<OptimizerConstant> common = {
    {"weight_decay", 0, NonNegative}, {"lr_scale", 1, NonNegative}, {"clip_value", 0, NonNegative}};

static const OptimizerConstant beta1 = {"beta1", 0.9, Unit}, beta2 = {"beta2", 0.999, Unit},
                               eps = {"eps", 1e-8, Positive}, momentum = {"momentum", 0, Unit},
                               amsgrad = {"amsgrad", 0, Switch};

static const std::vector<OptimizerRow> table = {
    {"sgd", {momentum, {"nesterov", 0, Switch}}, {{"momentum_buffer", "momentum"}}},
    {"adam", {beta1, beta2, eps, amsgrad}, {{"exp_avg"}, {"exp_avg_sq"}, {"max_exp_avg_sq", "amsgrad"}}},
    {"adamw", {beta1, beta2, eps, amsgrad}, {{"exp_avg"}, {"exp_avg_sq"}, {"max_exp_avg_sq", "amsgrad"}}},
    {"adagrad",
     {{"eps", 1e-10, Positive}, {"lr_decay", 0, NonNegative}, {"initial_accumulator_value", 0, NonNegative}},
     {{"sum", "", "initial_accumulator_value"}}},
    {"rmsprop",
     {{"alpha", 0.99, Unit}, eps, momentum, {"centered", 0, Switch}},
     {{"square_avg"}, {"momentum_buffer", "momentum"}, {"grad_avg", "centered"}}},
};

const OptimizerConstant *OptimizerRow::find(std::string_view name) const {
  for (std::span<const OptimizerConstant> list : {std::span(constants), std::span(std::as_const(common))})
    if (auto found = std::ranges::find(list, name, &OptimizerConstant::name); found != list.end())
      return &*found;
  return nullptr;
}

std::span<const OptimizerConstant> commonConstants() { return common; }

std::span<const OptimizerRow> optimizerTable() { return table; }

const OptimizerRow *findOptimizer(std::string_view kind) {
  auto found = std::ranges::find(table, kind, &OptimizerRow::kind);
  return found == table.end() ? nullptr : &*found;
}

std::vector<std::string> optimizerKinds() {
  std::vector<std::string> kinds;
  for (const OptimizerRow &row : table)
    kinds.emplace_back(row.kind);
  return kinds;
}

} // namespace halfstep
