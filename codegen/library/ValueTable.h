// Where the values of a training step lie when its ops are kept apart (CompileRequest::separateOps).
#ifndef HALFSTEP_CODEGEN_LIBRARY_VALUETABLE_H
#define HALFSTEP_CODEGEN_LIBRARY_VALUETABLE_H

#include "mlir/IR/BuiltinOps.h"

#include <nlohmann/json.hpp>

#include <cstdint>

namespace halfstep {

/// The table of the library NAME is in NAME.values.json: a list with an object for each compiled batch size.
inline constexpr const char *kValueTableSuffix = ".values.json";

/// The table of @train_step of a planned module:
///
///   batch      samples of a step
///   ops        in the order in which they run: {op, layer, place, phase, operands, results}; place is
///              "model.json:7:3", phase forward, backward or update
///   loss       the operand that is the loss
///   gradients  [{param, value}]: what is checked for finiteness
///
/// An operand is {kind, dtype, shape} with, by its kind,
///   value                    `op` and `result`: their numbers
///   parameter, scalar        `name`, and `offset` of its bytes in the arena
///   input, target            `index`
///   constant                 of floats: `infinite` and `nan`, counts, and `min` and `max` of the finite ones
/// A result is {dtype, shape, offset}.
nlohmann::ordered_json valueTable(mlir::ModuleOp planned, int64_t batch);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_VALUETABLE_H
