// What values a model's tensors take in some training steps, held against the ranges of narrower types.
#ifndef HALFSTEP_RUNTIME_TRAINER_OBSERVE_CALIBRATION_H
#define HALFSTEP_RUNTIME_TRAINER_OBSERVE_CALIBRATION_H

#include "runtime/trainer/Trainer.h"
#include "runtime/trainer/observe/ValueTable.h"

#include <array>

namespace halfstep {

/// A floating type by the magnitudes that rounding to nearest, ties to even, takes out of its range.
struct NarrowType {
  const char *name;
  double largest;      ///< finite value
  double overflowFrom; ///< and all above: infinite, or in a type without infinities beyond the largest
  double zeroUpTo;     ///< and all below: zero
};
inline constexpr std::array<NarrowType, 4> kNarrowTypes = {
    {{"fp16", 65504, 65520, 0x1p-25},
     {"bf16", 0x1.fep127, 0x1.ffp127, 0x1p-134},
     {"fp8_e4m3", 448, 0x1.d000000000001p8, 0x1p-10}, // 464 is a tie, and 448 is even
     {"fp8_e5m2", 57344, 61440, 0x1p-17}}};

/// The values of one tensor over all steps.
struct TensorRecord {
  enum class Role { Input, Parameter, Forward, Gradient };

  Role role = Role::Forward;
  std::string name;  ///< of an input, a parameter, or the parameter whose gradient it is; else empty
  std::string layer; ///< of the op that made it
  std::string op, place;
  size_t result = 0; ///< number among the results of the op
  std::vector<int64_t> shape;
  double scale = 1;        ///< gradients: the loss scale, by which all numbers here are multiplied
  double min = 0, max = 0; ///< of the finite values; only if there are any
  size_t count = 0;        ///< values over all steps
  size_t notFinite = 0;    ///< in f32 already
  std::array<size_t, kNarrowTypes.size()> overflows{}, zeros{}; ///< finite values out of each type's range

  double amax() const;
};

/// An op and the records of what it reads and makes, by their numbers.
struct OpRecord {
  std::string layer, op;
  bool backward = false;
  std::vector<size_t> operands, results;
};

struct Calibration {
  int64_t steps = 0, skipped = 0;
  std::vector<TensorRecord> tensors; ///< inputs, parameters, then in the order of the step
  std::vector<OpRecord> ops;
};

/// Trains `options.steps` steps on consecutive batches of the data, from the initial weights. The library
/// must have been compiled with its ops kept apart, in a type that no value overflows. Gradients are recorded
/// as `lossScale` would make them. Reads library, data, weights, threads, seed, steps. Throws Diagnostic.
Calibration calibrate(const RunOptions &options, double lossScale);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_OBSERVE_CALIBRATION_H
