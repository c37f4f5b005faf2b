// The neutral graph: names, extents and places. Shape rules of the ops are in GraphShapes.cpp.
#include "import/Graph.h"
#include "import/GraphShapes.h"

#include <algorithm>

namespace halfstep {

static std::string toString(const Dim &dim) {
  if (!dim.perSample)
    return std::to_string(dim.size);
  return dim.size == 1 ? "N" : std::to_string(dim.size) + "*N";
}

std::string toString(const Shape &shape) {
  std::string text = "[";
  for (const Dim &dim : shape)
    text += (text.size() > 1 ? ", " : "") + toString(dim);
  return text + "]";
}

int64_t countElements(const Shape &shape, const std::string &place) {
  int64_t count = 1;
  for (const Dim &dim : shape) {
    if (dim.size < 1)
      throw Diagnostic(ExitCode::BadInput, place + ": shape " + toString(shape) + " has an extent below 1");
    if (dim.size > kMaxElements / count)
      throw Diagnostic(ExitCode::BadInput, place + ": shape " + toString(shape) + " has more than " +
                                               std::to_string(kMaxElements) + " elements");
    count *= dim.size;
  }
  return count;
}

std::string Place::toString() const {
  std::string text = file;
  if (line > 0)
    text += ":" + std::to_string(line) + ":" + std::to_string(column);
  if (!where.empty())
    text += ": " + where;
  return text;
}

/// A diagnostic is one line, whatever bytes the names in a file have.
static std::string onOneLine(std::string text) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return text;
}

void Place::fail(ExitCode code, const std::string &message) const {
  throw Diagnostic(code, onOneLine(toString() + ": " + message));
}

void Graph::define(const std::string &value, const Shape &shape, const Place &place) {
  countElements(shape, place.toString());
  if (value.empty())
    place.badInput("a value without a name");
  if (!shapes.emplace(value, shape).second)
    place.badInput("the name '" + value + "' is already taken; every value and parameter needs its own");
}

void Graph::addInput(GraphInput input, const Place &place) {
  define(input.name, input.shape, place);
  inputs.push_back(std::move(input));
}

void Graph::addParameter(Parameter parameter) {
  define(parameter.name, parameter.shape, parameter.place);
  parameterIndex.emplace(parameter.name, parameters.size());
  parameters.push_back(std::move(parameter));
}

bool Graph::isIds(const std::string &value) const {
  return idSources.count(value) || std::any_of(inputs.begin(), inputs.end(), [&](const GraphInput &input) {
           return input.type == ElementType::I64 && input.name == value;
         });
}

const std::string &Graph::sourceOfIds(const std::string &value) const {
  auto found = idSources.find(value);
  return found == idSources.end() || found->second == value ? value : sourceOfIds(found->second);
}

/// True for ops that read numbers as well as ids.
static bool readsBoth(const std::string &op) {
  return op == "reshape" || op == "slice" || op == "compare" || op == "from_ids";
}

void Graph::checkIds(const Node &node) const {
  for (size_t i = 0; i < node.inputs.size() && !readsBoth(node.op); ++i) {
    bool wanted = node.op == "embedding" && i == 1;
    bool isMask = node.op == "attention" && i + 1 == node.inputs.size() && node.flag("masked");
    if (isIds(node.inputs[i]) == wanted || isMask)
      continue;
    if (wanted)
      node.place.badInput("'" + node.inputs[i] + "' are the ids of an embedding, expected an input of i64");
    node.place.badInput(
        "the value '" + node.inputs[i] +
        "' holds ids (i64), which only 'embedding', the mask of 'attention', 'compare', 'slice' and "
        "'reshape' read");
  }
  if (node.op == "compare" && node.inputs.size() == 2 && isIds(node.inputs[0]) != isIds(node.inputs[1]))
    node.place.badInput("one side of the comparison holds ids (i64), the other floating numbers");
  if (node.op == "from_ids" && node.inputs.size() == 1 && !isIds(node.inputs[0]))
    node.place.badInput("'from_ids' reads ids (i64)");
}

void Graph::addNode(Node node, const Shape &shapeHint) {
  checkIds(node);
  std::vector<Shape> operands;
  for (const std::string &input : node.inputs)
    operands.push_back(input.empty() ? Shape() : shapeOf(input, node.place));
  std::vector<Shape> results = inferShapes(node, operands, shapeHint, replacedBatch);
  if (results.size() != node.outputs.size())
    node.place.badInput("'" + node.op + "' has " + std::to_string(results.size()) + " outputs, got " +
                        std::to_string(node.outputs.size()) + " names");
  for (size_t i = 0; i < results.size(); ++i)
    define(node.outputs[i], results[i], node.place);
  if ((node.op == "reshape" || node.op == "slice") && isIds(node.inputs[0]))
    idSources[node.outputs[0]] = node.inputs[0];
  if (node.op == "constant" && node.attributes.count("integers"))
    idSources[node.outputs[0]] = node.outputs[0];
  nodes.push_back(std::move(node));
}

const Shape &Graph::shapeOf(const std::string &value, const Place &place) const {
  auto found = shapes.find(value);
  if (found == shapes.end())
    place.badInput("the value '" + value + "' is not defined before its use");
  return found->second;
}

const Parameter *Graph::findParameter(const std::string &value) const {
  auto found = parameterIndex.find(value);
  return found == parameterIndex.end() ? nullptr : &parameters[found->second];
}

Parameter *Graph::findParameter(const std::string &value) {
  return const_cast<Parameter *>(static_cast<const Graph *>(this)->findParameter(value));
}

} // namespace halfstep
