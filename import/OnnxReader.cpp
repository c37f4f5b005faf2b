// The frame of an ONNX import: limits, versions, inputs, nodes in order, outputs, notes.
#include "import/OnnxReader.h"
#include "import/OnnxImporter.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <filesystem>

namespace halfstep {

namespace {
constexpr int64_t kOldestOpset = 13,
                  kNewestOpset = 28; ///< of the ai.onnx domain, in the pinned schema's release
constexpr int kMaxRecursion = 100;
constexpr size_t kMaxNameLength = 1000;
} // namespace

static std::string folderOf(const std::string &file) {
  return std::filesystem::path(file).parent_path().string();
}

OnnxImporter::OnnxImporter(const onnx::ModelProto &model, const std::string &file, int64_t batch,
                           const Note &note, RestoredNames names)
    : model(model), proto(model.graph()), batch(batch), note(note), folder(folderOf(file)),
      restored(std::move(names)) {
  graph.file = file;
  for (const FoldedTranspose &each : restored.transposes)
    transposed.emplace(each.value, each.parameter);
}

Graph OnnxImporter::run() {
  checkVersions();
  indexNodes();
  readConstants();
  findPatterns();
  addInputs();
  for (int i = 0; i < proto.node_size(); ++i)
    addNode(i);
  failIfUnsupported();
  addOutputs();
  sayNotes();
  return std::move(graph);
}

static void checkName(const std::string &name, const std::string &what, const Place &place) {
  bool control = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (control || name.size() > kMaxNameLength)
    place.badInput("the name of " + what + " has control characters or more than " +
                   std::to_string(kMaxNameLength) + " bytes");
}

void OnnxImporter::checkVersions() {
  Place place = placeOf("");
  if (!model.has_graph() || proto.node_size() == 0)
    place.badInput("not an ONNX model: it has no nodes");
  for (const auto &entry : model.opset_import())
    if (entry.domain().empty() || entry.domain() == "ai.onnx")
      opset = entry.version();
  if (opset < kOldestOpset || opset > kNewestOpset)
    place.fail(ExitCode::Unsupported, "has opset " + std::to_string(opset) + "; supported are " +
                                          std::to_string(kOldestOpset) + " to " +
                                          std::to_string(kNewestOpset));
  if (proto.sparse_initializer_size() > 0)
    place.fail(ExitCode::Unsupported, "sparse initializers are not supported");
}

void OnnxImporter::indexNodes() {
  for (const auto &tensor : proto.initializer()) {
    Place place = placeOf("initializer '" + tensor.name() + "'");
    checkName(tensor.name(), "an initializer", placeOf(""));
    if (!initializers.emplace(tensor.name(), &tensor).second)
      place.badInput("another initializer has this name");
  }
  for (int i = 0; i < proto.node_size(); ++i) {
    const onnx::NodeProto &node = proto.node(i);
    Place place = placeOf("node " + std::to_string(i));
    checkName(node.name(), "the node", place);
    for (const std::string &input : node.input())
      uses[input].push_back(i);
    for (const std::string &output : node.output()) {
      checkName(output, "an output", place);
      if (!output.empty() && (!producers.emplace(output, i).second || initializers.count(output)))
        place.badInput("the value '" + output + "' is defined twice");
    }
  }
  for (const auto &output : proto.output())
    uses[output.name()].push_back(-1);
}

/// Constants come first: patterns look at their values.
void OnnxImporter::readConstants() {
  for (int i = 0; i < proto.node_size(); ++i)
    if (proto.node(i).op_type() == "Constant")
      addConstant(nodeAt(i));
}

OnnxNode OnnxImporter::nodeAt(int index) const {
  const onnx::NodeProto &node = proto.node(index);
  std::string name = node.name().empty() ? node.op_type() + "_" + std::to_string(index) : node.name();
  Place place = placeOf("node " + std::to_string(index) + " '" + name + "' (" + node.op_type() + ")");
  place.index = index;
  return OnnxNode(node, std::move(name), std::move(place));
}

void OnnxImporter::addInputs() {
  std::string first;
  for (const auto &info : proto.input()) {
    if (initializers.count(info.name()))
      continue; // Before IR version 4 initialisers were listed as inputs too.
    Place place = placeOf("input '" + info.name() + "'");
    checkName(info.name(), "an input", placeOf(""));
    const auto &type = info.type().tensor_type();
    static const std::map<int32_t, ElementType> types = {{onnx::TensorProto::FLOAT, ElementType::F32},
                                                         {onnx::TensorProto::DOUBLE, ElementType::F64},
                                                         {onnx::TensorProto::INT64, ElementType::I64}};
    auto element = types.find(type.elem_type());
    if (element == types.end())
      place.fail(ExitCode::Unsupported, "has element type " + onnxTypeName(type.elem_type()) +
                                            "; supported are float and double, and int64 for ids");
    if (!type.has_shape() || type.shape().dim_size() == 0)
      place.badInput("has no shape; its first extent must be the batch");
    GraphInput input{info.name(), element->second, {}};
    for (int i = 0; i < type.shape().dim_size(); ++i) {
      const auto &dim = type.shape().dim(i);
      if (i > 0 && !dim.has_dim_value())
        place.badInput("has the symbolic extent '" + dim.dim_param() + "' at place " + std::to_string(i) +
                       "; only the first, the batch, may be symbolic");
      bool rebound = i == 0 && (!dim.has_dim_value() || dim.dim_value() != batch);
      if (rebound && dim.has_dim_value() && dim.dim_value() < 1)
        place.badInput("has the extent " + std::to_string(dim.dim_value()));
      input.shape.push_back(rebound ? Dim{1, true} : Dim{dim.dim_value(), false});
    }
    const auto &leading = type.shape().dim(0);
    std::string extent =
        leading.has_dim_value() ? std::to_string(leading.dim_value()) : "symbol " + leading.dim_param();
    if (!graph.inputs.empty() && extent != first)
      place.badInput("the leading extents of the inputs differ; each is the batch");
    first = extent;
    graph.replacedBatch = input.shape[0].perSample && leading.has_dim_value() ? leading.dim_value() : 0;
    graph.addInput(std::move(input), place);
  }
  if (graph.inputs.empty())
    placeOf("").badInput("the model has no inputs");
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

bool OnnxImporter::dependsOnUnknown(const onnx::NodeProto &node) const {
  return std::any_of(node.input().begin(), node.input().end(),
                     [&](const std::string &input) { return unknown.count(input) != 0; });
}

/// True when what patterns made of a node reads something that is not there.
bool OnnxImporter::readsUnknown(int index) const {
  std::vector<std::string> names;
  if (auto found = fused.find(index); found != fused.end())
    names = found->second.inputs;
  if (auto found = rotaries.find(index); found != rotaries.end())
    names = {found->second.input};
  if (auto found = attentions.find(index); found != attentions.end())
    names = {found->second.query, found->second.key, found->second.value, found->second.mask};
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string &name) { return unknown.count(name) != 0; });
}

