// Turns the neutral graph, a recipe and a batch into a module of nn and train ops.
#ifndef HALFSTEP_IMPORT_MODULEBUILDER_H
#define HALFSTEP_IMPORT_MODULEBUILDER_H

#include "import/Graph.h"
#include "import/Recipe.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace halfstep {

/// Names of model inputs, targets and outputs: an attribute of each argument and result of the three
/// functions.
inline constexpr llvm::StringLiteral kValueNameAttr = "train.name";
/// On an argument of ids: what they are below, the number of classes or of rows of a table.
inline constexpr llvm::StringLiteral kClassesAttr = "train.classes";
/// On an argument of ids: the one that need not be below, since it does not count.
inline constexpr llvm::StringLiteral kIgnoreAttr = "train.ignore";
/// Seed of the initial values, where the model file names one: a module attribute.
inline constexpr llvm::StringLiteral kModelSeedAttr = "train.model_seed";

/// Loads the dialects that an imported module uses.
void loadModelDialects(mlir::MLIRContext &context);

/// Builds `train.param` for each parameter, and
///   @train_step(inputs, target) -> loss                batch statistics, dropout, buffers assigned
///   @eval_step(inputs, target) -> (loss, outputs...)   running statistics, no dropout
///   @forward(inputs) -> outputs...
/// for `batch` samples, in f64 where the recipe's parameters are, else in f32, with each output marked by
/// `amp.output`. The loss is that of the first output.
/// Module attributes: `amp.policy`, `train.optimizer`. Throws Diagnostic when the loss does not fit the
/// output.
mlir::OwningOpRef<mlir::ModuleOp> buildModule(mlir::MLIRContext &context, const Graph &graph,
                                              const Recipe &recipe, int64_t batch);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_MODULEBUILDER_H
