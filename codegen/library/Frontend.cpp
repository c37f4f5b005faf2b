// See Frontend.h.
#include "codegen/library/Frontend.h"

#include "codegen/cpu/LowerToLlvm.h"
#include "codegen/cpu/Primitives.h"
#include "codegen/cuda/Ptx.h"
#include "codegen/library/Description.h"
#include "import/Import.h"
#include "import/ModuleBuilder.h"
#include "passes/ArenaOffsets.h"
#include "passes/Overrides.h"
#include "passes/Pipeline.h"

#include "report/Provenance.h"

#include "dialect/train/TrainDialect.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

using namespace mlir;

namespace halfstep {

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

/// Where an op comes from, as far as the location tells: "model.json:7:3: 'fc1': ".
static std::string placeOf(Location loc) {
  std::string place = filePlaceOf(loc);
  if (!place.empty())
    place += ": ";
  if (auto name = loc->findInstanceOf<NameLoc>())
    place += "'" + name.getName().str() + "': ";
  return place;
}

ErrorCollector::ErrorCollector(MLIRContext &context, const NoteSink &note)
    : note(note), handler(&context, [this](mlir::Diagnostic &diagnostic) {
        std::string line = placeOf(diagnostic.getLocation()) + diagnostic.str();
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
          errors.push_back(line);
        else if (diagnostic.getSeverity() == DiagnosticSeverity::Warning)
          this->note(line);
        return success();
      }) {}

void ErrorCollector::raise(const std::string &fallback, ExitCode code) const {
  if (errors.empty())
    throw Diagnostic(ExitCode::Internal, fallback);
  size_t others = errors.size() - 1;
  throw Diagnostic(
      code,
      errors[0] + (others ? " (and " + std::to_string(others) + " more; halfstep check lists them)" : ""));
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

Frontend::Frontend(const CompileRequest &request)
    : request(request), mlirContext(MLIRContext::Threading::DISABLED) {
  mlirContext.printOpOnDiagnostic(false);
}

OwningOpRef<ModuleOp> Frontend::import(int64_t batch) {
  OwningOpRef<ModuleOp> module = importModel(mlirContext, request.model, request.recipe, batch, request.note);
  if (request.recipe.cpuGemm == "onednn")
    (*module)->setAttr(kSeparateContractionsAttr, UnitAttr::get(&mlirContext));
  checkSignatures(*module, request.model);
  checkSizes(*module, request.model);
  // Overrides that do not fit the model are the spec's mistake, not something that cannot be compiled.
  ErrorCollector errors(mlirContext, request.note);
  if (failed(checkOverrides(*module, amp::getPolicy(*module))))
    errors.raise("the precision spec does not fit the model", ExitCode::BadInput);
  return module;
}

void Frontend::run(ModuleOp module, const std::string &stage) {
  ErrorCollector errors(mlirContext, request.note);
  if (failed(runPipeline(module, stage, /*verifyEach=*/true)))
    errors.raise("the passes up to '" + stage + "' failed");
}

OwningOpRef<ModuleOp> Frontend::plan(int64_t batch) {
  OwningOpRef<ModuleOp> module = import(batch);
  if (!request.separateOps) {
    run(*module, "plan-memory");
    return module;
  }
  (*module)->setAttr(kSeparateOpsAttr, UnitAttr::get(&mlirContext));
  run(*module, "place-casts");
  ErrorCollector errors(mlirContext, request.note);
  if (failed(differentiateAndMark(*module)) ||
      failed(runPipeline(*module, "plan-memory", /*verifyEach=*/true, "differentiate")))
    errors.raise("the passes failed");
  return module;
}

std::string Frontend::save(ModuleOp planned) {
  OwningOpRef<ModuleOp> copy = planned.clone();
  FloatAttr zero = Builder(planned.getContext()).getF64FloatAttr(0);
  for (auto param : copy->getOps<train::ParamOp>())
    param.setInitAttr(train::InitAttr::get(planned.getContext(), "constant", zero, zero, ElementsAttr()));
  std::string bytecode;
  llvm::raw_string_ostream stream(bytecode);
  if (failed(writeBytecodeToFile(*copy, stream)))
    throw Diagnostic(ExitCode::Internal, "the planned module cannot be written as bytecode");
  return bytecode;
}

OwningOpRef<ModuleOp> Frontend::load(const std::string &bytecode) {
  loadModelDialects(mlirContext);
  ErrorCollector errors(mlirContext, request.note);
  auto module = parseSourceString<ModuleOp>(bytecode, ParserConfig(&mlirContext));
  if (!module)
    errors.raise("the planned module cannot be read back", ExitCode::Internal);
  return module;
}

std::vector<hs_primitive_desc> Frontend::choosePrimitivesOf(ModuleOp planned) {
  std::vector<hs_primitive_desc> all;
  if (request.recipe.target != "cpu")
    return all;
  for (auto function : planned.getOps<func::FuncOp>())
    for (const hs_primitive_desc &primitive :
         choosePrimitives(function, request.recipe.cpuGemm, int32_t(all.size())))
      all.push_back(primitive);
  return all;
}

OwningOpRef<ModuleOp> Frontend::emit(ModuleOp planned, const CpuLevel &level, const std::string &prefix,
                                     const ArenaPlan &arena, bool lower, const std::string &stamps) {
  ErrorCollector errors(mlirContext, request.note);
  OwningOpRef<ModuleOp> module = emitCpuModule(planned, level, prefix, arena, stamps);
  if (!module)
    errors.raise("no code can be made for " + level.name.str());
  if (lower && failed(lowerToLlvm(*module, level)))
    errors.raise("the kernels cannot be lowered for " + level.name.str(), ExitCode::Internal);
  return module;
}

CudaProgram Frontend::emitCuda(ArrayRef<ModuleOp> planned, int64_t arenaBytes, bool lower) {
  ErrorCollector errors(mlirContext, request.note);
  FailureOr<CudaProgram> program = emitCudaProgram(planned, arenaBytes);
  if (failed(program))
    errors.raise("no CUDA kernels can be made");
  if (lower && failed(lowerToNvvm(*program)))
    errors.raise("the CUDA kernels cannot be lowered", ExitCode::Internal);
  return std::move(*program);
}

std::string Frontend::ptxOf(const CudaProgram &program) {
  ErrorCollector errors(mlirContext, request.note);
  FailureOr<std::string> text = emitPtx(program);
  if (failed(text))
    errors.raise("no PTX can be made of the kernels", ExitCode::Internal);
  return *text;
}

} // namespace halfstep
