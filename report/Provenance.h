// Marks on ops that outlive the passes: which pass of the step an op belongs to, and which cast it was. They
// are in the ops' locations, where no pass looks, so that a marked module becomes the same code as an
// unmarked one.
#ifndef HALFSTEP_REPORT_PROVENANCE_H
#define HALFSTEP_REPORT_PROVENANCE_H

#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>

namespace halfstep {

/// Runs `differentiate` on a module after place-casts and marks the ops of its training step, and with them
/// whatever a later pass makes of them, as part of the forward or of the backward pass. Failure has been
/// reported as a diagnostic.
mlir::LogicalResult differentiateAndMark(mlir::ModuleOp module);

/// True for an op that was marked so; of an unmarked one, false.
bool isForward(mlir::Operation *op);
bool isBackward(mlir::Operation *op);

/// Marks `op`, and whatever a later pass makes of it, as number `id`.
void markNumber(mlir::Operation *op, int64_t id);
std::optional<int64_t> numberOf(mlir::Operation *op);

/// Where in the model's file a location lies: "model.json:7:3"; empty when it does not tell.
std::string filePlaceOf(mlir::Location loc);

/// The layer, value or parameter that `op` comes from; "" where its location has no name.
std::string originOf(mlir::Operation *op);

} // namespace halfstep

#endif // HALFSTEP_REPORT_PROVENANCE_H
