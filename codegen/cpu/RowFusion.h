// The element-wise ops before and after the op of a row kernel.
#ifndef HALFSTEP_CODEGEN_CPU_ROWFUSION_H
#define HALFSTEP_CODEGEN_CPU_ROWFUSION_H

#include "codegen/cpu/SliceBuilder.h"

#include "llvm/ADT/SetVector.h"

namespace halfstep {

/// The matrix of a row op: rows x length elements.
struct RowShape {
  int64_t rows, length;
};
RowShape rowShape(mlir::Operation *op);

/// Which values of a row kernel's region are held for a row, and when each of its results is stored.
class RowFusion {
public:
  explicit RowFusion(train::KernelOp kernel);

  /// An operand that the region computes.
  struct Computed {
    unsigned operand;
    /// Results of the kernel that are stored on the way to it.
    llvm::SmallVector<unsigned> stored;
    /// The one of them that holds the operand itself, which then needs no scratch.
    std::optional<unsigned> holder;
  };
  llvm::ArrayRef<Computed> computed() const { return operands; }
  /// Null for an operand that lies in memory.
  const Computed *find(unsigned operand) const;

  /// True when element-wise ops read the op's first result, which then lies in scratch.
  bool isResultRead() const { return resultIsRead; }
  /// The type of the buffer that the op's first result goes to.
  mlir::Type resultType() const { return resultElement; }
  /// Results of the kernel that are stored when the op is done.
  llvm::ArrayRef<unsigned> last() const { return storedLast; }

  int64_t scratchBytes(int64_t length, mlir::Type compute) const;

private:
  train::KernelOp kernel;
  mlir::Operation *core;
  llvm::SmallVector<Computed> operands;
  llvm::SmallVector<unsigned> storedLast;
  bool resultIsRead = false;
  mlir::Type resultElement;

  /// `pending`: results of the kernel that nothing has stored yet.
  void planOperands(llvm::SmallSetVector<unsigned, 4> &pending);
  void planResult(llvm::SmallSetVector<unsigned, 4> &pending);
};

/// Emits them. The rows that the op itself works on come from here.
class FusedRows {
public:
  using Value = mlir::Value;

  /// Takes its scratch from `b`.
  FusedRows(SliceBuilder &b, const KernelCall &call, int64_t length);

  /// A row of an operand of the op that has rows, computed if need be.
  Value operand(unsigned number, Value row);
  /// The place of a row of the op's first result, and the type of its elements. There is none when nothing
  /// reads that result.
  Value result(Value row);
  mlir::Type resultType() const { return fusion.resultType(); }
  bool hasResult() { return resultScratch || b.output(0); }
  /// Stores what is computed from that row.
  void finish(Value row);

private:
  SliceBuilder &b;
  const KernelCall &call;
  const int64_t length;
  const RowFusion fusion;
  /// By number of the operand; null where there is none.
  llvm::SmallVector<Value> operandScratch;
  Value resultScratch;

  Value rowOf(Value buffer, Value row);
  void emit(llvm::ArrayRef<mlir::OpOperand *> wanted, llvm::ArrayRef<Value> outs, Value row);
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_ROWFUSION_H
