// The vocabulary of the kernel emitters: loops, views of buffers, and linalg.generic over slices of them.
#ifndef HALFSTEP_CODEGEN_CPU_KERNELBUILDER_H
#define HALFSTEP_CODEGEN_CPU_KERNELBUILDER_H

#include "codegen/cpu/CpuLevel.h"

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace halfstep {

/// A builder with one location that knows the level it builds for.
///
/// Elements are computed in the wider compute type of the buffers involved (f64 if one of them is f64, else
/// f32) and rounded once, to nearest-even, when they are stored; `isEager` rounds in between. Integers keep
/// their type.
class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;
  using Body = llvm::function_ref<Values(mlir::ValueRange)>;

  KernelBuilder(mlir::OpBuilder &outer, mlir::Location loc, const CpuLevel &level)
      : ImplicitLocOpBuilder(loc, outer), level(level) {}

  const CpuLevel &level;
  /// True when each op's result is rounded to its type at once, and without flushing what is denormal.
  bool isEager = false;

  //===--------------------------------------------------------------------===//
  // Numbers
  //===--------------------------------------------------------------------===//

  Value index(int64_t value);
  /// A constant of a floating type, or of an integer type.
  Value number(double value, mlir::Type type);
  Value integer(int64_t value, mlir::Type type);

  // Index arithmetic; constants fold.
  Value plus(Value lhs, Value rhs);
  Value plus(Value lhs, int64_t rhs) { return rhs == 0 ? lhs : plus(lhs, index(rhs)); }
  Value minus(Value lhs, Value rhs);
  Value times(Value lhs, int64_t rhs);
  Value quotient(Value lhs, int64_t rhs);
  Value remainder(Value lhs, int64_t rhs);
  Value smaller(Value lhs, Value rhs);
  Value larger(Value lhs, Value rhs);

  /// f64 when an element type of `buffers` (values or types) is f64, else f32.
  mlir::Type computeTypeOf(mlir::ValueRange buffers);
  /// A floating value in another floating type: exact, or one rounding. Other values pass unchanged.
  Value convert(Value value, mlir::Type type);
  /// A floating value as an op with results of `type` gives it on: rounded there and back if eager, else
  /// unchanged.
  Value rounded(Value value, mlir::Type type);

  //===--------------------------------------------------------------------===//
  // Control
  //===--------------------------------------------------------------------===//

  /// for (i = lo; i < hi; i += step) body(i)
  void loop(Value lo, Value hi, int64_t step, llvm::function_ref<void(Value)> body);
  void loop(int64_t count, llvm::function_ref<void(Value)> body) { loop(index(0), index(count), 1, body); }
  /// A loop that carries values; `body` returns the next ones.
  Values carry(Value lo, Value hi, int64_t step, mlir::ValueRange initial,
               llvm::function_ref<Values(Value, mlir::ValueRange)> body);
  void when(Value condition, llvm::function_ref<void()> body);

  //===--------------------------------------------------------------------===//
  // Buffers
  //===--------------------------------------------------------------------===//

  /// The elements of a static memref of identity layout in another shape, or with other strides, from
  /// `offset` on. No element is copied.
  Value shaped(Value buffer, llvm::ArrayRef<int64_t> shape);
  Value strided(Value buffer, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> strides,
                int64_t offset = 0);
  Value flat(Value buffer);
  Value matrix(Value buffer, int64_t rows, int64_t columns) { return shaped(buffer, {rows, columns}); }

  /// Element `at` of dimension `dim`, which goes: of [m, n], row i is slice(x, 0, i), a rank-1 memref. Of a
  /// rank-1 memref, a 0-d one.
  Value slice(Value buffer, int64_t dim, Value at);
  /// Elements lo..hi of dimension `dim`, which stays. A static `extent` says what hi - lo is.
  Value slice(Value buffer, int64_t dim, Value lo, Value hi, int64_t extent = mlir::ShapedType::kDynamic);
  Value extent(Value buffer, int64_t dim);
  Value row(Value matrix, Value at) { return slice(matrix, 0, at); }
  Value rows(Value buffer, Value lo, Value hi) { return slice(buffer, 0, lo, hi); }

  /// The function that code is being added to.
  mlir::FunctionOpInterface function();
  /// A memref on the stack of the function; few elements, contents undefined.
  Value stackBuffer(llvm::ArrayRef<int64_t> shape, mlir::Type type);
  /// One of a single element, without dimensions.
  Value scalarBuffer(mlir::Type type) { return stackBuffer({}, type); }
  /// `shape` elements of `type` at `byteOffset` of the scratch buffer; moves the offset behind them, to the
  /// next cache line.
  Value carve(Value scratch, int64_t &byteOffset, llvm::ArrayRef<int64_t> shape, mlir::Type type);
  /// What `carve` adds to the offset.
  static int64_t carvedBytes(llvm::ArrayRef<int64_t> shape, mlir::Type type);

  /// An element in its compute type (f32, or f64 for f64); an integer as it is.
  Value loadScalar(Value buffer, mlir::ValueRange at = {});
  /// Rounds to the buffer's element type.
  void storeScalar(Value value, Value buffer, mlir::ValueRange at = {});

  //===--------------------------------------------------------------------===//
  // linalg.generic
  //===--------------------------------------------------------------------===//

  /// outs[i][...] = body(ins[0][...], ...)[i] for each element of memrefs of one shape. `body` sees floating
  /// elements in the compute type of all of them.
  void map(mlir::ValueRange ins, mlir::ValueRange outs, Body body);
  /// As `map`; `body` sees the old elements of `outs` after those of `ins`.
  void update(mlir::ValueRange ins, mlir::ValueRange outs, Body body);
  /// accumulators[i] = body(ins..., accumulators...)[i] over all elements of `ins` (one shape); accumulators
  /// are 0-d memrefs that hold their initial value before. The order of the elements is not defined unless
  /// `ordered`, but does not vary from call to call.
  void reduce(mlir::ValueRange ins, mlir::ValueRange accumulators, Body body, bool ordered = false);
  /// The general form: one map an operand (ins, then outs) over `iterators`, of which each is the domain of
  /// at least one operand's dimension. `body` sees ins, then the old elements of outs. `indices` in `body`:
  /// linalg.index. An `ordered` one runs element by element, last dimension first.
  void generic(mlir::ValueRange ins, mlir::ValueRange outs, llvm::ArrayRef<mlir::AffineMap> maps,
               llvm::ArrayRef<mlir::utils::IteratorType> iterators, Body body, bool ordered = false);
  /// out[...] = in[...], rounded if the types differ; elements of one type are not touched. `order`, if
  /// given, permutes the loops (dimensions of the memrefs by loops), which then are not vectorised.
  void copy(Value in, Value out, mlir::AffineMap order = {});
  /// Sets all elements of a memref.
  void fill(Value buffer, double value);
};

/// The attribute of a linalg op whose innermost loop must not be vectorised or reordered.
inline constexpr llvm::StringLiteral kOrderedAttr = "codegen.ordered";

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_KERNELBUILDER_H
