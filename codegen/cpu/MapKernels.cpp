// Kernels of kind "map": element-wise ops over one domain, however many, in one pass over memory.
#include "codegen/cpu/ElementwiseRegion.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace halfstep {

ElementwiseRegion mapRegion(train::KernelOp kernel) {
  ArrayRef<int64_t> domain = cast<RankedTensorType>(kernel.getResult(0).getType()).getShape();
  SmallVector<ElementAccess> outputs;
  for (Value yielded : kernel.getYield()->getOperands())
    outputs.push_back({yielded, rowMajorStrides(domain)});
  return ElementwiseRegion(kernel, domain, outputs);
}

ContractionPlan planMap(train::KernelOp kernel, const CpuLevel &) {
  ElementwiseRegion region = mapRegion(kernel);
  ContractionPlan plan;
  if (region.rank() == 0)
    return plan;
  plan.items = region.extents()[0];
  plan.grain = grainOf(region.bytesPerIndex(0), region.flopsPerIndex(0));
  return plan;
}

LogicalResult emitMap(KernelBuilder &b, const KernelCall &call) {
  ElementwiseRegion region = mapRegion(call.kernel);
  FailureOr<SmallVector<Value>> ins = region.views(b, call);
  if (failed(ins))
    return failure();
  SmallVector<size_t> dims = llvm::to_vector(llvm::seq<size_t>(0, region.rank()));
  SmallVector<AffineMap> maps;
  auto take = [&](Value view, const ElementAccess &access) {
    maps.push_back(region.mapOf(access, dims, b.getContext()));
    return access.strides.empty() || access.strides[0] == 0 ? view : b.rows(view, call.lo, call.hi);
  };
  for (auto [view, access] : llvm::zip(*ins, region.inputs()))
    view = take(view, access);
  SmallVector<Value> outs;
  for (auto [i, access] : llvm::enumerate(region.outputs()))
    outs.push_back(take(region.view(b, call.result(unsigned(i)), access), access));

  SmallVector<utils::IteratorType> iterators(region.rank(), utils::IteratorType::parallel);
  auto indexOf = [&](size_t dim) -> Value {
    Value index = linalg::IndexOp::create(b, int64_t(dim));
    return dim == 0 ? b.plus(index, call.lo) : index;
  };
  b.generic(*ins, outs, maps, iterators, [&](ValueRange elements) {
    return region.emit(b, elements, call.kernel.getYield()->getOpOperands(), indexOf);
  });
  return success();
}

} // namespace halfstep
