// Shape and type arithmetic shared by the dialects, and the generated interface code.
#include "dialect/interfaces/OpInterfaces.h"

#include "mlir/IR/AffineExpr.h"

using namespace mlir;

namespace halfstep {

AffineMap broadcastMap(ArrayRef<int64_t> shape, int64_t rank, MLIRContext *context) {
  SmallVector<AffineExpr> results;
  int64_t lead = rank - static_cast<int64_t>(shape.size());
  for (auto [i, extent] : llvm::enumerate(shape))
    results.push_back(extent == 1 ? getAffineConstantExpr(0, context)
                                  : getAffineDimExpr(lead + static_cast<int64_t>(i), context));
  return AffineMap::get(rank, 0, results, context);
}

FailureOr<SmallVector<int64_t>> broadcastShape(ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs) {
  if (lhs.size() < rhs.size())
    std::swap(lhs, rhs);
  SmallVector<int64_t> shape(lhs);
  size_t lead = lhs.size() - rhs.size();
  for (size_t i = 0; i < rhs.size(); ++i) {
    int64_t &extent = shape[lead + i];
    if (extent == rhs[i] || rhs[i] == 1)
      continue;
    if (extent != 1)
      return failure();
    extent = rhs[i];
  }
  return shape;
}

Type promoteTypes(Type lhs, Type rhs) {
  if (lhs == rhs)
    return lhs;
  unsigned left = lhs.getIntOrFloatBitWidth(), right = rhs.getIntOrFloatBitWidth();
  if (left == right)
    return Float32Type::get(lhs.getContext());
  return left > right ? lhs : rhs;
}

Type computeType(Type type) { return type.isF64() ? type : Type(Float32Type::get(type.getContext())); }

} // namespace halfstep

#include "dialect/interfaces/OpInterfaces.cpp.inc"
