// What a name in an ONNX graph stands for: a value, a parameter, a folded constant, or another name.
#include "import/OnnxImporter.h"

namespace halfstep {

const std::string &OnnxImporter::resolve(const std::string &name) const {
  const std::string *at = &name;
  for (auto alias = aliases.find(*at); alias != aliases.end(); alias = aliases.find(*at))
    at = &alias->second;
  return *at;
}

/// The folded value of `name`, reading integer and scalar initialisers on demand; null when it is not known.
/// Floating initialisers with a rank are parameters, not constants.
const KnownTensor *OnnxImporter::findKnown(const std::string &name, const Place &place) {
  const std::string &at = resolve(name);
  if (auto found = known.find(at); found != known.end())
    return &found->second;
  auto initializer = initializers.find(at);
  if (initializer == initializers.end() || isParameter(at))
    return nullptr;
  return &known.emplace(at, readTensor(*initializer->second, folder, place)).first->second;
}

const KnownTensor &OnnxImporter::needKnown(const OnnxNode &node, int input) {
  const KnownTensor *tensor = findKnown(node.input(input), node.place);
  if (!tensor)
    node.unsupported("input " + std::to_string(input) + " of '" + node.op() + "' must be a constant");
  return *tensor;
}

/// The value of a constant with one element.
std::optional<double> OnnxImporter::scalarOf(const std::string &name, const Place &place) {
  const KnownTensor *tensor = findKnown(name, place);
  if (!tensor || tensor->integer || !tensor->isScalar())
    return {};
  return tensor->numbers[0];
}

bool OnnxImporter::isParameter(const std::string &name) const {
  const std::string &at = resolve(name);
  if (graph.findParameter(at))
    return true;
  auto found = initializers.find(at);
  if (found == initializers.end() || found->second->dims_size() == 0)
    return false;
  int32_t type = found->second->data_type();
  return type != onnx::TensorProto::INT32 && type != onnx::TensorProto::INT64 &&
         type != onnx::TensorProto::BOOL;
}

Shape OnnxImporter::shapeOf(const std::string &name, const Place &place) {
  const std::string &at = resolve(name);
  if (!graph.hasValue(at) && isParameter(at)) {
    const onnx::TensorProto &tensor = *initializers.at(at);
    countElements(tensor, place);
    return fixedShape({tensor.dims().begin(), tensor.dims().end()});
  }
  if (const KnownTensor *tensor = graph.hasValue(at) ? nullptr : findKnown(at, place))
    return fixedShape(tensor->shape);
  if (auto sample = samples.find(at); sample != samples.end() && !graph.hasValue(at))
    return sample->second.shape;
  return graph.shapeOf(operand(at, place), place);
}

std::string OnnxImporter::addTensor(const std::string &name, const KnownTensor &tensor, bool buffer,
                                    const Place &place) {
  if (tensor.integer)
    place.badInput("the integer tensor '" + name + "' is used as a floating value");
  Parameter parameter;
  parameter.name = name;
  parameter.shape = fixedShape(tensor.shape);
  parameter.buffer = buffer;
  parameter.init.kind = Init::Kind::Data;
  parameter.init.data = tensor.numbers;
  parameter.place = placeOf("initializer '" + name + "'");
  graph.addParameter(std::move(parameter));
  return name;
}

std::string OnnxImporter::operand(const std::string &name, const Place &place) {
  const std::string at = resolve(name);
  if (graph.hasValue(at))
    return at;
  if (auto source = transposed.find(at); source != transposed.end()) {
    Node node{"transpose", at, {operand(source->second, place)}, {at}, {{"perm", std::vector<int64_t>{1, 0}}},
              place};
    graph.addNode(std::move(node));
    return at;
  }
  if (isParameter(at))
    return addTensor(at, readTensor(*initializers.at(at), folder, place), /*buffer=*/false, place);
  if (const KnownTensor *tensor = findKnown(at, place))
    return addConstantNode(at, *tensor, place);
  if (auto found = repeated.find(at); found != repeated.end()) {
    std::string once = freshName(at + ".once");
    graph.addNode({"expand",
                   at,
                   {numbersOf(addConstantNode(once, found->second.value, place), place)},
                   {at},
                   {},
                   place},
                  found->second.shape);
    return at;
  }
  addEvaluated(at);
  if (const std::string &made = resolve(at); graph.hasValue(made))
    return made;
  place.badInput("the value '" + name + "' is not defined before its use");
}

/// A tensor that is known: part of the model, not of its state.
std::string OnnxImporter::addConstantNode(const std::string &name, const KnownTensor &tensor,
                                          const Place &place) {
  Node node{"constant", name, {}, {name}, {}, place};
  if (tensor.integer)
    node.attributes["integers"] = tensor.fixedIntegers(place);
  else
    node.attributes["numbers"] = tensor.numbers;
  graph.addNode(std::move(node), fixedShape(tensor.shape));
  return name;
}

std::string OnnxImporter::freshName(const std::string &wanted) const {
  std::string name = wanted;
  for (int i = 2; graph.hasValue(name) || producers.count(name) || initializers.count(name); ++i)
    name = wanted + std::to_string(i);
  return name;
}

/// An operand that must be a running statistic: a parameter that becomes a buffer.
std::string OnnxImporter::addBuffer(const OnnxNode &node, int input) {
  const std::string &at = resolve(node.input(input));
  const KnownTensor *tensor = graph.hasValue(at) ? nullptr : findKnown(at, node.place);
  std::string name = tensor ? addTensor(at, *tensor, /*buffer=*/true, node.place) : operand(at, node.place);
  Parameter *parameter = graph.findParameter(name);
  if (!parameter)
    node.unsupported("input " + std::to_string(input) + " of '" + node.op() + "' must be an initializer");
  parameter->buffer = true;
  return name;
}

/// The node that alone uses `name`, or -1.
int OnnxImporter::onlyUse(const std::string &name) const {
  auto found = uses.find(name);
  return found != uses.end() && found->second.size() == 1 ? found->second.front() : -1;
}

} // namespace halfstep
