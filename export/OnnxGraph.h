// Writes the importer's graph as an ONNX graph. A row says what an op becomes: to export another op, add a
// function to OnnxRows.cpp or a file like it, and its line to rows().
#ifndef HALFSTEP_EXPORT_ONNXGRAPH_H
#define HALFSTEP_EXPORT_ONNXGRAPH_H

#include "import/Graph.h"

#include "onnx-ml.pb.h"

#include <map>

namespace halfstep {

/// The opset that rows are written in: the first whose GroupNormalization scales channels.
inline constexpr int64_t kExportOpset = 21;

/// The ONNX name of the batch.
inline constexpr const char *kExportBatch = "N";

class OnnxGraphWriter {
public:
  OnnxGraphWriter(const Graph &graph, onnx::GraphProto &proto) : graph(graph), proto(proto) {}

  /// Inputs, parameters (without values), nodes and outputs. Throws Diagnostic Unsupported with every op that
  /// has no row.
  void write();

private:
  using Row = void (OnnxGraphWriter::*)(const Node &);
  static const std::map<std::string, Row> &rows();

  const Graph &graph;
  onnx::GraphProto &proto;
  std::map<std::string, int> nodesOfName;

  void requireRows() const;
  void setShape(onnx::ValueInfoProto &info, const std::string &name, int32_t type);

  // What rows are made of.
  using Names = std::vector<std::string>;
  /// Adds a node of ONNX's `op` called `name`, whose inputs and outputs are `inputs` and `outputs`.
  onnx::NodeProto &add(const char *op, const std::string &name, const Names &inputs, const Names &outputs);
  /// Adds the node for all of `node`: its inputs, outputs and name.
  onnx::NodeProto &addWhole(const char *op, const Node &node) {
    return add(op, node.name, node.inputs, node.outputs);
  }
  /// Adds a step on the way to the result of `node`; returns its output "RESULT.step".
  std::string step(const Node &node, const char *op, const std::string &name, const Names &inputs,
                   onnx::NodeProto **added = nullptr);
  /// Constants: initialisers "RESULT.name".
  std::string integers(const Node &node, const std::string &name, const std::vector<int64_t> &values);
  std::string number(const Node &node, const std::string &name, double value);
  /// The shape of a value as a constant for Reshape: -1 where it is per sample.
  std::string shapeConstant(const Node &node, const std::string &name, const Shape &shape);
  const Shape &shapeOf(const Node &node, size_t input) const {
    return graph.shapeOf(node.inputs[input], node.place);
  }

  static void set(onnx::NodeProto &node, const char *key, int64_t value);
  static void set(onnx::NodeProto &node, const char *key, double value);
  static void set(onnx::NodeProto &node, const char *key, const char *value);
  static void set(onnx::NodeProto &node, const char *key, const std::vector<int64_t> &values);

  // Rows.
  void sameName(const Node &node); ///< Relu, Tanh, Add, ...: nothing but the name differs
  void silu(const Node &node);
  void gelu(const Node &node);
  void dropout(const Node &node);
  void withNumber(const Node &node);
  void matmul(const Node &node);
  void conv2d(const Node &node);
  void maxPool(const Node &node);
  void avgPool(const Node &node);
  void batchNorm(const Node &node);
  void layerNorm(const Node &node);
  void softmax(const Node &node);
  void embedding(const Node &node);
  void reshape(const Node &node);
  void transpose(const Node &node);
  void split(const Node &node);
  void concat(const Node &node);
  void attention(const Node &node); ///< OnnxAttentionRow.cpp
  std::string causalMask(const Node &node, int64_t queries, int64_t keys);
  std::string sharedHeads(const Node &node, const std::string &value, const std::string &name);
  std::string addedMask(const Node &node);

  // OnnxImageRows.cpp
  void convTranspose2d(const Node &node);
  void groupNorm(const Node &node);
  void resize2d(const Node &node);

  // OnnxGeneralRows.cpp
  static void addGeneralRows(std::map<std::string, Row> &table);
  void function(const Node &node);
  void clip(const Node &node);
  void reduction(const Node &node);
  void expand(const Node &node);
  void slice(const Node &node);
  void pad(const Node &node);

  // OnnxChoiceRows.cpp
  static void addChoiceRows(std::map<std::string, Row> &table);
  std::string truth(const Node &node, const std::string &name, const std::string &value);
  void constant(const Node &node);
  void compare(const Node &node);
  void where(const Node &node);
  void fromIds(const Node &node);
  void logSigmoid(const Node &node);
  void rmsNorm(const Node &node);
  void rotary(const Node &node);
};

} // namespace halfstep

#endif // HALFSTEP_EXPORT_ONNXGRAPH_H
