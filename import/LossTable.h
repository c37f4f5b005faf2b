// The losses that a recipe may name, and which of its settings belong to which.
#ifndef HALFSTEP_IMPORT_LOSSTABLE_H
#define HALFSTEP_IMPORT_LOSSTABLE_H

#include "import/SpecReader.h"

#include <optional>
#include <string>
#include <vector>

namespace halfstep {

struct LossSpec {
  std::string kind;                   ///< a kind of lossKinds(); empty: none given
  std::string reduction = "mean";     ///< mean, sum
  std::optional<int64_t> axis;        ///< class axis; absent: the rule of interfaces.md
  std::string targets = "ids";        ///< of cross_entropy: ids, probabilities
  double labelSmoothing = 0;          ///< in [0, 1)
  std::optional<int64_t> ignoreIndex; ///< targets that do not count
  std::vector<double> weight;         ///< one a class; empty: all 1
  std::vector<double> posWeight;      ///< of bce_with_logits: one, or one a column of the output; empty: 1
  double delta = 1;                   ///< of huber: where it becomes linear
  double beta = 1;                    ///< of smooth_l1: the same
};

/// In the order in which messages list them.
const std::vector<std::string> &lossKinds();

/// True for losses over classes: the target is an id or a distribution, and the output has a class axis.
bool isOverClasses(const LossSpec &loss);

/// Reads the object `loss` of a recipe; BadInput at what is wrong.
void readLoss(const SpecReader &reader, LossSpec &loss);
/// Checks values; throws the first that is out of range.
void validateLoss(const LossSpec &loss);
/// The object with all settings of its kind.
nlohmann::json writeLoss(const LossSpec &loss);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_LOSSTABLE_H
