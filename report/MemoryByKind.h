// Where the bytes of a planned step's arena go.
//
//   params       what the ops read of parameters and buffers: the working copy where there is one, else the
//   values masters      what the optimizer keeps of them beside that: f32 masters of working copies, the low
//   halves of
//                split ones
//   moments      the optimizer's slots
//   activations  what the forward pass makes and the backward pass reads: the results of kernels without
//   backward
//                ops that a kernel with backward ops reads. All of them are alive when the backward pass
//                begins
//   workspace    the rest of the arena: gradients of parameters, values that live within one pass, the step's
//                scalars, and padding
//
// A tensor counts with its own bytes; padding is workspace. What the caller passes in (inputs and targets) is
// not in the arena. So the five parts add up to the arena.
#ifndef HALFSTEP_REPORT_MEMORYBYKIND_H
#define HALFSTEP_REPORT_MEMORYBYKIND_H

#include "report/PrecisionReport.h"

#include "mlir/IR/BuiltinOps.h"

namespace halfstep {

/// Of a module after plan-memory whose ops differentiateAndMark() marked.
MemoryReport memoryByKind(mlir::ModuleOp planned);

/// The values that count as activations, largest first.
std::vector<ActivationReport> activationsOf(mlir::ModuleOp planned);

/// How each parameter and buffer is stored.
std::vector<WeightReport> weightsOf(mlir::ModuleOp planned);

/// Bytes of a tensor without padding.
int64_t tensorBytes(mlir::Type tensor);

/// Name of an element type: f32, bf16...
std::string typeName(mlir::Type element);

} // namespace halfstep

#endif // HALFSTEP_REPORT_MEMORYBYKIND_H
