// What `inspect` and `--emit` print: the module after a stage, and the forms that its kernels go through; and
// what `check` finds.
#include "codegen/library/Backend.h"
#include "codegen/library/Compile.h"
#include "codegen/library/Description.h"
#include "codegen/library/Frontend.h"
#include "passes/ArenaOffsets.h"
#include "passes/Pipeline.h"

using namespace mlir;

namespace halfstep {

const std::vector<std::string> &stageNames() {
  static const std::vector<std::string> names = {
      "import",         "place-casts", "differentiate", "scale-loss",  "optimizer",
      "minimize-casts", "masters",     "fuse",          "plan-memory", "kernels"};
  return names;
}

static std::string textOf(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  // Large constants say nothing to a reader.
  module.print(stream, OpPrintingFlags().elideLargeElementsAttrs(16));
  return text + "\n";
}

static bool isCodeForm(const std::string &stage) {
  return stage == "linalg" || stage == "llvm" || stage == "asm" || stage == "ptx";
}

/// The kernels in a form after `plan-memory`, for the default batch and the highest level.
static std::string printForm(Frontend &frontend, ModuleOp planned, const CompileRequest &request,
                             const std::string &form) {
  const CpuLevel &level = cpuLevels().back();
  if (form == "kernels") {
    annotateKernels(planned, level);
    return textOf(planned);
  }
  if (form == "ptx")
    return frontend.emitPtxOf(planned);
  const ArenaPlan arena = {planned->getAttrOfType<IntegerAttr>(kArenaBytesAttr).getInt(),
                           scratchBytesOf(planned, level)};
  const std::string prefix = symbolPrefix(request.recipe.batch, level.name);
  OwningOpRef<ModuleOp> code = frontend.emit(planned, level, prefix, arena, /*lower=*/form != "linalg");
  if (form == "linalg")
    return textOf(*code);
  Backend backend(request.name);
  backend.add(*code);
  backend.optimize(stepNames(prefix));
  return form == "llvm" ? backend.ir() : backend.assembly();
}

std::string printStage(const CompileRequest &request, const std::string &stage) {
  const std::vector<std::string> &names = stageNames();
  bool pass = std::find(names.begin(), names.end(), stage) != names.end();
  if (!pass && !isCodeForm(stage))
    throw Diagnostic(ExitCode::Unsupported, "the form '" + stage + "' is not available yet");
  Frontend frontend(request);
  OwningOpRef<ModuleOp> module = frontend.import(request.recipe.batch);
  bool form = stage == "kernels" || isCodeForm(stage);
  if (stage != "import")
    frontend.run(*module, form ? "plan-memory" : stage);
  if (!form)
    return textOf(*module);
  frontend.choosePrimitivesOf(*module);
  return printForm(frontend, *module, request, stage);
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
