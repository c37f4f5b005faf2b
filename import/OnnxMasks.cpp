// Values that are evaluated at import, and what the masks of attention among them say.
#include "import/OnnxImporter.h"

#include <algorithm>
#include <limits>

namespace halfstep {

/// A number that is added to a score hides its key from here down.
static constexpr double kHiding = -1e30;

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

/// The tensor in the terms of OnnxSampleValues.h: computed, known, or an input of integers; null for others.
const SampleTensor *OnnxImporter::sampleOf(const std::string &name, const Place &place) {
  const std::string at = resolve(name);
  if (auto found = samples.find(at); found != samples.end())
    return &found->second;
  for (const GraphInput &input : graph.inputs)
    if (input.name == at && input.type == ElementType::I64)
      return &samples.emplace(at, sampleTensorOf(input)).first->second;
  const KnownTensor *tensor = findKnown(at, place);
  std::optional<SampleTensor> sample = tensor ? sampleTensorOf(*tensor) : std::nullopt;
  return sample ? &samples.emplace(at, std::move(*sample)).first->second : nullptr;
}

/// Notes the node's result where it is a value that can be evaluated; true when that is all there is to do.
bool OnnxImporter::addSampleValue(const OnnxNode &node) {
  if (!isSampleOp(node.op()) || node.proto.output_size() != 1)
    return false;
  std::vector<const SampleTensor *> operands;
  for (const std::string &name : node.proto.input()) {
    bool isType = node.op() == "CastLike" && operands.size() == 1;
    operands.push_back(name.empty() ? nullptr : sampleOf(name, node.place));
    if (!name.empty() && !operands.back() && !isType)
      return false;
  }
  std::optional<SampleTensor> result = evaluateSamples(node, operands, graph.replacedBatch);
  if (!result)
    return false;
  noteSample(node, std::move(*result));
  // What is repeated for each sample is known to other ops as that.
  bool isRepeated = node.op() == "Expand" && findKnown(node.input(0), node.place);
  return known.count(node.output()) || !(isRepeated || node.op() == "ConstantOfShape");
}

void OnnxImporter::noteSample(const OnnxNode &node, SampleTensor tensor) {
  // Keeps a small file from making tensors without end.
  constexpr size_t mostCells = size_t(1) << 24;
  const std::string &name = node.output();
  sampleCells += tensor.cells.size();
  if (sampleCells > mostCells)
    node.unsupported("the model computes more than " + std::to_string(mostCells) +
                     " elements from extents and inputs of integers");
  // An input that was only reshaped to its own shape is the input.
  for (const GraphInput &input : graph.inputs)
    if (input.name == tensor.input && tensor.shape == input.shape && tensor.integer &&
        tensor.cells == sampleTensorOf(input).cells) {
      aliases.emplace(name, input.name);
      return;
    }
  if (std::optional<KnownTensor> constant = knownTensorOf(tensor))
    known.emplace(name, std::move(*constant));
  samples.emplace(name, std::move(tensor));
}

/// A value that was evaluated, for an op that computes with it: by the nodes that it stands for.
void OnnxImporter::addEvaluated(const std::string &name) {
  auto producer = producers.find(name);
  if (producer == producers.end() || !samples.count(name))
    return;
  OnnxNode node = nodeAt(producer->second);
  if (auto handler = handlers().find(node.op()); handler != handlers().end())
    (this->*handler->second)(node);
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

namespace {

/// What one cell of a mask does to its key.
enum class Effect { Shows, Hides, Follows, Other };

Effect effectOf(const Cell &cell, bool added, int64_t key) {
  auto hides = [&](double value) { return added ? value <= kHiding : value == 0; };
  auto shows = [&](double value) { return added ? value == 0 : value != 0; };
  if (cell.isNumber())
    return hides(cell.number) ? Effect::Hides : shows(cell.number) ? Effect::Shows : Effect::Other;
  if (cell.batches || cell.samples || cell.element != key)
    return Effect::Other;
  // With a slope the element is 0 or 1.
  double set = cell.slope != 0 ? cell.number + cell.slope : cell.number;
  double clear = cell.slope != 0 ? cell.number : cell.otherwise;
  return shows(set) && hides(clear) ? Effect::Follows : Effect::Other;
}

} // namespace

/// What a mask of values [n, heads, q, k] means, when it can be given to attention: `causal`, the input that
/// hides keys, or a constant. Nothing for another.
std::optional<OnnxImporter::MaskForm> OnnxImporter::maskForm(const SampleTensor &mask, bool added,
                                                             int64_t queries, int64_t keys) {
  Shape whole = {{1, false}, {1, false}, {queries, false}, {keys, false}};
  for (size_t i = 0; i < std::min<size_t>(2, mask.shape.size()) && mask.shape.size() == 4; ++i)
    whole[i] = mask.shape[i];
  std::optional<SampleTensor> wide = broadcastSamples(mask, whole);
  if (!wide)
    return {};
  size_t plane = size_t(queries * keys), counts[4] = {};
  bool causal = queries > 1 && wide->cells.size() == plane, blank = true, follows = false;
  for (size_t i = 0; i < wide->cells.size(); ++i) {
    int64_t key = int64_t(i) % keys, query = int64_t(i) / keys % queries;
    Effect effect = effectOf(wide->cells[i], added, key);
    ++counts[size_t(effect)];
    blank &= effect != Effect::Hides;
    follows |= effect == Effect::Follows;
    causal &= (effect == Effect::Hides) == (key > query);
  }
  MaskForm form;
  bool others = counts[size_t(Effect::Other)] != 0;
  if (follows) {
    // Every key that is not hidden for good follows the input.
    if (others || counts[size_t(Effect::Shows)] || !(blank || causal) || wide->cells.size() != plane)
      return {};
    form.causal = !blank;
    form.input = mask.input;
    return form;
  }
  if (others && (!added || !mask.isConstant()))
    return {};
  form.causal = causal && !others;
  if (form.causal || (blank && !others))
    return form;
  form.constant = std::move(*wide);
  for (Cell &cell : form.constant->cells) {
    bool hides = added ? cell.number <= kHiding : cell.number == 0;
    cell.number = hides ? -double(std::numeric_limits<float>::max()) : added ? cell.number : 0;
  }
  return form;
}

/// The graph's value for a mask that is a constant.
std::string OnnxImporter::addMaskConstant(const OnnxNode &node, const SampleTensor &mask) {
  KnownTensor tensor;
  for (const Dim &dim : mask.shape)
    tensor.shape.push_back(dim.size);
  for (const Cell &cell : mask.cells)
    tensor.numbers.push_back(cell.number);
  return addConstantNode(freshName(node.output() + ".mask"), tensor, node.place);
}

} // namespace halfstep
