// One function an op of the importer's vocabulary, to nn and train ops.
#include "import/ModuleBuilderFunction.h"

#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"

#include <filesystem>
#include <numeric>

using namespace mlir;

namespace halfstep {

Location locationOf(MLIRContext *context, const Place &place, const std::string &name) {
  // The file's name without its folder: IR and libraries must not depend on where a model lies.
  std::string file = std::filesystem::path(place.file).filename().string();
  bool lines = place.line > 0;
  Location loc = FileLineColLoc::get(context, file, unsigned(lines ? place.line : place.index),
                                     unsigned(lines ? place.column : 0));
  return name.empty() ? loc : NameLoc::get(StringAttr::get(context, name), loc);
}

RankedTensorType tensorType(const Shape &shape, int64_t batch, Type element) {
  SmallVector<int64_t> extents;
  for (const Dim &dim : shape)
    extents.push_back(dim.perSample ? dim.size * batch : dim.size);
  return RankedTensorType::get(extents, element);
}

Value moveAxisLast(OpBuilder &builder, Location loc, Value value, int64_t axis) {
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  if (axis == rank - 1)
    return value;
  SmallVector<int64_t> perm;
  for (int64_t i = 0; i < rank; ++i)
    if (i != axis)
      perm.push_back(i);
  perm.push_back(axis);
  return nn::TransposeOp::create(builder, loc, value, perm);
}

const std::map<std::string, GraphEmitter::Emit> &GraphEmitter::emitters() {
  using E = GraphEmitter;
  static const std::map<std::string, Emit> table = [] {
    std::map<std::string, Emit> made = {
        {"relu", &E::emitUnary<nn::ReluOp>},
        {"tanh", &E::emitUnary<nn::TanhOp>},
        {"sigmoid", &E::emitUnary<nn::SigmoidOp>},
        {"silu", &E::emitUnary<nn::SiluOp>},
        {"gelu", &E::emitGelu},
        {"dropout", &E::emitDropout},
        {"add_number", &E::emitNumber<nn::AddOp>},
        {"mul_number", &E::emitNumber<nn::MulOp>},
        {"add", &E::emitBinary<nn::AddOp>},
        {"sub", &E::emitBinary<nn::SubOp>},
        {"mul", &E::emitBinary<nn::MulOp>},
        {"matmul", &E::emitMatmul},
        {"conv2d", &E::emitConv2d},
        {"max_pool2d", &E::emitMaxPool},
        {"avg_pool2d", &E::emitAvgPool},
        {"conv_transpose2d", &E::emitConvTranspose2d},
        {"group_norm", &E::emitGroupNorm},
        {"resize2d", &E::emitResize2d},
        {"batch_norm", &E::emitBatchNorm},
        {"layer_norm", &E::emitLayerNorm},
        {"embedding", &E::emitEmbedding},
        {"attention", &E::emitAttention},
        {"rotary", &E::emitRotary},
        {"rms_norm", &E::emitRmsNorm},
        {"reshape", &E::emitReshape},
        {"transpose", &E::emitTranspose},
        {"split", &E::emitSplit},
        {"concat", &E::emitConcat},
    };
    addGeneralEmitters(made);
    return made;
  }();
  return table;
}

void GraphEmitter::emitNodes() {
  for (const Node &node : graph.nodes) {
    Emit emit = emitters().at(node.op);
    (this->*emit)(node, locationOf(builder.getContext(), node.place, node.name));
  }
}

Value GraphEmitter::valueOf(const std::string &name) {
  Value &value = values[name];
  if (!value) {
    const Parameter *parameter = graph.findParameter(name);
    assert(parameter && "the graph checked its operands");
    value = train::ReadOp::create(builder, locationOf(builder.getContext(), parameter->place, name),
                                  tensorType(parameter->shape, batch, element), name, /*copy=*/false);
  }
  return value;
}

void GraphEmitter::define(const Node &node, ValueRange results) {
  for (auto [name, value] : llvm::zip_equal(node.outputs, results)) {
    Type wanted = graph.isIds(name) ? Type(builder.getI64Type()) : element;
    if (value.getType() != tensorType(graph.shapeOf(name, node.place), batch, wanted))
      node.place.fail(ExitCode::Internal, "the shape of '" + name + "' differs between importer and dialect");
    values[name] = value;
  }
}

Value GraphEmitter::number(double value, Location loc) {
  auto attr =
      DenseElementsAttr::get(RankedTensorType::get({}, element), Attribute(FloatAttr::get(element, value)));
  return nn::ConstantOp::create(builder, loc, attr);
}

template <typename Op>
void GraphEmitter::emitUnary(const Node &node, Location loc) {
  define(node, Value(Op::create(builder, loc, operand(node, 0))));
}

template <typename Op>
void GraphEmitter::emitBinary(const Node &node, Location loc) {
  define(node, Value(Op::create(builder, loc, operand(node, 0), operand(node, 1))));
}

template <typename Op>
void GraphEmitter::emitNumber(const Node &node, Location loc) {
  Value constant = number(node.number("value"), loc);
  define(node, Value(Op::create(builder, loc, operand(node, 0), constant)));
}

void GraphEmitter::emitGelu(const Node &node, Location loc) {
  define(node, Value(nn::GeluOp::create(builder, loc, operand(node, 0), node.flag("tanh"))));
}

void GraphEmitter::emitDropout(const Node &node, Location loc) {
  // Counted in every function, so that a node has the same stream whatever the function.
  int64_t id = dropouts++;
  if (!training || node.number("p") == 0)
    return define(node, operand(node, 0));
  Type scalar = RankedTensorType::get({}, builder.getI64Type());
  Value seed = train::ScalarOp::create(builder, loc, scalar, "seed");
  Value step = train::ScalarOp::create(builder, loc, scalar, "step");
  define(node, Value(nn::DropoutOp::create(builder, loc, operand(node, 0), seed, step,
                                           builder.getF64FloatAttr(node.number("p")),
                                           builder.getI64IntegerAttr(id))));
}

void GraphEmitter::emitMatmul(const Node &node, Location loc) {
  define(node, Value(nn::MatmulOp::create(builder, loc, operand(node, 0), operand(node, 1), optional(node, 2),
                                          /*transpose_a=*/false, node.flag("transpose_b"))));
}

void GraphEmitter::emitConv2d(const Node &node, Location loc) {
  define(node, Value(nn::Conv2dOp::create(builder, loc, operand(node, 0), operand(node, 1), optional(node, 2),
                                          node.integers("stride"), node.integers("padding"),
                                          node.integers("dilation"), uint64_t(node.integer("groups")))));
}

void GraphEmitter::emitMaxPool(const Node &node, Location loc) {
  auto pool = nn::MaxPool2dOp::create(builder, loc, operand(node, 0), node.integers("kernel"),
                                      node.integers("stride"), node.integers("padding"),
                                      optionalIntegers(node, "dilation"));
  define(node, pool.getResult());
}

void GraphEmitter::emitAvgPool(const Node &node, Location loc) {
  define(node, Value(nn::AvgPool2dOp::create(builder, loc, operand(node, 0), node.integers("kernel"),
                                             node.integers("stride"), node.integers("padding"),
                                             node.flag("exclude_pad"), optionalIntegers(node, "uncounted"))));
}

void GraphEmitter::emitBatchNorm(const Node &node, Location loc) {
  FloatAttr eps = builder.getF64FloatAttr(node.number("eps"));
  Value input = operand(node, 0), scale = operand(node, 1), shift = operand(node, 2);
  if (!training) {
    Value mean = operand(node, 3), variance = operand(node, 4);
    return define(node, Value(nn::BatchNormInferenceOp::create(builder, loc, input, scale, shift, mean,
                                                               variance, eps)));
  }
  // A second use of the same statistics in a step continues from the first.
  auto latest = [&](size_t index) {
    Value changed = newBuffers[node.inputs[index]];
    return changed ? changed : operand(node, index);
  };
  auto norm = nn::BatchNormOp::create(builder, loc, input, scale, shift, latest(3), latest(4), eps,
                                      builder.getF64FloatAttr(node.number("momentum")));
  newBuffers[node.inputs[3]] = norm.getNewMean();
  newBuffers[node.inputs[4]] = norm.getNewVar();
  define(node, norm.getResult());
}

void GraphEmitter::emitLayerNorm(const Node &node, Location loc) {
  auto norm = nn::LayerNormOp::create(builder, loc, operand(node, 0), operand(node, 1), operand(node, 2),
                                      builder.getI64IntegerAttr(node.integer("axis")),
                                      builder.getF64FloatAttr(node.number("eps")));
  define(node, norm.getResult());
}

void GraphEmitter::emitEmbedding(const Node &node, Location loc) {
  define(node, Value(nn::EmbeddingOp::create(builder, loc, operand(node, 0), operand(node, 1))));
}

void GraphEmitter::emitReshape(const Node &node, Location loc) {
  Value input = operand(node, 0);
  Type kept = cast<RankedTensorType>(input.getType()).getElementType();
  RankedTensorType wanted = tensorType(graph.shapeOf(node.outputs[0], node.place), batch, kept);
  if (input.getType() != wanted)
    input = nn::ReshapeOp::create(builder, loc, input, wanted.getShape());
  define(node, input);
}

void GraphEmitter::emitTranspose(const Node &node, Location loc) {
  define(node, Value(nn::TransposeOp::create(builder, loc, operand(node, 0), node.integers("perm"))));
}

void GraphEmitter::emitSplit(const Node &node, Location loc) {
  auto split = nn::SplitOp::create(builder, loc, operand(node, 0), uint64_t(node.integer("axis")),
                                   node.integers("sizes"));
  define(node, split.getPieces());
}

void GraphEmitter::emitConcat(const Node &node, Location loc) {
  SmallVector<Value> pieces;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    pieces.push_back(operand(node, i));
  define(node, Value(nn::ConcatOp::create(builder, loc, pieces, uint64_t(node.integer("axis")))));
}

void GraphEmitter::emitAssigns() {
  for (const Parameter &parameter : graph.parameters)
    if (Value changed = newBuffers[parameter.name])
      train::AssignOp::create(builder, changed.getLoc(), parameter.name, changed, /*found_inf=*/Value());
}

} // namespace halfstep
