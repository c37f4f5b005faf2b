// The compiler's middle: from an imported module to one of kernels with places in memory.
#ifndef HALFSTEP_PASSES_PIPELINE_H
#define HALFSTEP_PASSES_PIPELINE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include <memory>

namespace halfstep {

struct PipelineStage {
  llvm::StringRef name; ///< of `inspect --after`; also the pass's
  std::unique_ptr<mlir::Pass> (*create)();
  llvm::StringRef reason; ///< why it stands where it does
};

/// All stages in their order, without `import`.
llvm::ArrayRef<PipelineStage> pipelineStages();

/// Runs the stages behind `doneStage`, which the module has been through ("import": all), up to and including
/// `lastStage`. With `verifyEach` the module is verified after each. Failure has been reported as a
/// diagnostic; so is a name that no stage bears.
mlir::LogicalResult runPipeline(mlir::ModuleOp module, llvm::StringRef lastStage, bool verifyEach,
                                llvm::StringRef doneStage = "import");

} // namespace halfstep

#endif // HALFSTEP_PASSES_PIPELINE_H
