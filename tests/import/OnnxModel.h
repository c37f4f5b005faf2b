// Makes small ONNX models for tests.
#ifndef HALFSTEP_TESTS_IMPORT_ONNXMODEL_H
#define HALFSTEP_TESTS_IMPORT_ONNXMODEL_H

#include "onnx-ml.pb.h"

#include <string>
#include <vector>

namespace halfstep {

/// A model with the input `x`, built node by node.
class OnnxModel {
public:
  explicit OnnxModel(std::vector<int64_t> inputShape, int64_t opset = 20) {
    proto.set_ir_version(9);
    proto.add_opset_import()->set_version(opset);
    auto *type = addValue("x", *proto.mutable_graph()->add_input());
    for (int64_t extent : inputShape) {
      auto *dim = type->mutable_shape()->add_dim();
      extent > 0 ? dim->set_dim_value(extent) : dim->set_dim_param("N");
    }
  }

  onnx::ModelProto proto;

  onnx::GraphProto &graph() { return *proto.mutable_graph(); }

  onnx::NodeProto &node(const std::string &op, const std::vector<std::string> &inputs,
                        const std::vector<std::string> &outputs) {
    onnx::NodeProto &added = *graph().add_node();
    added.set_op_type(op);
    added.set_name(op + "_node");
    for (const std::string &input : inputs)
      added.add_input(input);
    for (const std::string &output : outputs)
      added.add_output(output);
    return added;
  }

  onnx::TensorProto &floats(const std::string &name, const std::vector<int64_t> &shape, float value = 1) {
    onnx::TensorProto &tensor = *graph().add_initializer();
    describe(tensor, name, shape, onnx::TensorProto::FLOAT);
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    for (int64_t i = 0; i < count; ++i)
      tensor.add_float_data(value);
    return tensor;
  }

  onnx::TensorProto &integers(const std::string &name, const std::vector<int64_t> &values) {
    onnx::TensorProto &tensor = *graph().add_initializer();
    describe(tensor, name, {int64_t(values.size())}, onnx::TensorProto::INT64);
    for (int64_t value : values)
      tensor.add_int64_data(value);
    return tensor;
  }

  std::string finish(const std::string &output = "y") {
    addValue(output, *graph().add_output());
    return proto.SerializeAsString();
  }

  static void set(onnx::NodeProto &node, const std::string &name, int64_t value) {
    auto *attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }
  static void set(onnx::NodeProto &node, const std::string &name, const std::vector<int64_t> &values) {
    auto *attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INTS);
    for (int64_t value : values)
      attribute->add_ints(value);
  }
  static void set(onnx::NodeProto &node, const std::string &name, float value) {
    auto *attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::FLOAT);
    attribute->set_f(value);
  }

private:
  static onnx::TypeProto::Tensor *addValue(const std::string &name, onnx::ValueInfoProto &value) {
    value.set_name(name);
    auto *type = value.mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    return type;
  }
  static void describe(onnx::TensorProto &tensor, const std::string &name, const std::vector<int64_t> &shape,
                       int type) {
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (int64_t extent : shape)
      tensor.add_dims(extent);
  }
};

} // namespace halfstep

#endif // HALFSTEP_TESTS_IMPORT_ONNXMODEL_H
