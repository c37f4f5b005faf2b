// The ops of the importer's vocabulary on sequences: attention, rotary positions and root-mean-square
// normalisation.
#include "import/ModuleBuilderFunction.h"

#include "dialect/nn/NNDialect.h"

using namespace mlir;

namespace halfstep {

void GraphEmitter::emitAttention(const Node &node, Location loc) {
  SmallVector<Value> tensors;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    tensors.push_back(operand(node, i));
  auto flag = [&](const char *key) { return node.flag(key) ? builder.getUnitAttr() : UnitAttr(); };
  int64_t heads = node.integer("heads"), keyHeads = node.integer("kv_heads");
  auto attention =
      nn::AttentionOp::create(builder, loc, tensors, builder.getI64IntegerAttr(heads),
                              keyHeads == heads ? IntegerAttr() : builder.getI64IntegerAttr(keyHeads),
                              flag("causal"), flag("masked"), builder.getF64FloatAttr(node.number("scale")));
  define(node, attention.getResult());
}

void GraphEmitter::emitRotary(const Node &node, Location loc) {
  auto interleaved = node.flag("interleaved") ? builder.getUnitAttr() : UnitAttr();
  define(node, Value(nn::RotaryOp::create(builder, loc, operand(node, 0), operand(node, 1), operand(node, 2),
                                          interleaved, /*transposed=*/UnitAttr())));
}

void GraphEmitter::emitRmsNorm(const Node &node, Location loc) {
  auto norm = nn::RmsNormOp::create(builder, loc, operand(node, 0), operand(node, 1),
                                    builder.getI64IntegerAttr(node.integer("axis")),
                                    builder.getF64FloatAttr(node.number("eps")));
  define(node, norm.getResult());
}

} // namespace halfstep
