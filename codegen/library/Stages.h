// Modules at the stages that `inspect` names.
#ifndef HALFSTEP_CODEGEN_LIBRARY_STAGES_H
#define HALFSTEP_CODEGEN_LIBRARY_STAGES_H

#include "codegen/library/Frontend.h"

namespace halfstep {

/// The request's model after `stage`, one of stageNames(), for the recipe's batch. Throws Diagnostic.
mlir::OwningOpRef<mlir::ModuleOp> moduleAfter(Frontend &frontend, const CompileRequest &request,
                                              const std::string &stage);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_STAGES_H
