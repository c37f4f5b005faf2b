// Layers on images of the importer's vocabulary, to nn ops.
#include "import/ModuleBuilderFunction.h"

#include "dialect/nn/NNDialect.h"

using namespace mlir;

namespace halfstep {

DenseI64ArrayAttr GraphEmitter::optionalIntegers(const Node &node, const std::string &key) {
  return node.attributes.count(key) ? builder.getDenseI64ArrayAttr(node.integers(key)) : DenseI64ArrayAttr();
}

void GraphEmitter::emitConvTranspose2d(const Node &node, Location loc) {
  define(node, Value(nn::ConvTranspose2dOp::create(
                   builder, loc, operand(node, 0), operand(node, 1), optional(node, 2),
                   node.integers("stride"), node.integers("padding"), node.integers("dilation"),
                   node.integers("output_padding"), uint64_t(node.integer("groups")))));
}

void GraphEmitter::emitGroupNorm(const Node &node, Location loc) {
  auto norm = nn::GroupNormOp::create(builder, loc, operand(node, 0), operand(node, 1), operand(node, 2),
                                      builder.getI64IntegerAttr(node.integer("groups")),
                                      builder.getF64FloatAttr(node.number("eps")));
  define(node, norm.getResult());
}

void GraphEmitter::emitResize2d(const Node &node, Location loc) {
  double factor[] = {node.number("factor_h"), node.number("factor_w")};
  double offset[] = {node.number("offset_h"), node.number("offset_w")};
  define(node, Value(nn::Resize2dOp::create(builder, loc, operand(node, 0), node.integers("size"), factor,
                                            offset, node.flag("linear"), node.flag("ceil"))));
}

} // namespace halfstep
