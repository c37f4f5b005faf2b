// Kernels of nn.slice and nn.place: strided copies out of a tensor, and into one that is filled.
#include "codegen/cpu/KernelEmitters.h"
#include "codegen/cpu/StridedDomain.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace halfstep {

static RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

namespace {

/// Where the elements of a part lie in the whole: part[i0, i1, ...] = whole[offset + i0 * strides[0] + ...].
struct Part {
  Part(ArrayRef<int64_t> whole, ArrayRef<int64_t> part, ArrayRef<int64_t> starts, ArrayRef<int64_t> steps)
      : inPart(rowMajorStrides(part)) {
    for (auto [stride, extent, start, step] : llvm::zip_equal(rowMajorStrides(whole), part, starts, steps)) {
      // One element has no next. Strides that fall from dimension to dimension say which one a row leaves
      // out.
      inWhole.push_back(extent == 1 ? stride : stride * step);
      offset += stride * start;
    }
    extents.assign(part.begin(), part.end());
  }

  void merge() { extents = mergeDimensions(extents, {&inPart, &inWhole}); }

  SmallVector<int64_t> extents;
  Strides inPart, inWhole;
  int64_t offset = 0;
};

/// nn.place, cut by the first dimension of the result, of which leading dimensions that the part fills are
/// joined.
struct Placement {
  explicit Placement(nn::PlaceOp op)
      : whole(op.getShape()), part(tensorOf(op.getInput()).getShape()), starts(op.getStarts()),
        steps(op.getSteps()) {
    while (whole.size() > 1 && isFilled(0) && isFilled(1)) {
      for (SmallVector<int64_t> *extents : {&whole, &part}) {
        (*extents)[1] *= (*extents)[0];
        extents->erase(extents->begin());
      }
      starts.erase(starts.begin());
      steps.erase(steps.begin());
    }
  }

  SmallVector<int64_t> whole, part, starts, steps;

  /// A vector is one item: its elements are too little work to be chosen one by one.
  bool isCut() const { return whole.size() > 1; }
  int64_t items() const { return isCut() ? whole[0] : 1; }

private:
  bool isFilled(size_t dim) const { return starts[dim] == 0 && steps[dim] == 1 && whole[dim] == part[dim]; }
};

} // namespace

static void emitSlice(KernelBuilder &b, nn::SliceOp op, const KernelCall &call) {
  Part part(tensorOf(op.getInput()).getShape(), op.getSizes(), op.getStarts(), op.getSteps());
  part.merge();
  Value in = b.strided(call.input(op.getInput()), part.extents, part.inWhole, part.offset);
  Value out = b.strided(call.result(0), part.extents, part.inPart);
  if (part.extents.empty())
    b.copy(in, out);
  else
    b.copy(b.rows(in, call.lo, call.hi), b.rows(out, call.lo, call.hi));
}

static void emitPlace(KernelBuilder &b, nn::PlaceOp op, const KernelCall &call) {
  Placement placement(op);
  double value = op.getValue().convertToDouble();
  Part part(placement.whole, placement.part, placement.starts, placement.steps);
  Value in = b.shaped(call.input(op.getInput()), placement.part);
  Value whole = b.shaped(call.result(0), placement.whole);
  Value out = b.strided(call.result(0), placement.part, part.inWhole, part.offset);
  if (!placement.isCut()) {
    b.fill(whole, value);
    return b.copy(in, out);
  }
  int64_t start = placement.starts[0], step = placement.steps[0];
  b.loop(call.lo, call.hi, 1, [&](Value row) {
    b.fill(b.row(whole, row), value);
    // Row `start + i * step` of the whole is row i of the part.
    Value distance = step > 0 ? b.minus(row, b.index(start)) : b.minus(b.index(start), row);
    Value at = b.quotient(distance, std::abs(step));
    auto compare = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) -> Value {
      return arith::CmpIOp::create(b, predicate, lhs, rhs);
    };
    Value isIn = arith::AndIOp::create(b, compare(arith::CmpIPredicate::sge, distance, b.index(0)),
                                       compare(arith::CmpIPredicate::slt, at, b.index(placement.part[0])));
    Value isOne = compare(arith::CmpIPredicate::eq, b.times(at, std::abs(step)), distance);
    b.when(arith::AndIOp::create(b, isIn, isOne), [&] { b.copy(b.row(in, at), b.row(out, at)); });
  });
}

ContractionPlan planPart(train::KernelOp kernel, const CpuLevel &) {
  Operation *op = &kernel.getBlock().front();
  ContractionPlan plan;
  if (auto slice = dyn_cast<nn::SliceOp>(op)) {
    Part part(tensorOf(slice.getInput()).getShape(), slice.getSizes(), slice.getStarts(), slice.getSteps());
    part.merge();
    plan.items = part.extents.empty() ? 1 : part.extents[0];
  } else {
    plan.items = Placement(cast<nn::PlaceOp>(op)).items();
  }
  RankedTensorType result = tensorOf(op->getResult(0));
  int64_t elements = result.getNumElements() / plan.items;
  plan.grain = grainOf(2 * elements * result.getElementTypeBitWidth() / 8, elements);
  return plan;
}

LogicalResult emitPart(KernelBuilder &b, const KernelCall &call) {
  if (auto slice = dyn_cast<nn::SliceOp>(call.op()))
    emitSlice(b, slice, call);
  else
    emitPlace(b, cast<nn::PlaceOp>(call.op()), call);
  return success();
}

} // namespace halfstep
