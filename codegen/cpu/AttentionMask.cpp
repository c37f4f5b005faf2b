// Masks of attention as numbers that are added to scores. What hides a key becomes minus infinity, whatever
// its form, so that the loops over scores know one.
#include "codegen/cpu/Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;

namespace halfstep {

/// A number that is added hides its key from here down: exporters write the lowest number of f32 for that.
static constexpr double kHiding = -1e30;
static constexpr double kLowest = -std::numeric_limits<double>::infinity();

Value AttentionBuilder::maskRow(Value sample, Value head, Value query) {
  Value row = index(0);
  auto step = [&](Value place, int64_t extent) {
    row = times(row, extent);
    if (extent > 1)
      row = plus(row, place);
  };
  if (shape.mask == AttentionMask::Keys)
    return times(sample, shape.keys);
  step(sample, shape.maskBatch);
  step(head, shape.maskHeads);
  step(query, shape.maskQueries);
  return times(row, shape.keys);
}

static Value constantLike(OpBuilder &b, Location loc, Type like, double value) {
  if (auto vector = dyn_cast<VectorType>(like))
    return arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(vector, Attribute(b.getFloatAttr(vector.getElementType(), value))));
  return arith::ConstantOp::create(b, loc, b.getFloatAttr(like, value));
}

/// A scalar or vector of the mask's elements.
static Value canonical(AttentionBuilder &b, Value loaded) {
  Location loc = b.getLoc();
  Type type = loaded.getType();
  if (b.shape.mask == AttentionMask::Keys) {
    Value none = arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type)));
    Value shown = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, loaded, none);
    Type made = isa<VectorType>(type) ? Type(b.vectorOf(b.form.compute)) : b.form.compute;
    return arith::SelectOp::create(b, shown, constantLike(b, loc, made, 0),
                                   constantLike(b, loc, made, kLowest));
  }
  Value wide = b.widen(loaded);
  Value hides = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, wide,
                                      constantLike(b, loc, wide.getType(), kHiding));
  return arith::SelectOp::create(b, hides, constantLike(b, loc, wide.getType(), kLowest), wide);
}

void AttentionBuilder::expandMask(Value mask, Value at, Value expanded) {
  int64_t full = shape.keys / form.lanes, rest = shape.keys % form.lanes;
  auto expand = [&](Value place, int64_t count) {
    storeWhole(canonical(*this, load(mask, plus(at, place), form.lanes, count)), expanded, place);
  };
  loop(full, [&](Value vector) { expand(times(vector, form.lanes), form.lanes); });
  if (rest > 0)
    expand(index(full * form.lanes), rest);
}

Value AttentionBuilder::maskAt(Value mask, Value at) { return canonical(*this, loadScalar(mask, at)); }

Value AttentionBuilder::isHidden(Value expanded) {
  return arith::CmpFOp::create(*this, arith::CmpFPredicate::OEQ, expanded,
                               constantLike(*this, getLoc(), expanded.getType(), kLowest));
}

} // namespace halfstep
