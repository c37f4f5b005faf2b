// The part of the compiler that is MLIR: a model file in, modules at a stage out, errors as one Diagnostic.
#ifndef HALFSTEP_CODEGEN_LIBRARY_FRONTEND_H
#define HALFSTEP_CODEGEN_LIBRARY_FRONTEND_H

#include "codegen/cpu/StepFunction.h"
#include "codegen/cuda/Program.h"
#include "codegen/library/Compile.h"
#include "codegen/library/Contract.h"

#include "mlir/IR/Diagnostics.h"

#include <string>
#include <vector>

namespace halfstep {

/// Collects MLIR's errors of a context for as long as it lives; warnings go to `note`.
class ErrorCollector {
public:
  ErrorCollector(mlir::MLIRContext &context, const NoteSink &note);

  /// "file:line:column: 'name': message" each, in the order of their report.
  const std::vector<std::string> &lines() const { return errors; }

  /// Throws the first error, or `fallback` as Internal when there is none. A model with what the compiler
  /// cannot do is Unsupported; `code` says otherwise.
  [[noreturn]] void raise(const std::string &fallback, ExitCode code = ExitCode::Unsupported) const;

private:
  std::vector<std::string> errors;
  const NoteSink &note;
  mlir::ScopedDiagnosticHandler handler;
};

/// Modules of one request, in a context of their own: threads have one each.
class Frontend {
public:
  explicit Frontend(const CompileRequest &request);

  mlir::MLIRContext &context() { return mlirContext; }

  /// The imported model for `batch` samples.
  mlir::OwningOpRef<mlir::ModuleOp> import(int64_t batch);

  /// Runs the passes up to and with `stage`.
  void run(mlir::ModuleOp module, const std::string &stage);

  /// Import and all passes: the module that code is made of.
  mlir::OwningOpRef<mlir::ModuleOp> plan(int64_t batch);

  /// A planned module as bytecode for the load() of another Frontend, whose context is its own. Initial
  /// values are left out: no code depends on them, and they may be large.
  static std::string save(mlir::ModuleOp planned);
  mlir::OwningOpRef<mlir::ModuleOp> load(const std::string &bytecode);

  /// Marks the kernels that primitives run, as the recipe's cpu_gemm says, and lists these: none on a GPU.
  std::vector<hs_primitive_desc> choosePrimitivesOf(mlir::ModuleOp planned);

  /// Kernels and step functions of a planned module for a level; `lower`: in the LLVM dialect; `stamps` as
  /// for emitCpuModule.
  mlir::OwningOpRef<mlir::ModuleOp> emit(mlir::ModuleOp planned, const CpuLevel &level,
                                         const std::string &prefix, const ArenaPlan &arena, bool lower,
                                         const std::string &stamps = "");

  /// The CUDA kernels of planned modules, one a batch size, whose arenas are at most `arenaBytes` long;
  /// `lower`: in the NVVM dialect. Unsupported, naming the op, when one has no CUDA form.
  CudaProgram emitCuda(llvm::ArrayRef<mlir::ModuleOp> planned, int64_t arenaBytes, bool lower);
  /// PTX of a lowered program.
  std::string ptxOf(const CudaProgram &program);

private:
  const CompileRequest &request;
  mlir::MLIRContext mlirContext;
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_FRONTEND_H
