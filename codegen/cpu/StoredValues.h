// How an update reads a parameter's value and stores the new one, in each form in which values are kept.
#ifndef HALFSTEP_CODEGEN_CPU_STOREDVALUES_H
#define HALFSTEP_CODEGEN_CPU_STOREDVALUES_H

#include "codegen/cpu/KernelBuilder.h"

namespace halfstep {

/// Emits the access to one element. `parts` are its elements in the buffers that hold the value: one, or two
/// where there is a working copy. Values are in the compute type of the sweep.
class StoredValues {
public:
  using Value = mlir::Value;
  virtual ~StoredValues() = default;

  virtual Value read(mlir::ValueRange parts) const { return parts[0]; }
  virtual KernelBuilder::Values write(Value value) const = 0;
};

/// The value as it is, rounded to nearest by the store, and in the working copy if there is one.
class PlainValues : public StoredValues {
public:
  explicit PlainValues(bool hasCopy) : hasCopy(hasCopy) {}
  KernelBuilder::Values write(Value value) const override;

private:
  bool hasCopy;
};

/// The halves of an f32: first the low one, then the high one, which is the working copy. The formulas are
/// those of runtime/embedded/values.h.
class SplitValues : public StoredValues {
public:
  SplitValues(KernelBuilder &b, mlir::Type compute) : b(b), compute(compute) {}
  Value read(mlir::ValueRange parts) const override;
  KernelBuilder::Values write(Value value) const override;

private:
  KernelBuilder &b;
  mlir::Type compute;
};

/// A 16-bit type, rounded up or down at random: the formula is in the description of train.update.
class StochasticValues : public StoredValues {
public:
  /// To be made before the sweep over elements `first`.. of all that the step updates; `seed` and `update`
  /// are the scalars of the step.
  StochasticValues(KernelBuilder &b, mlir::FloatType type, Value seed, Value update, Value first);
  KernelBuilder::Values write(Value value) const override;

private:
  KernelBuilder &b;
  mlir::FloatType type;
  Value low, high; ///< halves of the key
  Value first;

  /// The random bits of the element that the sweep is at: `count` uniform ones.
  Value randomBits(unsigned count) const;
  Value roundToBf16(Value bits) const;
  Value roundToF16(Value bits) const;
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_STOREDVALUES_H
