// Sums and means over dimensions. Where neighbouring elements go to one sum, a team of threads takes a sum;
// where they go to neighbouring sums, a warp's lanes take a column each and the warps of a block the rows.
#include "codegen/cuda/Columns.h"
#include "codegen/cuda/Forms.h"
#include "codegen/cuda/ThreadBuilder.h"

#include "codegen/cpu/ElementwiseRegion.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace halfstep {

namespace {

/// A reduction as sums of `length` elements each.
struct Sums {
  explicit Sums(train::KernelOp kernel)
      : op(coreOf(kernel)), source(cast<RankedTensorType>(op->getOperand(0).getType()).getShape()),
        region(
            kernel, source,
            {ElementAccess{op->getResult(0),
                           keptStrides(source, op->getAttrOfType<DenseI64ArrayAttr>("axes").asArrayRef())}}) {
    for (size_t dim = 0; dim < region.rank(); ++dim)
      (isKept(dim) ? kept : summed).push_back(region.extents()[dim]);
    count = ShapedType::getNumElements(kept);
    length = ShapedType::getNumElements(summed);
  }

  Operation *op;
  ArrayRef<int64_t> source;
  ElementwiseRegion region;
  SmallVector<int64_t> kept, summed; ///< extents
  int64_t count, length;

  bool isKept(size_t dim) const { return region.outputs()[0].strides[dim] != 0; }
  bool hasColumns() const { return region.rank() > 0 && isKept(region.rank() - 1) && length > 1; }
};

/// Emits the terms of one sum.
class TermReader {
public:
  TermReader(KernelBuilder &b, const Sums &sums, ArrayRef<Value> buffers, Value number)
      : b(b), sums(sums), buffers(buffers), outer(indicesOf(b, number, sums.kept)) {}

  Value term(Value place) {
    Values inner = indicesOf(b, place, sums.summed), indices;
    size_t nextOuter = 0, nextInner = 0;
    for (size_t dim = 0; dim < sums.region.rank(); ++dim)
      indices.push_back(sums.isKept(dim) ? outer[nextOuter++] : inner[nextInner++]);
    Values elements;
    for (auto [buffer, access] : llvm::zip_equal(buffers, sums.region.inputs()))
      elements.push_back(b.loadScalar(b.flat(buffer), dot(b, indices, access.strides)));
    return sums.region.emit(b, elements, sums.op->getOpOperands(),
                            [&](size_t dim) { return indices[dim]; })[0];
  }

private:
  KernelBuilder &b;
  const Sums &sums;
  ArrayRef<Value> buffers;
  Values outer;
};

} // namespace

LaunchShape reduceShape(train::KernelOp kernel) {
  Sums sums(kernel);
  return sums.hasColumns() ? columnsShape(sums.count, sums.length)
                           : teamsFor(sums.count, teamFor(sums.length));
}

LogicalResult emitReduceThreads(KernelBuilder &b, const KernelCall &call) {
  Sums sums(call.kernel);
  FailureOr<SmallVector<Value>> buffers = sums.region.buffers(b, call);
  if (failed(buffers))
    return failure();
  Type compute = sums.region.computeType();
  Value zero = b.number(0, compute);
  auto store = [&](Value sum, Value number) {
    if (isa<nn::ReduceMeanOp>(sums.op))
      sum = arith::DivFOp::create(b, sum, b.number(double(sums.length), compute));
    b.storeScalar(sum, b.flat(call.result(0)), number);
  };
  auto added = [&](TermReader &reader, Value place, ValueRange old) {
    return Values{arith::AddFOp::create(b, old[0], reader.term(place))};
  };
  if (sums.hasColumns()) {
    Columns columns(b, sums.count, sums.length);
    TermReader reader(b, sums, *buffers, columns.column());
    Value part = columns.carry(zero, [&](Value row, ValueRange old) { return added(reader, row, old); })[0];
    Value total = columns.sum(part);
    columns.first([&] { store(total, columns.column()); });
    return success();
  }
  forTeam(b, sums.count, teamFor(sums.length), [&](Value number) {
    Team team(b, teamFor(sums.length));
    TermReader reader(b, sums, *buffers, number);
    Value part = team.carry(sums.length, zero,
                            [&](Value place, ValueRange old) { return added(reader, place, old); })[0];
    Value total = team.sum(part);
    team.first([&] { store(total, number); });
  });
  return success();
}

} // namespace halfstep
