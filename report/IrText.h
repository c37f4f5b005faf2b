// A module as text of which each line knows the layer that it comes from.
#ifndef HALFSTEP_REPORT_IRTEXT_H
#define HALFSTEP_REPORT_IRTEXT_H

#include "report/PrecisionReport.h"

#include "mlir/IR/BuiltinOps.h"

namespace halfstep {

/// `module` as `inspect --after` prints it: large constants, which say nothing to a reader, are left out.
std::string irText(mlir::ModuleOp module);

/// The same, with the layers of its lines.
IrReport irReport(mlir::ModuleOp module, const std::string &stage);

} // namespace halfstep

#endif // HALFSTEP_REPORT_IRTEXT_H
