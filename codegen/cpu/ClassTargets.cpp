// See ClassTargets.h.
#include "codegen/cpu/ClassTargets.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace halfstep {

ClassTargets::Row ClassTargets::at(Value row) {
  Value id = b.loadScalar(ids, row), counts;
  if (ignored) {
    counts =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ne, id, b.integer(int64_t(*ignored), b.getI64Type()));
    // Nothing may be read at an id that is no class.
    id = arith::SelectOp::create(b, counts, id, b.integer(0, b.getI64Type()));
  }
  Row target{arith::IndexCastOp::create(b, b.getIndexType(), id), {}, counts};
  target.weight = orZero(target, weights ? b.load(weights, target.id) : b.number(1));
  return target;
}

Value ClassTargets::orZero(const Row &target, Value value) {
  return target.counts ? arith::SelectOp::create(b, target.counts, value, b.number(0)).getResult() : value;
}

} // namespace halfstep
