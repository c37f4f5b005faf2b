// Builds the kernels of pooling. An item is one plane: one channel of one image.
#ifndef HALFSTEP_CODEGEN_CPU_POOLBUILDER_H
#define HALFSTEP_CODEGEN_CPU_POOLBUILDER_H

#include "codegen/cpu/ContractionBuilder.h"
#include "codegen/cpu/SliceBuilder.h"

#include "dialect/nn/NNDialect.h"

namespace halfstep {

/// Windows of kernelH x kernelW elements over planes of height x width.
struct PoolShape {
  int64_t planes, height, width, outHeight, outWidth;
  int64_t kernelH = 1, kernelW = 1, strideH = 1, strideW = 1;
  int64_t padTop = 0, padLeft = 0, padBottom = 0, padRight = 0;
  int64_t dilationH = 1, dilationW = 1;
  /// Rows and columns at the end of the padding that are in no mean's divisor.
  int64_t uncountedH = 0, uncountedW = 0;
  /// A mean is over the elements inside the image only.
  bool excludePad = false;

  /// Of a pooling op, forward or backward. The window of max_pool2d_backward is not known, nor needed.
  explicit PoolShape(mlir::Operation *op);

  int64_t pixels() const { return height * width; }
  int64_t outPixels() const { return outHeight * outWidth; }
  int64_t taps() const { return kernelH * kernelW; }
  /// Windows are all alike: no gaps in them, and no part of the padding that counts less.
  bool isRegular() const { return dilationH == 1 && dilationW == 1 && !uncountedH && !uncountedW; }
  /// Columns of the result, first and end, whose windows have all their columns inside the image.
  std::pair<int64_t, int64_t> wholeColumns() const;
  /// One window, which is the plane.
  bool isGlobal() const {
    return kernelH == height && kernelW == width && !padTop && !padLeft && !padBottom && !padRight;
  }
};

class PoolBuilder : public SliceBuilder {
public:
  PoolBuilder(const KernelBuilder &outer, const KernelCall &call, PoolShape shape)
      : SliceBuilder(outer, call), shape(shape), lo(call.lo), hi(call.hi) {}

  void emit(nn::MaxPool2dOp op);
  void emit(nn::AvgPool2dOp op);
  void emit(nn::MaxPool2dBackwardOp op);
  void emit(nn::AvgPool2dBackwardOp op);

private:
  /// Rows y..yEnd and columns x..xEnd of a plane: the part of a window that lies inside the image. Of a
  /// dilated window, every dilation-th of them from the first.
  struct Inside {
    Value y, yEnd, x, xEnd;
  };
  /// Rows from..to of the result, whose windows have the rows firstTap..endTap of the kernel in the image.
  struct RowGroup {
    int64_t from, to, firstTap, endTap;
  };
  /// Neighbouring windows of a row as vectors: `taps` has their elements, tap by tap in row-major order,
  /// `corner` is the first window's first element in the plane, `at` its place in the result.
  struct Windows {
    ContractionBuilder &vectors;
    int64_t tapRows;
    Values taps;
    Value corner, at;
  };
  using WindowsBody = llvm::function_ref<void(const Windows &)>;
  using WindowBody = llvm::function_ref<void(Value plane, Value outRow, Value outColumn)>;

  void eachPlane(llvm::function_ref<void(Value)> body) { loop(lo, hi, 1, body); }
  /// Index in the result of a window.
  Value resultAt(Value plane, Value outRow, Value outColumn) {
    return plus(times(plus(times(plane, shape.outHeight), outRow), shape.outWidth), outColumn);
  }

  // Forward.
  llvm::SmallVector<RowGroup> rowGroups() const;
  int64_t windowLanes(int64_t windows);
  /// Does all windows: those of whole rows with `many`, the others with `one`.
  void eachWindow(WindowsBody many, WindowBody one);
  void eachInRow(Value plane, Value outRow, const RowGroup &group, int64_t left, int64_t right,
                 WindowsBody many);
  void addTaps(ContractionBuilder &vectors, Value at, Values &taps);
  Value loadVector(ContractionBuilder &vectors, Value at, int64_t lanes, int64_t count);
  void storeVector(ContractionBuilder &vectors, Value value, Value flatBuffer, Value at);
  Inside inside(Value outRow, Value outColumn);
  /// The better of two elements (scalars or vectors), and its place.
  Values better(Value best, Value place, Value candidate, Value candidatePlace);
  void emitMaxima(const Windows &windows);
  void emitMaximum(Value plane, Value outRow, Value outColumn);
  void emitMeans(const Windows &windows);
  void emitMean(Value plane, Value outRow, Value outColumn);
  void emitGlobalMean(Value plane);

  // Backward.
  /// The number of elements that the mean of a window is over.
  Value divisor(const Inside &window, Value outRow, Value outColumn);
  /// Adds `share` to the elements of a row that a window has; `isWhole`: to as many as the kernel has.
  void spreadInRow(const Inside &window, Value share, Value rowSums, bool isWhole);
  /// Has `add` add to each plane, which is zero before: to `target` from `start` on. Sums in compute type.
  void eachPlaneOfSums(llvm::function_ref<void(Value plane, Value target, Value start)> add);
  void spread(Value plane, Value target, Value start, Value rowSums);

  const PoolShape shape;
  const Value lo, hi;
};

/// True where sums over a plane cannot be taken in the result without rounding each.
bool needsPlaneInScratch(mlir::Operation *op);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_POOLBUILDER_H
