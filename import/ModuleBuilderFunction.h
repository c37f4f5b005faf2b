// Emits the ops of a graph into one function.
#ifndef HALFSTEP_IMPORT_MODULEBUILDERFUNCTION_H
#define HALFSTEP_IMPORT_MODULEBUILDERFUNCTION_H

#include "import/Graph.h"
#include "import/Recipe.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

#include <map>

namespace halfstep {

/// Of `place`, with the node's name where there is one.
mlir::Location locationOf(mlir::MLIRContext *context, const Place &place, const std::string &name = "");

/// The tensor type of `shape` for `batch` samples.
mlir::RankedTensorType tensorType(const Shape &shape, int64_t batch, mlir::Type element);

/// The graph in one function: values by name, parameters read where first used, buffers assigned at the end.
class GraphEmitter {
public:
  /// `training` chooses batch statistics and dropout. Ops go to where `builder` stands.
  GraphEmitter(mlir::OpBuilder &builder, const Graph &graph, int64_t batch, mlir::Type element, bool training)
      : builder(builder), graph(graph), batch(batch), element(element), training(training) {}

  void bind(const std::string &name, mlir::Value value) { values[name] = value; }
  void emitNodes();
  /// The value of a graph value or parameter.
  mlir::Value valueOf(const std::string &name);
  /// Writes the buffers that training changed.
  void emitAssigns();

private:
  mlir::OpBuilder &builder;
  const Graph &graph;
  int64_t batch;
  mlir::Type element;
  bool training;
  std::map<std::string, mlir::Value> values;
  std::map<std::string, mlir::Value> newBuffers;
  int64_t dropouts = 0; ///< gives each its own random stream

  using Emit = void (GraphEmitter::*)(const Node &, mlir::Location);
  static const std::map<std::string, Emit> &emitters();

  mlir::Value operand(const Node &node, size_t index) { return valueOf(node.inputs[index]); }
  mlir::Value optional(const Node &node, size_t index) {
    return node.hasInput(index) ? operand(node, index) : mlir::Value();
  }
  /// The attribute `key`; null where the node has none.
  mlir::DenseI64ArrayAttr optionalIntegers(const Node &node, const std::string &key);
  void define(const Node &node, mlir::ValueRange results);
  mlir::Value number(double value, mlir::Location loc);

  template <typename Op>
  void emitUnary(const Node &node, mlir::Location loc);
  template <typename Op>
  void emitBinary(const Node &node, mlir::Location loc);
  template <typename Op>
  void emitNumber(const Node &node, mlir::Location loc);
  void emitGelu(const Node &node, mlir::Location loc);
  void emitDropout(const Node &node, mlir::Location loc);
  void emitMatmul(const Node &node, mlir::Location loc);
  void emitConv2d(const Node &node, mlir::Location loc);
  void emitMaxPool(const Node &node, mlir::Location loc);
  void emitAvgPool(const Node &node, mlir::Location loc);
  void emitConvTranspose2d(const Node &node, mlir::Location loc);
  void emitGroupNorm(const Node &node, mlir::Location loc);
  void emitResize2d(const Node &node, mlir::Location loc);
  void emitBatchNorm(const Node &node, mlir::Location loc);
  void emitLayerNorm(const Node &node, mlir::Location loc);
  void emitEmbedding(const Node &node, mlir::Location loc);
  void emitAttention(const Node &node, mlir::Location loc);
  void emitRotary(const Node &node, mlir::Location loc);
  void emitRmsNorm(const Node &node, mlir::Location loc);
  void emitReshape(const Node &node, mlir::Location loc);
  void emitTranspose(const Node &node, mlir::Location loc);
  void emitSplit(const Node &node, mlir::Location loc);
  void emitConcat(const Node &node, mlir::Location loc);

  // Functions, choices, constants and parts (ModuleBuilderGeneral.cpp).
  static void addGeneralEmitters(std::map<std::string, Emit> &table);
  void emitFunction(const Node &node, mlir::Location loc);
  void emitCompare(const Node &node, mlir::Location loc);
  void emitWhere(const Node &node, mlir::Location loc);
  void emitFromIds(const Node &node, mlir::Location loc);
  void emitConstant(const Node &node, mlir::Location loc);
  void emitExpand(const Node &node, mlir::Location loc);
  void emitSlice(const Node &node, mlir::Location loc);
  void emitPad(const Node &node, mlir::Location loc);
  template <typename Op>
  void emitReduction(const Node &node, mlir::Location loc);
  template <typename Op>
  void emitAlongAxis(const Node &node, mlir::Location loc);
};

/// `value` with dimension `axis` last; `value` itself when it is.
mlir::Value moveAxisLast(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, int64_t axis);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_MODULEBUILDERFUNCTION_H
