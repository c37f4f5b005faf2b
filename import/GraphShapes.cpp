// Shapes of the importer's vocabulary: the frame around the rules, and reshapes.
#include "import/ShapeRules.h"

#include <algorithm>

namespace halfstep {

std::string batchHint(int64_t replacedBatch) {
  if (replacedBatch == 0)
    return "";
  std::string batch = std::to_string(replacedBatch);
  return "; the file fixes the batch to " + batch + ", which cannot be replaced here: use --batch " + batch +
         " or export with a symbolic batch";
}

static const ShapeRule &ruleOf(const Node &node) {
  for (const ShapeRules *rules :
  for (const ShapeRules *rules : {&elementwiseRules(), &layerRules(), &imageRules(), &sequenceRules(), &moveRules(), &generalRules()})
    if (auto rule = rules->find(node.op); rule != rules->end())
      return rule->second;
  node.place.fail(ExitCode::Unsupported, "unknown op '" + node.op + "'");
}

std::vector<Shape> inferShapes(const Node &node, const std::vector<Shape> &operands, const Shape &target,
                               int64_t replacedBatch) {
  auto [least, most, infer] = ruleOf(node);
  if (operands.size() < least || operands.size() > most)
    node.place.badInput("'" + node.op + "' takes " + std::to_string(least) +
                        (most == least ? "" : " or more") + " inputs, got " +
                        std::to_string(operands.size()));
  for (size_t i = 0; i < least; ++i)
    if (!node.hasInput(i))
      node.place.badInput("input " + std::to_string(i) + " of '" + node.op + "' is missing");
  return infer({node, operands, target, replacedBatch});
}

int64_t normalizeAxis(int64_t axis, size_t rank, const Place &place) {
  int64_t signedRank = int64_t(rank);
  if (axis < -signedRank || axis >= signedRank)
    place.badInput("axis " + std::to_string(axis) + " is outside a shape of rank " + std::to_string(rank));
  return axis < 0 ? axis + signedRank : axis;
}

/// Product of the extents of a reshape's target except the one to be inferred.
static Dim productOfGiven(const Shape &wanted, const Place &place) {
  Dim product;
  for (const Dim &dim : wanted) {
    if (dim.size == -1)
      continue;
    if (dim.size < 1 || dim.size > kMaxElements / product.size)
      place.badInput("cannot reshape to " + toString(wanted));
    product.size *= dim.size;
    product.perSample |= dim.perSample;
  }
  return product;
}

/// Finds the extent of `wanted` (all fixed, for a batch of `batch`) that holds the batch of `input`: the one
/// whose elements before and after split those of the input at the batch. False when there is none.
static bool rebindBatch(const Shape &input, Shape &wanted, int64_t batch) {
  int64_t before = 1;
  for (const Dim &dim : input) {
    if (dim.perSample)
      break;
    before *= dim.size;
  }
  int64_t outer = 1;
  for (Dim &dim : wanted) {
    if (before % outer == 0 && dim.size % batch == 0 && (dim.size / batch) % (before / outer) == 0) {
      dim = {dim.size / batch, true};
      return true;
    }
    outer *= dim.size;
  }
  return false;
}

Shape resolveReshape(const Shape &input, Shape wanted, bool zeroIsExtent, int64_t replacedBatch,
                     const Place &place) {
  Dim *hole = nullptr;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].size == 0 && !zeroIsExtent) {
      if (i >= input.size())
        place.badInput("extent 0 at place " + std::to_string(i) + " has nothing to copy from " +
                       toString(input));
      wanted[i] = input[i];
    } else if (wanted[i].size == -1) {
      if (hole)
        place.badInput("more than one extent of -1");
      hole = &wanted[i];
    }
  }
  Dim whole{countElements(input, place.toString()), false};
  for (const Dim &dim : input)
    whole.perSample |= dim.perSample;
  Dim given = productOfGiven(wanted, place);
  // Fixed extents were computed for the batch of the file: count with it, then find the extent that is the
  // batch.
  bool rebind = whole.perSample && !given.perSample && replacedBatch > 0;
  if (rebind)
    whole = {whole.size * replacedBatch, false};
  Shape asked = wanted;
  if (hole && whole.size % given.size == 0 && (whole.perSample || !given.perSample))
    *hole = {whole.size / given.size, whole.perSample && !given.perSample};
  else if (hole || !(given == whole))
    place.badInput("cannot reshape " + toString(input) + " to " + toString(asked));
  if (rebind && !rebindBatch(input, wanted, replacedBatch))
    place.badInput("cannot reshape " + toString(input) + " to " + toString(asked) + batchHint(replacedBatch));
  return wanted;
}

} // namespace halfstep
