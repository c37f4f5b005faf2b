// The importer's neutral form of a model: what both readers produce and the module builder consumes. No MLIR.
#ifndef HALFSTEP_IMPORT_GRAPH_H
#define HALFSTEP_IMPORT_GRAPH_H

#include "import/Diagnostic.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace halfstep {

/// Element types of values in a model file. The precision spec decides what floating ones become; integers
/// are ids, which `embedding` reads.
enum class ElementType { F32, F64, I64 };

/// An extent: `size`, or `size` times the number of samples in a batch.
struct Dim {
  int64_t size = 1;
  bool perSample = false;

  bool operator==(const Dim &) const = default;
  bool isOne() const { return size == 1 && !perSample; }
};

using Shape = std::vector<Dim>;

/// "[N, 3, 32, 32]"
std::string toString(const Shape &shape);

/// Number of elements (per sample when an extent is per sample). Throws BadInput beyond `kMaxElements`.
int64_t countElements(const Shape &shape, const std::string &place);

/// No tensor of a model may have more elements: keeps products of extents and byte sizes far from overflow.
inline constexpr int64_t kMaxElements = int64_t(1) << 36;

/// Where something stands in a model file: "model.json:12:5: layers[2] 'fc1'", "model.onnx: node 7 'relu_3'".
struct Place {
  std::string file;
  int64_t line = 0; ///< 1-based; 0: the format has no lines
  int64_t column = 0;
  std::string where; ///< "layers[2] 'fc1'"; may be empty
  int64_t index = 0; ///< of the node, where the format has no lines

  std::string toString() const;
  [[noreturn]] void fail(ExitCode code, const std::string &message) const;
  [[noreturn]] void badInput(const std::string &message) const { fail(ExitCode::BadInput, message); }
};

using AttributeValue =
    std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;
using Attributes = std::map<std::string, AttributeValue>;

/// Initial value of a parameter; the fields are those of `#train.init`.
struct Init {
  enum class Kind { Constant, Uniform, Normal, Data };
  Kind kind = Kind::Constant;
  double a = 0, b = 0;      ///< constant a; uniform [a, b); normal with mean a and deviation b
  std::vector<double> data; ///< row-major, for Data
};

struct Parameter {
  std::string name;
  Shape shape; ///< no extent is per sample
  bool buffer = false;
  Init init;
  Place place;
};

struct GraphInput {
  std::string name;
  ElementType type = ElementType::F32;
  Shape shape;
};

/// An op of the importer's vocabulary (GraphShapes.cpp lists it with operands and attributes).
struct Node {
  std::string op;
  std::string name;
  std::vector<std::string> inputs; ///< value or parameter names; "" for an absent optional one
  std::vector<std::string> outputs;
  Attributes attributes;
  Place place;

  bool hasInput(size_t index) const { return index < inputs.size() && !inputs[index].empty(); }
  int64_t integer(const std::string &key) const { return std::get<int64_t>(attributes.at(key)); }
  double number(const std::string &key) const { return std::get<double>(attributes.at(key)); }
  bool flag(const std::string &key) const { return std::get<bool>(attributes.at(key)); }
  const std::string &text(const std::string &key) const { return std::get<std::string>(attributes.at(key)); }
  const std::vector<int64_t> &integers(const std::string &key) const {
    return std::get<std::vector<int64_t>>(attributes.at(key));
  }
  const std::vector<double> &numbers(const std::string &key) const {
    return std::get<std::vector<double>>(attributes.at(key));
  }
};

/// A model. Nodes are in an order in which every operand is defined before its use.
class Graph {
public:
  std::string name;
  std::string file;
  std::vector<GraphInput> inputs;
  std::vector<Parameter> parameters;
  std::vector<Node> nodes;
  std::vector<std::string> outputs;
  /// The batch that the file fixes for its inputs and that is being replaced; 0: it fixes none.
  int64_t replacedBatch = 0;
  int64_t seed = -1; ///< of the initial values; below 0: the file names none

  /// Each adds something under a new name; BadInput when the name is taken or the shape out of range.
  void addInput(GraphInput input, const Place &place);
  void addParameter(Parameter parameter);

  /// Checks operands, infers the shapes of the results and adds the node. `shapeHint` is the target of a
  /// reshape.
  void addNode(Node node, const Shape &shapeHint = {});

  bool hasValue(const std::string &value) const { return shapes.count(value) != 0; }
  const Shape &shapeOf(const std::string &value, const Place &place) const;
  /// True for an input of integers, a constant of them, and their parts and other shapes.
  bool isIds(const std::string &value) const;
  /// The input that ids are parts of; the value itself where they come from none.
  const std::string &sourceOfIds(const std::string &value) const;
  const Parameter *findParameter(const std::string &value) const;
  Parameter *findParameter(const std::string &value);

private:
  std::unordered_map<std::string, Shape> shapes;
  std::unordered_map<std::string, size_t> parameterIndex;
  /// Computed ids, and what each is a part of: itself for a constant.
  std::unordered_map<std::string, std::string> idSources;

  void define(const std::string &value, const Shape &shape, const Place &place);
  void checkIds(const Node &node) const;
};

} // namespace halfstep

#endif // HALFSTEP_IMPORT_GRAPH_H
