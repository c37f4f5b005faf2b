// The importer's vocabulary: what the shape rules of an op work on, and the tables of rules, one a family.
#ifndef HALFSTEP_IMPORT_SHAPERULES_H
#define HALFSTEP_IMPORT_SHAPERULES_H

#include "import/GraphShapes.h"

#include <string_view>

namespace halfstep {

/// What to add to a message when a fixed extent may be the batch that the file was exported with.
std::string batchHint(int64_t replacedBatch);

/// What a rule works on.
struct RuleInput {
  const Node &node;
  const std::vector<Shape> &operands;
  const Shape &target;
  int64_t replacedBatch;

  [[noreturn]] void bad(const std::string &message) const { node.place.badInput(message); }
  const Shape &input() const { return operands[0]; }
  void needRank(const Shape &shape, size_t rank, const std::string &what) const {
    if (shape.size() != rank)
      bad("expected " + what + ", got shape " + toString(shape));
  }
  void needShape(size_t operand, const Shape &wanted, const std::string &what) const {
    if (operands[operand] != wanted)
      bad(what + " '" + node.inputs[operand] + "' has shape " + toString(operands[operand]) + ", expected " +
          toString(wanted));
  }
  std::string batchHint() const { return halfstep::batchHint(replacedBatch); }
};

/// Shapes of the results.
using Results = std::vector<Shape>;

/// Shapes of an element-wise op's one operand, of two that broadcast.
Results sameShape(const RuleInput &s);
Results broadcastShapes(const RuleInput &s);

struct ShapeRule {
  size_t leastOperands, mostOperands;
  Results (*infer)(const RuleInput &);
};
using ShapeRules = std::map<std::string_view, ShapeRule>;

/// How many operands an op of any number of them may have.
inline constexpr size_t kAnyNumber = SIZE_MAX;

const ShapeRules &elementwiseRules();
const ShapeRules &layerRules();
const ShapeRules &imageRules();
const ShapeRules &sequenceRules();
const ShapeRules &moveRules();
const ShapeRules &generalRules();

} // namespace halfstep

#endif // HALFSTEP_IMPORT_SHAPERULES_H
