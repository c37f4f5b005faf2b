// The optimizer of a recipe and its groups of parameters.
#ifndef HALFSTEP_IMPORT_OPTIMIZERREADER_H
#define HALFSTEP_IMPORT_OPTIMIZERREADER_H

#include "import/SpecReader.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace halfstep {

/// Parameters whose names match a glob, and what is different for them.
struct GroupSpec {
  std::string match;             ///< * any characters, ? one; the first group that matches decides
  std::optional<double> lr;      ///< instead of the optimizer's; a schedule changes both in proportion
  std::optional<double> lrScale; ///< a factor of the optimizer's
  std::optional<double> weightDecay;
  bool frozen = false; ///< not trained: no gradient, no optimizer state
};

struct OptimizerSpec {
  std::string kind = "sgd"; ///< a row of optimizerTable()
  double lr = 0.01;
  std::map<std::string, double> constants; ///< those that were given, by the names of the table
  std::vector<GroupSpec> groups;

  /// The value of a constant of this optimizer, or its default.
  double constant(const std::string &name) const;
};

/// Reads the object `optimizer` of a recipe; BadInput at what is wrong.
void readOptimizer(const SpecReader &reader, OptimizerSpec &optimizer);
/// Checks values; throws the first that is out of range.
void validateOptimizer(const OptimizerSpec &optimizer);
/// The object with all settings of its kind.
nlohmann::json writeOptimizer(const OptimizerSpec &optimizer);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_OPTIMIZERREADER_H
