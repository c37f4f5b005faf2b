// A kernel of one op: its module's text, and what every such kernel has to hold besides its formula.
#ifndef HALFSTEP_TESTS_CODEGEN_OPKERNEL_H
#define HALFSTEP_TESTS_CODEGEN_OPKERNEL_H

#include "Jit.h"

#include <gtest/gtest.h>

namespace halfstep::test {

/// One op in a train.kernel. Types are written without `tensor<>`: 2x3xf32.
struct OpKernel {
  std::string kind, op, attributes;
  std::vector<std::string> operands, results;

  std::string module() const;
};

/// Several ops in a train.kernel, as text: the region's arguments are %b0, %b1, ...
struct RegionKernel {
  std::string kind;
  std::vector<std::string> operands, results;
  std::string body, yields;
  /// Of the module's policy: fused or eager.
  std::string rounding = "fused";

  std::string module() const;
};

/// "2x3x" and the element type.
std::string tensorText(llvm::ArrayRef<int64_t> shape, const std::string &element);
int64_t elementsOf(llvm::ArrayRef<int64_t> shape);

using Buffers = std::vector<Buffer>;

/// Compiles the kernel for each level of this machine and runs it on buffers that `fill` has filled: in one
/// range and item by item, with the same bits, never outside the buffers. Then calls `check`.
void runAtAllLevels(const OpKernel &kernel, const std::function<void(Buffers &)> &fill,
                    const std::function<void(const Buffers &)> &check);
/// The same for several fillings, compiling once a level.
void runAtAllLevels(const OpKernel &kernel, const std::vector<std::function<void(Buffers &)>> &fills,
                    const std::function<void(const Buffers &)> &check);
/// The same for the kernel in a module's text.
void runAtAllLevels(const std::string &module, const std::function<void(Buffers &)> &fill,
                    const std::function<void(const Buffers &)> &check);

/// The allowed distance to an exact value: the rounding of the store, and four deviations of the roundings of
/// a computation with `terms` roundings on values up to `scale` in the compute type of `kernel`.
double tolerance(const OpKernel &kernel, const Buffer &stored, double exact, double terms, double scale);

/// Compares an element; NaN must be met by NaN and infinity by itself.
void expectNear(const Buffer &stored, int64_t at, double exact, double tolerance);

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_CODEGEN_OPKERNEL_H
