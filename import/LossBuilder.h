// The loss behind the first output of a model, as nn ops.
#ifndef HALFSTEP_IMPORT_LOSSBUILDER_H
#define HALFSTEP_IMPORT_LOSSBUILDER_H

#include "import/LossTable.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace halfstep {

class LossBuilder {
public:
  /// For an output of type `output`, which the message about a loss that does not fit calls `outputName` of
  /// `file`.
  LossBuilder(const LossSpec &loss, mlir::RankedTensorType output, std::string file, std::string outputName);

  mlir::RankedTensorType targetType() const;
  /// Ids of the target are below this; 0: it holds numbers.
  int64_t classes() const;

  struct Loss {
    mlir::Value value;
    /// What a mean by weights was divided by; null for other losses.
    mlir::Value count;
  };
  Loss emit(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value output, mlir::Value target) const;

private:
  const LossSpec &loss;
  mlir::RankedTensorType output;
  std::string file, outputName;
  int64_t axis = -1; ///< of the classes, counted from the front

  bool hasIds() const { return isOverClasses(loss) && loss.targets == "ids"; }
  [[noreturn]] void fail(const std::string &what) const;
  void findAxis();
  mlir::Value constant(mlir::OpBuilder &builder, mlir::Location loc, llvm::ArrayRef<double> values) const;
  mlir::Value emitErrors(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value output,
                         mlir::Value target) const;
  Loss emitClasses(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value output,
                   mlir::Value target) const;
  /// The sum or the mean of all elements.
  mlir::Value reduced(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value values) const;
};

} // namespace halfstep

#endif // HALFSTEP_IMPORT_LOSSBUILDER_H
