// Reads the ops of the JSON model format; one method an op, in a file by family.
#ifndef HALFSTEP_IMPORT_JSONOPREADER_H
#define HALFSTEP_IMPORT_JSONOPREADER_H

#include "import/JsonOps.h"

namespace halfstep {

inline constexpr int64_t kMaxExtent = int64_t(1) << 31;

inline Init uniformInit(double bound) { return {Init::Kind::Uniform, -bound, bound, {}}; }
inline Init constantInit(double value) { return {Init::Kind::Constant, value, value, {}}; }

/// Reads one op: attributes by typed getters that know their default, then `emit`.
class OpReader {
public:
  OpReader(Graph &graph, JsonParameters &parameters, const JsonOp &json)
      : graph(graph), parameters(parameters), json(json) {
    node.op = json.op;
    node.name = json.name;
    node.inputs = json.inputs;
    node.outputs = json.outputs;
    node.place = json.place;
  }

  void elementwise() { emit(); }
  void gelu();
  void addOrMul();
  void linear();
  void conv2d();
  void batchNorm();
  void layerNorm();
  void maxPool();
  void avgPool();
  void globalAvgPool();
  void convTranspose2d();
  void groupNorm();
  void instanceNorm();
  void upsample();
  void flatten();
  void reshape();
  void transpose();
  void split();
  void matmul();
  void softmax();
  void dropout();
  void embedding();
  void attention();
  void parameter();

  // JsonGeneral.cpp
  void clip();
  void ofAlpha();
  void selu();
  void hardsigmoid();
  void ofTwo();
  void compare();
  void reduce();
  void slice();
  void pad();
  void concat();
  void expand();

private:
  Graph &graph;
  JsonParameters &parameters;
  const JsonOp &json;
  Node node;

  const JsonValue *find(const std::string &key) const {
    return json.attributes ? json.attributes->find(key) : nullptr;
  }
  const JsonValue &at(const std::string &key) const {
    const JsonValue *value = find(key);
    if (!value)
      node.place.badInput("the attribute '" + key + "' is missing");
    return *value;
  }
  int64_t integer(const std::string &key, int64_t fallback, int64_t least, int64_t most) const {
    const JsonValue *value = find(key);
    return value ? value->asInteger(least, most) : fallback;
  }
  int64_t axis(int64_t fallback) const { return integer("axis", fallback, -64, 63); }
  double number(const std::string &key, double fallback, double least, double most) const {
    const JsonValue *value = find(key);
    if (value && (value->asNumber() < least || value->asNumber() > most))
      value->place.badInput("'" + key + "' is out of range: got " + value->describe());
    return value ? value->asNumber() : fallback;
  }
  /// An eps: a variance of 0 must not divide by 0.
  double epsilon() const {
    double eps = number("eps", 1e-5, 0, 1);
    if (eps <= 0)
      at("eps").place.badInput("'eps' must be above 0");
    return eps;
  }
  bool boolean(const std::string &key, bool fallback) const {
    const JsonValue *value = find(key);
    return value ? value->asBoolean() : fallback;
  }
  std::vector<int64_t> integers(const std::string &key, int64_t least, int64_t most) const {
    std::vector<int64_t> result;
    for (const JsonValue &item : at(key).asArray())
      result.push_back(item.asInteger(least, most));
    return result;
  }
  /// One number for both axes, or [height, width].
  std::vector<int64_t> pair(const std::string &key, int64_t least) const {
    const JsonValue &value = at(key);
    if (value.kind != JsonValue::Kind::Array)
      return std::vector<int64_t>(2, value.asInteger(least, kMaxExtent));
    if (value.items.size() != 2)
      value.place.badInput("expected a number or [height, width], got " + std::to_string(value.items.size()) +
                           " numbers");
    return integers(key, least, kMaxExtent);
  }
  std::vector<int64_t> pairOr(const std::string &key, std::vector<int64_t> fallback, int64_t least) const {
    return find(key) ? pair(key, least) : fallback;
  }
  std::vector<int64_t> paddingOnBothSides() const {
    std::vector<int64_t> pads = pairOr("padding", {0, 0}, 0);
    return {pads[0], pads[1], pads[0], pads[1]};
  }

  const Shape &inputShape(size_t rank = 0) const {
    if (node.inputs.empty())
      node.place.badInput("'" + node.op + "' needs an input");
    const Shape &shape = graph.shapeOf(node.inputs[0], node.place);
    if (rank && shape.size() != rank)
      node.place.badInput("expected an input of rank " + std::to_string(rank) + ", got shape " +
                          toString(shape));
    return shape;
  }
  Dim featureExtent(Dim extent) const {
    if (extent.perSample)
      node.place.badInput("parameters cannot have the batch as an extent, got input " +
                          toString(inputShape()));
    return extent;
  }
  /// Makes NAME.role, or takes the parameter that "params" names; returns its name.
  std::string declare(const std::string &role, const Shape &shape, Init init, bool buffer = false);
  void pool();
  void normalizeGroups(int64_t groups);

  /// Takes a number `value` in place of a second input.
  void secondOperand();

  void emit(const Shape &target = {}) { graph.addNode(std::move(node), target); }
};

} // namespace halfstep

#endif // HALFSTEP_IMPORT_JSONOPREADER_H
