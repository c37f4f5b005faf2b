// Element-wise kernels: each thread computes a few neighbouring elements, whose accesses LLVM joins into
// vectors of up to 16 bytes.
#include "codegen/cuda/Forms.h"
#include "codegen/cuda/ThreadBuilder.h"

#include "codegen/cpu/ElementwiseRegion.h"

using namespace mlir;

namespace halfstep {

/// How many neighbours a thread takes: as many as fill 16 bytes of the widest type, where all accesses that
/// move with the last dimension are aligned so.
static int64_t neighbours(const ElementwiseRegion &region) {
  if (region.rank() == 0)
    return 1;
  constexpr int64_t mostBytes = 16, most = 8;
  int64_t count = most;
  auto limit = [&](const ElementAccess &access) {
    int64_t bytes = getElementTypeOrSelf(access.value.getType()).getIntOrFloatBitWidth() / 8;
    count = std::min(count, mostBytes / bytes);
    bool moves = access.strides.back() != 0;
    while (count > 1 && (access.strides.back() > 1 ||
                         (moves && llvm::any_of(ArrayRef(access.strides).drop_back(),
                                                [&](int64_t stride) { return stride % count != 0; }))))
      count /= 2;
  };
  for (const ElementAccess &access : region.inputs())
    limit(access);
  for (const ElementAccess &access : region.outputs())
    limit(access);
  while (region.extents().back() % count != 0)
    count /= 2;
  return count;
}

static int64_t elementsOf(const ElementwiseRegion &region) {
  return ShapedType::getNumElements(region.extents());
}

LaunchShape mapShape(train::KernelOp kernel) {
  ElementwiseRegion region = mapRegion(kernel);
  return threadsFor(elementsOf(region) / neighbours(region));
}

LogicalResult emitMapThreads(KernelBuilder &b, const KernelCall &call) {
  ElementwiseRegion region = mapRegion(call.kernel);
  FailureOr<SmallVector<Value>> buffers = region.buffers(b, call);
  if (failed(buffers))
    return failure();
  int64_t width = neighbours(region), groups = elementsOf(region) / width;
  forThread(b, groups, [&](Value thread) {
    Values indices = indicesOf(b, b.times(thread, width), region.extents());
    // All reads stand before all writes, so that both can be joined.
    SmallVector<Values> elements(width), results;
    for (auto [buffer, access] : llvm::zip_equal(*buffers, region.inputs())) {
      Value at = dot(b, indices, access.strides), flat = b.flat(buffer);
      int64_t step = region.rank() == 0 ? 0 : access.strides.back();
      for (int64_t i = 0; i < width; ++i)
        elements[i].push_back(i > 0 && step == 0 ? elements[0].back()
                                                 : b.loadScalar(flat, b.plus(at, i * step)));
    }
    for (int64_t i = 0; i < width; ++i) {
      auto indexOf = [&](size_t dim) -> Value {
        return dim + 1 == region.rank() ? b.plus(indices[dim], i) : indices[dim];
      };
      results.push_back(region.emit(b, elements[i], call.kernel.getYield()->getOpOperands(), indexOf));
    }
    for (auto [number, access] : llvm::enumerate(region.outputs())) {
      Value at = dot(b, indices, access.strides), flat = b.flat(call.result(unsigned(number)));
      for (int64_t i = 0; i < width; ++i)
        b.storeScalar(results[i][number], flat, b.plus(at, i));
    }
  });
  return success();
}

} // namespace halfstep
