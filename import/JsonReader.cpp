// The frame of a JSON model: version, inputs, chain of layers or graph of nodes, outputs. The ops are in
// JsonOps.cpp.
#include "import/JsonReader.h"
#include "import/JsonOps.h"

#include <set>

namespace halfstep {
namespace {

constexpr size_t kMaxNameLength = 200;

/// Names end up in symbols, files and logs: printable, and of a length that a person can read.
std::string readName(const JsonValue &value) {
  const std::string &name = value.asString();
  if (name.empty() || name.size() > kMaxNameLength)
    value.place.badInput("expected a name of 1 to " + std::to_string(kMaxNameLength) + " bytes, got " +
                         std::to_string(name.size()));
  for (unsigned char c : name)
    if (c < 0x20 || c == 0x7f)
      value.place.badInput("a name with a control character");
  return name;
}

std::vector<std::string> readNames(const JsonValue &value) {
  std::vector<std::string> names;
  for (const JsonValue &item : value.asArray())
    names.push_back(readName(item));
  return names;
}

class Reader {
public:
  Reader(const JsonValue &root, Graph &graph, int64_t batch)
      : root(root), graph(graph), parameters(graph), batch(batch) {}

  void read() {
    const JsonValue &version = root.at("halfstep");
    if (version.kind != JsonValue::Kind::Integer || version.integer != 1)
      version.place.badInput("expected version 1 of the format, got " + version.describe());
    root.allowKeys({"$schema", "halfstep", "name", "seed", "inputs", "layers", "nodes", "outputs"});
    if (const JsonValue *name = root.find("name"))
      graph.name = readName(*name);
    if (const JsonValue *seed = root.find("seed"))
      graph.seed = seed->asInteger(0, INT64_MAX);
    readInputs(root.at("inputs"));
    const JsonValue *layers = root.find("layers"), *nodes = root.find("nodes");
    if (!layers == !nodes)
      root.place.badInput("expected either 'layers' or 'nodes'");
    checkOps(layers ? *layers : *nodes);
    layers ? readLayers(*layers) : readNodes(*nodes);
    parameters.finish();
  }

private:
  const JsonValue &root;
  Graph &graph;
  JsonParameters parameters;
  int64_t batch;
  std::string batchName;
  int64_t fixedBatch = 0;
  std::set<std::string> nodeNames;

  void readInputs(const JsonValue &inputs) {
    if (inputs.asObject().members.empty())
      inputs.place.badInput("a model needs an input");
    for (const auto &[name, value] : inputs.members)
      readInput(name, value);
  }

  void readInput(const std::string &name, const JsonValue &value) {
    value.asObject().allowKeys({"dtype", "shape"});
    JsonValue nameValue;
    nameValue.kind = JsonValue::Kind::String;
    nameValue.text = name;
    nameValue.place = value.place;
    GraphInput input{readName(nameValue), ElementType::F32, {}};
    const JsonValue &dtype = value.at("dtype");
    if (dtype.asString() == "f64")
      input.type = ElementType::F64;
    else if (dtype.text == "i64")
      input.type = ElementType::I64;
    else if (dtype.text != "f32")
      dtype.place.badInput("expected the dtype \"f32\", \"f64\" or \"i64\", got " + dtype.describe());
    const JsonValue &shape = value.at("shape");
    if (shape.asArray().empty())
      shape.place.badInput("input '" + name + "' needs a leading extent for the batch");
    input.shape.push_back(readBatchExtent(shape.items.front()));
    for (size_t i = 1; i < shape.items.size(); ++i)
      input.shape.push_back({shape.items[i].asInteger(1, kMaxElements), false});
    Place place = value.place;
    place.where = "input '" + name + "'";
    graph.addInput(std::move(input), place);
  }

