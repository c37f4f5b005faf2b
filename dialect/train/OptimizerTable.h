// The optimizers: their constants and their state. A row here and a formula in codegen are all that an
// optimizer is.
#ifndef HALFSTEP_DIALECT_TRAIN_OPTIMIZERTABLE_H
#define HALFSTEP_DIALECT_TRAIN_OPTIMIZERTABLE_H

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep {

/// A number that an update takes. Its name is torch's, but that `betas` are `beta1` and `beta2`.
struct OptimizerConstant {
  enum class Range {
    Unit,        ///< in [0, 1)
    NonNegative, ///< finite, at least 0
    Positive,    ///< finite, above 0
    Switch       ///< false or true, 0 or 1
  };
  std::string_view name;
  double fallback; ///< its value where none is given
  Range range;
};

/// State of the size of a parameter, under torch's name.
struct OptimizerSlot {
  std::string_view name;
  std::string_view needs = {};   ///< only where this constant is not 0; empty: always
  std::string_view initial = {}; ///< the constant that it starts from; empty: 0
};

struct OptimizerRow {
  std::string_view kind;
  std::vector<OptimizerConstant> constants; ///< beside those of all optimizers
  std::vector<OptimizerSlot> slots;

  /// The constant `name` of this optimizer or of all; null when there is none.
  const OptimizerConstant *find(std::string_view name) const;
};

/// What every update takes: `weight_decay`, `lr_scale` (a factor of the step's learning rate) and
/// `clip_value` (bound of a gradient's elements, 0: none).
std::span<const OptimizerConstant> commonConstants();

std::span<const OptimizerRow> optimizerTable();

/// Null when there is no such optimizer.
const OptimizerRow *findOptimizer(std::string_view kind);

/// The kinds, in the order of the table.
std::vector<std::string> optimizerKinds();

} // namespace halfstep

#endif // HALFSTEP_DIALECT_TRAIN_OPTIMIZERTABLE_H
