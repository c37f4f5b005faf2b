// The formulas of the optimizers, on scalars: what an update makes of one element.
#ifndef HALFSTEP_CODEGEN_CPU_UPDATERULES_H
#define HALFSTEP_CODEGEN_CPU_UPDATERULES_H

#include "codegen/cpu/KernelBuilder.h"

#include "dialect/train/TrainDialect.h"

#include <memory>

namespace halfstep {

/// Formulas on scalars of one type.
class Formula {
public:
  using Value = mlir::Value;

  Formula(KernelBuilder &b, mlir::Type type) : b(b), type(type) {}

  Value number(double value) { return b.number(value, type); }
  Value cast(Value value) { return b.convert(value, type); }
  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value div(Value x, Value y);
  Value sqrt(Value x);
  /// x * y + z, rounded once.
  Value fma(Value x, Value y, Value z);
  Value negate(Value x);
  /// The smaller, the larger; NaN if one is.
  Value smaller(Value x, Value y);
  Value larger(Value x, Value y);
  /// x^n for a whole number n >= 0 below 2^53, by repeated squaring: GPUs have no library to call.
  Value power(Value x, Value n);

private:
  KernelBuilder &b;
  mlir::Type type;
};

/// What an update computes once a call, in f64.
struct UpdateNumbers {
  mlir::Value rate; ///< the learning rate
  mlir::Value t;    ///< number of the update, from 1
};

/// One optimizer. Emits what does not depend on the element when it is made, and the rest a call.
class UpdateRule {
public:
  virtual ~UpdateRule() = default;
  /// The new value and slots of an element from its gradient, its old value and its old slots.
  virtual llvm::SmallVector<mlir::Value> operator()(mlir::Value gradient, mlir::ValueRange old) = 0;
};

/// The rule of `optimizer` in `compute` type.
std::unique_ptr<UpdateRule> makeUpdateRule(KernelBuilder &b, train::OptimizerAttr optimizer,
                                           const UpdateNumbers &numbers, mlir::Type compute);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_UPDATERULES_H
