// The precision report of a request, beside the same model in 32-true.
#include "codegen/library/Compile.h"
#include "codegen/library/Stages.h"
#include "report/IrText.h"
#include "report/ReportBuilder.h"

#include <filesystem>

using namespace mlir;

namespace halfstep {

static void fill(PrecisionReport &report, Frontend &frontend, ModuleOp module,
                 const CompileRequest &request) {
  ErrorCollector errors(frontend.context(), request.note);
  if (failed(buildReport(module, report)))
    errors.raise("the passes failed");
}

/// A model in .mlir may hold other floating types already; it then has no form in 32-true.
static bool isAllF32(ModuleOp imported) {
  WalkResult result = imported.walk([](Operation *op) {
    bool other = llvm::any_of(op->getResultTypes(), [](Type type) {
      Type element = getElementTypeOrSelf(type);
      return isa<FloatType>(element) && !element.isF32();
    });
    return other ? WalkResult::interrupt() : WalkResult::advance();
  });
  return !result.wasInterrupted();
}

static std::optional<MemoryReport> memoryIn32True(CompileRequest request) {
  request.recipe.precision = PrecisionSpec(); // 32-true
  Frontend frontend(request);
  OwningOpRef<ModuleOp> module = frontend.import(request.recipe.batch);
  if (!isAllF32(*module))
    return std::nullopt;
  PrecisionReport report;
  fill(report, frontend, *module, request);
  return report.memory;
}

PrecisionReport reportPrecision(const CompileRequest &request, const std::vector<std::string> &stages) {
  PrecisionReport report;
  report.model = std::filesystem::path(request.model).filename().string();
  report.target = request.recipe.target;
  report.batch = request.recipe.batch;
  report.spec = request.recipe.precision;
  report.label = report.spec.name;
  Frontend frontend(request);
  fill(report, frontend, *frontend.import(report.batch), request);
  const CompileRequest silent = request.silent();
  report.memory32 = memoryIn32True(silent);
  for (const std::string &stage : stages) {
    Frontend another(silent);
    report.ir.push_back(irReport(*moduleAfter(another, silent, stage), stage));
  }
  return report;
}

} // namespace halfstep
