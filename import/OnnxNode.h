// One ONNX node with checked access to its attributes.
#ifndef HALFSTEP_IMPORT_ONNXNODE_H
#define HALFSTEP_IMPORT_ONNXNODE_H

#include "import/Graph.h"

#include "onnx-ml.pb.h"

#include <charconv>

namespace halfstep {

/// ONNX keeps attributes in f32: 1e-5 arrives as 9.99999975e-06. The shortest decimal that gives the same f32
/// is what the author wrote.
inline double decimalOf(float value) {
  char digits[32];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  double result = value;
  std::from_chars(digits, end, result);
  return result;
}

class OnnxNode {
public:
  OnnxNode(const onnx::NodeProto &proto, std::string name, Place place)
      : proto(proto), name(std::move(name)), place(std::move(place)) {}

  const onnx::NodeProto &proto;
  std::string name;
  Place place;

  const std::string &op() const { return proto.op_type(); }
  bool hasInput(int index) const { return index < proto.input_size() && !proto.input(index).empty(); }
  const std::string &input(int index) const {
    if (!hasInput(index))
      place.badInput("input " + std::to_string(index) + " is missing");
    return proto.input(index);
  }
  const std::string &output(int index = 0) const {
    if (index >= proto.output_size() || proto.output(index).empty())
      place.badInput("output " + std::to_string(index) + " is missing");
    return proto.output(index);
  }

  const onnx::AttributeProto *find(const std::string &key) const {
    for (const auto &attribute : proto.attribute())
      if (attribute.name() == key)
        return &attribute;
    return nullptr;
  }
  int64_t integer(const std::string &key, int64_t fallback) const {
    const auto *found = typed(key, onnx::AttributeProto::INT);
    return found ? found->i() : fallback;
  }
  float number(const std::string &key, float fallback) const {
    const auto *found = typed(key, onnx::AttributeProto::FLOAT);
    return found ? found->f() : fallback;
  }
  std::string text(const std::string &key, const std::string &fallback) const {
    const auto *found = typed(key, onnx::AttributeProto::STRING);
    return found ? found->s() : fallback;
  }
  std::vector<int64_t> integers(const std::string &key, std::vector<int64_t> fallback = {}) const {
    const auto *found = typed(key, onnx::AttributeProto::INTS);
    return found ? std::vector<int64_t>(found->ints().begin(), found->ints().end()) : fallback;
  }
  [[noreturn]] void unsupported(const std::string &message) const {
    place.fail(ExitCode::Unsupported, message);
  }

  /// The value of a key of the node's metadata, which exporters write; empty when there is none.
  std::string metadata(const std::string &key) const {
    for (const auto &entry : proto.metadata_props())
      if (entry.key() == key)
        return entry.value();
    return "";
  }

private:
  const onnx::AttributeProto *typed(const std::string &key, onnx::AttributeProto::AttributeType type) const {
    const auto *found = find(key);
    if (found && found->type() != type)
      place.badInput("attribute '" + key + "' has the wrong type");
    return found;
  }
};

/// The attribute 'epsilon' of a normalisation, which must not be 0.
double epsilonOf(const OnnxNode &node);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXNODE_H
