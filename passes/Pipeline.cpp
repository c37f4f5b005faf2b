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

/// How many stages a module has been through after `name`; none for a name that no stage bears.
static std::optional<size_t> countStages(StringRef name) {
  if (name == "import")
    return 0;
  for (auto [i, stage] : llvm::enumerate(stages))
    if (stage.name == name)
      return i + 1;
  return std::nullopt;
}

LogicalResult runPipeline(ModuleOp module, StringRef lastStage, bool verifyEach, StringRef doneStage) {
  PassManager manager(module.getContext());
  manager.enableVerifier(verifyEach);
  std::optional<size_t> done = countStages(doneStage), last = countStages(lastStage);
  if (!done || !last)
    return module.emitError() << "unknown stage '" << (done ? lastStage : doneStage)
                              << "', expected import or the name of a pass";
  for (size_t i = *done; i < *last; ++i)
    manager.addPass(stages[i].create());
  return manager.run(module);
}

} // namespace halfstep
