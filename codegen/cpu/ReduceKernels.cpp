// Kernels of kind "reduce": element-wise ops over one domain, then a sum, mean, product, largest or smallest
// element over some of its dimensions.
//
// The first dimension that is kept cuts the work. Where it is the innermost one, an item is a block of its
// columns, so that the inner loop stays contiguous; sums of a block lie in scratch. Otherwise an item is one
// index. All loops run in memory order.
#include "codegen/cpu/ElementwiseRegion.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;

namespace halfstep {

namespace {

/// Columns of an item, where the kept dimension is the innermost: whole cache lines of every type.
constexpr int64_t kBlock = 64;

/// A reduction and how its work is cut.
struct Reduction {
  explicit Reduction(train::KernelOp kernel);

  Operation *op;
  RankedTensorType source;
  ElementwiseRegion region;
  /// The merged dimension that is cut; none when all are summed.
  std::optional<size_t> cut;
  int64_t block = 1, items = 1;

  bool isKept(size_t dim) const { return region.outputs()[0].strides[dim] != 0; }
  bool isBlocked() const { return block > 1; }
  /// Merged dimensions that the loops of an item run over.
  SmallVector<size_t> loopDims() const;
  /// Extents of the sums of one item.
  SmallVector<int64_t> sumShape() const;
  /// How many elements one sum adds.
  int64_t count() const {
    return source.getNumElements() / cast<RankedTensorType>(op->getResult(0).getType()).getNumElements();
  }
  int64_t scratchBytes() const {
    return sumShape().empty() ? 0 : KernelBuilder::carvedBytes(sumShape(), region.computeType());
  }
};

} // namespace

static ArrayRef<int64_t> axesOf(Operation *op) {
  return op->getAttrOfType<DenseI64ArrayAttr>("axes").asArrayRef();
}

Reduction::Reduction(train::KernelOp kernel)
    : op(coreOf(kernel)), source(cast<RankedTensorType>(op->getOperand(0).getType())),
      region(kernel, source.getShape(),
             {ElementAccess{op->getResult(0), keptStrides(source.getShape(), axesOf(op))}}) {
  for (size_t dim = 0; dim < region.rank() && !cut; ++dim)
    if (isKept(dim))
      cut = dim;
  if (!cut)
    return;
  if (*cut + 1 == region.rank())
    block = std::min(kBlock, region.extents()[*cut]);
  items = llvm::divideCeil(region.extents()[*cut], block);
}

SmallVector<size_t> Reduction::loopDims() const {
  SmallVector<size_t> dims;
  for (size_t dim = 0; dim < region.rank(); ++dim)
    if (dim != cut || isBlocked())
      dims.push_back(dim);
  return dims;
}

SmallVector<int64_t> Reduction::sumShape() const {
  SmallVector<int64_t> shape;
  for (size_t dim : loopDims())
    if (isKept(dim))
      shape.push_back(dim == cut ? block : region.extents()[dim]);
  return shape;
}

ContractionPlan planReduce(train::KernelOp kernel, const CpuLevel &) {
  Reduction reduction(kernel);
  ContractionPlan plan;
  plan.items = reduction.items;
  if (reduction.cut)
    plan.grain = grainOf(reduction.region.bytesPerIndex(*reduction.cut) * reduction.block,
                         reduction.region.flopsPerIndex(*reduction.cut) * reduction.block);
  plan.scratchBytes = reduction.scratchBytes();
  return plan;
}

namespace {

/// Emits one item of a reduction.
class ItemEmitter {
public:
  ItemEmitter(KernelBuilder &b, const KernelCall &call, const Reduction &reduction, Value item)
      : b(b), call(call), reduction(reduction), region(reduction.region) {
    if (!reduction.cut)
      return;
    int64_t extent = region.extents()[*reduction.cut];
    begin = b.times(item, reduction.block);
    end = b.smaller(b.plus(begin, reduction.block), b.index(extent));
    if (extent % reduction.block == 0)
      columns = reduction.block;
  }

  void run(ValueRange views) {
    Value sums = makeSums();
    SmallVector<Value> ins;
    for (auto [view, access] : llvm::zip(views, region.inputs()))
      ins.push_back(part(view, access));
    accumulate(ins, sums);
    const ElementAccess &output = region.outputs()[0];
    store(sums, part(region.view(b, call.result(0), output), output));
  }

private:
  KernelBuilder &b;
  const KernelCall &call;
  const Reduction &reduction;
  const ElementwiseRegion &region;
  Value begin, end;
  int64_t columns = ShapedType::kDynamic;

