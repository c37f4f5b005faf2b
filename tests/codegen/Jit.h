// Compiles one kernel in this process and runs it: what all tests of codegen/cpu have in common.
#ifndef HALFSTEP_TESTS_CODEGEN_JIT_H
#define HALFSTEP_TESTS_CODEGEN_JIT_H

#include "codegen/cpu/CpuLevel.h"
#include "codegen/cpu/Kernel.h"

#include "dialect/train/TrainDialect.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace halfstep::test {

/// An operand in memory: elements of an MLIR type, aligned to 64 bytes, between guard zones.
class Buffer {
public:
  /// `type`: f64, f32, bf16, f16, i64, i32, i16, i8 or i1. Elements start as all bits set: NaN or -1.
  Buffer(const std::string &type, int64_t count);

  int64_t size() const { return count; }
  const std::string &type() const { return element; }
  void *data() { return memory.get() + guardBytes; }
  const void *data() const { return memory.get() + guardBytes; }

  double get(int64_t i) const;
  /// Rounds to nearest-even.
  void set(int64_t i, double value);
  void fill(const std::function<double(int64_t)> &value);
  /// Values of the type that differ from each other in no simple pattern, between -range and range.
  void fillRandom(unsigned seed, double range = 1.0);

  /// False when something wrote before or behind the elements.
  bool guardsIntact() const;
  bool sameBits(const Buffer &other) const;

private:
  static constexpr int64_t guardBytes = 256;
  struct Free {
    void operator()(char *memory) const { std::free(memory); }
  };
  std::string element;
  int64_t count, elementBytes, bytes;
  std::unique_ptr<char, Free> memory;
};

/// Half the distance of neighbours at 1: the relative error of one rounding to `type`.
double unitRoundoff(const std::string &type);

/// What a kernel is compiled from: a module, and the only train.kernel in it.
struct KernelSource {
  /// Parses a module; throws std::runtime_error with the diagnostics when it is wrong.
  explicit KernelSource(const std::string &moduleText);
  ~KernelSource();

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  train::KernelOp kernel;
};

struct JitOptions {
  /// Keep the assembly, at the price of compiling twice.
  bool keepAssembly = false;
};

/// A kernel as machine code.
class JitKernel {
public:
  /// Emits, lowers and compiles the kernel of `moduleText`; throws std::runtime_error with the diagnostics.
  JitKernel(const std::string &moduleText, const CpuLevel &level, const JitOptions &options = {});
  ~JitKernel();
  JitKernel(JitKernel &&);

  /// The kernel's arguments, in order.
  llvm::ArrayRef<KernelOperand> operands() const { return arguments; }
  /// A buffer of the type and size of each argument.
  std::vector<Buffer> makeBuffers() const;

  int64_t items() const { return plan.items; }
  int64_t grain() const { return plan.grain; }
  int64_t scratchBytes() const { return plan.scratchBytes; }

  /// Runs items lo..hi: one pointer an argument. `scratch` is null, or scratchBytes() aligned to 64.
  void run(llvm::ArrayRef<void *> data, int64_t lo, int64_t hi, void *scratch) const {
    entry(data.data(), lo, hi, scratch);
  }
  /// All items, in ranges of at most `chunk` (0: one range), the last range first, each with scratch of
  /// another content.
  void run(std::vector<Buffer> &buffers, int64_t chunk = 0) const;

  /// In the LLVM dialect, before LLVM's own passes.
  const std::string &llvmDialect() const { return llvmText; }
  /// With JitOptions::keepAssembly.
  const std::string &assembly() const { return assemblyText; }
  /// Milliseconds of the emitter and MLIR's passes, and of LLVM.
  double mlirMilliseconds = 0, llvmMilliseconds = 0;

private:
  struct Code;
  void compile(const CpuLevel &level, const JitOptions &options);

  llvm::SmallVector<KernelOperand> arguments;
  ContractionPlan plan;
  std::string llvmText, assemblyText;
  std::unique_ptr<Code> code;
  void (*entry)(void *const *data, int64_t lo, int64_t hi, void *scratch) = nullptr;
};

/// The levels that this machine can run.
std::vector<const CpuLevel *> hostLevels();

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_CODEGEN_JIT_H
