// Entry of the importer: a model file in, a module of nn and train ops out.
#ifndef HALFSTEP_IMPORT_IMPORT_H
#define HALFSTEP_IMPORT_IMPORT_H

#include "import/Recipe.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace halfstep {

/// The contents of a model file. Throws Diagnostic Io, or BadInput when it is empty or too large.
std::string readModelFile(const std::string &path);

/// JSON begins with a bracket, MLIR is other text, ONNX is binary.
enum class ModelKind { Json, Mlir, Onnx };
ModelKind kindOfModel(const std::string &content);

/// Reads `path` (.onnx, JSON or .mlir, told apart by content) and builds the module described in
/// ARCHITECTURE.md: train.param symbols and @train_step, @eval_step, @forward for `batch` samples.
/// Throws Diagnostic.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, const std::string &path,
                                              const Recipe &recipe, int64_t batch, const NoteSink &note);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_IMPORT_H