/// Goes on after a node that is not supported: what it makes is unknown.
void OnnxImporter::noteUnsupported(int index, const std::string &what) {
  if (!what.empty())
    unsupportedNodes.push_back(what);
  unknown.insert(proto.node(index).output().begin(), proto.node(index).output().end());
}

/// All that is not supported, in one diagnostic.
void OnnxImporter::failIfUnsupported() const {
  if (unsupportedOps.empty() && unsupportedNodes.empty())
    return;
  std::string ops;
  std::vector<std::string> lines = unsupportedNodes;
  for (const std::string &op : unsupportedOps) {
    ops += (ops.empty() ? "" : ", ") + op;
    lines.push_back(graph.file + ": unsupported op " + op);
  }
  throw UnsupportedNodes(ops.empty() ? unsupportedNodes[0] : graph.file + ": unsupported ops: " + ops, lines);
}

/// True when `node` was evaluated: its result is known.
bool OnnxImporter::fold(const OnnxNode &node) {
  // Keeps a small file from making tensors without end.
  constexpr size_t mostFolded = size_t(1) << 24;
  std::vector<const KnownTensor *> inputs;
  for (const std::string &input : node.proto.input())
    inputs.push_back(input.empty() ? nullptr : findKnown(input, node.place));
  Shape shape;
  bool isShape = readsShapeOnly(node.op());
  if (isShape)
    shape = shapeOf(node.input(0), node.place);
  std::optional<KnownTensor> folded = foldNode(node, inputs, isShape ? &shape : nullptr, batch);
  if (!folded)
    return false;
  foldedElements += folded->size();
  if (foldedElements > mostFolded)
    node.unsupported("the model computes more than " + std::to_string(mostFolded) +
                     " elements from constants");
  known.emplace(node.output(), std::move(*folded));
  return true;
}

void OnnxImporter::noteUnknownOp(int index) {
  OnnxNode node = nodeAt(index);
  bool standard = node.proto.domain().empty() || node.proto.domain() == "ai.onnx";
  unsupportedOps.push_back((standard ? "" : node.proto.domain() + ".") + node.op() + " (node " +
                           std::to_string(index) + " '" + node.name + "')");
  noteUnsupported(index, "");
}

