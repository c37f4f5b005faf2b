// See NodeCase.h.
#include "NodeCase.h"

#include "import/OnnxTensors.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace fs = std::filesystem;

namespace halfstep::test {

using onnx::TensorProto;

const char *nameOf(Route route) {
  static constexpr const char *names[] = {"values", "truth values constant", "first input a value",
                                          "constants"};
  return names[size_t(route)];
}

static bool isFloating(int32_t type) { return type == TensorProto::FLOAT || type == TensorProto::DOUBLE; }

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

template <typename Message>
static Message readMessage(const fs::path &path) {
  std::ifstream stream(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(stream), {}};
  Message message;
  if (!stream || !message.ParseFromString(content))
    throw std::runtime_error(path.string() + ": cannot be read");
  return message;
}

/// The tensors `role`_0.pb and so on that belong to `values`.
static std::vector<TensorProto>
readTensors(const fs::path &folder, const char *role,
            const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto> &values, std::string &excluded) {
  std::vector<TensorProto> tensors;
  for (int i = 0; i < values.size() && excluded.empty(); ++i) {
    if (!values[i].type().has_tensor_type()) {
      excluded = std::string(role) + " " + std::to_string(i) + " is no tensor";
      break;
    }
    tensors.push_back(
        readMessage<TensorProto>(folder / (std::string(role) + "_" + std::to_string(i) + ".pb")));
    int32_t type = tensors.back().data_type();
    bool integers = type == TensorProto::INT32 || type == TensorProto::INT64;
    bool result = std::string(role) == "output";
    if (!isFloating(type) && type != TensorProto::BOOL && (result || !integers))
      excluded = std::string(role) + " of type " + onnxTypeName(type);
    const auto &extents = tensors.back().dims();
    if ((isFloating(type) || type == TensorProto::BOOL || result) &&
        std::find(extents.begin(), extents.end(), 0) != extents.end())
      excluded = std::string(role) + " without elements";
  }
  return tensors;
}

static NodeCase readCase(const fs::path &folder) {
  NodeCase read;
  read.name = folder.filename().string();
  read.model = readMessage<onnx::ModelProto>(folder / "model.onnx");
  const onnx::GraphProto &graph = read.model.graph();
  for (const auto &node : graph.node())
    if (read.excluded.empty() && !node.domain().empty())
      read.excluded = "op of the domain " + node.domain();
  // Their masks are those of numpy's generator, which no runtime has to have.
  if (read.name.starts_with("test_training_dropout") && !read.name.starts_with("test_training_dropout_zero"))
    read.excluded = "random numbers";
  const fs::path data = folder / "test_data_set_0";
  read.inputs = readTensors(data, "input", graph.input(), read.excluded);
  read.outputs = readTensors(data, "output", graph.output(), read.excluded);
  return read;
}

std::vector<NodeCase> readCases(const std::string &path) {
  std::vector<fs::path> folders;
  for (const auto &entry : fs::directory_iterator(path))
    folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  std::vector<NodeCase> cases;
  for (const fs::path &folder : folders)
    cases.push_back(readCase(folder));
  return cases;
}

int64_t NodeCase::opset() const {
  int64_t version = 0;
  for (const auto &entry : model.opset_import())
    if (entry.domain().empty())
      version = entry.version();
  return std::max<int64_t>(version, 13);
}

bool NodeCase::isDouble() const {
  auto isF64 = [](const TensorProto &tensor) { return tensor.data_type() == TensorProto::DOUBLE; };
  return std::any_of(inputs.begin(), inputs.end(), isF64) ||
         std::any_of(outputs.begin(), outputs.end(), isF64);
}

std::string NodeCase::ops() const {
  std::string text;
  for (const auto &node : model.graph().node())
    text += (text.empty() ? "" : " ") + node.op_type();
  return text;
}

//===----------------------------------------------------------------------===//
// Assembling
//===----------------------------------------------------------------------===//

const TensorProto &AssembledTensor::tensor() const {
  return (output ? nodeCase->outputs : nodeCase->inputs)[size_t(index)];
}

std::string assembledName(const NodeCase &nodeCase, const std::string &value) {
  return value.empty() ? "" : nodeCase.name + "/" + value;
}

namespace {

class Assembler {
public:
  explicit Assembler(Assembled &result, int64_t opset, int32_t element)
      : result(result), graph(*result.model.mutable_graph()), element(element) {
    result.model.set_ir_version(10);
    result.model.add_opset_import()->set_version(opset);
    declare(*graph.add_input(), "carrier", {1, 1});
    TensorProto &weight = initializer("weight", {1, 1});
    weight.set_data_type(element);
    element == TensorProto::DOUBLE ? weight.add_double_data(1) : weight.add_float_data(1);
    addNode("Mul", {"carrier", "weight"}, "carried");
    declare(*graph.add_output(), "carried", {1, 1});
  }

