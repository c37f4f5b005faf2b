// What passes know of a recipe: attributes of the module and of its parameters.
#ifndef HALFSTEP_IMPORT_RECIPEATTRIBUTES_H
#define HALFSTEP_IMPORT_RECIPEATTRIBUTES_H

#include "import/Recipe.h"

#include "mlir/IR/BuiltinOps.h"

namespace halfstep {

mlir::Type elementTypeOf(mlir::MLIRContext *context, const std::string &name);

/// Sets `amp.policy` and `train.optimizer`.
void setRecipeAttributes(mlir::ModuleOp module, const Recipe &recipe);

/// Gives the parameters what their groups say; the first group that matches a name decides. Throws Diagnostic
/// for a group that matches no parameter.
void applyGroups(mlir::ModuleOp module, const Recipe &recipe);

/// For a recipe that accumulates: says, at the end of @train_step, what one batch counts. `count` is what a
/// mean by weights was divided by, null for other losses.
void weighBatch(mlir::OpBuilder &builder, mlir::Location loc, const Recipe &recipe, int64_t batch,
                mlir::Value count);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_RECIPEATTRIBUTES_H
