// What `inspect` and `--emit` print: the module after a stage, and the forms that its kernels go through; and
// what `check` finds.
#include "codegen/library/Stages.h"
#include "codegen/cuda/LaunchText.h"
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

/// The importer lists all unknown ops in one message, "...unsupported ops: A (...), B (...)": a line each.
static std::vector<std::string> splitOps(const std::string &message) {
  const std::string marker = "unsupported ops: ";
  size_t at = message.find(marker);
  if (at == std::string::npos)
    return {message};
  const std::string head = message.substr(0, at) + "unsupported op ";
  std::vector<std::string> lines;
  int depth = 0;
  bool quoted = false;
  std::string line;
  for (size_t i = at + marker.size(); i < message.size(); ++i) {
    quoted ^= message[i] == '\'';
    depth += (message[i] == '(') - (message[i] == ')');
    if (!quoted && depth == 0 && message.compare(i, 2, ", ") == 0) {
      lines.push_back(head + line);
      line.clear();
      ++i;
    } else {
      line += message[i];
    }
  }
  lines.push_back(head + line);
  return lines;
}

std::vector<std::string> checkModel(const CompileRequest &request) {
  Frontend frontend(request);
  OwningOpRef<ModuleOp> module;
  try {
    module = frontend.import(request.recipe.batch);
  } catch (const Diagnostic &diagnostic) {
    if (diagnostic.code != ExitCode::Unsupported)
      throw;
    return splitOps(diagnostic.what());
  }
  const CpuLevel &level = cpuLevels().back();
  ErrorCollector errors(frontend.context(), request.note);
  if (failed(runPipeline(*module, "plan-memory", /*verifyEach=*/true)) ||
      !emitCpuModule(*module, level, "check", {0, scratchBytesOf(*module, level)}))
    if (errors.lines().empty())
      throw Diagnostic(ExitCode::Internal, request.model + ": the compiler gives up without a reason");
  return errors.lines();
}

} // namespace halfstep