void OnnxImporter::addNode(int index) {
  OnnxNode node = nodeAt(index);
  if (absorbed.count(index) || node.op() == "Constant")
    return;
  bool isFused = fused.count(index) || attentions.count(index) || rotaries.count(index) ||
                 stridedViews.count(index) || groupNorms.count(index);
  auto handler = handlers().find(node.op());
  bool standard = node.proto.domain().empty() || node.proto.domain() == "ai.onnx";
  bool isSupported = standard && handler != handlers().end();
  if (!isFused && !isSupported && !(standard && isSampleOp(node.op())))
    return noteUnknownOp(index);
  if (dependsOnUnknown(node.proto) || readsUnknown(index))
    return noteUnsupported(index, "");
  try {
    if (auto found = fused.find(index); found != fused.end())
      return addFused(node, found->second);
    if (auto found = rotaries.find(index); found != rotaries.end())
      return addRotary(node, found->second);
    if (auto found = attentions.find(index); found != attentions.end())
      return addAttention(node, found->second);
    if (auto found = stridedViews.find(index); found != stridedViews.end())
      return addStridedView(node, found->second);
    if (auto found = groupNorms.find(index); found != groupNorms.end())
      return addGroupNormPattern(node, found->second);
    if (standard &&
        (isFoldedFirst(node) ? fold(node) || addSampleValue(node) : addSampleValue(node) || fold(node)))
      return;
    if (!isSupported)
      return noteUnknownOp(index);
    (this->*handler->second)(node);
  } catch (const Diagnostic &diagnostic) {
    if (diagnostic.code != ExitCode::Unsupported)
      throw;
    noteUnsupported(index, diagnostic.what());
  }
}

void OnnxImporter::addOutputs() {
  for (const auto &info : proto.output()) {
    Place place = placeOf("output '" + info.name() + "'");
    const std::string &value = resolve(info.name());
    if (known.count(value))
      place.fail(ExitCode::Unsupported, "does not depend on the inputs; remove it from the outputs");
    if (!graph.hasValue(value))
      place.badInput("is not computed from the inputs");
    if (std::find(graph.outputs.begin(), graph.outputs.end(), info.name()) != graph.outputs.end())
      place.badInput("is named twice");
    if (value != info.name()) // An Identity before the output: keep the output's own name.
      graph.addNode({"reshape", info.name(), {value}, {info.name()}, {}, place}, graph.shapeOf(value, place));
    graph.outputs.push_back(info.name());
  }
  if (graph.outputs.empty())
    placeOf("").badInput("the model has no outputs");
}

static std::string listOf(const std::vector<std::string> &names) {
  constexpr size_t most = 4;
  std::string text;
  for (size_t i = 0; i < std::min(most, names.size()); ++i)
    text += (i ? ", '" : "'") + names[i] + "'";
  return names.size() > most ? text + " and " + std::to_string(names.size() - most) + " more" : text;
}

void OnnxImporter::sayNotes() {
  std::vector<std::string> turned;
  for (const FoldedTranspose &each : restored.transposes)
    if (std::find(restored.tied.begin(), restored.tied.end(), each.parameter) == restored.tied.end())
      turned.push_back(each.parameter);
  if (!turned.empty())
    note("weights that the exporter stored transposed have PyTorch's names and form again: " +
         listOf(turned));
  if (!restored.tied.empty())
    note("a product reads the table of an embedding, of which the exporter had made a copy: " +
         listOf(restored.tied));
  if (!restored.apart.empty())
    note("parameters that the exporter had merged, as their initial values are equal, are trained apart: " +
         listOf(restored.apart));
  if (!trainedBatchNorms.empty())
    note("BatchNormalization exported in inference mode is trained with the statistics of each batch: " +
         listOf(trainedBatchNorms));
  if (!trainedDropouts.empty())
    note("Dropout exported in inference mode drops elements in training: " + listOf(trainedDropouts));
  for (const auto &[what, names] : fusedNodes)
    note("nodes are taken as one " + what + ": " + listOf(names));
  if (!fusedAttentions.empty())
    note("products around a softmax are taken as attention, which makes no tensor of scores: " +
         listOf(fusedAttentions));
  if (!fusedGroupNorms.empty())
    note("an InstanceNormalization between reshapes with what scales and shifts it is taken as one group "
         "normalisation: " +
         listOf(fusedGroupNorms));
  if (!foldedBatchNorms.empty())
    note("BatchNormalization was folded into convolutions by the exporter and is not trained: " +
         listOf(foldedBatchNorms) +
         "; to train it, export with torch.onnx.export(..., dynamo=True, optimize=False), or with "
         "dynamo=False, "
         "training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False");
}

onnx::ModelProto parseOnnx(const std::string &content, const std::string &file) {
  namespace io = google::protobuf::io;
  onnx::ModelProto model;
  io::CodedInputStream stream(reinterpret_cast<const uint8_t *>(content.data()), int(content.size()));
  stream.SetRecursionLimit(kMaxRecursion);
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    throw Diagnostic(ExitCode::BadInput, file + ": not an ONNX model, or cut short or damaged");
  return model;
}

Graph readOnnxModel(const std::string &content, const std::string &file, int64_t batch,
                    const std::function<void(const std::string &)> &note) {
  onnx::ModelProto model = parseOnnx(content, file);
  RestoredNames restored = restoreParameterNames(model, file, folderOf(file));
  return OnnxImporter(model, file, batch, note, std::move(restored)).run();
}

} // namespace halfstep