  /// The leading extent: a name, the same in all inputs, or a number that --batch may replace.
  Dim readBatchExtent(const JsonValue &extent) {
    bool named = extent.kind == JsonValue::Kind::String;
    std::string name = named ? readName(extent) : "";
    int64_t fixed = named ? 0 : extent.asInteger(1, kMaxElements);
    if (!graph.inputs.empty() && (name != batchName || fixed != fixedBatch))
      extent.place.badInput("the leading extents of the inputs differ; each is the batch");
    batchName = name;
    fixedBatch = fixed;
    if (fixed == batch)
      return {fixed, false};
    graph.replacedBatch = fixed;
    return {1, true};
  }

  /// All unknown ops in one diagnostic.
  static void checkOps(const JsonValue &list) {
    std::string unknown;
    const JsonValue *first = nullptr;
    for (const JsonValue &value : list.asArray()) {
      const JsonValue &op = value.at("op");
      if (isJsonOp(op.asString()))
        continue;
      first = first ? first : &value;
      const JsonValue *name = value.find("name");
      unknown += (unknown.empty() ? "'" : ", '") + op.text + "'" +
                 (name ? " (" + name->asString() + ")" : "") + " at line " + std::to_string(value.place.line);
    }
    if (first)
      first->place.fail(ExitCode::Unsupported, "unsupported ops: " + unknown);
  }

  JsonOp start(const JsonValue &value, const std::string &list, size_t index) {
    JsonOp op;
    op.place = value.place;
    op.place.where = list + "[" + std::to_string(index) + "]";
    op.op = value.at("op").asString();
    const JsonValue *name = value.find("name");
    op.name = name ? readName(*name) : op.op + "_" + std::to_string(index);
    op.place.where += " '" + op.name + "'";
    if (!nodeNames.insert(op.name).second)
      op.place.badInput("another node has this name");
    op.batchName = batchName;
    return op;
  }

  void readLayers(const JsonValue &layers) {
    if (graph.inputs.size() != 1)
      root.place.badInput("a chain of layers has one input, got " + std::to_string(graph.inputs.size()));
    if (const JsonValue *outputs = root.find("outputs"))
      outputs->place.badInput("'outputs' goes with 'nodes'; the output of a chain is its last layer");
    if (layers.asArray().empty())
      layers.place.badInput("a model needs a layer");
    std::string previous = graph.inputs.front().name;
    for (size_t i = 0; i < layers.items.size(); ++i) {
      JsonOp op = start(layers.items[i].asObject(), "layers", i);
      op.inputs = {previous};
      op.outputs = {op.name};
      op.attributes = &layers.items[i];
      op.chained = true;
      addJsonOp(graph, parameters, op);
      previous = op.name;
    }
    graph.outputs = {previous};
  }

  void readNodes(const JsonValue &nodes) {
    for (size_t i = 0; i < nodes.asArray().size(); ++i) {
      const JsonValue &value = nodes.items[i].asObject();
      JsonOp op = start(value, "nodes", i);
      value.allowKeys({"op", "name", "inputs", "outputs", "attrs"});
      op.inputs = readNames(value.at("inputs"));
      op.outputs = readNames(value.at("outputs"));
      if (const JsonValue *attributes = value.find("attrs"))
        op.attributes = &attributes->asObject();
      addJsonOp(graph, parameters, op);
    }
    const JsonValue &outputs = root.at("outputs");
    graph.outputs = readNames(outputs);
    if (graph.outputs.empty())
      outputs.place.badInput("a model needs an output");
    std::set<std::string> seen;
    for (const std::string &output : graph.outputs) {
      graph.shapeOf(output, outputs.place);
      if (!seen.insert(output).second)
        outputs.place.badInput("the output '" + output + "' is named twice");
    }
  }
};

} // namespace

Graph readJsonModel(const std::string &text, const std::string &file, int64_t batch) {
  JsonValue root = parseJson(text, file);
  Graph graph;
  graph.file = file;
  Reader(root.asObject(), graph, batch).read();
  return graph;
}

} // namespace halfstep
