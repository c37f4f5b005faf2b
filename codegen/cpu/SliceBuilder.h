// What the row, column and pool kernels add to KernelBuilder: the operands of the kernel's one op as flat
// buffers, formulas on scalars of its compute type, and loops over one-dimensional slices that sum while they
// store.
#ifndef HALFSTEP_CODEGEN_CPU_SLICEBUILDER_H
#define HALFSTEP_CODEGEN_CPU_SLICEBUILDER_H

#include "codegen/cpu/KernelEmitters.h"

namespace halfstep {

class SliceBuilder : public KernelBuilder {
public:
  SliceBuilder(const KernelBuilder &outer, const KernelCall &call);

  /// The kernel's op that is not element-wise.
  mlir::Operation *const op;
  /// f64 if an operand or result of the op is f64, else f32.
  const mlir::Type compute;

  /// Operand or result `i` of the op, flat; null for an operand that the region computes, and for a result
  /// that the kernel does not yield.
  Value input(unsigned i) { return inputs[i]; }
  Value output(unsigned i) { return outputs[i]; }
  /// The next `count` elements of the scratch buffer.
  Value carve(int64_t count, mlir::Type type);

  /// sum + term, for a sum whose terms may be taken in any order. Only then are the lanes of a vector added
  /// pairwise at the end, not one after the other.
  Value accumulated(Value sum, Value term);

  // Formulas in compute type. A product and the sum that it goes into may be rounded as one.
  Value number(double value) { return KernelBuilder::number(value, compute); }
  Value add(Value lhs, Value rhs);
  Value sub(Value lhs, Value rhs);
  Value mul(Value lhs, Value rhs);
  Value div(Value lhs, Value rhs);
  Value exp(Value value);
  Value log(Value value);
  Value reciprocalSqrt(Value value);
  /// lhs * rhs + addend with one rounding, wherever it stands.
  Value fma(Value lhs, Value rhs, Value addend);
  Value toI32(Value indexValue);
  /// An index below 2^31.
  Value toFloat(Value indexValue);

  /// Element of a flat buffer in compute type.
  Value load(Value flatBuffer, Value at);
  /// Rounds and stores; nothing for a null buffer.
  void store(Value value, Value flatBuffer, Value at);
  /// `count` elements of a flat buffer from `from` on, `stride` apart.
  Value span(Value flatBuffer, Value from, int64_t count, int64_t stride = 1);
  Value span(Value flatBuffer, Value from, Value count, int64_t stride = 1);

  /// Variables of one element of compute type.
  Values cells(unsigned count);

  /// For each position of slices of one extent, in parallel: outs = body(ins, old outs), floats in compute
  /// type.
  void each(mlir::ValueRange ins, mlir::ValueRange outs, Body body) { each(ins, outs, {}, body); }
  /// The same with variables that all positions share: outs, cells = body(ins, old outs, old cells), in an
  /// order that the compiler chooses.
  void each(mlir::ValueRange ins, mlir::ValueRange outs, mlir::ValueRange cells, Body body);
  /// The number of the position inside `each`.
  Value position();
  void copy(Value from, Value to);
  /// cells += terms(ins), summed over all positions.
  void accumulate(mlir::ValueRange ins, mlir::ValueRange cells, Body terms);
  /// The sums from zero, as scalars.
  Values sum(mlir::ValueRange ins, mlir::ValueRange cells, Body terms);
  void clear(mlir::ValueRange cells);

private:
  Value scratch;
  int64_t scratchUsed = 0;
  Values inputs, outputs;
};

/// f64 if an operand or result of `op` is f64, else f32.
mlir::Type sliceComputeType(mlir::Operation *op);
/// Bytes of an element of a tensor.
int64_t elementBytes(mlir::Value tensor);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_SLICEBUILDER_H
