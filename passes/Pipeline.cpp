// The whole middle of the compiler as one list. Its order is that of one weight's way from the model file to
// its update.
#include "passes/Pipeline.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace halfstep {

static constexpr PipelineStage stages[] = {
    {"place-casts", createPlaceCasts,
     "on the forward graph, so that backward types follow from the gradient rule of the cast"},
    {"differentiate", createDifferentiate, "once the types of the forward graph are final"},
    {"scale-loss", createScaleLoss, "needs the seed of the backward pass"},
    {"optimizer", createOptimizer, "needs a gradient for each parameter"},
    {"minimize-casts", createMinimizeCasts, "sees forward, backward and update at once"},
    {"masters", createMasters, "the casts that are left at a parameter are those that a working copy saves"},
    {"fuse", createFuse, "types and ops are final"},
    {"plan-memory", createPlanMemory, "lifetimes are those of the kernels' results"},
};

ArrayRef<PipelineStage> pipelineStages() { return stages; }

LogicalResult runPipeline(ModuleOp module, StringRef lastStage, bool verifyEach) {
  PassManager manager(module.getContext());
  manager.enableVerifier(verifyEach);
  bool known = lastStage == "import";
  for (const PipelineStage &stage : stages) {
    if (known)
      break;
    manager.addPass(stage.create());
    known = stage.name == lastStage;
  }
  if (!known)
    return module.emitError() << "unknown stage '" << lastStage << "', expected import or the name of a pass";
  return manager.run(module);
}

} // namespace halfstep
