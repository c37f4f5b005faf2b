// The targets of losses over classes: ids, some of which are to be ignored, and weights of the classes.
#ifndef HALFSTEP_CODEGEN_CPU_CLASSTARGETS_H
#define HALFSTEP_CODEGEN_CPU_CLASSTARGETS_H

#include "codegen/cpu/SliceBuilder.h"

#include <optional>

namespace halfstep {

class ClassTargets {
public:
  using Value = mlir::Value;

  /// `ids`: flat, i64. `weights`: one a class, flat; null: all are 1.
  ClassTargets(SliceBuilder &b, Value ids, Value weights, std::optional<uint64_t> ignored)
      : b(b), ids(ids), weights(weights), ignored(ignored) {}

  struct Row {
    Value id;     ///< as an index, one of a class also where the row is ignored
    Value weight; ///< of the class in compute type; 0 for an ignored row
    Value counts; ///< i1: the row is not ignored; null when none is
  };
  Row at(Value row);

  /// `value`, or 0 in an ignored row.
  Value orZero(const Row &target, Value value);

private:
  SliceBuilder &b;
  Value ids, weights;
  std::optional<uint64_t> ignored;
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CLASSTARGETS_H
