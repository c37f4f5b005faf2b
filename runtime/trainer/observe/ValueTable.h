// ID.values.json: what a library whose ops were kept apart says of the values of its training step.
#ifndef HALFSTEP_RUNTIME_TRAINER_OBSERVE_VALUETABLE_H
#define HALFSTEP_RUNTIME_TRAINER_OBSERVE_VALUETABLE_H

#include "runtime/trainer/observe/TensorRange.h"

#include <cstdint>
#include <string>
#include <vector>

namespace halfstep {

/// A tensor of the step: a result of an op, or what an op reads.
struct StepTensor {
  /// Result: made by an op; Parameter: the values that ops read, at the start of the step.
  enum class Kind { Result, Parameter, Scalar, Input, Target, Constant };

  Kind kind = Kind::Result;
  DataType type = DataType::F32;
  std::vector<int64_t> shape;
  size_t count = 0;          ///< elements
  int64_t offset = -1;       ///< of its bytes in the arena: results, parameters, scalars
  std::string name;          ///< of a parameter or scalar
  size_t index = 0;          ///< among the inputs or targets
  size_t op = 0, result = 0; ///< of a result: who made it
  TensorRange constant;      ///< of a constant
};

/// One op of the step.
struct StepOp {
  std::string op;    ///< "nn.matmul"
  std::string layer; ///< the node's name in the model file; empty where it has none
  std::string place; ///< "model.json:7:3"
  std::string phase; ///< forward, backward, update
  std::vector<StepTensor> operands, results;
};

/// The step for one batch size.
struct ValueTable {
  int64_t batch = 0;
  std::vector<StepOp> ops; ///< in the order in which they run
  StepTensor loss;
  struct Gradient {
    std::string param;
    StepTensor value;
  };
  std::vector<Gradient> gradients;
};

/// Reads the table of a library in `folder`: one for each compiled batch size. Throws Diagnostic.
std::vector<ValueTable> readValueTables(const std::string &folder, const std::string &id);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_OBSERVE_VALUETABLE_H