  /// What an item touches of a view.
  Value part(Value view, const ElementAccess &access) {
    if (!reduction.cut || access.strides[*reduction.cut] == 0)
      return view;
    int64_t dim = 0;
    for (size_t i = 0; i < *reduction.cut; ++i)
      dim += access.strides[i] != 0;
    return reduction.isBlocked() ? b.slice(view, dim, begin, end, columns) : b.slice(view, dim, begin);
  }

  Value makeSums() {
    SmallVector<int64_t> shape = reduction.sumShape();
    int64_t offset = 0;
    Value sums = shape.empty() ? b.scalarBuffer(region.computeType())
                               : b.carve(call.scratch, offset, shape, region.computeType());
    if (reduction.isBlocked()) // the cut dimension is the only one that is kept
      sums = b.slice(sums, 0, b.index(0), b.minus(end, begin), columns);
    b.fill(sums, neutralElement());
    return sums;
  }

  void accumulate(ArrayRef<Value> ins, Value sums) {
    SmallVector<size_t> dims = reduction.loopDims();
    SmallVector<AffineMap> maps;
    for (const ElementAccess &access : region.inputs())
      maps.push_back(region.mapOf(access, dims, b.getContext()));
    SmallVector<Value> all(ins);
    addExtents(dims, all, maps);
    maps.push_back(region.mapOf(region.outputs()[0], dims, b.getContext()));
    auto iterators = llvm::map_to_vector(dims, [&](size_t dim) {
      return reduction.isKept(dim) ? utils::IteratorType::parallel : utils::IteratorType::reduction;
    });
    b.generic(all, {sums}, maps, iterators, [&](ValueRange elements) -> KernelBuilder::Values {
      Value element = region.emit(b, elements, reduction.op->getOpOperands(),
                                  [&](size_t dim) { return indexOf(dim, dims); })[0];
      return {combine(elements.back(), element)};
    });
  }

  /// What a reduction of nothing gives.
  double neutralElement() {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return TypeSwitch<Operation *, double>(reduction.op)
        .Case<nn::ReduceMaxOp>([=](auto) { return -infinity; })
        .Case<nn::ReduceMinOp>([=](auto) { return infinity; })
        .Case<nn::ReduceProdOp>([](auto) { return 1; })
        .Default([](Operation *) { return 0; });
  }

  Value combine(Value sofar, Value element) {
    return TypeSwitch<Operation *, Value>(reduction.op)
        .Case<nn::ReduceMaxOp>([&](auto) -> Value { return arith::MaximumFOp::create(b, sofar, element); })
        .Case<nn::ReduceMinOp>([&](auto) -> Value { return arith::MinimumFOp::create(b, sofar, element); })
        .Case<nn::ReduceProdOp>([&](auto) -> Value { return arith::MulFOp::create(b, sofar, element); })
        .Default([&](Operation *) -> Value { return arith::AddFOp::create(b, sofar, element); });
  }

  /// linalg takes the extents of its loops from its operands: a dimension that is summed but that no input
  /// depends on gets one, which is not read.
  void addExtents(ArrayRef<size_t> dims, SmallVector<Value> &ins, SmallVector<AffineMap> &maps) {
    for (auto [i, dim] : llvm::enumerate(dims)) {
      bool isKnown = reduction.isKept(dim) || llvm::any_of(region.inputs(), [&](const ElementAccess &access) {
                       return access.strides[dim] != 0;
                     });
      if (isKnown)
        continue;
      ins.push_back(b.strided(call.result(0), {region.extents()[dim]}, {0}));
      maps.push_back(
          AffineMap::get(unsigned(dims.size()), 0, b.getAffineDimExpr(unsigned(i)), b.getContext()));
    }
  }

  /// The index in a merged dimension, in the body of the loops over `dims`.
  Value indexOf(size_t dim, ArrayRef<size_t> dims) {
    const auto *place = llvm::find(dims, dim);
    if (place == dims.end())
      return begin;
    Value index = linalg::IndexOp::create(b, int64_t(place - dims.begin()));
    return dim == reduction.cut ? b.plus(index, begin) : index;
  }

  void store(Value sums, Value out) {
    bool isMean = isa<nn::ReduceMeanOp>(reduction.op);
    b.map({sums}, {out}, [&](ValueRange v) -> KernelBuilder::Values {
      if (!isMean)
        return {v[0]};
      Value count = b.number(double(reduction.count()), v[0].getType());
      return {arith::DivFOp::create(b, v[0], count)};
    });
  }
};

} // namespace

LogicalResult emitReduce(KernelBuilder &b, const KernelCall &call) {
  Reduction reduction(call.kernel);
  FailureOr<SmallVector<Value>> views = reduction.region.views(b, call);
  if (failed(views))
    return failure();
  b.loop(call.lo, call.hi, 1, [&](Value item) { ItemEmitter(b, call, reduction, item).run(*views); });
  return success();
}

} // namespace halfstep
