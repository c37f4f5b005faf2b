// What `inspect` and `--emit` print: the module after a stage, and the forms that its kernels go through; and
// what `check` finds.
#include "codegen/library/Stages.h"
#include "codegen/cuda/LaunchText.h"
#include "codegen/cuda/Ptx.h"
#include "codegen/library/Backend.h"
#include "codegen/library/Compile.h"
#include "codegen/library/Description.h"
#include "passes/ArenaOffsets.h"
#include "passes/Pipeline.h"
#include "report/IrText.h"

using namespace mlir;

namespace halfstep {

const std::vector<std::string> &stageNames() {
  static const std::vector<std::string> names = {
      "import",         "place-casts", "differentiate", "scale-loss",  "optimizer",
      "minimize-casts", "masters",     "fuse",          "plan-memory", "kernels"};
  return names;
}

static bool isCodeForm(const std::string &stage) {
  return stage == "linalg" || stage == "llvm" || stage == "asm" || stage == "gpu" || stage == "nvvm" ||
         stage == "ptx";
}

OwningOpRef<ModuleOp> moduleAfter(Frontend &frontend, const CompileRequest &request,
                                  const std::string &stage) {
  OwningOpRef<ModuleOp> module = frontend.import(request.recipe.batch);
  if (stage != "kernels") {
    frontend.run(*module, stage);
    return module;
  }
  frontend.run(*module, "plan-memory");
  frontend.choosePrimitivesOf(*module);
  annotateKernels(*module, cpuLevels().back());
  return module;
}

/// The CUDA kernels as threads, in the NVVM dialect or as PTX.
static std::string printCudaForm(Frontend &frontend, ModuleOp planned, const std::string &form) {
  int64_t arenaBytes = planned->getAttrOfType<IntegerAttr>(kArenaBytesAttr).getInt();
  CudaProgram program = frontend.emitCuda({planned}, arenaBytes, /*lower=*/form != "gpu");
  return form == "ptx" ? launchText(program) + frontend.ptxOf(program) : irText(*program.module);
}

/// The kernels in a form after `plan-memory`, for the default batch and the highest level.
static std::string printForm(const CompileRequest &request, const std::string &form) {
  const CpuLevel &level = cpuLevels().back();
  Frontend frontend(request);
  OwningOpRef<ModuleOp> module = frontend.plan(request.recipe.batch);
  ModuleOp planned = *module;
  frontend.choosePrimitivesOf(planned);
  if (form == "gpu" || form == "nvvm" || form == "ptx")
    return printCudaForm(frontend, planned, form);
  const ArenaPlan arena = {planned->getAttrOfType<IntegerAttr>(kArenaBytesAttr).getInt(),
                           scratchBytesOf(planned, level)};
  const std::string prefix = symbolPrefix(request.recipe.batch, level.name);
  OwningOpRef<ModuleOp> code = frontend.emit(planned, level, prefix, arena, /*lower=*/form != "linalg");
  if (form == "linalg")
    return irText(*code);
  Backend backend(request.name);
  backend.add(*code);
  backend.optimize(stepNames(prefix));
  return form == "llvm" ? backend.ir() : backend.assembly();
}

std::string printStage(const CompileRequest &request, const std::string &stage) {
  const std::vector<std::string> &names = stageNames();
  if (isCodeForm(stage))
    return printForm(request, stage);
  if (std::find(names.begin(), names.end(), stage) == names.end())
    throw Diagnostic(ExitCode::Unsupported, "the form '" + stage + "' is not available yet");
  Frontend frontend(request);
  return irText(*moduleAfter(frontend, request, stage));
}

//===----------------------------------------------------------------------===//
// check
//===----------------------------------------------------------------------===//

/// Makes the code of a planned module for the recipe's target, and throws it away.
static LogicalResult tryCode(ModuleOp planned, const Recipe &recipe) {
  if (recipe.target == "cuda") {
    FailureOr<CudaProgram> program = emitCudaProgram({planned}, /*arenaBytes=*/0);
    return failed(program) ? failure() : lowerToNvvm(*program);
  }
  const CpuLevel &level = cpuLevels().back();
  return success(bool(emitCpuModule(planned, level, "check", {0, scratchBytesOf(planned, level)})));
}

std::vector<std::string> checkModel(const CompileRequest &request) {
  Frontend frontend(request);
  OwningOpRef<ModuleOp> module;
  try {
    module = frontend.import(request.recipe.batch);
  } catch (const UnsupportedNodes &unsupported) {
    return unsupported.lines;
  } catch (const Diagnostic &diagnostic) {
    if (diagnostic.code != ExitCode::Unsupported)
      throw;
    return {diagnostic.what()};
  }
  ErrorCollector errors(frontend.context(), request.note);
  if (failed(runPipeline(*module, "plan-memory", /*verifyEach=*/true)) ||
      failed(tryCode(*module, request.recipe)))
    if (errors.lines().empty())
      throw Diagnostic(ExitCode::Internal, request.model + ": the compiler gives up without a reason");
  return errors.lines();
}

} // namespace halfstep
