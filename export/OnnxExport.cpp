// See OnnxExport.h.
#include "export/OnnxExport.h"

#include "export/OnnxGraph.h"
#include "import/Import.h"
#include "import/JsonReader.h"
#include "import/OnnxNames.h"
#include "import/OnnxReader.h"
#include "import/OnnxTensors.h"

#include <algorithm>
#include <filesystem>
#include <map>

namespace halfstep {

using onnx::TensorProto;

namespace {

/// No file says so, so that every input's batch is replaced by a symbol.
constexpr int64_t anyBatch = -1;
constexpr int64_t irVersion = 9;                   ///< the first with opset 20
constexpr size_t maxBytes = (size_t(1) << 31) - 1; ///< protobuf's own limit

using Weights = std::map<std::string, const ExportWeight *>;

/// "'a', 'b' and 3 more".
std::string listOf(const std::vector<std::string> &names) {
  constexpr size_t most = 5;
  std::string text;
  for (size_t i = 0; i < std::min(most, names.size()); ++i)
    text += (i ? ", '" : "'") + names[i] + "'";
  return names.size() > most ? text + " and " + std::to_string(names.size() - most) + " more" : text;
}

/// The weights by name. BadInput unless they are exactly the graph's parameters.
Weights matchWeights(const ExportRequest &request, const Graph &graph) {
  auto refuse = [&](const std::string &what) {
    throw Diagnostic(ExitCode::BadInput,
                     request.weightsFile + ": not the weights of " + request.model + ": " + what);
  };
  Weights weights;
  std::vector<std::string> missing, unexpected;
  for (const ExportWeight &weight : request.weights) {
    weights[weight.name] = &weight;
    if (!graph.findParameter(weight.name))
      unexpected.push_back(weight.name);
  }
  for (const Parameter &parameter : graph.parameters)
    if (!weights.count(parameter.name))
      missing.push_back(parameter.name);
  if (!missing.empty())
    refuse("lacks " + listOf(missing));
  if (!unexpected.empty())
    refuse("has " + listOf(unexpected) + ", which the model lacks");
  for (const Parameter &parameter : graph.parameters) {
    Shape shape;
    for (int64_t extent : weights.at(parameter.name)->shape)
      shape.push_back({extent, false});
    if (shape != parameter.shape)
      refuse("'" + parameter.name + "' has the shape " + toString(shape) + ", expected " +
             toString(parameter.shape));
  }
  return weights;
}

/// Puts the values in place, in the tensor's own type.
void setValues(TensorProto &tensor, const ExportWeight &weight) {
  bool wide = tensor.data_type() == TensorProto::DOUBLE;
  std::string name = tensor.name();
  tensor.Clear();
  tensor.set_name(name);
  tensor.set_data_type(wide ? TensorProto::DOUBLE : TensorProto::FLOAT);
  for (int64_t extent : weight.shape)
    tensor.add_dims(extent);
  std::string &raw = *tensor.mutable_raw_data();
  for (double value : weight.values) {
    float narrow = float(value);
    const void *from = wide ? static_cast<const void *>(&value) : &narrow;
    raw.append(static_cast<const char *>(from), wide ? sizeof value : sizeof narrow);
  }
}

void fill(onnx::GraphProto &graph, const Weights &weights) {
  for (TensorProto &tensor : *graph.mutable_initializer())
    if (auto weight = weights.find(tensor.name()); weight != weights.end())
      setValues(tensor, *weight->second);
}

onnx::ModelProto fromJson(const ExportRequest &request, const std::string &content) {
  Graph graph = readJsonModel(content, request.model, anyBatch);
  Weights weights = matchWeights(request, graph);
  onnx::ModelProto model;
  model.set_ir_version(irVersion);
  model.set_producer_name("halfstep");
  model.add_opset_import()->set_version(kExportOpset);
  OnnxGraphWriter(graph, *model.mutable_graph()).write();
  fill(*model.mutable_graph(), weights);
  return model;
}

/// Normalisation by running statistics, and no dropout.
void setInferenceMode(onnx::NodeProto &node) {
  if (node.op_type() == "Dropout" && node.input_size() > 2)
    node.mutable_input()->DeleteSubrange(2, node.input_size() - 2);
  if (node.op_type() != "BatchNormalization")
    return;
  for (auto &attribute : *node.mutable_attribute())
    if (attribute.name() == "training_mode")
      attribute.set_i(0);
  if (node.output_size() > 1)
    node.mutable_output()->DeleteSubrange(1, node.output_size() - 1);
}

/// The products read the transposes again that the exporter had folded.
void addTransposes(onnx::GraphProto &graph, const std::vector<FoldedTranspose> &transposes) {
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
  for (const FoldedTranspose &each : transposes) {
    onnx::NodeProto &node = *nodes.Add();
    node.set_op_type("Transpose");
    node.set_name(each.value + ".transpose");
    node.add_input(each.parameter);
    node.add_output(each.value);
    auto &perm = *node.add_attribute();
    perm.set_name("perm");
    perm.set_type(onnx::AttributeProto::INTS);
    perm.add_ints(1);
    perm.add_ints(0);
  }
  nodes.MergeFrom(graph.node());
  graph.mutable_node()->Swap(&nodes);
}

/// Parameters that nodes make of others or of constants become initialisers: training gave them values of
/// their own.
void replaceProducers(onnx::GraphProto &graph, const Weights &weights) {
  bool wide =
      std::any_of(graph.initializer().begin(), graph.initializer().end(),
                  [](const TensorProto &tensor) { return tensor.data_type() == TensorProto::DOUBLE; });
  for (int i = graph.node_size(); i-- > 0;) {
    onnx::NodeProto &node = *graph.mutable_node(i);
    bool all = true;
    for (std::string &output : *node.mutable_output()) {
      if (!weights.count(output)) {
        all = false;
        continue;
      }
      TensorProto &tensor = *graph.add_initializer();
      tensor.set_name(output);
      tensor.set_data_type(wide ? TensorProto::DOUBLE : TensorProto::FLOAT);
      output += ".untrained";
    }
    if (all && node.output_size() > 0)
      graph.mutable_node()->DeleteSubrange(i, 1);
  }
}

onnx::ModelProto fromOnnx(const ExportRequest &request, const std::string &content) {
  std::string folder = std::filesystem::path(request.model).parent_path().string();
  Graph graph = readOnnxModel(content, request.model, anyBatch, request.note);
  Weights weights = matchWeights(request, graph);
  onnx::ModelProto model = parseOnnx(content, request.model);
  RestoredNames restored = restoreParameterNames(model, request.model, folder);
  addTransposes(*model.mutable_graph(), restored.transposes);
  for (onnx::NodeProto &node : *model.mutable_graph()->mutable_node())
    setInferenceMode(node);
  replaceProducers(*model.mutable_graph(), weights);
  fill(*model.mutable_graph(), weights);
  for (TensorProto &tensor : *model.mutable_graph()->mutable_initializer())
    takeInside(tensor, folder, {request.model, 0, 0, "initializer '" + tensor.name() + "'", 0});
  return model;
}

} // namespace

std::string exportOnnx(const ExportRequest &request) {
  std::string content = readModelFile(request.model);
  onnx::ModelProto model;
  switch (kindOfModel(content)) {
  case ModelKind::Json:
    model = fromJson(request, content);
    break;
  case ModelKind::Onnx:
    model = fromOnnx(request, content);
    break;
  case ModelKind::Mlir:
    throw Diagnostic(ExitCode::Unsupported,
                     request.model +
                         ": a model in .mlir cannot be exported to ONNX; use its .json or .onnx form");
  }
  if (model.ByteSizeLong() > maxBytes)
    throw Diagnostic(ExitCode::Unsupported, request.model + ": the ONNX file would be larger than 2 GiB");
  return model.SerializeAsString();
}

} // namespace halfstep
