// What MLIR's drivers over halfstep's IR know.
#ifndef HALFSTEP_TOOLS_DRIVERS_DIALECTS_H
#define HALFSTEP_TOOLS_DRIVERS_DIALECTS_H

#include "mlir/IR/DialectRegistry.h"

namespace halfstep {

/// Adds our dialects and those that code generation goes through.
void registerDialects(mlir::DialectRegistry &registry);

/// Makes our passes, and MLIR's general ones (canonicalize, cse, ...), known by name.
void registerPasses();

} // namespace halfstep

#endif // HALFSTEP_TOOLS_DRIVERS_DIALECTS_H
