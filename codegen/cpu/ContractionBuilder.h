// The vocabulary of the contraction emitters: index arithmetic, loops, flat views of buffers, and vectors
// that are loaded, widened, rounded and stored in the element types of a product.
#ifndef HALFSTEP_CODEGEN_CPU_CONTRACTIONBUILDER_H
#define HALFSTEP_CODEGEN_CPU_CONTRACTIONBUILDER_H

#include "codegen/cpu/CpuLevel.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace halfstep {

/// How the elements of a product are stored, computed and laid out in packed panels.
struct ElementForm {
  mlir::Type storage; ///< f32, f64, bf16 or f16
  mlir::Type compute; ///< f32, or f64 for f64
  mlir::Type panel;   ///< element of a packed panel: compute, or i32 holding two bf16 of consecutive depths
  int64_t lanes = 1;  ///< compute elements a vector register
  int64_t depthPerStep = 1; ///< depths one panel element covers: 2 for pairs, else 1

  bool pairs() const { return depthPerStep == 2; }
  int64_t steps(int64_t depth) const { return (depth + depthPerStep - 1) / depthPerStep; }
  int64_t panelBytes() const { return panel.getIntOrFloatBitWidth() / 8; }
};

/// True for the element types that products are emitted for: f32, f64, bf16 and f16.
bool isProductType(mlir::Type type);

/// The form of products in `storage` at `level`; `usePairs` asks for bf16 dot products where there are any.
ElementForm elementForm(mlir::Type storage, const CpuLevel &level, bool usePairs);

/// A builder with one location that knows the level and the element form it builds for.
class ContractionBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;

  ContractionBuilder(mlir::OpBuilder &outer, mlir::Location loc, const CpuLevel &level, ElementForm form);

  const CpuLevel &level;
  const ElementForm form;

  // Index arithmetic; constants fold.
  Value index(int64_t value);
  Value plus(Value lhs, Value rhs);
  Value plus(Value lhs, int64_t rhs) { return rhs == 0 ? lhs : plus(lhs, index(rhs)); }
  Value minus(Value lhs, Value rhs);
  Value times(Value lhs, int64_t rhs);
  Value quotient(Value lhs, int64_t rhs);
  Value remainder(Value lhs, int64_t rhs);
  Value smaller(Value lhs, Value rhs);
  Value larger(Value lhs, Value rhs);
  Value isLess(Value lhs, Value rhs);

  /// for (i = lo; i < hi; i += step) body(i)
  void loop(Value lo, Value hi, int64_t step, llvm::function_ref<void(Value)> body);
  void loop(int64_t count, llvm::function_ref<void(Value)> body) { loop(index(0), index(count), 1, body); }
  /// A loop that carries values; `body` returns the next ones.
  llvm::SmallVector<Value> carry(Value lo, Value hi, int64_t step, mlir::ValueRange initial,
                                 llvm::function_ref<llvm::SmallVector<Value>(Value, mlir::ValueRange)> body);
  void when(Value condition, llvm::function_ref<void()> body);

  /// A rank-1 view of all elements of a memref of static shape and identity layout.
  Value flat(Value buffer);
  /// `count` elements of `type` at `byteOffset` of the scratch buffer, and the offset behind them.
  Value carve(Value scratch, int64_t &byteOffset, int64_t count, mlir::Type type);

  mlir::VectorType vectorOf(mlir::Type type) { return vectorOf(type, form.lanes); }
  mlir::VectorType vectorOf(mlir::Type type, int64_t lanes) { return mlir::VectorType::get(lanes, type); }
  /// Zeros, as `load` gives and `store` takes them for buffers of `type`.
  Value zeroVector(mlir::Type type);

  /// `lanes` elements of a flat buffer from `at`, of which only the first `count` are touched; the rest is
  /// zero. bf16 comes, and is stored, as bits in i16.
  Value load(Value flatBuffer, Value at, int64_t lanes, int64_t count);
  Value loadScalar(Value flatBuffer, Value at);
  void storeScalar(Value scalar, Value flatBuffer, Value at);
  /// Stores the first `count` lanes.
  void store(Value vector, Value flatBuffer, Value at, int64_t count);

  /// A loaded scalar or vector of storage type as compute type.
  Value widen(Value stored);
  /// A vector of compute type as what `store` takes for `flatBuffer`, which holds the compute type, bf16 or
  /// f16: one rounding to nearest-even.
  Value round(Value computed, Value flatBuffer);
  /// i16 bits in the low half of i32.
  Value extended(Value bits);
  /// Pairs of bf16 as i32: `low` in the low half, `high` in the other.
  Value paired(Value low, Value high);

private:
  Value loadWhole(Value flatBuffer, Value at, int64_t lanes);
  void storeWhole(Value vector, Value flatBuffer, Value at);
  Value roundBits(Value computed);
  Value maskFor(int64_t lanes, int64_t count);
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CONTRACTIONBUILDER_H