  void add(const NodeCase &nodeCase) {
    bool first = true;
    for (size_t i = 0; i < nodeCase.inputs.size(); ++i) {
      const TensorProto &tensor = nodeCase.inputs[i];
      const std::string name = assembledName(nodeCase, nodeCase.model.graph().input(int(i)).name());
      bool floating = isFloating(tensor.data_type());
      bool truth = tensor.data_type() == TensorProto::BOOL && nodeCase.route == Route::Values;
      bool value = nodeCase.route == Route::Values || nodeCase.route == Route::Truths ||
                   (nodeCase.route == Route::FirstIsValue && first);
      if ((floating && value) || truth)
        feed({&nodeCase, int(i)}, name, truth);
      else
        *graph.add_initializer() = renamed(tensor, name);
      first = first && !floating;
    }
    for (const onnx::TensorProto &tensor : nodeCase.model.graph().initializer())
      *graph.add_initializer() = renamed(tensor, assembledName(nodeCase, tensor.name()));
    for (const onnx::NodeProto &node : nodeCase.model.graph().node())
      copy(nodeCase, node);
    for (size_t i = 0; i < nodeCase.outputs.size(); ++i)
      give({&nodeCase, int(i), /*output=*/true});
  }

private:
  Assembled &result;
  onnx::GraphProto &graph;
  int32_t element;

  void declare(onnx::ValueInfoProto &value, const std::string &name, const std::vector<int64_t> &shape) {
    value.set_name(name);
    auto *type = value.mutable_type()->mutable_tensor_type();
    type->set_elem_type(element);
    for (int64_t extent : shape)
      type->mutable_shape()->add_dim()->set_dim_value(extent);
  }

  TensorProto &initializer(const std::string &name, const std::vector<int64_t> &shape) {
    TensorProto &tensor = *graph.add_initializer();
    tensor.set_name(name);
    for (int64_t extent : shape)
      tensor.add_dims(extent);
    return tensor;
  }

  static TensorProto renamed(TensorProto tensor, const std::string &name) {
    tensor.set_name(name);
    return tensor;
  }

  onnx::NodeProto &addNode(const std::string &op, const std::vector<std::string> &inputs,
                           const std::string &output) {
    onnx::NodeProto &node = *graph.add_node();
    node.set_op_type(op);
    node.set_name(output);
    for (const std::string &input : inputs)
      node.add_input(input);
    node.add_output(output);
    return node;
  }

  void addReshape(const std::string &from, const std::string &to, const std::vector<int64_t> &shape) {
    TensorProto &target = initializer(to + ".shape", {int64_t(shape.size())});
    target.set_data_type(TensorProto::INT64);
    for (int64_t extent : shape)
      target.add_int64_data(extent);
    addNode("Reshape", {from, target.name()}, to);
  }

  /// An input of the model with the batch of 1 in front of the case's own extents.
  void feed(AssembledTensor fed, const std::string &name, bool truth) {
    const TensorProto &tensor = fed.tensor();
    std::vector<int64_t> shape(tensor.dims().begin(), tensor.dims().end()), batched = shape;
    batched.insert(batched.begin(), 1);
    declare(*graph.add_input(), name + ".fed", batched);
    addReshape(name + ".fed", truth ? name + ".number" : name, shape);
    if (truth) {
      auto &to = *addNode("Cast", {name + ".number"}, name).add_attribute();
      to.set_name("to");
      to.set_type(onnx::AttributeProto::INT);
      to.set_i(TensorProto::BOOL);
    }
    result.inputs.push_back(fed);
  }

  void give(AssembledTensor given) {
    const std::string &own = given.nodeCase->model.graph().output(given.index).name();
    const std::string name = assembledName(*given.nodeCase, own);
    addReshape(name, name + ".given", {1, -1});
    int64_t count = 1;
    for (int64_t extent : given.tensor().dims())
      count *= extent;
    declare(*graph.add_output(), name + ".given", {1, count});
    result.outputs.push_back(given);
  }

  void copy(const NodeCase &nodeCase, const onnx::NodeProto &node) {
    onnx::NodeProto &copied = *graph.add_node();
    copied = node;
    copied.set_name(assembledName(nodeCase, node.name().empty() ? node.output(0) : node.name()));
    for (std::string &name : *copied.mutable_input())
      name = assembledName(nodeCase, name);
    for (std::string &name : *copied.mutable_output())
      name = assembledName(nodeCase, name);
  }
};

} // namespace

Assembled assemble(const std::vector<const NodeCase *> &cases) {
  Assembled result;
  int32_t element = cases.front()->isDouble() ? TensorProto::DOUBLE : TensorProto::FLOAT;
  Assembler assembler(result, cases.front()->opset(), element);
  for (const NodeCase *nodeCase : cases)
    assembler.add(*nodeCase);
  return result;
}

std::vector<double> elementsOf(const TensorProto &tensor) {
  KnownTensor known = readTensor(tensor, "", {tensor.name(), 0, 0, "", 0});
  std::vector<double> elements = std::move(known.numbers);
  for (const Dim &integer : known.integers)
    elements.push_back(double(integer.size));
  return elements;
}

} // namespace halfstep::test
