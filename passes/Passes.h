// Factories and registration of the passes; Passes.td describes each.
#ifndef HALFSTEP_PASSES_PASSES_H
#define HALFSTEP_PASSES_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace halfstep {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

} // namespace halfstep

#endif // HALFSTEP_PASSES_PASSES_H
