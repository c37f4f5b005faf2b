// Runs a model through the passes and writes down what they decide.
#ifndef HALFSTEP_REPORT_REPORTBUILDER_H
#define HALFSTEP_REPORT_REPORTBUILDER_H

#include "report/PrecisionReport.h"

#include "mlir/IR/BuiltinOps.h"

namespace halfstep {

/// Plans `module`, an imported one, and fills `report`: ops, casts, weights, memory, activations. Failure of
/// a pass has been reported as a diagnostic.
mlir::LogicalResult buildReport(mlir::ModuleOp module, PrecisionReport &report);

} // namespace halfstep

#endif // HALFSTEP_REPORT_REPORTBUILDER_H
